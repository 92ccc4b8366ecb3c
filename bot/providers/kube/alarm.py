"""Something is due at a later moment that no event will tell of: a settle time that ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock, Timer


class Alarm:
    """Calls ``ring`` at the earliest moment that was asked for. Safe to share between threads."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._lock = Lock()
        self._timer: Timer | None = None
        self._due = float("inf")

    def within(self, seconds: float) -> None:
        """Ring then at the latest. Whoever is not served by it asks again."""
        due = time.monotonic() + seconds
        with self._lock:
            if due >= self._due:
                return
            if self._timer is not None:
                self._timer.cancel()
            self._due = due
            self._timer = Timer(seconds, self._rung, (due,))
            self._timer.daemon = True
            self._timer.start()

    def close(self) -> None:
        """Ring no more."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._due = None, float("inf")

    def _rung(self, due: float) -> None:
        with self._lock:
            if self._due != due:
                return  # an earlier one took its place as this one went off
            self._timer, self._due = None, float("inf")
        self._ring()
