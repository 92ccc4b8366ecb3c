"""A2: nobody approves their own request, whichever way they go."""

from __future__ import annotations

import pytest

from bot.model.deployment import Status
from bot.slack.views.ids import Field
from tests.fakes.fleet import CHANNEL, Fleet

pytestmark = pytest.mark.xdist_group("a2")


def nobody_approved(deck: Fleet, deployment: str, service: str) -> None:
    assert deck.get(deployment).status is Status.AWAITING_APPROVAL
    with deck.database.read() as tx:
        assert tx.votes.on(deployment) == []
    assert "vote.approve denied SELF_APPROVAL" in deck.actions(deployment)
    assert deck.updates(f"{service}-production") == 0


def test_a2_button_typed_command_and_mention_are_all_refused(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("bob", f"{service} production v2")
    deployment = f"{service}-production-1"
    card = deck.until_card(deployment, "Approve")
    for answer in (
        deck.clicks("bob", card, "Approve"),
        deck.asks("bob", f"approve {deployment}"),
        deck.mentions("bob", f"approve {deployment}"),
        deck.mentions("bob", f"approve {deployment}", card.ts),
        deck.clicks("bob", card, "Approve", as_seen=True),
    ):
        assert "SELF_APPROVAL" in answer
        assert "<!subteam^S0CAPTAIN>" in answer
    assert deck.actions(deployment).count("vote.approve denied SELF_APPROVAL") == 5
    nobody_approved(deck, deployment, service)


def test_a2_a_request_made_in_the_form_or_by_mention_is_still_ones_own(deck: Fleet) -> None:
    service, other = deck.service(), deck.service()
    deck.person("bob").command("/deploy", "", channel=CHANNEL)
    view = deck.modal("bob", Field.SERVICES)
    filled = {"services": [service], "environment": "production", "version": "v2"}
    deck.person("bob").submit(view, filled)
    deck.close_modals("bob")
    deck.mentions("bob", f"deploy {other} production v2")
    for name in (service, other):
        assert "SELF_APPROVAL" in deck.asks("bob", f"approve {name}-production-1")
        nobody_approved(deck, f"{name}-production-1", name)


def test_a2_whoever_retries_is_the_requester_and_old_votes_are_not_inherited(deck: Fleet) -> None:
    service = deck.service()
    deck.world.push(service, "v2", "crashing")
    deck.asks("alice", f"{service} production v2")
    deck.asks("bob", f"approve {service}-production-1")
    deck.until_told(f"{service}-production")
    deck.finish(f"{service}-production-1", deck.shore.taken_back)
    assert "approval" in deck.asks("bob", f"retry {service}-production-1")
    again = f"{service}-production-2"
    assert deck.get(again).requester.id == "U0BOB0001"
    assert deck.get(again).status is Status.AWAITING_APPROVAL
    assert "SELF_APPROVAL" in deck.asks("bob", f"approve {again}")
    assert deck.updates(f"{service}-production") == 1
    deck.asks("carol", f"approve {again}")
    deck.until_told(f"{service}-production", 2)
    deck.finish(again, deck.shore.taken_back)


def test_a2_overriding_a_freeze_overrides_no_approval(own_deck: Fleet) -> None:
    deck = own_deck
    service = deck.service()
    deck.workspace.groups["S0CAPTAIN"].members.append("U0IRIS001")
    deck.asks("carol", "freeze production --reason sale")
    deck.asks("iris", f"{service} production v2 --override-freeze --reason incident")
    deployment = f"{service}-production-1"
    assert deck.get(deployment).overridden_freeze
    assert "SELF_APPROVAL" in deck.asks("iris", f"approve {deployment}")
    nobody_approved(deck, deployment, service)
    deck.asks("carol", f"approve {deployment}")
    deck.until_told(f"{service}-production")
    deck.finish(deployment)


def test_a2_two_approvals_are_two_people(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} vault v2")
    deployment = f"{service}-vault-1"
    card = deck.until_card(deployment, "Approve")
    deck.clicks("bob", card, "Approve")
    for answer in (
        deck.clicks("bob", card, "Approve"),
        deck.asks("bob", f"approve {deployment}"),
        deck.mentions("bob", f"approve {deployment}", card.ts),
    ):
        assert "ALREADY_VOTED" in answer
    assert deck.get(deployment).status is Status.AWAITING_APPROVAL
    assert deck.updates(f"{service}-vault") == 0


def test_a2_one_who_asked_may_reject_and_cancel_their_own(deck: Fleet) -> None:
    """The check is of approvals: taking back one's own request needs nobody."""
    service, other = deck.service(), deck.service()
    deck.asks("alice", f"{service} production v2")
    deck.asks("alice", f"{other} production v2")
    deck.asks("alice", f"reject {service}-production-1 --reason wrong branch")
    deck.asks("alice", f"cancel {other}-production-1")
    assert deck.get(f"{service}-production-1").status is Status.REJECTED
    assert deck.get(f"{other}-production-1").status is Status.CANCELLED
