"""E6: somebody else deploys, past Quarterdeck. It is seen, shown, and never built upon unasked."""

from __future__ import annotations

import pytest

from bot.model.deployment import Status
from tests.fakes.fleet import CLUSTER, Fleet
from tests.fakes.squadron import told, whole

pytestmark = pytest.mark.xdist_group("e6")


def by_hand(deck: Fleet, service: str) -> str:
    digest = deck.place.push(service.partition("-")[0], "hand")
    deck.world.deploy_out_of_band(CLUSTER, service, digest)
    return digest


def test_e6_a_stale_from_is_refused_until_it_is_confirmed(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} production v2")
    first, second = f"{service}-production-1", f"{service}-production-2"
    hand = by_hand(deck, f"{service}-production")
    assert deck.world.run_until_steady(CLUSTER, f"{service}-production")

    deck.clicks("bob", deck.card(first), "Approve")

    refused = deck.until_status(first, Status.REFUSED)
    assert refused.reason_code == "STALE_FROM"
    deck.until_card(first, f"/deploy retry {first}")
    assert deck.updates(f"{service}-production") == 0
    assert deck.running(f"{service}-production") == hand

    deck.asks("alice", f"retry {first}")
    assert deck.get(second).previous is not None
    deck.clicks("bob", deck.card(second), "Approve")
    ended = deck.finish(second)
    assert ended.previous is not None
    assert ended.previous.digest == hand
    assert told(deck, f"{service}-production") == [deck.get(first).image.digest]
    whole(deck)


def test_e6_status_shows_the_drift(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} staging v2")
    deck.finish(f"{service}-staging-1")
    assert "outside Quarterdeck" not in deck.asks("alice", f"status {service} staging")
    hand = by_hand(deck, f"{service}-staging")
    assert deck.world.run_until_steady(CLUSTER, f"{service}-staging")

    shown = deck.asks("alice", f"status {service} staging")

    assert hand.removeprefix("sha256:")[:12] in shown
    assert "v2 was released last: changed outside Quarterdeck" in shown


def test_e6_somebody_deploys_in_the_middle(deck: Fleet) -> None:
    """Their rollout replaces ours: SUPERSEDED, and what they did is left alone."""
    service = deck.service()
    deck.asks("alice", f"{service} staging v2")
    deck.until_row(f"{service}-staging-1", "rollout.tell done")
    deck.world.advance(3)

    hand = by_hand(deck, f"{service}-staging")

    ended = deck.finish(f"{service}-staging-1", Status.SUPERSEDED)
    assert "deployed" in ended.explanation
    deck.until_card(ended.id, "superseded")
    assert deck.actions(ended.id)[-1].startswith("deploy.superseded failed")
    assert deck.updates(f"{service}-staging") == 1
    assert deck.world.run_until_steady(CLUSTER, f"{service}-staging")
    assert deck.running(f"{service}-staging") == hand
    whole(deck)
