"""E1, E2 and E9 under Argo CD: one commit for each deployment, whoever dies or pushes meanwhile.

A crash between the commit and the push, or between the push and the saved answer, is read back from
the commit's trailer; a lost race is fetched and applied anew; nothing is ever forced.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from bot.model.deployment import Status
from bot.playground.git import Entry
from bot.playground.git.faults import Service
from tests.fakes.argo_shore import REPOSITORY, ArgoShore, argo_shore
from tests.fakes.fleet import Fleet, fleet
from tests.fakes.squadron import WHOLE, squadron, true_end, whole

pytestmark = pytest.mark.xdist_group("e1-git")
HUMAN = "Olga Operations <olga@acme.example>"


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(tmp_path_factory.mktemp("git"), shore=argo_shore) as deck:
        yield deck
        assert deck.posted_twice() == []


def shore(deck: Fleet) -> ArgoShore:
    found = deck.shore
    assert isinstance(found, ArgoShore)
    return found


def ours(deck: Fleet, deployment: str) -> list[Entry]:
    """The commits that a deployment has made."""
    log = shore(deck).git.log(REPOSITORY)
    return [each for each in log if each.trailer("Deployment-Id") == deployment]


def begun(deck: Fleet) -> str:
    service = deck.service()
    deck.asks("alice", f"{service} staging v2")
    return f"{service}-staging-1"


def test_e1_killed_between_the_commit_and_the_push(deck: Fleet) -> None:
    """The push is on its way and has not been taken: the git that was left behind lands it while
    the bot is down."""
    held, there = Event(), Event()

    def hold() -> None:
        there.set()
        held.wait(60)

    shore(deck).git.faults.race(hold)
    deployment = begun(deck)
    assert there.wait(60)
    assert ours(deck, deployment) == []

    deck.ship.kill()
    held.set()
    deck.ship.start()

    ended = true_end(deck, deployment)
    assert len(ours(deck, deployment)) == 1
    assert ended.handle == ours(deck, deployment)[0].hash


def test_e1_the_git_that_was_left_behind_pushes_after_the_next_start_has_looked(
    deck: Fleet,
) -> None:
    """What is read back is true of one moment: the push itself shows that it is no more."""
    held, there = Event(), Event()

    def hold() -> None:
        there.set()
        held.wait(60)

    def overtake() -> None:
        held.set()
        deck.until(lambda: ours(deck, deployment), "the push that was left behind")

    shore(deck).git.faults.race(hold)
    deployment = begun(deck)
    assert there.wait(60)

    deck.ship.kill()
    shore(deck).git.faults.race(overtake)
    deck.ship.start()

    ended = true_end(deck, deployment)
    assert ended.attempts == 2  # it was read back, and told again
    assert [each.hash for each in ours(deck, deployment)] == [ended.handle]


def test_e1_killed_between_the_push_and_the_saved_answer(deck: Fleet) -> None:
    held, there = Event(), Event()

    def hold() -> None:
        there.set()
        held.wait(60)

    shore(deck).git.faults.lose_answer(1, hold)
    deployment = begun(deck)
    assert there.wait(60)
    assert len(ours(deck, deployment)) == 1
    assert deck.get(deployment).handle is None

    deck.ship.kill()
    held.set()
    deck.ship.start()

    ended = true_end(deck, deployment)
    assert len(ours(deck, deployment)) == 1
    assert deck.actions(deployment) == WHOLE
    (done,) = deck.rows(deployment_id=ended.id, action="rollout.tell")[1:]
    assert "read back" in done.entry.reason


def test_e1_the_answer_is_lost_and_nobody_dies(deck: Fleet) -> None:
    shore(deck).git.faults.lose_answer(1)
    deployment = begun(deck)
    true_end(deck, deployment)
    assert len(ours(deck, deployment)) == 1
    assert deck.actions(deployment) == WHOLE


def test_e2_the_next_start_goes_on_with_what_was_under_way(deck: Fleet) -> None:
    deployment = begun(deck)
    deck.until_row(deployment, "rollout.tell done")
    card = deck.card(deployment)

    assert deck.ship.terminate() == 0
    assert deck.get(deployment).status is Status.RUNNING
    deck.ship.start()

    ended = true_end(deck, deployment)
    assert deck.actions(ended.id) == WHOLE
    assert deck.card(deployment).ts == card.ts
    assert len(ours(deck, deployment)) == 1
    # Its turn is over too.
    deck.place.push(ended.target.service, "v3")
    deck.asks("alice", f"{ended.target.service} staging v3")
    deck.finish(f"{ended.target.service}-staging-2")


def test_e2_a_push_that_is_under_way_is_not_left_behind(deck: Fleet) -> None:
    """A planned stop waits for git's answer: nobody has to guess what became of the push."""
    deck.shore.delay_start(2)
    deployment = begun(deck)
    assert deck.shore.delaying(30)

    assert deck.ship.terminate() == 0
    assert deck.get(deployment).handle
    deck.ship.start()

    ended = true_end(deck, deployment)
    assert ended.attempts == 1
    assert deck.actions(ended.id) == WHOLE
    assert len(ours(deck, deployment)) == 1


