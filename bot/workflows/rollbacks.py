"""Where a rollback is under way: what is in its way goes first too."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from bot.model.deployment import Kind, Target
from bot.workflows.parts import Parts

#: Seconds for which one look serves everybody who asks.
FRESH = 0.25


class Rollbacks:
    """One look for all: hundreds may ask at the same time. ``ticks`` counts seconds."""

    def __init__(self, parts: Parts, ticks: Callable[[], float] = time.monotonic) -> None:
        self._parts = parts
        self._ticks = ticks
        self._lock = Lock()
        self._looked = float("-inf")
        self._targets: frozenset[Target] = frozenset()

    def targets(self) -> frozenset[Target]:
        """The targets of rollbacks that have not ended. Raises ``Unreachable``."""
        with self._lock:
            if self._ticks() - self._looked >= FRESH:
                with self._parts.store.read() as tx:
                    active = tx.deployments.active(kind=Kind.ROLLBACK)
                self._targets = frozenset(each.target for each in active)
                self._looked = self._ticks()
            return self._targets
