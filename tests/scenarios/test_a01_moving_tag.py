"""A1: the tag moves between request, approval and start. What was approved is what runs."""

from __future__ import annotations

import pytest

from bot.model.deployment import Status
from tests.fakes.fleet import Fleet

pytestmark = pytest.mark.xdist_group("a1")


def move_tag(deck: Fleet, service: str, tag: str = "v2") -> str:
    """Somebody pushes another image under the same tag; returns its digest."""
    moved = deck.world.push(service, tag, "slow")
    assert moved != deck.place.digests[tag]
    return moved


def test_a1_the_tag_moves_between_request_and_approval(deck: Fleet) -> None:
    service = deck.service()
    meant = deck.world.push(service, "v2")
    deck.asks("alice", f"{service} production v2")
    deployment = f"{service}-production-1"
    card = deck.until_card(deployment, "Approve")
    assert meant.removeprefix("sha256:")[:12] in str(card.blocks)
    moved = move_tag(deck, service)
    deck.clicks("bob", card, "Approve")
    deck.until_told(f"{service}-production")
    deck.finish(deployment)
    assert deck.running(f"{service}-production") == meant != moved
    digests = {row.entry.to_digest for row in deck.rows(deployment_id=deployment)}
    assert digests == {meant}


def test_a1_the_tag_moves_between_approval_and_start(deck: Fleet) -> None:
    service, first, second = deck.queued(tag="v3")
    meant = deck.get(second).image.digest
    move_tag(deck, service, "v3")
    deck.finish(first)
    deck.until_told(f"{service}-production", 2)
    deck.finish(second)
    assert deck.running(f"{service}-production") == meant


def test_a1_a_retry_is_for_the_image_that_was_asked_for_not_for_its_tag(deck: Fleet) -> None:
    service = deck.service()
    meant = deck.world.push(service, "v2")
    deck.asks("alice", f"{service} production v2")
    deck.asks("bob", f"reject {service}-production-1 --reason later")
    moved = move_tag(deck, service).removeprefix("sha256:")[:12]
    deck.until(
        lambda: moved in deck.asks("alice", f"{service} staging v2 --dry-run"), "the tag's news"
    )
    deck.asks("alice", f"retry {service}-production-1")
    again = deck.get(f"{service}-production-2")
    assert again.image.digest == meant
    assert again.status is Status.AWAITING_APPROVAL


def test_a1_the_image_is_gone_when_its_turn_comes(deck: Fleet) -> None:
    service, first, second = deck.queued(tag="v3")
    deck.world.delete_image(service, deck.get(second).image.digest)
    deck.finish(first)
    refused = deck.finish(second, Status.REFUSED)
    assert refused.reason_code == "IMAGE_NOT_FOUND"
    assert deck.updates(f"{service}-production") == 1
    assert deck.actions(second)[-1] == "deploy.refused failed IMAGE_NOT_FOUND"
    deck.until_card(second, "IMAGE_NOT_FOUND")


def test_a1_somebody_deployed_by_hand_while_it_waited(deck: Fleet) -> None:
    """The other half of what was approved: from what. It would undo what nobody showed the
    approver."""
    service = deck.service()
    deck.asks("alice", f"{service} production v2")
    deployment = f"{service}-production-1"
    deck.world.push(service, "hotfix")
    deck.shore.deploy_aside(f"{service}-production", "hotfix")
    assert deck.shore.settle(f"{service}-production")
    deck.asks("bob", f"approve {deployment}")
    refused = deck.finish(deployment, Status.REFUSED)
    assert refused.reason_code == "STALE_FROM"
    assert deck.updates(f"{service}-production") == 0
