"""One branch of one remote, with everything that is shared between those who use it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

from bot.model.errors import Transient
from bot.model.places import Manifests
from bot.providers.git.access import Environment, GitAccess
from bot.providers.git.clone import Clone
from bot.providers.git.content import Content
from bot.providers.git.faults import Broken
from bot.providers.git.fetches import SharedFetch
from bot.providers.git.history import History

Result = TypeVar("Result")

#: Seconds in which a tip that was seen is worth a try: a push proves whether it still is the tip.
_RECENT = 20.0
_TURN = 300.0


class Repository:
    """Safe to share between threads."""

    def __init__(self, clone: Clone, ticks: Callable[[], float]) -> None:
        self.clone = clone
        self.history = History(clone)
        self.content = Content(clone)
        self.fetch = SharedFetch(self._fetch)
        self._ticks = ticks
        self._turn = Lock()
        self._seen: tuple[str, float] | None = None

    def recent(self) -> str | None:
        """The tip as it was a moment ago: enough for a push, which fails where it has moved."""
        seen = self._seen
        return seen[0] if seen is not None and self._ticks() - seen[1] < _RECENT else None

    def moved(self, tip: str | None) -> None:
        """Keep where the branch is after a push; ``None`` where that is not known."""
        self._seen = None if tip is None else (tip, self._ticks())

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One push at a time: we need not race against ourselves."""
        if not self._turn.acquire(timeout=_TURN):
            raise Transient(f"Too many wait to push to {self.clone.remote}.")
        try:
            yield
        finally:
            self._turn.release()

    def steadily(self, work: Callable[[], Result]) -> Result:
        """Do what reads the clone; where that is broken, once more on a new one."""
        identity = self.clone.identity
        try:
            return work()
        except Broken:
            self.moved(None)
            self.clone.rebuild(identity)
        try:
            self.fetch()
            return work()
        except Broken as broken:
            raise Transient(f"The clone of {self.clone.remote} is broken: {broken}") from None

    def _fetch(self) -> str:
        tip = self.clone.fetch()
        self.moved(tip)
        return tip


class Repositories:
    """Every repository in use, made at its first use."""

    def __init__(
        self,
        access: GitAccess,
        environment: Environment,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._environment = environment
        self._ticks = ticks
        self._lock = Lock()
        self._known: dict[tuple[str, str], Repository] = {}

    def of(self, manifests: Manifests) -> Repository:
        """The repository that holds them."""
        key = (manifests.repository, manifests.branch)
        with self._lock:
            if key not in self._known:
                clone = Clone(*key, self._access.cache, self._environment)
                self._known[key] = Repository(clone, self._ticks)
            return self._known[key]
