"""How one watch talks: events as they come, a bookmark now and then, an end after its timeout."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from bot.playground.kube.reads import Watch
from bot.playground.kube.resources import Json
from bot.playground.kube.routing import Request

if TYPE_CHECKING:
    from bot.playground.kube.world import KubeWorld

BOOKMARK_EVERY = 60.0  # real seconds, as the API server's
LONGEST = 3600.0  # what the API server grants where no timeout is asked for: 30 to 60 minutes
LOOK = 0.25  # real seconds after which faults are looked at again


class Stream:
    """Tells one connection what its watch hears, in real time."""

    def __init__(
        self, world: KubeWorld, watch: Watch, request: Request, hung_up: Callable[[], bool]
    ) -> None:
        self._world = world
        self._watch = watch
        self._hung_up = hung_up
        self._bookmarks = request.query.get("allowWatchBookmarks") in {"1", "true"}
        seconds = float(request.query.get("timeoutSeconds") or LONGEST)
        self._ends = time.monotonic() + seconds
        self._bookmark_at = time.monotonic() + BOOKMARK_EVERY
        self._held: deque[tuple[float, Json]] = deque()

    def run(self, tell: Callable[[Json], None]) -> bool:
        """Tell events until the timeout; False where the connection is to be cut instead."""
        while not self._watch.cut.is_set() and not self._hung_up():
            over = time.monotonic() >= self._ends
            for event in self._due():
                tell(event)
            if self._bookmarks and (over or self._time_for_a_bookmark()):
                tell(self._watch.bookmark())
            if over:
                return True
        return False

    def _due(self) -> list[Json]:
        world = self._world
        with world.store.changed:
            if world.faults.silent(self._watch.resource):
                world.store.changed.wait(self._patience())
                return []
            if not self._watch.waiting and not self._watch.asked and not self._watch.cut.is_set():
                world.store.changed.wait(self._patience())
            fresh = [] if world.faults.silent(self._watch.resource) else self._watch.take()
        now = time.monotonic()
        self._held.extend((now + world.faults.watch_lag, each) for each in fresh)
        due = []
        while self._held and self._held[0][0] <= now:
            due.append(self._held.popleft()[1])
        return due

    def _patience(self) -> float:
        ends = [self._ends, *(moment for moment, _ in list(self._held)[:1])]
        return max(0.0, min(LOOK, *(each - time.monotonic() for each in ends)))

    def _time_for_a_bookmark(self) -> bool:
        now = time.monotonic()
        if now < self._bookmark_at and not self._watch.asked:
            return False
        self._watch.asked = False
        self._bookmark_at = now + BOOKMARK_EVERY
        # What is held back has not been told yet, so the watch has not come so far.
        return not self._held and not self._watch.waiting
