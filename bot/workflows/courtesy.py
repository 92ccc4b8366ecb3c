"""People who wait for an answer go first; what nobody waits for makes way.

Slack waits three seconds. A hundred requests in one second, each with a card to be posted and a
rollout to begin, would otherwise share one interpreter in equal parts with their own consequences.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

#: So many people served at the same time are a rush; fewer do not notice what else is going on.
RUSH = 4
#: Seconds for which one piece of background work makes way: under requests without an end, it
#: goes on at this pace.
PATIENCE = 1.0


class Courtesy:
    """Knows whether there is a rush. Safe to share between threads."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._served = 0

    @contextmanager
    def serving(self) -> Iterator[None]:
        """While it lasts, somebody waits for an answer."""
        with self._changed:
            self._served += 1
        try:
            yield
        finally:
            with self._changed:
                self._served -= 1
                if self._served < RUSH:
                    self._changed.notify_all()

    def make_way(self, patience: float = PATIENCE) -> bool:
        """Wait for the end of a rush, ``patience`` seconds at most; whether it came."""
        with self._changed:
            return self._changed.wait_for(lambda: self._served < RUSH, patience)
