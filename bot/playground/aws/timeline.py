"""Virtual time: a clock that runs faster than the wall's, and what is due on it."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable

# The epoch of every world, so that a seed gives the same timestamps in every run.
EPOCH = 1_767_225_600.0  # 2026-01-01T00:00:00Z


class Clock:
    """Virtual seconds since 1970. ``speed`` is virtual seconds per real one; 0 stands still.

    Whatever the speed, ``advance`` moves it at once.
    """

    def __init__(self, speed: float, epoch: float = EPOCH) -> None:
        self._speed = speed
        self._epoch = epoch
        self._advanced = 0.0
        self._started = time.monotonic()

    def now(self) -> float:
        """The virtual time, in seconds since 1970."""
        real = time.monotonic() - self._started if self._speed else 0.0
        return self._epoch + self._advanced + real * self._speed

    def advance(self, seconds: float) -> None:
        """Jump forwards by ``seconds`` of virtual time."""
        self._advanced += seconds


class Timeline:
    """Things due at virtual times, run in order; nothing runs until somebody looks."""

    def __init__(self, start: float) -> None:
        self.now = start
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run ``action`` when ``seconds`` of virtual time have passed."""
        heapq.heappush(self._due, (self.now + seconds, next(self._order), action))

    def run_until(self, when: float) -> None:
        """Run what is due up to ``when``, each thing at its own time."""
        while self._due and self._due[0][0] <= when:
            self.now, _, action = heapq.heappop(self._due)
            action()
        self.now = max(self.now, when)
