"""What git said, kept for a moment: whoever waits looks each second, and git changes seldom."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

Said = TypeVar("Said")

#: Seconds for which an answer counts. Whatever we change ourselves is asked for anew at once.
KEPT = 10.0
_REMEMBERED = 1024


class Glimpses:
    """Safe to share between threads. ``ticks`` counts seconds. A fault is never kept."""

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks = ticks
        self._lock = Lock()
        self._said: OrderedDict[tuple[str, object], tuple[float, object]] = OrderedDict()

    def of(self, deployment_id: str, what: object, ask: Callable[[], Said]) -> Said:
        """The answer about that deployment: a recent one, or a new one."""
        key, now = (deployment_id, what), self._ticks()
        with self._lock:
            kept = self._said.get(key)
        if kept is not None and now - kept[0] < KEPT:
            said: Said = kept[1]  # type: ignore[assignment]  # of the same question
            return said
        said = ask()
        with self._lock:
            self._said[key] = (now, said)
            self._said.move_to_end(key)
            while len(self._said) > _REMEMBERED:
                self._said.popitem(last=False)
        return said

    def forget(self, deployment_id: str) -> None:
        """Its next question is asked anew."""
        with self._lock:
            for key in [each for each in self._said if each[0] == deployment_id]:
                del self._said[key]
