"""When Slack may be called again: its limits, our pace per card, patience while it is down."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

#: Slack refuses faster changes of one message, and nobody reads them.
BETWEEN_UPDATES = timedelta(seconds=1)
#: Slack promises 50 updates a minute in a workspace. What still changes takes at most 30 of them,
#: in steady flow 20, so that cards which have come to their end find room at once.
UPDATES_EVERY, UPDATES_AT_ONCE = timedelta(seconds=3), 10
#: Where Slack limits us without saying for how long.
UNSAID = timedelta(seconds=5)
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds
#: The longest wait for what only an administrator can mend; a final state is never given up.
DENIED = timedelta(seconds=60)
#: Remembered cards; more are under way nowhere.
REMEMBERED = 10_000


class Pacing:
    """One deliverer's memory of when what may be tried next. Losing it costs a few early calls."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._limited: dict[str, datetime] = {}
        self._updated: dict[str, datetime] = {}
        self._slots: dict[str, datetime] = {}
        self._spent_until: datetime | None = None
        self._failures: dict[int, int] = {}

    def limit(self, method: str, now: datetime, retry_after: float) -> datetime:
        """Slack limits ``method``: nothing may call it before the answer."""
        wait = timedelta(seconds=retry_after) if retry_after > 0 else UNSAID
        until = now + wait
        self._limited[method] = max(until, self._limited.get(method, until))
        return self._limited[method]

    def limited_until(self, method: str, now: datetime) -> datetime | None:
        """Until when ``method`` may not be called, if it may not be called now."""
        until = self._limited.get(method)
        return until if until is not None and now < until else None

    def updated(self, card: str, now: datetime) -> None:
        """The card was changed just now."""
        if len(self._updated) >= REMEMBERED:
            self._updated.clear()
        self._updated[card] = now
        self._slots.pop(card, None)

    def update_due(self, card: str, now: datetime) -> datetime | None:
        """When a card that still changes may be changed again, if not now.

        A card that has to wait keeps its place in the line.
        """
        slot = self._slots.get(card)
        if slot is None:
            slot = self._slots[card] = self._take_slot(card, now)
        return slot if now < slot else None

    def _take_slot(self, card: str, now: datetime) -> datetime:
        if len(self._slots) >= REMEMBERED:
            self._slots.clear()
        last = self._updated.get(card)
        mine = max(now, last + BETWEEN_UPDATES) if last is not None else now
        spent = max(mine, self._spent_until or mine)
        self._spent_until = spent + UPDATES_EVERY
        return max(mine, spent - (UPDATES_AT_ONCE - 1) * UPDATES_EVERY)

    def failed(self, delivery: int, now: datetime) -> datetime:
        """When to try again: exponential, with full jitter above one half, at most five minutes."""
        count = self._failures.get(delivery, 0)
        self._failures[delivery] = count + 1
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(count, 20))
        return now + timedelta(seconds=wait * (0.5 + self._jitter() / 2))

    def succeeded(self, delivery: int) -> None:
        """Forget the failures."""
        self._failures.pop(delivery, None)
