"""S6: twelve deployments at once. Slack limits updates; every card shows its end all the same."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa
from typing_extensions import override

from bot.playground.slack.limits import Limits, Tier
from tests.fakes.fleet import CHANNEL, Fleet

pytestmark = pytest.mark.xdist_group("s6")

FLEET = 12


#: Slack's own limits in quick motion: so many calls within so many seconds.
QUICK = {"chat.update": Tier(6, 2.0), "chat.postMessage": Tier(6, 1.0)}


@dataclass(slots=True)
class Strict(Limits):
    """Notes who was limited, and who called again before the time it was told."""

    limited: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    early: list[str] = field(default_factory=list)
    calls: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    until: dict[str, float] = field(default_factory=dict)

    @override
    def take(self, method: str, channel: str, now: float) -> int:
        if method not in QUICK:
            return 0
        if now < self.until.get(method, 0.0):
            self.early.append(method)
        tier, calls = QUICK[method], self.calls[method]
        while calls and calls[0] <= now - tier.seconds:
            calls.popleft()
        if len(calls) < tier.calls:
            calls.append(now)
            return 0
        wait = math.ceil(calls[0] + tier.seconds - now)
        self.limited[method] += 1
        self.until[method] = now + wait
        return wait


def test_s6_limits_are_honoured_updates_coalesce_and_every_end_is_shown(own_deck: Fleet) -> None:
    deck = own_deck
    services = [deck.service() for _ in range(FLEET)]
    limits = Strict()
    deck.workspace.limits = limits
    for service in services:
        deck.asks("alice", f"{service} staging v2")
    for service in services:
        deck.card(f"{service}-staging-1")
    for service in services:
        deck.finish(f"{service}-staging-1")
    for service in services:
        card = deck.until_card(f"{service}-staging-1", "succeeded")
        assert card.channel == CHANNEL
    assert limits.limited["chat.update"] > 0, "the limit was never met, so nothing was shown"
    assert limits.early == []
    deck.until(
        lambda: cards(deck, "count(*)", "wanted > shown") == 0, "every card to be up to date"
    )
    updates = [call for call in deck.workspace.calls("chat.update") if call.ok]
    assert len(updates) < cards(deck, "sum(wanted)") - FLEET  # each card's first state was a post


def cards(deck: Fleet, what: str, where: str = "1 = 1") -> int:
    """Something about the cards that are owed to Slack."""
    query = sa.text(f"SELECT {what} FROM outbox WHERE key = 'card' AND {where}")  # noqa: S608 - a test's own words
    with deck.engine.connect() as connection:
        return int(connection.scalar(query) or 0)
