"""A value that reaches the branch by way of a pull request, and tokens in an App's name."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.model.deployment import Image, Person
from bot.model.errors import (
    AccessDenied,
    Misconfigured,
    QuarterdeckError,
    Terminal,
    Unknown,
    Unreachable,
)
from bot.model.places import Manifests
from bot.model.rollout import Grade
from bot.playground.git.program import git
from bot.playground.github import GitHub
from bot.playground.github.pulls import How
from bot.providers.argocd.desired import Landed, Relation
from bot.providers.git import GitManifests
from tests.fakes.clock import FakeClock, MachineClock
from tests.fakes.git_place import FILE, NAME, TEXT, GitPlace, order
from tests.fakes.manifests import OTHER, TAGGED

BRANCH = "quarterdeck/d-0001"


@pytest.fixture
def github(place: GitPlace) -> Iterator[GitHub]:
    with GitHub(place.host) as github:
        place.host.protect(NAME, "main")
        yield github


def bot_of(place: GitPlace, github: GitHub, **more: Any) -> GitManifests:
    return place.bot(github_api_url=github.serve(), **more)


def target(place: GitPlace) -> Manifests:
    return place.target.model_copy(update={"delivery": "pull_request"})


@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
def test_a_pull_request_waits_and_lands(place: GitPlace, github: GitHub, how: How) -> None:
    bot, goal = bot_of(place, github), target(place)
    handle = bot.send(goal, order(), TAGGED)
    assert handle == "pull/1"
    (pull,) = github.pulls(NAME)
    assert (pull.title, pull.head, pull.base) == ("Deploy v1.5.0 to apps/web", BRANCH, "main")
    assert "- Requested-By: `alice <U01ALICE@slack.invalid>`" in (pull.body or "")
    assert bot.head(goal).value == "v1.4.0"
    assert bot.landed(goal, handle).waits.startswith("Pull request 1 waits for its merge: http")
    merged = github.merge(NAME, 1, "Dana", how)
    assert bot.landed(goal, handle) == Landed(commit=merged)
    assert bot.head(goal).value == TAGGED
    assert bot.relation(goal, merged, place.host.head(NAME), TAGGED) is Relation.OURS
    assert place.host.read(NAME, FILE) == TEXT.replace("v1.4.0", TAGGED)


def test_one_that_is_closed_is_lost(place: GitPlace, github: GitHub) -> None:
    bot, goal = bot_of(place, github), target(place)
    handle = bot.send(goal, order(), TAGGED)
    github.close_pull(NAME, 1)
    assert "was closed without a merge" in bot.landed(goal, handle).lost


def test_what_was_changed_before_the_merge_is_not_ours(place: GitPlace, github: GitHub) -> None:
    bot, goal = bot_of(place, github), target(place)
    bot.send(goal, order(), TAGGED)
    place.host.commit(NAME, "Dana", {FILE: TEXT.replace("v1.4.0", "v6")}, "No, six.", BRANCH)
    merged = github.merge(NAME, 1, "Dana")
    assert bot.relation(goal, merged, merged, TAGGED) is Relation.CHANGED


def test_sent_again_it_finds_its_pull_request(place: GitPlace, github: GitHub) -> None:
    goal, since = target(place), place.host.log(NAME)[0].at
    assert bot_of(place, github).sent(goal, order(), since) is None
    handle = bot_of(place, github).send(goal, order(), TAGGED)
    other = bot_of(place, github, cache="another")
    assert other.sent(goal, order(), since) == handle == other.send(goal, order(), TAGGED)
    assert len(github.pulls(NAME)) == 1


def test_a_crash_between_the_branch_and_the_pull_request(place: GitPlace, github: GitHub) -> None:
    goal = target(place)
    bot = bot_of(place, github)
    place.host.faults.when("push", lambda: github.fail(503))
    with pytest.raises(Unknown):
        bot.send(goal, order(), TAGGED)
    assert github.pulls(NAME) == []
    assert place.host.log(NAME, BRANCH)[0].trailer("Deployment-Id") == "d-0001"
    # Another process a second later makes another commit, and finds the branch taken by the first.
    later = FakeClock(MachineClock().now() + timedelta(seconds=5))
    again = GitManifests(place.access("again", github_api_url=github.serve()), later)
    assert again.send(goal, order(), TAGGED) == "pull/1"
    assert len(place.host.log(NAME, BRANCH)) == 2


def test_a_lost_answer_to_the_opening(place: GitPlace, github: GitHub) -> None:
    bot, goal = bot_of(place, github), target(place)
    place.host.faults.when("push", lambda: github.fail(0, after_effect=True))
    with pytest.raises(Unknown):
        bot.send(goal, order(), TAGGED)
    assert bot.sent(goal, order(), MachineClock().now()) == "pull/1"
    assert bot.send(goal, order(), TAGGED) == "pull/1"


def test_a_branch_that_is_somebody_elses_is_left_alone(place: GitPlace, github: GitHub) -> None:
    place.host.repository(NAME).move(BRANCH, place.host.head(NAME), "")
    theirs = place.host.commit(NAME, "Dana", {"x": "x\n"}, "Mine.", BRANCH)
    with pytest.raises(Terminal, match="none of Quarterdeck's") as refused:
        bot_of(place, github).send(target(place), order(), TAGGED)
    assert refused.value.reason_code == "PUSH_REFUSED"
    assert place.host.head(NAME, BRANCH) == theirs


@pytest.mark.parametrize("deleted", [True, False])
def test_a_pull_request_of_another_deployment_of_that_number_is_not_taken_for_it(
    place: GitPlace, github: GitHub, *, deleted: bool
) -> None:
    """With a new database, deployments are counted from 1 again."""
    goal, other = target(place), f"v1.4.9@{OTHER}"
    bot_of(place, github).send(goal, order(), TAGGED)
    github.close_pull(NAME, 1)
    later = FakeClock(MachineClock().now() + timedelta(hours=2))
    bot = GitManifests(place.access("again", github_api_url=github.serve()), later)
    asked = order(image=Image("r", OTHER, "v1.4.9"))
    assert bot.sent(goal, asked, later.now()) is None
    if deleted:
        git(place.host.folder(NAME), "update-ref", "-d", f"refs/heads/{BRANCH}")
        assert bot.send(goal, asked, other) == "pull/2"
        return
    with pytest.raises(Terminal, match="none of Quarterdeck's for this"):
        bot.send(goal, asked, other)


def test_a_name_notifies_nobody(place: GitPlace, github: GitHub) -> None:
    eve = Person("U0EVE", "@everyone `code`\n# Heading")
    asked = replace(order(), requester=eve, reason="@acme/all\n- [x] done")
    bot_of(place, github).send(target(place), asked, TAGGED)
    body = github.pulls(NAME)[0].body or ""
    assert "- Requested-By: `@everyone 'code' # Heading <U0EVE@slack.invalid>`" in body
    assert "- Reason: `@acme/all - [x] done`" in body


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AccessDenied), (403, AccessDenied), (404, AccessDenied), (500, Unreachable),
     (502, Unreachable), (0, Unreachable), (422, Terminal)],
)  # fmt: skip
def test_what_github_answers_instead(
    place: GitPlace, github: GitHub, status: int, kind: type[QuarterdeckError]
) -> None:
    bot, goal = bot_of(place, github), target(place)
    github.fail(status)
    with pytest.raises(QuarterdeckError) as fault:
        bot.landed(goal, "pull/1")
    assert type(fault.value) is kind
    assert place.host.token not in str(fault.value)


def test_handles_that_name_no_pull_request(place: GitPlace, github: GitHub) -> None:
    with pytest.raises(Misconfigured, match="no pull request"):
        bot_of(place, github).landed(target(place), "pull/../../user")


def test_a_repository_that_is_on_no_github(place: GitPlace) -> None:
    with pytest.raises(Misconfigured, match="is not on the GitHub of GITHUB_API_URL"):
        place.bot().send(target(place), order(), TAGGED)


def test_doctor_asks_github(place: GitPlace, github: GitHub) -> None:
    bot, goal = bot_of(place, github), target(place)
    assert [each.grade for each in bot.examine(goal, "web")] == [
        Grade.WARNING, Grade.OK, Grade.OK,
    ]  # fmt: skip
    assert place.host.repository(NAME).has("quarterdeck/doctor") is False
    github.fail(401)
    assert bot.examine(goal, "web")[-1].grade is Grade.ERROR


def app(place: GitPlace, github: GitHub) -> dict[str, Any]:
    key = place.folder / "app.pem"
    key.write_text(github.private_key())
    key.chmod(stat.S_IRUSR)
    return {"github_app_id": github.app_id, "github_app_private_key": key, "token": None}


def tokens_asked(github: GitHub) -> int:
    return sum(call.path.endswith("/access_tokens") for call in github.calls)


def test_an_app_pushes_and_opens_pull_requests(place: GitPlace, github: GitHub) -> None:
    bot, goal = bot_of(place, github, **app(place, github)), target(place)
    assert bot.send(goal, order(), TAGGED) == "pull/1"
    place.host.protect(NAME)
    bot.send(place.target, order(2), TAGGED)
    assert place.subjects()[0] == "Deploy v1.5.0 to apps/web"
    assert tokens_asked(github) == 1


def test_an_apps_token_is_replaced_before_it_expires(place: GitPlace, github: GitHub) -> None:
    clock = FakeClock(MachineClock().now())
    access = place.access(github_api_url=github.serve(), **app(place, github))
    bot = GitManifests(access, clock)
    for passed, asked in ((0, 1), (50, 1), (6, 2), (1, 2)):
        github.token_life = timedelta(hours=asked)
        clock.advance(timedelta(minutes=passed))
        bot.head(place.target)
        assert tokens_asked(github) == asked


def broken_key(key: Path) -> None:
    key.unlink()
    key.write_text("nonsense")


@pytest.mark.parametrize("damage", [Path.unlink, broken_key])
def test_an_app_whose_key_cannot_be_used(place: GitPlace, github: GitHub, damage: object) -> None:
    settings = app(place, github)
    assert callable(damage)
    damage(settings["github_app_private_key"])
    with pytest.raises(Misconfigured, match="private key") as refused:
        bot_of(place, github, **settings).head(place.target)
    assert "GITHUB_APP_PRIVATE_KEY" in refused.value.hint


def test_an_app_that_is_not_known(place: GitPlace, github: GitHub) -> None:
    settings = app(place, github) | {"github_app_id": "1"}
    with pytest.raises(AccessDenied, match="refused"):
        bot_of(place, github, **settings).head(place.target)


def test_who_needs_no_github_loads_none_of_it() -> None:
    code = (
        "import sys; from bot.providers.git import GitManifests; "
        "print(sorted({'githubkit', 'httpx', 'jwt'} & sys.modules.keys()))"
    )
    words = [sys.executable, "-c", code]
    assert subprocess.run(words, check=True, capture_output=True).stdout == b"[]\n"
