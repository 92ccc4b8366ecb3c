"""S6: twelve deployments at once. Slack limits updates; every card shows its end all the same."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa
from typing_extensions import override

from bot.playground.slack.limits import TIERS, Limits, Tier
from tests.fakes.fleet import CHANNEL, Fleet

pytestmark = pytest.mark.xdist_group("s6")

FLEET = 12


@dataclass(slots=True)
class Strict(Limits):
    """Slack's limits in quick motion; notes who calls again before the time it was told."""

    refused: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    early: list[str] = field(default_factory=list)
    until: dict[str, float] = field(default_factory=dict)

    @override
    def take(self, method: str, channel: str, now: float) -> int:
        key = f"{method} {channel}" if method == "chat.postMessage" else method
        if now < self.until.get(key, 0.0):
            self.early.append(key)
        wait = Limits.take(self, method, channel, now)
        if wait:
            self.refused[method] += 1
            self.until[key] = now + wait
        return wait


def test_s6_limits_are_honoured_updates_coalesce_and_every_end_is_shown(own_deck: Fleet) -> None:
    deck = own_deck
    services = [deck.service() for _ in range(FLEET)]
    limits = Strict()
    usual = {name: TIERS[name] for name in ("chat.update", "chat.postMessage")}
    TIERS.update({"chat.update": Tier(4, 3.0), "chat.postMessage": Tier(5, 2.0)})
    try:
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
    finally:
        TIERS.update(usual)
    assert limits.refused["chat.update"] > 0, "the limit was never met, so nothing was shown"
    assert limits.early == []
    updates = [call for call in deck.workspace.calls("chat.update") if call.ok]
    assert len(updates) < wanted(deck)


def wanted(deck: Fleet) -> int:
    """How many changes of cards were asked for."""
    with deck.engine.connect() as connection:
        return int(
            connection.scalar(sa.text("SELECT sum(wanted) FROM outbox WHERE key = 'card'")) or 0
        )