@pytest.mark.parametrize("moment", ["list_push", "push"])
def test_e9_a_race_with_somebody_who_changes_the_same_file(deck: Fleet, moment: Service) -> None:
    """Before our git is shown where the branch is, when only not to force keeps theirs; or after,
    when the server sees that the branch has moved."""
    service = deck.service()
    path = f"{service}/staging/kustomization.yaml"
    git = shore(deck).git

    def human() -> None:
        text = git.read(REPOSITORY, path)
        git.commit(REPOSITORY, HUMAN, {path: f"{text}# reviewed by Olga\n"}, "Review")

    git.faults.when(moment, human)
    deck.asks("alice", f"{service} staging v2")

    ended = true_end(deck, f"{service}-staging-1")
    assert len(ours(deck, ended.id)) == 1
    assert deck.actions(ended.id) == WHOLE  # told once: the race was run again at once
    assert "# reviewed by Olga" in git.read(REPOSITORY, path)
    assert "# changed by whoever deploys" in git.read(REPOSITORY, path)
    assert [each.subject for each in git.log(REPOSITORY)][1] == "Review"


def test_e9_somebody_changes_our_very_line_meanwhile(deck: Fleet) -> None:
    service = deck.service()
    name = f"{service}-staging"
    theirs = deck.place.push(service, "theirs")
    shore(deck).git.faults.race(lambda: deck.shore.deploy_aside(name, theirs))

    deck.asks("alice", f"{service} staging v2")

    ended = deck.finish(f"{name}-1", Status.FAILED)
    assert ended.reason_code == "STALE_FROM"
    assert "Sven" in ended.explanation
    assert ours(deck, f"{name}-1") == []
    assert deck.shore.settle(name)
    assert deck.running(name) == theirs
    whole(deck)


def test_e9_a_protected_branch_is_not_pushed_to_and_nothing_is_half_done(deck: Fleet) -> None:
    git, service = shore(deck).git, deck.service()
    deployment = f"{service}-staging-1"
    before = git.head(REPOSITORY)
    git.protect(REPOSITORY, "main")
    deck.asks("alice", f"{service} staging v2")
    ended = deck.finish(deployment, Status.FAILED)
    assert git.head(REPOSITORY) == before
    git.protect(REPOSITORY)

    assert ended.reason_code == "PUSH_REFUSED"
    assert "protected" in ended.explanation.lower()
    deck.asks("alice", f"retry {deployment}")
    deck.finish(f"{service}-staging-2")


def test_e9_two_bots_and_a_human_push_to_one_repository(tmp_path: Path, postgres_url: str) -> None:
    """Nothing lost, no force, one commit for each deployment."""
    with squadron(tmp_path, postgres_url, "a", "b", shore=argo_shore) as squad:
        deck = squad.deck
        git = shore(deck).git
        services = [deck.service() for _ in range(4)]

        def human() -> None:
            said = len(git.log(REPOSITORY))
            git.commit(REPOSITORY, HUMAN, {"notes.md": f"{said}\n"}, f"Note {said}")

        before = git.head(REPOSITORY)
        git.faults.when("list_push", human, 4)
        for number, service in enumerate(services):
            squad.face(list(squad.ships.values())[number % 2])
            deck.asks("alice", f"{service} staging v2")
        for service in services:
            true_end(deck, f"{service}-staging-1")
            assert len(ours(deck, f"{service}-staging-1")) == 1
        log = git.log(REPOSITORY)
        assert before in [each.hash for each in log]
        assert sum(each.subject.startswith("Note ") for each in log) == 4
