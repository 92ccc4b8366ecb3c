"""E17: a flood of duplicate notifications. Whatever happens again, Slack is told of it once."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from bot.model.deployment import Status
from tests.fakes.fleet import CHANNEL, Fleet, at_once

pytestmark = pytest.mark.xdist_group("e17")


def thread(deck: Fleet, deployment: str) -> list[str]:
    """Everything that was told below the card; several of ECS's events may share a message."""
    card = deck.card(deployment)
    told = [message.text for message in deck.workspace.thread(CHANNEL, card.ts)]
    return [one.strip() for text in told for one in re.split(r"\n|(?=\(service )", text) if one]


def owed(deck: Fleet) -> int:
    with deck.engine.connect() as connection:
        query = sa.text("SELECT count(*) FROM outbox WHERE wanted > shown")
        return int(connection.scalar(query) or 0)


def test_e17_a_crash_in_mid_rollout_tells_nothing_twice(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} staging v2")
    deployment = f"{service}-staging-1"
    deck.until_told(f"{service}-staging")
    for _ in range(2):
        deck.world.advance(20)
        deck.until(lambda: "has started" in str(thread(deck, deployment)), "ECS's events")
        deck.ship.kill()
        deck.ship.start()
    deck.finish(deployment)
    deck.until_card(deployment, "succeeded")
    deck.until(lambda: owed(deck) == 0, "everything to be told")
    told = thread(deck, deployment)
    assert len(told) == len(set(told)), told
    assert deck.posted_twice() == []
    assert len(deck.cards(deployment)) == 1


def test_e17_forty_looks_at_a_card_are_no_message_and_a_few_updates(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} production v2")
    deployment = f"{service}-production-1"
    card = deck.until_card(deployment, "Approve")
    deck.asks("bob", f"reject {deployment} --reason no")
    deck.until_card(deployment, "rejected")
    deck.until(lambda: owed(deck) == 0, "everything to be told")
    updates, said = len(deck.workspace.calls("chat.update")), len(deck.workspace.messages(CHANNEL))
    at_once(*[lambda: deck.send(deck.click("carol", card, "Approve"))] * 40)
    deck.until(lambda: owed(deck) == 0, "everything to be told")
    assert len(deck.workspace.messages(CHANNEL)) == said
    assert len(deck.workspace.calls("chat.update")) - updates < 40
    assert deck.posted_twice() == []
    assert deck.get(deployment).status is Status.REJECTED


def test_e17_one_row_for_each_deployment_and_key_however_often_it_is_asked_for(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} production v2")
    deployment = f"{service}-production-1"
    deck.card(deployment)

    def ask_again() -> None:
        with deck.database.begin() as tx:
            tx.outbox.card(deployment)
            tx.outbox.thread(deployment, "ended", "It has ended.")

    at_once(*[ask_again] * 8)
    deck.until(lambda: owed(deck) == 0, "everything to be told")
    assert thread(deck, deployment).count("It has ended.") == 1
    assert len(deck.cards(deployment)) == 1
    with deck.engine.connect() as connection:
        query = sa.text("SELECT key FROM outbox WHERE deployment_id = :id ORDER BY key")
        keys = connection.scalars(query, {"id": deployment}).all()
    assert keys == ["card", "thread:ended"]


def test_e17_slack_repeats_every_delivery_and_the_channel_stays_quiet(deck: Fleet) -> None:
    service = deck.service()
    requests = [deck.typed("alice", f"{service} production v2")]
    deck.send(requests[0])
    deployment = f"{service}-production-1"
    requests.append(deck.click("bob", deck.card(deployment), "Approve"))
    deck.send(requests[1])
    deck.until_told(f"{service}-production")
    for retry in range(1, 4):
        at_once(*[lambda r=request, n=retry: deck.again(r, n) for request in requests])
    deck.finish(deployment)
    deck.until_card(deployment, "succeeded")
    deck.until(lambda: owed(deck) == 0, "everything to be told")
    told = thread(deck, deployment)
    assert len(told) == len(set(told)), told
    assert sum("bob approved" in line for line in told) == 1
    assert len(deck.cards(deployment)) == 1
    assert deck.updates(f"{service}-production") == 1
