"""A thread that makes its round again and again, until it is told to stop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from threading import Event, Thread

#: Seconds that a stop waits for the round under way.
PATIENCE = 15.0


class Patrol(ABC):
    """A daemon thread called ``name``; ``first`` is the pause in seconds before its first round.

    Setting ``woken`` makes the next round begin now.
    """

    def __init__(self, name: str, first: float = 0.0, woken: Event | None = None) -> None:
        self._first = first
        self._stopping = Event()
        self._woken = Event() if woken is None else woken
        self._thread = Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def _round(self) -> float | None:
        """Go once. Returns the seconds until the next round, ``None`` where none is to follow."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Make the next round now."""
        self._woken.set()

    def stop(self) -> None:
        """Make no further round, and wait for the one under way."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(PATIENCE)

    def trouble(self) -> str:
        """What is wrong with this part, for the probe; empty when all is well."""
        if self._stopping.is_set() or not self._over():
            return ""
        return f"The {self._thread.name} has stopped."

    def _over(self) -> bool:
        """Whether it has begun, and has ended since."""
        return self._thread.ident is not None and not self._thread.is_alive()

    def _run(self) -> None:
        pause: float | None = self._first
        while pause is not None:
            self._woken.wait(pause)
            # Before the stop is looked for: whoever stops sets both, this one last.
            self._woken.clear()
            if self._stopping.is_set():
                return
            pause = self._round()
