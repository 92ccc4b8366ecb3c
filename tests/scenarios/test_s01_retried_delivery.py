"""S1: Slack delivers a request again because the answer was lost or late. It is done once."""

from __future__ import annotations

import pytest

from bot.model.deployment import Status
from bot.playground.slack import payloads
from tests.fakes.fleet import CHANNEL, Fleet, at_once

pytestmark = pytest.mark.xdist_group("s1")


def once(deck: Fleet, service: str, environment: str = "staging") -> str:
    """The one deployment of the service, with all that it may leave behind once."""
    (deployment,) = deck.of(service, environment)
    deck.until_told(f"{service}-{environment}")
    deck.finish(deployment.id)
    assert deck.updates(f"{service}-{environment}") == 1
    asked = [row for row in deck.actions(deployment.id) if row.startswith("deploy.requested")]
    assert asked == ["deploy.requested allowed"]
    assert deck.until_card(deployment.id, "succeeded")
    return deployment.id


def test_s1_a_command_whose_answer_was_lost_is_answered_again_and_done_once(deck: Fleet) -> None:
    service = deck.service()
    request = deck.typed("alice", f"{service} staging v2")
    first = deck.send(request)
    second = deck.again(request)
    deployment = once(deck, service)
    assert deployment in first
    assert deployment in second
    assert deployment in deck.again(request, 2)  # after its end too
    assert len(deck.of(service)) == 1


def test_s1_the_same_delivery_six_times_in_one_instant(deck: Fleet) -> None:
    service = deck.service()
    request = deck.typed("alice", f"{service} staging v2")
    answers = at_once(*[lambda: deck.send(request)] * 6)
    deployment = once(deck, service)
    assert all(deployment in answer for answer in answers), answers
    assert "DUPLICATE" not in str(answers)
    assert not [
        row for row in deck.rows(target=f"{service}/staging") if row.entry.decision == "denied"
    ]


def test_s1_two_people_who_ask_for_the_same_are_two_requests_and_one_is_told(deck: Fleet) -> None:
    """The other side of it: a key that took everybody for a repetition would be no key."""
    service = deck.service()
    first, second = (deck.typed(name, f"{service} production v2") for name in ("alice", "bob"))
    at_once(lambda: deck.send(first), lambda: deck.send(second))
    (deployment,) = deck.of(service, "production")
    denied = [
        r.entry for r in deck.rows(target=f"{service}/production") if r.entry.decision == "denied"
    ]
    assert [entry.reason_code for entry in denied] == ["DUPLICATE"]
    assert {denied[0].actor.id, deployment.requester.id} == {"U0ALICE01", "U0BOB0001"}


def test_s1_a_mention_that_slack_repeats(deck: Fleet) -> None:
    service = deck.service()
    alice = deck.person("alice")
    did = alice.mention(CHANNEL, f"deploy {service} staging v2")
    for retry in (1, 2):
        deck.again(did.request, retry)
    once(deck, service)


def test_s1_a_form_that_is_sent_twice(deck: Fleet) -> None:
    service = deck.service()
    deck.person("alice").command("/deploy", "", channel=CHANNEL)
    view = deck.modal("alice", "services")
    did = deck.person("alice").submit(
        view, {"services": [service], "environment": "staging", "version": "v2"}
    )
    assert did.errors == {}
    deck.send(did.request)
    once(deck, service)
    deck.close_modals("alice")


def test_s1_a_vote_that_is_delivered_twice_is_one_vote_and_no_refusal(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} vault v2")
    (deployment,) = deck.of(service, "vault")
    message = deck.person("bob").say(CHANNEL, f"approve {deployment.id}")
    mention = payloads.mention(deck.workspace, deck.workspace.member("bob"), message)
    mention.payload["event"]["text"] = f"<@U0QDBOT01> approve {deployment.id}"
    at_once(*[lambda: deck.send(mention)] * 3)
    deck.again(mention)
    assert deck.get(deployment.id).status is Status.AWAITING_APPROVAL
    votes = [row for row in deck.actions(deployment.id) if row.startswith("vote")]
    assert votes == ["vote.approve allowed"]


def test_s1_a_lock_that_is_delivered_twice_is_one_lock_and_no_refusal(deck: Fleet) -> None:
    service = deck.service()
    lock = deck.typed("alice", f"lock {service} staging --for 2h")
    first = deck.send(lock)
    assert deck.again(lock) == first
    unlock = deck.typed("alice", f"unlock {service} staging")
    answers = at_once(*[lambda: deck.send(unlock)] * 3)
    assert answers.count(answers[0]) == len(answers)
    assert deck.again(lock, 2) == first  # and does not lock it anew
    rows = [row.entry for row in deck.rows(target=f"{service}/staging")]
    assert [(entry.action, entry.decision) for entry in rows] == [
        ("target.lock", "done"),
        ("target.unlock", "done"),
    ]


def test_s1_a_rollback_that_is_delivered_twice_rolls_back_once(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} staging v2")
    deck.finish(f"{service}-staging-1")
    request = payloads.command(
        deck.workspace,
        deck.workspace.member("iris"),
        deck.workspace.channel(CHANNEL),
        ("/rollback", f"{service} staging"),
    )
    at_once(*[lambda: deck.send(request)] * 4)
    deck.until_told(f"{service}-staging", 2)
    deck.finish(f"{service}-staging-2")
    deck.again(request)
    assert len(deck.of(service)) == 2
    assert deck.updates(f"{service}-staging") == 2


def test_s1_a_request_for_two_services_that_was_cut_short_is_completed(deck: Fleet) -> None:
    """The first delivery died between its two transactions; the second finds one of them done."""
    first, second = deck.service(), deck.service()
    request = deck.typed("alice", f"{first} staging v2")
    deck.send(request)
    request.payload["text"] = f"{first},{second} staging v2"
    answer = deck.again(request)
    once(deck, first)
    once(deck, second)
    assert f"{first}-staging-1" in answer
    assert f"{second}-staging-1" in answer


@pytest.mark.parametrize("slash", ["deploy", "rollback"])
def test_s1_a_refused_mention_that_slack_repeats_stays_refused(deck: Fleet, slash: str) -> None:
    """Slack delivers a mention again after one minute and after five; the cause may be gone."""
    service = deck.service()
    alice = deck.person("alice")
    if slash == "deploy":
        deck.asks("iris", f"lock {service} staging --for 2h")
    text = f"{slash} {service} staging v2"
    did = alice.mention(CHANNEL, text)
    deck.until(lambda: deck.denied(service), "the refusal")
    deck.asks("iris", f"unlock {service} staging")
    if slash == "rollback":
        for version in ("v2", "v3"):
            deck.place.push(service, version)
            deck.asks("alice", f"{service} staging {version}")
            deck.finish(deck.of(service)[-1].id)
    rows, made = deck.denied(service), deck.of(service)

    for retry in (1, 2):
        deck.again(did.request, retry)

    assert deck.mentions("alice", f"status {service}")  # what was delivered before is done by now
    assert deck.of(service) == made
    assert deck.denied(service) == rows
