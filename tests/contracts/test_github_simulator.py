"""The local GitHub, held against GitHub's own description of its API, as githubkit has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from githubkit import AppAuthStrategy, GitHub, TokenAuthStrategy
from githubkit.exception import RequestFailed

from bot.playground.git import GitHost
from bot.playground.github import GitHub as LocalGitHub
from bot.playground.github.pulls import Refusal

NAME = "acme/manifests"
OWNER, REPOSITORY = NAME.split("/")


@pytest.fixture
def github(tmp_path: Path) -> Iterator[LocalGitHub]:
    with GitHost(tmp_path) as host, LocalGitHub(host) as github:
        host.create(NAME, {"a": "1\n", "b": "1\n"})
        host.repository(NAME).move("topic", host.head(NAME), "")
        host.commit(NAME, "Dana", {"a": "2\n"}, "Two.\n\nDeployment-Id: d-1", "topic")
        yield github


def client(github: LocalGitHub, auth: Any = None) -> GitHub[Any]:
    auth = auth or TokenAuthStrategy(github.host.token)
    return GitHub(auth, base_url=github.serve(), auto_retry=False, http_cache=False)


def opened(github: LocalGitHub) -> int:
    person = client(github)  # its namespaces hold it by a weak reference
    answer = person.rest.pulls.create(
        OWNER, REPOSITORY, title="Two", body="b", head="topic", base="main"
    )
    assert answer.status_code == 201
    return answer.parsed_data.number


def refused(call: Any) -> tuple[int, Any]:
    with pytest.raises(RequestFailed) as failed:
        call()
    return failed.value.response.status_code, failed.value.response.json()


def test_a_pull_request_from_its_opening_to_its_merge(github: LocalGitHub) -> None:
    number, person = opened(github), client(github)
    pulls = person.rest.pulls
    shown = pulls.get(OWNER, REPOSITORY, number).parsed_data
    assert (shown.state, shown.merged, shown.head.ref, shown.base.ref) == (
        "open", False, "topic", "main",
    )  # fmt: skip
    listed = pulls.list(OWNER, REPOSITORY, state="all", head="acme:topic").parsed_data
    assert [each.number for each in listed] == [number]
    assert pulls.list(OWNER, REPOSITORY, head="acme:other").parsed_data == []
    commit = github.merge(NAME, number, "dana", "merge")
    assert github.host.head(NAME) == commit
    merged = pulls.get(OWNER, REPOSITORY, number).parsed_data
    assert (merged.state, merged.merged) == ("closed", True)
    assert pulls.list(OWNER, REPOSITORY).parsed_data == []


@pytest.mark.parametrize("version", ["2022-11-28", "2026-03-10"])
def test_the_newest_version_no_longer_says_by_which_commit(
    github: LocalGitHub, version: str
) -> None:
    number = opened(github)
    commit = github.merge(NAME, number, "dana", "squash")
    headers = {"X-GitHub-Api-Version": version}
    answer = client(github).request("GET", f"/repos/{NAME}/pulls/{number}", headers=headers)
    assert answer.json().get("merge_commit_sha") == (commit if version == "2022-11-28" else None)


def test_a_squash_keeps_the_message_and_its_trailers(github: LocalGitHub) -> None:
    github.merge(NAME, opened(github), "dana", "squash")
    newest = github.host.log(NAME)[0]
    assert (newest.subject, newest.trailer("Deployment-Id")) == ("Two. (#1)", "d-1")


def test_what_is_refused(github: LocalGitHub) -> None:
    person = client(github)
    pulls = person.rest.pulls

    def create(head: str, base: str = "main") -> Any:
        return lambda: pulls.create(OWNER, REPOSITORY, title="t", head=head, base=base)

    number = opened(github)
    status, told = refused(create("topic"))
    assert (status, told["errors"][0]["message"]) == (
        422, "A pull request already exists for acme:topic.",
    )  # fmt: skip
    assert refused(create("nothing"))[1]["errors"][0]["field"] == "head"
    assert refused(create("main"))[1]["errors"][0]["message"] == "No commits between main and main"
    assert refused(lambda: pulls.get(OWNER, REPOSITORY, 99))[0] == 404
    assert refused(lambda: pulls.get(OWNER, "nothing", 1))[0] == 404
    reading = client(github, TokenAuthStrategy(github.host.reading_token))
    reader = reading.rest.pulls
    assert reader.get(OWNER, REPOSITORY, number).status_code == 200
    assert refused(
        lambda: reader.create(OWNER, REPOSITORY, title="t", head="topic", base="main")
    )[0] == 403  # fmt: skip
    unknown = client(github, TokenAuthStrategy("nobody"))
    nobody = unknown.rest.pulls
    assert refused(lambda: nobody.get(OWNER, REPOSITORY, number))[1]["message"] == "Bad credentials"
    github.close_pull(NAME, number)
    with pytest.raises(Refusal, match="not mergeable"):
        github.merge(NAME, number, "dana")
    version = {"X-GitHub-Api-Version": "1999-01-01"}
    assert refused(lambda: client(github).request("GET", "/x", headers=version))[0] == 400


def test_a_conflict_cannot_be_merged(github: LocalGitHub) -> None:
    number = opened(github)
    github.host.commit(NAME, "Erin", {"a": "3\n"}, "Three.")
    with pytest.raises(Refusal, match="not mergeable"):
        github.merge(NAME, number, "dana")
    assert github.pulls(NAME)[0].state == "open"


def test_a_token_in_the_apps_name(github: LocalGitHub) -> None:
    app = client(github, AppAuthStrategy(github.app_id, github.private_key()))
    found = app.rest.apps.get_repo_installation(OWNER, REPOSITORY).parsed_data
    token = app.rest.apps.create_installation_access_token(found.id).parsed_data.token
    number = opened(github)
    as_app = client(github, TokenAuthStrategy(token))
    assert as_app.rest.pulls.get(OWNER, REPOSITORY, number).status_code == 200
    other = client(github, AppAuthStrategy("1", github.private_key()))
    assert refused(lambda: other.rest.apps.get_repo_installation(OWNER, REPOSITORY))[0] == 404
    person = client(github)
    assert refused(lambda: person.rest.apps.get_repo_installation(OWNER, REPOSITORY))[0] == 401
