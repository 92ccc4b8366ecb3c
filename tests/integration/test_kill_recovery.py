"""``kill -9`` at any moment loses nothing: on the next start everything ends truthfully, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.model.deployment import Status
from tests.fakes.fleet import Fleet, fleet
from tests.fakes.squadron import WHOLE, true_end, whole

pytestmark = pytest.mark.xdist_group("kill")


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(tmp_path_factory.mktemp("killed")) as deck:
        yield deck


def crash(deck: Fleet) -> None:
    deck.ship.kill()
    deck.ship.start()


def test_killed_while_waiting_for_an_approval(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} production v2")
    deployment = f"{service}-production-1"
    card = deck.card(deployment)

    crash(deck)

    assert deck.get(deployment).status is Status.AWAITING_APPROVAL
    deck.clicks("bob", card, "Approve", as_seen=True)
    ended = true_end(deck, deployment)
    assert deck.actions(ended.id) == [
        "deploy.requested allowed",
        "vote.approve allowed",
        "deploy.approved done",
        *WHOLE[1:],
    ]
    assert deck.card(deployment).ts == card.ts


def test_killed_the_moment_a_request_was_answered(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} staging v2")

    crash(deck)

    ended = true_end(deck, f"{service}-staging-1")
    assert deck.actions(ended.id) == WHOLE


def test_killed_while_its_turn_begins(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} production v2")
    deployment = f"{service}-production-1"
    deck.card(deployment)
    deck.world.faults.delaying.clear()
    deck.world.faults.delay("DescribeServices", 600, n=1)
    deck.clicks("bob", deck.card(deployment), "Approve")
    assert deck.world.faults.delaying.wait(30)

    crash(deck)

    ended = true_end(deck, deployment)
    assert deck.actions(ended.id).count("deploy.started intent") == 1


@pytest.mark.parametrize("kills", [1, 3])
def test_killed_during_a_rollout(deck: Fleet, kills: int) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} staging v2")
    deployment = f"{service}-staging-1"
    deck.until_row(deployment, "rollout.tell done")
    card = deck.card(deployment)

    for _ in range(kills):
        crash(deck)
        deck.world.advance(2)

    assert deck.get(deployment).status is Status.RUNNING
    ended = true_end(deck, deployment)
    assert deck.actions(ended.id) == WHOLE
    assert deck.card(deployment).ts == card.ts
    # Its turn is over too.
    deck.place.push(service, "v3")
    deck.asks("alice", f"{service} staging v3")
    deck.finish(f"{service}-staging-2")


def test_killed_with_much_under_way(deck: Fleet) -> None:
    """A queue, an approval, two rollouts: each goes on from where it was."""
    first, second = deck.service(), deck.service()
    deck.place.push(first, "v3")
    for text in (
        f"{first} staging v2",
        f"{first} staging v3",
        f"{second} staging v2",
        f"{second} production v2",
    ):
        deck.asks("alice", text)
    deck.until_row(f"{first}-staging-1", "rollout.tell done")
    deck.until_row(f"{second}-staging-1", "rollout.tell done")

    crash(deck)

    deck.finish(f"{first}-staging-1")
    deck.finish(f"{first}-staging-2")
    deck.finish(f"{second}-staging-1")
    assert deck.get(f"{second}-production-1").status is Status.AWAITING_APPROVAL
    assert deck.updates(f"{first}-staging") == 2
    assert deck.running(f"{first}-staging") == deck.get(f"{first}-staging-2").image.digest
    assert deck.updates(f"{second}-staging") == 1
    for deployment in deck.all():
        deck.card(deployment.id)
    whole(deck)


def test_killed_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    """A replica that died has another name when it comes back: its own lease has to run out."""
    with fleet(tmp_path, database_url=postgres_url) as deck:
        service = deck.service()
        deck.ship.kill()
        deck.ship.start(QUARTERDECK_LEASE_SECONDS="5")
        deck.world.faults.delay_answer("UpdateService", 600, n=1)
        deck.asks("alice", f"{service} staging v2")
        deck.until_told(f"{service}-staging")

        deck.ship.kill()
        deck.ship.start(QUARTERDECK_LEASE_SECONDS="5")

        ended = true_end(deck, f"{service}-staging-1")
        assert deck.actions(ended.id) == WHOLE
