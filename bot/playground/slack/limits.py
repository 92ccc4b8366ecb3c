"""Slack's rate limits: a bucket per method, and per channel for ``chat.postMessage``.

Source: https://docs.slack.dev/apis/web-api/rate-limits. Slack promises a rate per minute and
tolerates bursts of a size it does not tell; the bursts here are on the strict side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tier:
    """``per_minute`` calls go on for ever; ``burst`` more may come at once."""

    per_minute: float
    burst: int


TIER_1 = Tier(1, 2)
TIER_2 = Tier(20, 5)
TIER_3 = Tier(50, 20)
TIER_4 = Tier(100, 30)
POSTING = Tier(60, 5)
SPECIAL = Tier(600, 100)

TIERS: dict[str, Tier] = {
    "auth.test": SPECIAL,
    "apps.connections.open": TIER_1,
    "chat.postMessage": POSTING,
    "chat.postEphemeral": TIER_4,
    "chat.update": TIER_3,
    "chat.delete": TIER_3,
    "chat.getPermalink": SPECIAL,
    "conversations.history": TIER_3,
    "conversations.replies": TIER_3,
    "conversations.open": TIER_3,
    "conversations.info": TIER_3,
    "conversations.members": TIER_4,
    "users.info": TIER_4,
    "users.list": TIER_2,
    "usergroups.list": TIER_2,
    "usergroups.users.list": TIER_2,
    "views.open": TIER_4,
    "views.update": TIER_4,
    "views.push": TIER_4,
    "views.publish": TIER_4,
}


@dataclass(slots=True)
class Buckets:
    """What is left of each burst. ``factor`` scales all rates; ``math.inf`` lifts every limit."""

    factor: float = 1.0
    _left: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def take(self, method: str, channel: str, now: float) -> int:
        """Seconds to wait before this call is allowed; 0 where it is, and it is counted."""
        if math.isinf(self.factor):
            return 0
        tier = TIERS[method]
        key = (method, channel if method == "chat.postMessage" else "")
        rate, burst = tier.per_minute * self.factor / 60, max(1.0, tier.burst * self.factor)
        left, since = self._left.get(key, (burst, now))
        left = min(burst, left + (now - since) * rate)
        if left < 1:
            self._left[key] = (left, now)
            return max(1, math.ceil((1 - left) / rate))
        self._left[key] = (left - 1, now)
        return 0
