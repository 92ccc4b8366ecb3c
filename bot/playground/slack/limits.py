"""Slack's rate limits: so many calls of a method within a time, for posting per channel.

Source: https://docs.slack.dev/apis/web-api/rate-limits. A tier is a promise per minute, so that
is what is counted. For ``chat.postMessage`` it is one message a second and channel with short
bursts, whose size Slack does not tell: here five within five seconds.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tier:
    """At most ``calls`` within any ``seconds``."""

    calls: int
    seconds: float = 60.0


TIER_1 = Tier(1)
TIER_2 = Tier(20)
TIER_3 = Tier(50)
TIER_4 = Tier(100)
POSTING = Tier(5, 5.0)
SPECIAL = Tier(600)

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
    "files.getUploadURLExternal": TIER_4,
    "files.completeUploadExternal": TIER_4,
    "views.open": TIER_4,
    "views.update": TIER_4,
    "views.push": TIER_4,
    "views.publish": TIER_4,
}


@dataclass(slots=True)
class Limits:
    """What was called when. ``factor`` scales every limit; ``math.inf`` lifts them all."""

    factor: float = 1.0
    _called: dict[tuple[str, str], deque[float]] = field(default_factory=dict)

    def take(self, method: str, channel: str, now: float) -> int:
        """Seconds to wait before this call is allowed; 0 where it is, and it is counted."""
        if math.isinf(self.factor):
            return 0
        tier = TIERS[method]
        allowed = max(1, int(tier.calls * self.factor))
        key = (method, channel if method == "chat.postMessage" else "")
        called = self._called.setdefault(key, deque())
        while called and called[0] <= now - tier.seconds:
            called.popleft()
        if len(called) >= allowed:
            return max(1, math.ceil(called[len(called) - allowed] + tier.seconds - now))
        called.append(now)
        return 0
