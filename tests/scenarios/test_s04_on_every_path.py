"""S4: whoever has no rights is refused on every path, in private, and it is in the audit trail."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from bot.model.deployment import Status
from bot.playground.slack.delivery import Posting
from bot.playground.slack.records import Message
from bot.slack.views.ids import Field
from tests.fakes.fleet import CHANNEL, Fleet

pytestmark = pytest.mark.xdist_group("s4")

OUTSIDERS = {"gus": "U0GUS0001", "sven": "U0SVEN001"}


def waiting(deck: Fleet) -> tuple[str, Message]:
    service = deck.service()
    deck.asks("alice", f"{service} production v2")
    return service, deck.until_card(f"{service}-production-1", "Approve")


def untouched(deck: Fleet, service: str) -> None:
    """Nothing was done: no vote, no deployment, no call."""
    (deployment,) = deck.of(service, "production")
    assert deck.get(deployment.id).status is Status.AWAITING_APPROVAL
    assert deck.of(service, "staging") == []
    with deck.database.read() as tx:
        assert tx.votes.on(deployment.id) == []
    assert deck.updates(f"{service}-production") == deck.updates(f"{service}-staging") == 0


def seen_by_all(deck: Fleet) -> int:
    return len(deck.workspace.messages(CHANNEL))


@pytest.mark.parametrize("name", OUTSIDERS)
def test_s4_a_guest_and_a_stranger_are_refused_on_every_path(deck: Fleet, name: str) -> None:
    service, card = waiting(deck)
    deployment = f"{service}-production-1"
    before = seen_by_all(deck)
    paths: list[Callable[[], str]] = [
        lambda: deck.clicks(name, card, "Approve"),
        lambda: deck.clicks(name, card, "Cancel"),
        lambda: deck.clicks(name, card, "Details"),
        lambda: deck.mentions(name, f"approve {deployment}"),
        lambda: deck.mentions(name, f"deploy {service} staging v2", card.ts),
    ]
    if name == "gus":  # Slack offers the app's slash commands to members and guests only
        paths += [
            lambda: deck.asks(name, f"{service} staging v2"),
            lambda: deck.asks(name, f"approve {deployment}"),
            lambda: deck.asks(name, f"{service} production", "/rollback"),
            lambda: deck.asks(name, "status"),
            lambda: deck.asks(name, "pause-all"),
        ]
    for path in paths:
        answer = path()
        assert "OUTSIDER" in answer, answer
        assert service not in answer
    denied = [r.entry for r in deck.rows(actor=OUTSIDERS[name])]
    assert len(denied) == len(paths)
    assert {(e.decision, e.reason_code) for e in denied} == {("denied", "OUTSIDER")}
    assert deployment in {entry.deployment_id for entry in denied}
    # What was written in public was written by people, in their mentions.
    said = [m for m in deck.workspace.messages(CHANNEL)[before:] if m.by == "U0QDBOT01"]
    assert said == []
    untouched(deck, service)


@pytest.mark.parametrize("name", OUTSIDERS)
def test_s4_the_form_of_a_stranger_is_refused_when_it_is_sent(deck: Fleet, name: str) -> None:
    service, card = waiting(deck)
    deck.person(name).click(card, "Reject")
    view = deck.modal(name)
    deck.person(name).submit(view, {Field.REASON: "because I can"})
    deck.until(lambda: "OUTSIDER" in str(deck.modal(name).blocks), "the refusal")
    assert deck.rows(actor=OUTSIDERS[name])[-1].entry.reason_code == "OUTSIDER"
    deck.close_modals(name)
    untouched(deck, service)


def test_s4_a_guest_who_asks_for_the_form_is_shown_nothing_in_it(deck: Fleet) -> None:
    for slash in ("/deploy", "/rollback"):
        deck.person("gus").command(slash, "", channel=CHANNEL)
        deck.until(lambda: "OUTSIDER" in str(deck.modal("gus").blocks), "the refusal")
        assert "svc0" not in str(deck.modal("gus").blocks)
        deck.close_modals("gus")


def test_s4_who_became_a_guest_while_a_form_was_open(deck: Fleet) -> None:
    service, _ = waiting(deck)
    mallory = deck.workspace.add_member("mallory", id="U0MALLORY")
    deck.workspace.channel(CHANNEL).members.add(mallory.id)
    deck.person("mallory").command("/deploy", "", channel=CHANNEL)
    view = deck.modal("mallory", Field.SERVICES)
    mallory.guest = True
    deck.changed("mallory")
    filled = {"services": [service], "environment": "staging", "version": "v2"}
    deck.person("mallory").submit(view, filled)
    deck.until(lambda: "OUTSIDER" in str(deck.modal("mallory").blocks), "the refusal")
    untouched(deck, service)


def test_s4_a_member_without_the_role_is_refused_and_told_who_can_help(deck: Fleet) -> None:
    service, card = waiting(deck)
    deployment = f"{service}-production-1"
    for answer in (
        deck.clicks("iris", card, "Approve"),
        deck.asks("iris", f"approve {deployment}"),
        deck.mentions("iris", f"approve {deployment}", card.ts),
    ):
        assert "NOT_APPROVER" in answer
        assert "<!subteam^S0CAPTAIN>" in answer
    deck.person("iris").click(card, "Reject")
    deck.person("iris").submit(deck.modal("iris", Field.REASON), {Field.REASON: "no"})
    deck.until_row(deployment, "vote.reject denied NOT_APPROVER")
    deck.close_modals("iris")
    rows = deck.actions(deployment)
    assert rows.count("vote.approve denied NOT_APPROVER") == 3
    untouched(deck, service)


def test_s4_another_workspace_is_refused_before_anything_is_read(deck: Fleet) -> None:
    service, card = waiting(deck)
    before = len(deck.rows(actor=deck.person("bob").id))
    request = deck.typed("bob", f"approve {service}-production-1")
    request.payload["team_id"] = "T0STOLEN1"
    assert "another workspace" in deck.send(request)
    click = deck.click("bob", card, "Approve")
    click.payload["team"]["id"] = "T0STOLEN1"
    click.payload["user"]["team_id"] = "T0STOLEN1"
    deck.send(click, status=403)
    assert len(deck.rows(actor=deck.person("bob").id)) == before
    untouched(deck, service)


def test_s4_a_forged_signature_and_an_old_one_are_turned_away(deck: Fleet) -> None:
    service, card = waiting(deck)
    click = deck.click("bob", card, "Approve")
    deck.send(click, posting=Posting(secret="not the secret"), status=401)
    deck.send(click, posting=Posting(signed_at=time.time() - 600), status=401)
    untouched(deck, service)
