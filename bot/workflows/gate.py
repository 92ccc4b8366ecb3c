"""What every step goes through, so that a planned stop leaves no call to the outside half-way.

After a crash the next owner reads back what became of a call. A stop that is announced can do
better: it waits for the answers that are due, and lets nothing new begin.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition


class Gate:
    """Open until it is closed, for good. Safe to share between threads."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._inside = 0
        self._closed = False

    def passing(self, step: Callable[[str], float]) -> Callable[[str], float]:
        """``step`` behind this gate: once it is closed, it waits for the end of the process."""

        def guarded(deployment_id: str) -> float:
            self._enter()
            try:
                return step(deployment_id)
            finally:
                self._leave()

        return guarded

    def close(self, patience: float) -> bool:
        """Let nothing in any more; whether all were out within ``patience`` seconds."""
        with self._changed:
            self._closed = True
            return self._changed.wait_for(lambda: not self._inside, patience)

    def _enter(self) -> None:
        with self._changed:
            # What has not begun is left to the next owner: this thread ends with the process.
            self._changed.wait_for(lambda: not self._closed)
            self._inside += 1

    def _leave(self) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()
