"""When Slack may be called again: its limits, our pace per card, patience while it is down."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta

#: Slack refuses faster changes of one message, and nobody reads them.
BETWEEN_UPDATES = timedelta(seconds=1)
#: Slack promises 50 updates a minute in a workspace. What still changes takes 20 of them in steady
#: flow, and a few more at once, so that cards which have come to their end find room at once.
UPDATES_EVERY = timedelta(seconds=3)
#: So many cards at once that say something new, and so many that only renew their figures.
CHANGES_AT_ONCE, REFRESHES_AT_ONCE = 10, 4
#: Changes push refreshes back, and never further than this: every card is renewed in the end.
LONGEST_LINE = timedelta(seconds=60)
#: Where Slack limits us without saying for how long.
UNSAID = timedelta(seconds=5)
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds
#: The longest wait for what only an administrator can mend; a final state is never given up.
DENIED = timedelta(seconds=60)
#: Remembered cards; more are under way nowhere.
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Shown:
    gist: Hashable
    at: datetime


@dataclass(frozen=True, slots=True)
class _Slot:
    """A place in the line of those that say something new, or of those that renew figures."""

    at: datetime
    changes: bool


class Pacing:
    """One deliverer's memory of when what may be tried next. Losing it costs a few early calls."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._limited: dict[str, datetime] = {}
        self._shown: dict[str, _Shown] = {}
        self._slots: dict[str, _Slot] = {}
        self._changes_until: datetime | None = None
        self._refreshes_until: datetime | None = None
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

    def updated(self, card: str, gist: Hashable, now: datetime) -> None:
        """The card was changed just now; ``gist`` is what people act upon, as it shows it."""
        if len(self._shown) >= REMEMBERED:
            self._shown.clear()
        self._shown[card] = _Shown(gist, now)
        self._slots.pop(card, None)

    def shows(self, card: str, gist: Hashable) -> bool:
        """Whether the card is known to say this already, so that only its figures are renewed."""
        shown = self._shown.get(card)
        return shown is not None and shown.gist == gist

    def update_due(self, card: str, gist: Hashable, now: datetime) -> datetime | None:
        """When a card that still changes may be changed again, if not now.

        A card that has to wait keeps its place in the line, until it has something new to say:
        then it goes before all that only renew their figures.
        """
        changes = not self.shows(card, gist)
        slot = self._slots.get(card)
        if slot is None or (now < slot.at and changes and not slot.changes):
            slot = self._slots[card] = self._take_slot(card, now, slot, changes=changes)
        return slot.at if now < slot.at else None

    def _take_slot(self, card: str, now: datetime, had: _Slot | None, *, changes: bool) -> _Slot:
        if len(self._slots) >= REMEMBERED:
            self._slots.clear()
        shown = self._shown.get(card)
        mine = max(now, shown.at + BETWEEN_UPDATES) if shown is not None else now
        if not changes:
            spent = max(mine, self._refreshes_until or mine)
            self._refreshes_until = spent + UPDATES_EVERY
            return _Slot(max(mine, spent - (REFRESHES_AT_ONCE - 1) * UPDATES_EVERY), changes=False)
        spent = max(mine, self._changes_until or mine)
        self._changes_until = spent + UPDATES_EVERY
        if had is None:  # else it gives its old place up, and takes nothing more
            self._push_refreshes_back(mine)
        at = max(mine, spent - (CHANGES_AT_ONCE - 1) * UPDATES_EVERY)
        return _Slot(at if had is None else min(at, had.at), changes=True)

    def _push_refreshes_back(self, now: datetime) -> None:
        """What one that says something new takes is not there for those that renew figures."""
        spent = max(now, self._refreshes_until or now)
        self._refreshes_until = max(spent, min(spent + UPDATES_EVERY, now + LONGEST_LINE))

    def failed(self, delivery: int, now: datetime) -> datetime:
        """When to try again: exponential, with full jitter above one half, at most five minutes."""
        count = self._failures.get(delivery, 0)
        self._failures[delivery] = count + 1
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(count, 20))
        return now + timedelta(seconds=wait * (0.5 + self._jitter() / 2))

    def succeeded(self, delivery: int) -> None:
        """Forget the failures."""
        self._failures.pop(delivery, None)
