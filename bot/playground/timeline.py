"""Virtual time: a clock that runs faster than the wall's, and what is due on it."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable

from typing_extensions import override


class Clock:
    """Virtual seconds since the world began. ``speed`` is virtual seconds per real one.

    At speed 0 it stands still; whatever the speed, ``advance`` moves it at once. ``wall`` tells
    the time in seconds since 1970, for what is shown to callers: they compare it with their own.
    """

    def __init__(self, speed: float, wall: Callable[[], float]) -> None:
        self.speed = speed
        self._advanced = 0.0
        self._started = time.monotonic()
        self.wall = wall

    def now(self) -> float:
        """The virtual time."""
        real = time.monotonic() - self._started if self.speed else 0.0
        return self._advanced + real * self.speed

    def advance(self, seconds: float) -> None:
        """Jump forwards by ``seconds`` of virtual time. Raises ``ValueError`` for a step back."""
        if seconds < 0:
            raise ValueError(f"time only goes forwards, not by {seconds} s")
        self._advanced += seconds

    def on_the_wall(self, when: float) -> float:
        """The wall's time at the virtual time ``when``, which is not in the future."""
        ago = (self.now() - when) / self.speed if self.speed else 0.0
        return self.wall() - ago


class WallClock(Clock):
    """Goes with the wall, whatever runs in fast motion beside it; it is never advanced."""

    def __init__(self, wall: Callable[[], float]) -> None:
        super().__init__(1.0, wall)
        self._began = wall()
        self._latest = 0.0

    @override
    def now(self) -> float:
        """Seconds since it was made; a wall that is set back holds it up and no more."""
        self._latest = max(self._latest, self.wall() - self._began)
        return self._latest


class Timeline:
    """Things due at virtual times, run in order; nothing runs until somebody looks."""

    def __init__(self, clock: Clock) -> None:
        self.now = clock.now()
        self._clock = clock
        self._shown = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def stamp(self) -> float:
        """The present moment as it is shown to callers: seconds since 1970, to the millisecond.

        It never goes back.
        """
        # A jump of virtual time takes no real time, so what fell into it shows the same moment.
        self._shown = max(self._shown, round(self._clock.on_the_wall(self.now), 3))
        return self._shown

    def stamp_in(self, seconds: float) -> float:
        """The moment ``seconds`` of virtual time from now, as it is shown to callers.

        Where time stands still until it is moved, it is that many seconds on the wall.
        """
        return round(self.stamp() + seconds / (self._clock.speed or 1.0), 3)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run ``action`` when ``seconds`` of virtual time have passed."""
        heapq.heappush(self._due, (self.now + seconds, next(self._order), action))

    def wait(self) -> float | None:
        """How many virtual seconds until the next thing is due; ``None`` where nothing is."""
        return max(0.0, self._due[0][0] - self._clock.now()) if self._due else None

    def catch_up(self) -> None:
        """Run what is due by now, each thing at its own time."""
        until = self._clock.now()
        while self._due and self._due[0][0] <= until:
            self.now, _, action = heapq.heappop(self._due)
            action()
        self.now = max(self.now, until)
