"""SIGTERM on PostgreSQL: the replica that is told to go hands over at once, without its lease."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.model.deployment import Status
from tests.fakes.squadron import LONG, WHOLE, Squadron, squadron, true_end

pytestmark = pytest.mark.xdist_group("handover")


@pytest.fixture
def squad(postgres_url: str, tmp_path: Path) -> Iterator[Squadron]:
    """With leases that last longer than any test would wait."""
    with squadron(tmp_path, postgres_url, "a", "b", lease=LONG) as squad:
        yield squad


def test_another_replica_goes_on_at_once(squad: Squadron) -> None:
    deck, service = squad.deck, squad.deck.service()
    deck.asks("alice", f"{service} staging v2")
    deployment = f"{service}-staging-1"
    deck.until_row(deployment, "rollout.tell done")
    leaver = squad.owner(deployment)
    stayer = squad.other(leaver)

    assert leaver.terminate() == 0
    assert deck.get(deployment).status is Status.RUNNING
    squad.face(stayer)

    ended = true_end(deck, deployment)
    assert ended.owner == stayer.replica
    assert deck.actions(deployment) == WHOLE


def test_a_rolling_restart_of_all_replicas_loses_nothing(squad: Squadron) -> None:
    """Each makes room for a new one while a rollout, a queue and an approval are under way."""
    deck, service, second = squad.deck, squad.deck.service(), squad.deck.service()
    deck.place.push(service, "v3")
    for text in (f"{service} staging v2", f"{service} staging v3", f"{second} production v2"):
        deck.asks("alice", text)
    deck.until_row(f"{service}-staging-1", "rollout.tell done")

    for old in ("a", "b"):
        squad.face(squad.launch(f"new-{old}"))
        assert squad.ships.pop(old).terminate() == 0

    deck.clicks("bob", deck.card(f"{second}-production-1"), "Approve")
    for deployment in (f"{service}-staging-1", f"{service}-staging-2", f"{second}-production-1"):
        deck.finish(deployment)
        deck.until_card(deployment, "succeeded")
    assert deck.updates(f"{service}-staging") == 2
    assert deck.updates(f"{second}-production") == 1
