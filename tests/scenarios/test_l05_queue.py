"""L5: a failed deployment does not block the next; cancelling a queued one alters no other.

kargo#3050, #6810
"""

from __future__ import annotations

import pytest

from bot.model.deployment import Status
from tests.fakes.fleet import Fleet
from tests.fakes.squadron import told, whole

pytestmark = pytest.mark.xdist_group("l5")


def test_l5_a_failed_one_makes_room_for_the_next(deck: Fleet) -> None:
    service = deck.service()
    deck.place.push(service, "bad", "crashing")
    deck.asks("alice", f"{service} staging bad")
    deck.until_row(f"{service}-staging-1", "rollout.tell done")
    deck.asks("alice", f"{service} staging v2")
    assert deck.get(f"{service}-staging-2").status is Status.QUEUED

    deck.finish(f"{service}-staging-1", deck.shore.taken_back)
    deck.finish(f"{service}-staging-2")

    assert deck.running(f"{service}-staging") == deck.place.digests["v2"]
    assert deck.updates(f"{service}-staging") == 2


def test_l5_a_denied_one_makes_room_for_the_next(deck: Fleet) -> None:
    service = deck.service()
    deck.place.push(service, "v3")
    deck.shore.deny_start()
    deck.asks("alice", f"{service} staging v2")
    deck.asks("alice", f"{service} staging v3")

    deck.finish(f"{service}-staging-1", Status.FAILED)
    deck.finish(f"{service}-staging-2")
    assert deck.updates(f"{service}-staging") == 1


def test_l5_what_was_taken_back_to_somebody_else_s_version_makes_room_too(deck: Fleet) -> None:
    """What runs after the failure is what ran before it, whoever had deployed that."""
    service = deck.service()
    theirs = deck.place.push(service, "theirs")
    deck.place.push(service, "bad", "crashing")
    deck.place.push(service, "v4")
    deck.asks("alice", f"{service} staging v2")
    deck.finish(f"{service}-staging-1")
    deck.shore.deploy_aside(f"{service}-staging", theirs)
    assert deck.shore.settle(f"{service}-staging")
    deck.asks("alice", f"{service} staging bad")
    deck.until_row(f"{service}-staging-2", "rollout.tell done")
    deck.asks("alice", f"{service} staging v4")

    deck.finish(f"{service}-staging-2", deck.shore.taken_back)
    deck.finish(f"{service}-staging-3")


def test_l5_cancelling_one_alters_no_other_and_the_cards_count_anew(deck: Fleet) -> None:
    service = deck.service()
    versions = ("v2", "v3", "v4", "v5")
    for version in versions:
        deck.place.push(service, version)
        deck.asks("alice", f"{service} staging {version}")
    first, second, third, fourth = (f"{service}-staging-{n}" for n in range(1, 5))
    deck.until_row(first, "rollout.tell done")
    deck.until_card(second, "next to start")
    deck.until_card(third, "number 2 in the queue")
    deck.until_card(fourth, "number 3 in the queue")
    before = deck.get(second), deck.get(fourth)

    deck.asks("alice", f"cancel {third}")

    deck.until_card(third, "cancelled")
    deck.until_card(fourth, "number 2 in the queue")
    assert (deck.get(second), deck.get(fourth)) == before
    deck.finish(first)
    deck.until_card(fourth, "next to start")
    deck.finish(second)
    deck.finish(fourth)
    assert deck.updates(f"{service}-staging") == 3
    digests = [deck.get(each).image.digest for each in (first, second, fourth)]
    assert told(deck, f"{service}-staging") == digests
    whole(deck)
