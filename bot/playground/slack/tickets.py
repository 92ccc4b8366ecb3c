"""What Slack hands out to be used within a time: trigger ids and response URLs."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bot.playground.slack.refusal import SlackRefusal

TRIGGER_SECONDS = 3.0
RESPONSE_SECONDS = 1800.0
RESPONSE_USES = 5


@dataclass(slots=True)
class Trigger:
    """Allows one modal to be opened for one person."""

    person: str
    issued: float
    view: str | None = None
    used: bool = False


@dataclass(slots=True)
class ResponseUrl:
    """Allows answers where somebody did something. ``ts`` is of the message that was clicked."""

    person: str
    channel: str
    issued: float
    ts: str | None = None
    uses: int = 0


@dataclass(slots=True)
class Tickets:
    """Issued and redeemed under one lock, so that a ticket is never redeemed twice."""

    clock: Callable[[], float]
    _triggers: dict[str, Trigger] = field(default_factory=dict)
    _responses: dict[str, ResponseUrl] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def trigger(self, person: str, view: str | None = None) -> str:
        """A new ``trigger_id``; ``view`` is the modal it comes from."""
        identity = (
            f"{secrets.randbelow(10**13)}.{secrets.randbelow(10**13)}.{secrets.token_hex(16)}"
        )
        with self._lock:
            self._triggers[identity] = Trigger(person, self.clock(), view)
        return identity

    def redeem_trigger(self, identity: Any) -> Trigger:
        """The trigger behind the id: once, and within three seconds."""
        with self._lock:
            trigger = self._triggers.get(identity) if isinstance(identity, str) else None
            if trigger is None:
                raise SlackRefusal("invalid_trigger_id")
            if trigger.used:
                raise SlackRefusal("exchanged_trigger_id")
            if self.clock() - trigger.issued > TRIGGER_SECONDS:
                raise SlackRefusal("expired_trigger_id")
            trigger.used = True
            return trigger

    def response(self, person: str, channel: str, ts: str | None = None) -> str:
        """The secret last part of a new ``response_url``."""
        identity = secrets.token_urlsafe(18)
        with self._lock:
            self._responses[identity] = ResponseUrl(person, channel, self.clock(), ts)
        return identity

    def redeem_response(self, identity: str) -> ResponseUrl:
        """Who and where it answers: five times, within thirty minutes."""
        with self._lock:
            response = self._responses.get(identity)
            if response is None:
                raise SlackRefusal("no_such_url")
            if self.clock() - response.issued > RESPONSE_SECONDS:
                raise SlackRefusal("expired_url")
            if response.uses >= RESPONSE_USES:
                raise SlackRefusal("used_url")
            response.uses += 1
            return response
