"""What controllers have still to look at: each key once, a moment after it was named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from bot.playground.timeline import Timeline

K = TypeVar("K")
LATENCY = 0.05  # virtual seconds until a controller hears of a change


class Workqueue(Generic[K]):
    """Calls ``work`` with every key that was added; a key that waits already is not added twice."""

    def __init__(
        self, timeline: Timeline, work: Callable[[K], None], latency: float = LATENCY
    ) -> None:
        self._timeline = timeline
        self._work = work
        self.latency = latency
        self._waiting: dict[K, None] = {}

    def add(self, key: K) -> None:
        """Look at ``key`` soon."""
        if key not in self._waiting:
            self._waiting[key] = None
            self._timeline.after(self.latency, lambda: self._run(key))

    def add_after(self, key: K, seconds: float) -> None:
        """Look at ``key`` when so much virtual time has passed."""
        self._timeline.after(seconds, lambda: self.add(key))

    def awaits(self, key: K) -> bool:
        """Whether it is to be looked at soon."""
        return key in self._waiting

    def drain(self) -> bool:
        """Look at once at everything that waits; whether there was anything."""
        found = list(self._waiting)
        for key in found:
            self._run(key)
        return bool(found)

    def _run(self, key: K) -> None:
        if key in self._waiting:
            del self._waiting[key]
            self._work(key)
