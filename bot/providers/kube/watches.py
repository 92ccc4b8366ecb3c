"""One list and one watch per cluster, resource and namespace, shared by whatever is followed there.

A watch begins when something there is first asked for, and ends when nothing has been for a while.
What it tells is told only as long as it is known to be true: whoever asks while the server cannot
be heard gets the fault.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

from bot.providers.kube.cluster import Clusters, Raw, Resource
from bot.providers.kube.watching import Rhythm, Watching


class Where(NamedTuple):
    """What one watch covers; ``cluster`` is the kubeconfig's context."""

    cluster: str | None
    resource: Resource
    namespace: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What stands there, by name. ``age``: seconds since the server was last heard to confirm it.

    Nothing that ends a rollout is to be told from a snapshot alone: between two signs of life the
    connection may be dead already. A fresh ``get`` confirms it.
    """

    objects: Mapping[str, Raw]
    age: float


class Watches:
    """Safe to share between threads.

    ``stirred`` is called, on a watch's own thread, when an object changed that was asked for.
    """

    def __init__(
        self,
        clusters: Clusters,
        stirred: Callable[[], None] = lambda: None,
        ticks: Callable[[], float] = time.monotonic,
        rhythm: Rhythm | None = None,
    ) -> None:
        self._clusters = clusters
        self._stirred = stirred
        self._ticks = ticks
        self._rhythm = rhythm or Rhythm()
        self._lock = Lock()
        self._watchings: dict[Where, Watching] = {}

    def look(self, where: Where, *names: str) -> Snapshot:
        """What stands there now; ``names`` are those whose changes are to be told.

        Waits for the first list, some seconds at most. Raises the fault that keeps the server from
        being heard.
        """
        return Snapshot(*self._watching(where).look(names))

    def running(self) -> int:
        """How many watches there are."""
        with self._lock:
            return sum(each.alive for each in self._watchings.values())

    def close(self) -> None:
        """End them all."""
        with self._lock:
            watchings, self._watchings = list(self._watchings.values()), {}
        for each in watchings:
            each.close()

    def _watching(self, where: Where) -> Watching:
        with self._lock:
            found = self._watchings.get(where)
            if found is None or not found.alive:
                found = Watching(
                    self._clusters.at(where.cluster),
                    (where.resource, where.namespace),
                    self._stirred,
                    self._ticks,
                    self._rhythm,
                )
                self._watchings[where] = found
                found.start()
            return found
