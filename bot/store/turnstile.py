"""A lock that serves whoever came first."""

from __future__ import annotations

from collections import deque
from threading import Lock


class Turnstile:
    """Python's own lock may pass a waiter over for seconds; a person waits at the other end."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._taken = False
        self._line: deque[Lock] = deque()

    def enter(self, timeout: float) -> bool:
        """Wait for the turn, at most ``timeout`` seconds; whether it came. Not reentrant."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return True
            turn = Lock()
            turn.acquire()
            self._line.append(turn)
        if turn.acquire(timeout=timeout):
            return True
        with self._guard:
            if turn not in self._line:
                return True  # it came in this very moment
            self._line.remove(turn)
            return False

    def leave(self) -> None:
        """Pass the turn on."""
        with self._guard:
            if self._line:
                self._line.popleft().release()
            else:
                self._taken = False


class Turn:
    """One visitor's turn at a turnstile; taking it twice is taking it once."""

    def __init__(self, turnstile: Turnstile, patience: float) -> None:
        self._turnstile = turnstile
        self._patience = patience
        self._mine = False

    def take(self) -> None:
        """Wait for it; where it does not come in time, go on without it."""
        if not self._mine:
            self._mine = self._turnstile.enter(self._patience)

    def give(self) -> None:
        """Pass it on, if it was taken."""
        if self._mine:
            self._mine = False
            self._turnstile.leave()
