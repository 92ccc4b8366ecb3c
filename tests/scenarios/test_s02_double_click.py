"""S2: a double click, or two people at once. One compare-and-set decides, before any effect."""

from __future__ import annotations

import pytest

from bot.model.deployment import Status
from tests.fakes.fleet import CHANNEL, Fleet, at_once
from tests.fakes.harbour import told

pytestmark = pytest.mark.xdist_group("s2")


def waiting(deck: Fleet, environment: str = "production") -> tuple[str, str]:
    """A fresh service, and its deployment that waits for approval with its card posted."""
    service = deck.service()
    deck.asks("alice", f"{service} {environment} v2")
    deployment = f"{service}-{environment}-1"
    deck.card(deployment)
    return service, deployment


def test_s2_two_approvers_at_once_are_one_approval_and_the_other_is_told(deck: Fleet) -> None:
    service, deployment = waiting(deck)
    card = deck.card(deployment)
    answers = at_once(
        *[lambda n=name: deck.clicks(n, card, "Approve", as_seen=True) for name in ("bob", "carol")]
    )
    deck.until_told(f"{service}-production")
    deck.finish(deployment)
    assert deck.updates(f"{service}-production") == 1
    rows = deck.actions(deployment)
    assert rows.count("deploy.approved done") == 1
    assert rows.count("vote.approve allowed") == 1
    assert rows.count("vote.approve denied ALREADY_DECIDED") == 1
    assert sum("takes its turn" in answer for answer in answers) == 1
    assert sum("ALREADY_DECIDED" in answer for answer in answers) == 1


def test_s2_a_double_click_is_one_of_the_two_votes_that_are_needed(deck: Fleet) -> None:
    service, deployment = waiting(deck, "vault")
    card = deck.card(deployment)
    at_once(*[lambda: deck.clicks("bob", card, "Approve", as_seen=True)] * 2)
    # Each click waited for an answer to bob, which may have been the other one's.
    deck.until(lambda: "ALREADY_VOTED" in told(deck.person("bob").told()), "the second answer")
    assert deck.get(deployment).status is Status.AWAITING_APPROVAL
    rows = deck.actions(deployment)
    assert rows.count("vote.approve allowed") == 1
    assert rows.count("vote.approve denied ALREADY_VOTED") == 1
    deck.clicks("carol", card, "Approve")
    deck.until_told(f"{service}-vault")
    deck.finish(deployment)


def test_s2_the_two_missing_votes_in_one_instant_start_it_once(deck: Fleet) -> None:
    service, deployment = waiting(deck, "vault")
    card = deck.card(deployment)
    at_once(
        *[lambda n=name: deck.clicks(n, card, "Approve", as_seen=True) for name in ("bob", "carol")]
    )
    deck.until_told(f"{service}-vault")
    deck.finish(deployment)
    rows = deck.actions(deployment)
    assert rows.count("vote.approve allowed") == 2
    assert rows.count("deploy.approved done") == 1
    assert deck.updates(f"{service}-vault") == 1


@pytest.mark.parametrize("verb", ["reject", "cancel"])
def test_s2_an_approval_and_its_opposite_in_one_instant_have_one_winner(
    deck: Fleet, verb: str
) -> None:
    service, deployment = waiting(deck)
    at_once(
        lambda: deck.asks("bob", f"approve {deployment}"),
        lambda: deck.asks("carol", f"{verb} {deployment} --reason no"),
    )
    rows = deck.actions(deployment)
    if "deploy.approved done" in rows and verb == "reject":
        assert f"vote.{verb} denied ALREADY_DECIDED" in rows
        deck.until_told(f"{service}-production")
        deck.finish(deployment)
    elif "deploy.approved done" in rows:
        # A cancellation may still meet it while it waits for its turn, or come too late.
        deck.until(lambda: deck.get(deployment).status is not Status.QUEUED, "its turn")
        ran = deck.get(deployment).status is Status.RUNNING
        assert deck.updates(f"{service}-production") <= ran
    else:
        assert deck.get(deployment).status in {Status.REJECTED, Status.CANCELLED}
        assert "vote.approve denied ALREADY_DECIDED" in rows
        assert deck.updates(f"{service}-production") == 0


def test_s2_the_roll_back_button_pressed_twice_and_both_forms_sent(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} staging v2")
    deck.finish(f"{service}-staging-1")
    card = deck.until_card(f"{service}-staging-1", "Roll back")
    forms = []
    for name in ("alice", "bob"):
        deck.person(name).click(card, "Roll back")
        forms.append((name, deck.modal(name, "release")))
    at_once(*[lambda n=name, v=view: deck.person(n).submit(v) for name, view in forms])
    rollbacks = [d for d in deck.of(service) if d.kind == "rollback"]
    assert len(rollbacks) == 1, rollbacks
    deck.until_told(f"{service}-staging", 2)
    deck.finish(rollbacks[0].id)
    assert deck.updates(f"{service}-staging") == 2
    for name in ("alice", "bob"):
        deck.close_modals(name)


def test_s2_only_one_thing_at_a_time_is_asked_of_a_channel(deck: Fleet) -> None:
    """Two cards in one channel: a click settles only its own (S10)."""
    service, deployment = waiting(deck)
    other_service, other = waiting(deck)
    at_once(
        lambda: deck.clicks("bob", deck.card(deployment), "Approve"),
        lambda: deck.asks("carol", f"reject {other} --reason no"),
    )
    deck.until_told(f"{service}-production")
    deck.finish(deployment)
    assert deck.get(other).status is Status.REJECTED
    assert deck.updates(f"{other_service}-production") == 0
    assert deck.card(other).channel == CHANNEL
