"""Who may push, by which credentials, and how commits are signed."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from bot.model.errors import AccessDenied, Misconfigured, QuarterdeckError
from bot.model.rollout import Finding, Grade
from bot.providers.git.access import Environment, GitAccess, place_of
from bot.providers.git.faults import Broken, Deed, Raced, push_fault, read_fault, said
from bot.providers.git.program import Call, GitFailed, run
from tests.fakes.git_place import NAME, PROGRAMS, GitPlace, order
from tests.fakes.manifests import TAGGED

SECRET = "ghp_a-secret"


def grades(findings: object) -> list[Grade]:
    assert isinstance(findings, list)
    return [each.grade for each in findings if isinstance(each, Finding)]


def test_a_protected_branch(place: GitPlace) -> None:
    place.host.protect(NAME, "main")
    with pytest.raises(AccessDenied, match="GH006: Protected branch update failed") as refused:
        place.bot().send(place.target, order(), TAGGED)
    assert refused.value.reason_code == "PUSH_REFUSED"
    assert "pull_request" in refused.value.hint
    assert len(place.host.log(NAME)) == 1


def test_a_token_that_may_only_read(place: GitPlace) -> None:
    bot = place.bot(token=place.host.reading_token)
    assert bot.head(place.target).value == "v1.4.0"
    with pytest.raises(AccessDenied, match="may not do that") as refused:
        bot.send(place.target, order(), TAGGED)
    assert "write access" in refused.value.hint
    assert grades(bot.examine(place.target, "web/production")) == [Grade.WARNING, Grade.ERROR]


def test_a_token_that_is_revoked_in_between(place: GitPlace) -> None:
    bot = place.bot()
    bot.head(place.target)
    place.host.revoke(place.host.token)
    with pytest.raises(AccessDenied):
        bot.send(place.target, order(), TAGGED)


def test_what_doctor_says(place: GitPlace) -> None:
    bot = place.bot()
    value, push = bot.examine(place.target, "web/production")
    assert value.grade is Grade.WARNING
    assert value.found.startswith("v1.4.0 in line 4 of apps/web/kustomization.yaml at ")
    assert (push.grade, push.found) == (Grade.OK, "may push to main, unless it is protected")
    assert len(place.host.log(NAME)) == 1
    bot.send(place.target, order(), TAGGED)
    assert grades(bot.examine(place.target, "web/production")) == [Grade.OK, Grade.OK]
    place.host.faults.deny()
    denied = bot.examine(place.target, "web/production")
    assert grades(denied) == [Grade.ERROR]
    assert "GIT_TOKEN" in denied[0].advice


def key_in(folder: Path) -> Path:
    key = folder / "signing"
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bot", "-f", str(key)]
    subprocess.run(words, check=True)
    return key


def test_commits_are_signed(place: GitPlace) -> None:
    key = key_in(place.folder)
    bot = place.bot(signing_key=key)
    commit = bot.send(place.target, order(), TAGGED)
    allowed = place.folder / "allowed"
    public = key.with_suffix(".pub").read_text()
    allowed.write_text(f"quarterdeck@users.noreply.github.com {public}")
    words = ["-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={allowed}"]
    folder = place.host.folder(NAME)
    subprocess.run(["git", f"--git-dir={folder}", *words, "verify-commit", commit], check=True)
    findings = bot.examine(place.target, "web/production")
    assert findings[-1].found == "commits can be signed"


def unreadable(key: Path) -> None:
    key.write_text("nonsense")


def open_to_all(key: Path) -> None:
    key.chmod(0o644)


@pytest.mark.parametrize("damage", [Path.unlink, unreadable, open_to_all])
def test_a_signing_key_that_cannot_be_used(place: GitPlace, damage: object) -> None:
    key = key_in(place.folder)
    key.with_suffix(".pub").unlink()
    assert callable(damage)
    damage(key)
    bot = place.bot(signing_key=key)
    with pytest.raises(Misconfigured, match="cannot be signed") as refused:
        bot.send(place.target, order(), TAGGED)
    assert "GIT_SIGNING_KEY" in refused.value.hint
    assert len(place.host.log(NAME)) == 1
    assert grades(bot.examine(place.target, "web"))[-1] is Grade.ERROR


def test_a_key_with_a_passphrase_is_asked_for_by_nobody(place: GitPlace) -> None:
    key = key_in(place.folder)
    words = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "a passphrase", "-f", str(key)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    with pytest.raises(Misconfigured, match="cannot be signed"):
        place.bot(signing_key=key).send(place.target, order(), TAGGED)


def test_ssh_is_called_with_the_key_and_the_known_hosts(place: GitPlace) -> None:
    """An ssh that notes how it was called, and does here what is to be done there."""
    folder = place.folder / "bin with space"
    folder.mkdir()
    noted = place.folder / "noted"
    there = shlex.quote(str(place.host.root))
    script = folder / "ssh"
    script.write_text(
        f'#!/bin/sh\nfor each in "$@"; do echo "$each" >> {noted}; done\n'
        f'for last in "$@"; do :; done\ncd {there} && eval "exec $last"\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    key, known = place.folder / "a key", place.folder / "known hosts"
    environment = {"PATH": f"{folder}{os.pathsep}{os.defpath}"}
    bot = place.bot(ssh_key=key, ssh_known_hosts=known, environment=environment)
    target = place.target.model_copy(update={"repository": f"git@git.example:{NAME}.git"})
    commit = bot.send(target, order(), TAGGED)
    assert place.host.head(NAME) == commit
    words = noted.read_text().splitlines()
    assert {"BatchMode=yes", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", str(key)} <= {
        *words
    }
    assert f'UserKnownHostsFile="{known}"' in words
    assert "git@git.example" in words


def test_credentials_are_in_the_environment_alone() -> None:
    access = GitAccess(Path("cache"), token=SECRET, github_token=SECRET, environment=PROGRAMS)
    assert SECRET not in repr(access)
    environment = Environment(access, lambda _: SECRET)
    remote = "https://git.example/acme/manifests.git"
    given = environment.remote(remote)
    assert f"http.{remote}.extraHeader" in given.values()
    secrets = environment.secrets(remote)
    assert not any(secret in str(environment.local()) for secret in secrets)
    assert not any(secret in str(environment.remote("git@git.example:a/b")) for secret in secrets)
    assert said(f"fatal: {secrets[0]} and {SECRET}\n", secrets) == "fatal: *** and ***"


@pytest.mark.parametrize(
    ("remote", "host", "name"),
    [
        ("https://github.com/acme/manifests.git", "github.com", "acme/manifests"),
        ("https://git.example:8443/a/b/c/", "git.example", "a/b/c"),
        ("ssh://git@git.example:22/acme/x.git", "git.example", "acme/x"),
        ("git@GitHub.com:acme/x.git", "github.com", "acme/x"),
    ],
)
def test_where_a_remote_is(remote: str, host: str, name: str) -> None:
    place = place_of(remote)
    assert (place.host, place.name, f"{place.owner}/{place.repository}") == (host, name, name)


DEED = Deed("git@git.example:acme/x", "main")
HUNG = "send-pack: unexpected disconnect while reading sideband packet\nfatal: the remote end hung"
REFUSED = "!\trefs:refs\t[remote rejected] ({})\nDone\n"


NOT_READ = "\nfatal: Could not read from remote repository."
CLOSED = "Connection to x closed by remote host.\nfatal: the remote end hung up unexpectedly"
READ_ONLY = "ERROR: The key you are authenticating with has been marked as read only."
FULL = "fatal: write error: No space left on device\nfatal: unable to access 'x'"
UNTRUSTED = "fatal: unable to access 'https://x/': SSL certificate problem: self-signed"
NOT_ALLOWED = "remote: GitLab: You are not allowed to push code to protected branches"
RULES = "remote: error: GH013: Repository rule violations found"


@pytest.mark.parametrize(
    ("code", "out", "words", "kind"),
    [
        (None, "", "", "OUTCOME_UNKNOWN"),
        (1, "Done", f"error: RPC failed; curl 18\n{HUNG}", "OUTCOME_UNKNOWN"),
        (1, "Done", f"error: RPC failed; HTTP 502 curl 22\n{HUNG}", "OUTCOME_UNKNOWN"),
        (1, "Done", f"error: RPC failed; HTTP 403 curl 22\n{HUNG}", "ACCESS_DENIED"),
        (1, "Done", f"error: RPC failed; HTTP 429 curl 22\n{HUNG}", "THROTTLED"),
        (128, "", CLOSED, "OUTCOME_UNKNOWN"),
        (128, "", "fatal: something of a later git", "OUTCOME_UNKNOWN"),
        (128, "", f"ssh: connect to host x: Connection refused{NOT_READ}", "UNREACHABLE"),
        (128, "", f"git@x: Permission denied (publickey).{NOT_READ}", "ACCESS_DENIED"),
        (128, "", f"{READ_ONLY}{NOT_READ}", "ACCESS_DENIED"),
        (128, "", f"Host key verification failed.{NOT_READ}", "MISCONFIGURED"),
        (128, "", UNTRUSTED, "MISCONFIGURED"),
        (128, "", "fatal: unable to access 'x': Could not resolve host: x", "UNREACHABLE"),
        (128, "", FULL, "TRANSIENT"),
        (1, REFUSED.format("protected branch hook declined"), "remote: GH006: no", "PUSH_REFUSED"),
        (1, REFUSED.format("pre-receive hook declined"), NOT_ALLOWED, "PUSH_REFUSED"),
        (1, REFUSED.format("push declined due to rule violations"), RULES, "PUSH_REFUSED"),
        (1, REFUSED.format("unpacker error"), "", "TRANSIENT"),
        (1, REFUSED.format("shallow update not allowed"), "", "PUSH_REFUSED"),
    ],
)
def test_why_a_push_failed(code: int | None, out: str, words: str, kind: str) -> None:
    fault = push_fault(GitFailed(code, out, words), DEED)
    assert isinstance(fault, QuarterdeckError)
    assert fault.reason_code == kind


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("fatal: unable to access 'https://x/m.git/': Empty reply", "Empty reply"),
        (
            "GH006: No.\nUse a pull request.",
            "GH006: No. Use a pull request.",
        ),
        ("one\ntwo", "one; two"),
        ("", "it gave no reason"),
    ],
)
def test_what_git_said_is_one_line_that_names_the_remote_no_second_time(
    words: str, text: str
) -> None:
    assert said(words) == text


@pytest.mark.parametrize(
    "why", ["failed to update ref", "cannot lock ref", "fetch first", "non-fast-forward"]
)
def test_a_race_is_told_from_a_refusal(why: str) -> None:
    for who in ("rejected", "remote rejected"):
        out = f"!\trefs:refs\t[{who}] ({why})\nDone\n"
        assert isinstance(push_fault(GitFailed(1, out, "error: failed to push"), DEED), Raced)


def test_what_is_no_remotes_doing_is_the_clones() -> None:
    words = "error: object file objects/12 is empty\nfatal: loose object 12 is corrupt"
    assert isinstance(read_fault(GitFailed(128, "", words), DEED), Broken)
    assert isinstance(push_fault(GitFailed(128, "", "fatal: bad object 12"), DEED), Broken)


def test_git_is_stopped_in_time_with_all_that_it_started(tmp_path: Path) -> None:
    script = tmp_path / "git"
    known = '[ "$1" = version ] && echo git version 2.39.5 && exit'
    script.write_text(f"#!/bin/sh\n{known}\nsleep 600 &\necho $! > {tmp_path}/child\nwait\n")
    script.chmod(0o755)
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.defpath}"}
    with pytest.raises(GitFailed) as late:
        run(Call(("fetch",), environment, within=0.5))
    assert late.value.code is None
    child = int((tmp_path / "child").read_text())
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().split()[2] in {"Z", "X"}


def test_a_git_that_takes_no_settings_from_its_environment(tmp_path: Path) -> None:
    """It would say that the token is not accepted, which it never sent."""
    script = tmp_path / "git"
    script.write_text("#!/bin/sh\necho git version 2.30.2\n")
    script.chmod(0o755)
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.defpath}"}
    with pytest.raises(Misconfigured, match=r"2\.30.* too old") as refused:
        run(Call(("fetch",), environment))
    assert "2.34" in refused.value.hint
    script.write_text("#!/bin/sh\necho git version 3.1\n")
    assert run(Call(("fetch",), environment)) == b"git version 3.1\n"


def test_a_machine_without_git(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no git on this machine"):
        run(Call(("version",), {"PATH": str(tmp_path)}))
