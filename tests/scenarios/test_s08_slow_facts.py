"""S8: what a form shows takes longer than the three seconds for which it can be opened."""

from __future__ import annotations

import pytest

from bot.model.deployment import Kind
from bot.slack.views.ids import Field
from tests.fakes.fleet import CHANNEL, Fleet

pytestmark = pytest.mark.xdist_group("s8")

SLOW = 4.0  # seconds; a trigger lives for three


def deployed(deck: Fleet) -> str:
    service = deck.service()
    deck.asks("alice", f"{service} staging v2")
    deck.finish(f"{service}-staging-1")
    deck.until_card(f"{service}-staging-1", "Roll back")
    return service


def test_s8_the_button_opens_at_once_and_is_filled_when_aws_has_answered(own_deck: Fleet) -> None:
    deck = own_deck
    service = deployed(deck)
    card = deck.card(f"{service}-staging-1")
    deck.shore.delay_reads(SLOW)
    did = deck.person("alice").click(card, "Roll back")
    assert did.error == ""
    first = deck.modal("alice")
    assert "Loading" in str(first.blocks)
    assert deck.shore.delaying(10)
    view = deck.modal("alice", Field.RELEASE)
    deck.shore.heal()
    assert view.id == first.id
    (opened,) = deck.workspace.calls("views.open")
    assert opened.ok
    did = deck.person("alice").submit(view, {Field.REASON: "it was slow"})
    assert did.error == ""
    deck.until(lambda: len(deck.of(service)) == 2, "the rollback")
    rollback = deck.of(service)[-1]
    assert (rollback.kind, rollback.reason) == (Kind.ROLLBACK, "it was slow")
    deck.until_told(f"{service}-staging", 2)
    deck.finish(rollback.id)
    deck.close_modals("alice")


def test_s8_a_form_that_is_closed_before_it_is_filled_disturbs_nothing(own_deck: Fleet) -> None:
    deck = own_deck
    service = deployed(deck)
    card = deck.card(f"{service}-staging-1")
    deck.shore.delay_reads(SLOW)
    deck.person("alice").click(card, "Roll back")
    deck.person("alice").close(deck.modal("alice"))
    refused = "views.update"
    deck.until(lambda: [c for c in deck.workspace.calls(refused) if not c.ok], "its late facts")
    deck.shore.heal()
    assert deck.ship.ready()
    assert deck.person("alice").views() == []
    assert len(deck.of(service)) == 1
    deck.person("alice").command("/deploy", "", channel=CHANNEL)
    deck.modal("alice", Field.SERVICES)
    deck.close_modals("alice")


def test_s8_a_command_that_takes_long_is_acknowledged_and_answered_later(own_deck: Fleet) -> None:
    deck = own_deck
    service = deck.service()
    deck.shore.delay_reads(SLOW, n=1)
    did = deck.person("alice").command("/deploy", f"{service} staging v2", channel=CHANNEL)
    assert did.error == ""
    assert "Still working" in str(did.said)
    deployment = f"{service}-staging-1"
    deck.until(lambda: deployment in str(deck.person("alice").told()), "the answer")
    deck.until_told(f"{service}-staging")
    deck.finish(deployment)
    assert len(deck.of(service)) == 1
