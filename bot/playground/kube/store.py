"""What the cluster holds, and the history of it: objects, resource versions, changes.

Objects in here are never changed in place: a write puts a new one there. What is handed out may
be kept by the caller, and has to be copied before it is changed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from bot.playground.kube.refusals import too_old
from bot.playground.kube.resources import Json, Resource

CHANGES_KEPT = 20_000
Key = tuple[Resource, str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One write: ``ADDED``, ``MODIFIED`` or ``DELETED``, with the object before and after."""

    revision: int
    kind: str
    resource: Resource
    object: Json
    before: Json | None

    @property
    def key(self) -> Key:
        """Where it happened."""
        return key_of(self.resource, self.object)


def key_of(resource: Resource, found: Json) -> Key:
    """Where an object stands."""
    metadata = found["metadata"]
    return resource, metadata.get("namespace", ""), metadata["name"]


class Store:
    """All objects by resource, namespace and name. Hold ``lock`` around several steps.

    ``changed`` is notified at each write; ``listeners`` are told of it while the lock is held.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.listeners: list[Callable[[Change], None]] = []
        self.revision = 100
        self._oldest = self.revision
        #: By resource, then namespace, then name.
        self._objects: dict[Resource, dict[str, dict[str, Json]]] = {}
        self._changes: deque[Change] = deque()

    @property
    def oldest(self) -> int:
        """The revision from which on changes are kept."""
        return self._oldest

    def find(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """The object of that name."""
        with self.lock:
            return self._shelf(resource, namespace).get(name)

    def all(self, resource: Resource, namespace: str = "") -> list[Json]:
        """Every object of that kind, of one namespace or of all, in the order of etcd's keys."""
        with self.lock:
            spaces = self._objects.get(resource, {})
            chosen = [namespace] if namespace else sorted(spaces)
            shelves = [spaces.get(each, {}) for each in chosen]
            return [shelf[name] for shelf in shelves for name in sorted(shelf)]

    def put(self, resource: Resource, wanted: Json) -> Json:
        """Write an object there, with a resourceVersion of its own; returns what was written."""
        with self.lock:
            _, namespace, name = key_of(resource, wanted)
            shelf = self._shelf(resource, namespace)
            before = shelf.get(name)
            self.revision += 1
            metadata = {**wanted["metadata"], "resourceVersion": str(self.revision)}
            written = {**wanted, "metadata": metadata}
            shelf[name] = written
            kind = "MODIFIED" if before else "ADDED"
            self._tell(Change(self.revision, kind, resource, written, before))
            return written

    def remove(self, resource: Resource, namespace: str, name: str) -> Json:
        """Take an object away; returns its last state. Raises ``KeyError`` where there is none."""
        with self.lock:
            before = self._shelf(resource, namespace).pop(name)
            self.revision += 1
            # A deleted object is shown at the revision of its deletion.
            metadata = {**before["metadata"], "resourceVersion": str(self.revision)}
            gone = {**before, "metadata": metadata}
            self._tell(Change(self.revision, "DELETED", resource, gone, before))
            return gone

    def since(self, resource: Resource, revision: int) -> list[Change]:
        """The changes of that kind after ``revision``. Raises ``ApiError`` where it is too old."""
        with self.lock:
            if revision < self._oldest:
                raise too_old(revision, self._oldest)
            recent: list[Change] = []
            for change in reversed(self._changes):
                if change.revision <= revision:
                    break
                if change.resource == resource:
                    recent.append(change)
            return recent[::-1]

    def compact(self) -> None:
        """Forget all changes so far: who watches from before gets 410."""
        with self.lock:
            self._changes.clear()
            # etcd's revision moves with everybody's writes, not only with those of this world.
            self.revision += 1
            self._oldest = self.revision

    def _shelf(self, resource: Resource, namespace: str) -> dict[str, Json]:
        return self._objects.setdefault(resource, {}).setdefault(namespace, {})

    def _tell(self, change: Change) -> None:
        self._changes.append(change)
        while len(self._changes) > CHANGES_KEPT:
            self._oldest = self._changes.popleft().revision
        for listener in self.listeners:
            listener(change)
        self.changed.notify_all()
