"""S3: a click after a restart, after the expiry, after somebody decided. The database knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot.model.deployment import Status
from bot.playground.slack.records import Message
from tests.fakes.fleet import Fleet, fleet, fleet_catalog
from tests.fakes.shore import ShoreMaker

pytestmark = pytest.mark.xdist_group("s3")


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory, shore: ShoreMaker) -> Iterator[Fleet]:
    """Approvals of production lapse soon."""
    folder = tmp_path_factory.mktemp("late")
    with fleet(folder, catalog=fleet_catalog(expiry="3s"), shore=shore) as deck:
        yield deck


def waiting(deck: Fleet, environment: str = "vault") -> tuple[str, Message]:
    service = deck.service()
    deck.asks("alice", f"{service} {environment} v2")
    return service, deck.until_card(f"{service}-{environment}-1", "Approve")


def spoil(deck: Fleet, card: Message) -> None:
    """Put the card back to what it was, as if its last update had been lost."""
    deck.workspace.put(card)


def altered(card: Message, old: str, new: str) -> Message:
    """The card as another version of the bot, or another request, would have drawn it."""
    drawn = json.dumps(card.blocks)
    assert old in drawn
    return replace(card, blocks=tuple(json.loads(drawn.replace(old, new))))


def test_s3_a_click_after_a_crash_of_the_bot_counts(deck: Fleet) -> None:
    service, card = waiting(deck)
    deck.clicks("bob", card, "Approve")
    deck.ship.kill()
    deck.ship.start()
    assert "takes its turn" in deck.clicks("carol", card, "Approve", as_seen=True)
    deck.until_told(f"{service}-vault")
    deck.finish(f"{service}-vault-1")
    assert deck.until_card(f"{service}-vault-1", "succeeded").ts == card.ts
    assert deck.updates(f"{service}-vault") == 1


def test_s3_a_click_after_the_expiry_is_refused_and_the_card_redrawn(deck: Fleet) -> None:
    service, card = waiting(deck, "production")
    deployment = f"{service}-production-1"
    deck.until(lambda: deck.get(deployment).settled, "the expiry")
    deck.until_card(deployment, "expired")
    spoil(deck, card)
    answer = deck.clicks("bob", card, "Approve", as_seen=True)
    assert "EXPIRED" in answer
    assert f"/deploy retry {deployment}" in answer
    redrawn = deck.until_card(deployment, "expired")
    assert "Approve" not in str(redrawn.blocks)
    assert deck.actions(deployment)[-1] == "vote.approve denied EXPIRED"
    assert deck.updates(f"{service}-production") == 0


def test_s3_a_click_after_a_rejection_names_who_decided_and_when(deck: Fleet) -> None:
    service, card = waiting(deck)
    deployment = f"{service}-vault-1"
    deck.asks("bob", f"reject {deployment} --reason not today")
    deck.until_card(deployment, "rejected")
    spoil(deck, card)
    for button in ("Approve", "Cancel"):
        answer = deck.clicks("carol", card, button, as_seen=True)
        assert "rejected" in answer
        redrawn = deck.until_card(deployment, "rejected")
        assert "not today" in str(redrawn.blocks)
        spoil(deck, card)
    answer = deck.clicks("carol", card, "Approve", as_seen=True)
    finished = deck.get(deployment).finished_at
    assert finished is not None
    assert "by bob" in answer.lower()
    assert f"{finished:%Y-%m-%d %H:%M}" in answer
    assert deck.get(deployment).status is Status.REJECTED
    assert deck.updates(f"{service}-vault") == 0


def test_s3_a_rejection_typed_into_a_form_that_was_opened_long_ago(deck: Fleet) -> None:
    service, card = waiting(deck)
    deployment = f"{service}-vault-1"
    deck.person("carol").click(card, "Reject")
    view = deck.modal("carol", "reason")
    deck.asks("alice", f"cancel {deployment}")
    deck.person("carol").submit(view, {"reason": "too risky"})
    deck.until_row(deployment, "vote.reject denied ALREADY_DECIDED")
    assert deck.get(deployment).status is Status.CANCELLED
    assert "ALREADY_DECIDED" in str(deck.modal("carol").blocks)
    deck.close_modals("carol")


def test_s3_a_click_on_what_somebody_else_superseded_in_ecs(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} staging v2")
    deployment = f"{service}-staging-1"
    deck.until_told(f"{service}-staging")
    card = deck.until_card(deployment, "Cancel and roll back")
    deck.shore.deploy_aside(f"{service}-staging", "v1")
    deck.finish(deployment, Status.SUPERSEDED)
    deck.until_card(deployment, "superseded")
    spoil(deck, card)
    answer = deck.clicks("alice", card, "Cancel and roll back", as_seen=True)
    assert "NOT_RUNNING" in answer
    assert "superseded" in answer
    assert "Cancel and roll back" not in str(deck.until_card(deployment, "superseded").blocks)
    assert deck.updates(f"{service}-staging") == 1


def test_s3_a_button_of_another_version_is_answered_and_changes_nothing(deck: Fleet) -> None:
    service, card = waiting(deck)
    deployment = f"{service}-vault-1"
    old = altered(card, '\\"id\\"', '\\"uuid\\"')
    assert "STALE_BUTTON" in deck.clicks("bob", old, "Approve", as_seen=True)
    assert deck.get(deployment).status is Status.AWAITING_APPROVAL


def test_s3_the_digest_on_the_card_is_what_is_voted_on(deck: Fleet) -> None:
    """A card that shows another image than the one that waits cannot approve it."""
    service, card = waiting(deck)
    deployment = f"{service}-vault-1"
    shown, other = deck.get(deployment).image.digest, "sha256:" + "0" * 64
    old = altered(card, shown, other)
    assert "DIGEST_CHANGED" in deck.clicks("bob", old, "Approve", as_seen=True)
    assert deck.actions(deployment)[-1] == "vote.approve denied DIGEST_CHANGED"
