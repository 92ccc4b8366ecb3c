"""E16: the gates that stop deployments never stop the way back, and it is in the audit trail."""

from __future__ import annotations

import pytest

from bot.model.deployment import Kind, Status
from tests.fakes.fleet import CHANNEL, Fleet, fleet_catalog

pytestmark = pytest.mark.xdist_group("e16")

EVER = (
    "    freezes: [{name: audit season, from: 2020-01-01, until: 2090-01-01}]\n"
    "    channels: [C0ELSEWHERE]\n"
)


def shipped(deck: Fleet) -> str:
    """A service whose production went from v1 to v2."""
    service = deck.service()
    deck.asks("alice", f"{service} production v2")
    deck.asks("bob", f"approve {service}-production-1")
    deck.until_told(f"{service}-production")
    deck.finish(f"{service}-production-1")
    return service


def test_e16_every_gate_is_shut_and_the_rollback_goes_through_them(own_deck: Fleet) -> None:
    deck = own_deck
    service = shipped(deck)
    bad = deck.running(f"{service}-production")
    deck.asks("alice", f"{service} vault v2")
    deck.asks("bob", f"lock {service} production --reason load test")
    deck.asks("carol", "freeze production --reason sale")
    deck.asks("iris", "pause-all --reason incident")
    deck.place.write_catalog(fleet_catalog(freezes=EVER))
    deck.until(
        lambda: "audit season" in deck.asks("alice", f"why {service} production"), "the catalog"
    )
    refusal = deck.asks("alice", f"{service} production v1")
    for gate in ("paused", "locked", "sale", "audit season", "not deployed from this channel"):
        assert gate in refusal

    answer = deck.asks("alice", f"{service} production --reason errors since v2", "/rollback")
    rollback = f"{service}-production-2"
    assert rollback in answer
    deck.until_told(f"{service}-production", 2)
    deck.finish(rollback)
    assert deck.get(rollback).kind is Kind.ROLLBACK
    assert deck.running(f"{service}-production") != bad
    asked, started, ended = (
        next(r.entry for r in deck.rows(deployment_id=rollback) if r.entry.action == action)
        for action in ("rollback.requested", "rollback.started", "rollback.succeeded")
    )
    assert (asked.decision, started.decision, ended.decision) == ("allowed", "intent", "done")
    assert asked.actor.id == "U0ALICE01"
    assert "errors since v2" in asked.reason
    assert (asked.from_digest, asked.to_digest) == (bad, deck.running(f"{service}-production"))
    # What it passed, and would have stopped a deployment, is part of the trail.
    for gate in ("paused", "locked", "sale", "audit season", "not deployed from this channel"):
        assert gate in asked.reason, asked.reason


def test_e16_a_rollback_overtakes_what_waits_and_holds_the_target(deck: Fleet) -> None:
    service, first, second = deck.queued()
    deck.asks("iris", f"{service} production --reason bad", "/rollback")
    rollback = f"{service}-production-3"
    deck.until_told(f"{service}-production", 2)
    assert deck.get(first).status is Status.CANCELLED
    assert deck.get(second).status is Status.QUEUED
    deck.finish(rollback)
    refused = deck.finish(second, Status.REFUSED)
    assert refused.reason_code == "LOCKED"
    assert deck.updates(f"{service}-production") == 2
    assert deck.running(f"{service}-production") == deck.get(rollback).image.digest


def test_e16_the_images_registry_is_down_and_the_way_back_is_open(deck: Fleet) -> None:
    service = shipped(deck)
    for operation in ("DescribeImages", "BatchGetImage"):
        deck.world.faults.throttle(operation, None)
    try:
        deck.asks("iris", f"{service} production --reason bad", "/rollback")
        deck.until_told(f"{service}-production", 2)
        deck.finish(f"{service}-production-2")
    finally:
        deck.world.faults.clear()


def test_e16_the_form_goes_through_the_gates_too(own_deck: Fleet) -> None:
    deck = own_deck
    service = shipped(deck)
    deck.asks("iris", "pause-all --reason incident")
    deck.asks("carol", "freeze production --reason sale")
    card = deck.until_card(f"{service}-production-1", "Roll back")
    deck.person("bob").click(card, "Roll back")
    deck.person("bob").submit(deck.modal("bob", "release"), {"reason": "bad"})
    deck.until_told(f"{service}-production", 2)
    deck.finish(f"{service}-production-2")
    deck.close_modals("bob")


def test_e16_who_has_no_part_in_the_target_does_not_roll_it_back(deck: Fleet) -> None:
    """Exempt from gates, not from the question who."""
    service = shipped(deck)
    gus = deck.person("gus")
    answer = deck.privately(
        "gus", lambda: gus.command("/rollback", f"{service} production", channel=CHANNEL)
    )
    assert "OUTSIDER" in answer
    assert deck.updates(f"{service}-production") == 1
