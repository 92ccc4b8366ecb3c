"""S5: a deployment of more than half an hour, after which every response URL of Slack is dead."""

from __future__ import annotations

import time
from itertools import count

import pytest

from bot.playground.slack.tickets import RESPONSE_SECONDS
from tests.fakes.fleet import CHANNEL, Fleet

pytestmark = pytest.mark.xdist_group("s5")


def test_s5_the_card_is_followed_to_the_end_without_any_response_url(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} production v2")
    deployment = f"{service}-production-1"
    card = deck.card(deployment)
    deck.clicks("bob", card, "Approve")
    deck.until_card(deployment, "running")
    deck.workspace.tickets.clock = lambda: time.time() + RESPONSE_SECONDS + 60
    try:
        deck.finish(deployment)
        done = deck.until_card(deployment, "succeeded")
        assert (done.channel, done.ts) == (CHANNEL, card.ts)
        updates = [c for c in deck.workspace.calls("chat.update") if c.args["ts"] == card.ts]
        assert updates
        assert all(call.ok for call in updates)
        # Whoever presses a button now gets a fresh URL, and the answer.
        assert deployment in deck.asks("alice", f"show {deployment}")
    finally:
        deck.workspace.tickets.clock = time.time


def test_s5_an_answer_whose_response_url_has_died_comes_another_way(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} production v2")
    card = deck.until_card(f"{service}-production-1", "Approve")
    # Every look at the clock is more than half an hour after the one before it.
    late = count(time.time(), RESPONSE_SECONDS + 60)
    deck.workspace.tickets.clock = lambda: next(late)
    try:
        before = len(deck.workspace.calls("chat.postEphemeral"))
        assert "takes its turn" in deck.clicks("bob", card, "Approve")
        assert len(deck.workspace.calls("chat.postEphemeral")) == before + 1
    finally:
        deck.workspace.tickets.clock = time.time
