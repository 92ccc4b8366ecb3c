"""The local git host, by the eyes of a git client: what it serves and how it refuses."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from bot.playground.git import GitHost
from bot.playground.git.program import GitError, clean_environment
from bot.playground.git.repository import Repository

NAME = "acme/manifests"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[GitHost]:
    with GitHost(tmp_path / "host") as host:
        host.create(NAME, {"apps/web/values.yaml": "tag: v1\n", "README.md": "hello\n"})
        yield host


class Client:
    """A person with a clone."""

    def __init__(self, host: GitHost, folder: Path, token: str) -> None:
        self.folder = folder
        self.url = host.url(NAME).replace("http://", f"http://x-access-token:{token}@")

    def git(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        who = {f"GIT_{role}_{part}": "x@x" for role in ("AUTHOR", "COMMITTER") for part in
               ("NAME", "EMAIL")}  # fmt: skip
        return subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=clean_environment() | who,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def clone(self) -> None:
        self.folder.mkdir()
        cloned = self.git("clone", "--quiet", "--depth=1", "--filter=blob:none", self.url, ".")
        assert cloned.returncode == 0, cloned.stderr

    def push(self, text: str = "m") -> subprocess.CompletedProcess[str]:
        self.git("commit", "--quiet", "--allow-empty", "--message", text)
        return self.git("push", "--quiet", "origin", "HEAD:main")


@pytest.fixture
def client(host: GitHost, tmp_path: Path) -> Client:
    client = Client(host, tmp_path / "clone", host.token)
    client.clone()
    return client


def test_a_clone_and_a_push(host: GitHost, client: Client) -> None:
    assert (client.folder / "apps/web/values.yaml").read_text() == "tag: v1\n"
    assert client.push("Hello.\n\nDeployment-Id: 1\nApproved-By: a\nApproved-By: b").returncode == 0
    newest, first = host.log(NAME)
    assert (newest.subject, newest.trailer("Deployment-Id")) == ("Hello.", "1")
    assert [value for key, value in newest.trailers if key == "Approved-By"] == ["a", "b"]
    assert newest.hash == host.head(NAME)
    assert first.author == "Quartermaster <quartermaster@acme.example>"


def test_somebody_else_pushes(host: GitHost) -> None:
    made = host.commit(NAME, "Dana <dana@acme.example>", {"README.md": "", "new": "n\n"}, "Tidy.")
    assert host.head(NAME) == made
    assert host.read(NAME, "new", made) == "n\n"
    assert host.read(NAME, "apps/web/values.yaml") == "tag: v1\n"
    with pytest.raises(Exception, match=r"README\.md"):
        host.read(NAME, "README.md")


class Overtaken(Repository):
    """Somebody else's push lands in the last moment."""

    def __init__(self, folder: Path, other: Callable[[], object]) -> None:
        super().__init__(folder)
        self._others = [other]

    @override
    def move(self, branch: str, new: str, old: str) -> None:
        while self._others:
            self._others.pop()()
        super().move(branch, new, old)


def test_somebody_who_is_overtaken_pushes_again(host: GitHost, client: Client) -> None:
    dana = Overtaken(host.folder(NAME), lambda: client.push("I was faster."))
    made = dana.commit("Dana <dana@acme.example>", {"new": "n\n"}, "Add.", "main")
    assert host.head(NAME) == made
    assert [entry.subject for entry in host.log(NAME)] == ["Add.", "I was faster.", "Begin."]


def test_somebody_who_is_overtaken_in_the_same_file_writes_over_nothing(host: GitHost) -> None:
    def erin() -> None:
        host.commit(NAME, "Erin", {"README.md": "theirs\n"}, "I was faster.")

    dana = Overtaken(host.folder(NAME), erin)
    with pytest.raises(GitError, match="cannot lock ref"):
        dana.commit("Dana <dana@acme.example>", {"README.md": "ours\n"}, "Edit.", "main")
    assert host.read(NAME, "README.md") == "theirs\n"


def test_a_protected_branch_refuses_in_githubs_words(host: GitHost, client: Client) -> None:
    host.protect(NAME, "main")
    refused = client.push()
    assert refused.returncode != 0
    assert "GH006: Protected branch update failed for refs/heads/main." in refused.stderr
    assert client.git("push", "--quiet", "origin", "HEAD:refs/heads/other").returncode == 0
    host.protect(NAME)
    assert client.push().returncode == 0


def test_a_token_that_may_only_read(host: GitHost, tmp_path: Path) -> None:
    reader = Client(host, tmp_path / "reader", host.reading_token)
    reader.clone()
    refused = reader.push()
    assert "returned error: 403" in refused.stderr
    assert len(host.log(NAME)) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [(("x-access-token:", "x-access-token:no"), "Authentication failed"),
     (("acme/", "nobody/"), "not found")],
)  # fmt: skip
def test_who_may_not_see_it(client: Client, change: tuple[str, str], said: str) -> None:
    assert said in client.git("ls-remote", client.url.replace(*change)).stderr


def test_the_race_is_lost_to_a_commit_that_lands_meanwhile(host: GitHost, client: Client) -> None:
    host.faults.race(lambda: host.commit(NAME, "Erin", {"other": "o\n"}, "I was first."))
    refused = client.push()
    assert refused.returncode != 0
    assert "cannot lock ref" in refused.stderr
    assert [entry.subject for entry in host.log(NAME)] == ["I was first.", "Begin."]


def test_the_answer_to_a_push_that_took_effect_is_lost(host: GitHost, client: Client) -> None:
    host.faults.lose_answer()
    lost = client.push("Landed.")
    assert "the remote end hung up unexpectedly" in lost.stderr
    assert host.log(NAME)[0].subject == "Landed."


def test_refusals_silence_and_delay(host: GitHost, client: Client) -> None:
    host.faults.unreachable(1)
    assert "Empty reply" in client.git("fetch").stderr
    host.faults.answer(503)
    assert "returned error: 503" in client.git("fetch").stderr
    host.faults.deny()
    assert "Authentication failed" in client.git("fetch").stderr
    host.faults.clear()
    host.faults.slow(0.01)
    assert client.git("fetch").returncode == 0


def test_a_server_that_serves_no_partial_clones(host: GitHost, tmp_path: Path) -> None:
    host.allow_filter(NAME, allowed=False)
    whole = Client(host, tmp_path / "whole", host.token)
    whole.clone()
    assert "README.md" in whole.git("ls-files").stdout


def test_requests_are_recorded(host: GitHost, client: Client) -> None:
    before = len(host.requests())
    client.push()
    seen = [(each.service, each.status) for each in host.requests()[before:]]
    assert seen == [("list_push", 401), ("list_push", 200), ("push", 200)]
