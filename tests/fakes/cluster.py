"""A cluster in memory, behind the providers' own port.

``put`` and ``remove`` change objects; ``forget`` makes the server lose its history (410), ``cut``
ends the streams that are open, ``mute`` keeps new changes from them. ``break_next`` makes the next
calls of a verb fail, ``denied`` those of a verb on a resource for good. ``calls`` lists what was
asked, ``patches`` what was written.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from threading import Condition
from typing import Any

from typing_extensions import override

from bot.model.errors import AccessDenied, Misconfigured, Unreachable
from bot.providers.kube.cluster import (
    ALL,
    Change,
    Cluster,
    Clusters,
    Listing,
    Raw,
    Resource,
    Select,
    Stream,
)
from bot.providers.kube.faults import Conflict, Gone, NotThere
from tests.fakes.argo_views import merged

Key = tuple[Resource, str, str]


@dataclass(frozen=True)
class _Event:
    version: int
    key: Key
    change: Change


class FakeCluster(Cluster):
    """Safe to share between threads."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.patches: list[tuple[str, Raw]] = []
        self.denied: set[tuple[str, Resource]] = set()
        self.streams = 0
        self._changed = Condition()
        self._objects: dict[Key, dict[str, Any]] = {}
        self._events: list[_Event] = []
        self._forgotten = 0
        self._version = 100
        self._epoch = 0
        self._muted = False
        self._faults: list[tuple[str, Exception, bool]] = []

    # --- what a test does to it ---

    def put(self, resource: Resource, raw: Mapping[str, Any]) -> None:
        """Create or replace an object."""
        with self._changed:
            made = copy.deepcopy(dict(raw))
            metadata = made.setdefault("metadata", {})
            key = (resource, str(metadata.get("namespace", "")), str(metadata["name"]))
            kind = "MODIFIED" if key in self._objects else "ADDED"
            self._version += 1
            metadata["resourceVersion"] = str(self._version)
            self._objects[key] = made
            self._tell(key, Change(kind, copy.deepcopy(made)))

    def peek(self, resource: Resource, namespace: str, name: str) -> dict[str, Any] | None:
        """An object, without a call."""
        with self._changed:
            return copy.deepcopy(self._objects.get((resource, namespace, name)))

    def remove(self, resource: Resource, namespace: str, name: str) -> None:
        """Delete an object."""
        with self._changed:
            key = (resource, namespace, name)
            gone = self._objects.pop(key)
            self._version += 1
            gone["metadata"]["resourceVersion"] = str(self._version)
            self._tell(key, Change("DELETED", gone))

    def change(self, resource: Resource, namespace: str, name: str, body: Raw) -> None:
        """Merge something into an object."""
        self.put(resource, merged(self._objects[resource, namespace, name], dict(body)))

    def forget(self) -> None:
        """Lose the history of changes: open streams learn that they are too old."""
        with self._changed:
            self._forgotten = self._version
            self._changed.notify_all()

    def cut(self) -> None:
        """Break the streams that are open."""
        with self._changed:
            self._epoch += 1
            self._changed.notify_all()

    def mute(self, *, muted: bool = True) -> None:
        """Whether streams are told nothing, though they stay open."""
        with self._changed:
            self._muted = muted
            self._changed.notify_all()

    def break_next(self, verb: str, *faults: Exception, after: bool = False) -> None:
        """Raise these from the next calls of a verb; ``after``: once they took effect."""
        with self._changed:
            self._faults += [(verb, fault, after) for fault in faults]

    def count(self, verb: str) -> int:
        """How many calls of a verb there were."""
        with self._changed:
            return sum(each == verb for each, _ in self.calls)

    # --- the port ---

    @property
    @override
    def name(self) -> str:
        return "harbour"

    @override
    def get(self, resource: Resource, namespace: str, name: str) -> Raw | None:
        with self._calling("get", resource):
            return copy.deepcopy(self._objects.get((resource, namespace, name)))

    @override
    def list(self, resource: Resource, namespace: str, select: Select = ALL) -> Listing:
        with self._calling("list", resource):
            found = [
                copy.deepcopy(each)
                for (kind, where, _), each in self._objects.items()
                if (kind, where) == (resource, namespace) and _selected(each, select)
            ]
            return Listing(tuple(found), str(self._version))

    @override
    def patch(self, resource: Resource, namespace: str, name: str, body: Raw) -> Raw:
        with self._calling("patch", resource):
            key = (resource, namespace, name)
            if key not in self._objects:
                raise NotThere(f"no {resource.kind} {name}")
            wanted = body.get("metadata", {}).get("resourceVersion")
            current = self._objects[key]["metadata"]["resourceVersion"]
            if wanted not in {None, current}:
                raise Conflict(f"{name} changed")
            self.patches.append((name, body))
            before = self._objects[key]
            after = merged(before, dict(body))
            if after.get("spec") != before.get("spec"):
                after["metadata"]["generation"] = before["metadata"].get("generation", 0) + 1
            self.put(resource, after)
            return copy.deepcopy(self._objects[key])

    @override
    def watch(
        self, resource: Resource, namespace: str, version: str, seconds: int
    ) -> AbstractContextManager[Stream]:
        return self._watching(resource, namespace, int(version), seconds)

    @override
    def allowed(self, verb: str, resource: Resource, namespace: str) -> bool:
        with self._calling("review", resource):
            return (verb, resource) not in self.denied

    # --- how it works ---

    @contextmanager
    def _watching(
        self, resource: Resource, namespace: str, version: int, seconds: int
    ) -> Iterator[Stream]:
        with self._calling("watch", resource):
            if version < self._forgotten:
                raise Gone("too old")
            stream = _FakeStream(self, resource, namespace, version, seconds)
            self.streams += 1
        try:
            yield stream
        finally:
            with self._changed:
                self.streams -= 1

    @contextmanager
    def _calling(self, verb: str, resource: Resource) -> Iterator[None]:
        with self._changed:
            self.calls.append((verb, resource.plural))
            if (verb, resource) in self.denied:
                raise AccessDenied(f"may not {verb} {resource.title}", hint="Allow it.")
            self._break(verb, after=False)
            yield
            self._break(verb, after=True)

    def _break(self, verb: str, *, after: bool) -> None:
        for each in self._faults:
            if (each[0], each[2]) == (verb, after):
                self._faults.remove(each)
                raise each[1]

    def _tell(self, key: Key, change: Change) -> None:
        self._events.append(_Event(self._version, key, change))
        self._changed.notify_all()


class _FakeStream(Stream):
    def __init__(
        self, cluster: FakeCluster, resource: Resource, namespace: str, version: int, seconds: int
    ) -> None:
        self._cluster = cluster
        self._what = (resource, namespace)
        self._version = version
        self._seconds = seconds
        self._epoch = cluster._epoch
        self._closed = False

    @override
    def __iter__(self) -> Iterator[Change]:
        cluster = self._cluster
        while True:
            with cluster._changed:
                if not cluster._changed.wait_for(self._due, timeout=self._seconds) or self._closed:
                    return
                if cluster._epoch != self._epoch:
                    raise Unreachable("the connection was cut")
                if self._version < cluster._forgotten:
                    raise Gone("too old")
                events = self._events()
                self._version = max(each.version for each in events)
            yield from (each.change for each in events)

    @override
    def close(self) -> None:
        with self._cluster._changed:
            self._closed = True
            self._cluster._changed.notify_all()

    def _due(self) -> bool:
        over = self._cluster._epoch != self._epoch or self._version < self._cluster._forgotten
        return self._closed or over or bool(self._events())

    def _events(self) -> list[_Event]:
        if self._cluster._muted:
            return []
        return [
            each
            for each in self._cluster._events
            if each.version > self._version and each.key[:2] == self._what
        ]


class FakeClusters(Clusters):
    """One cluster, whatever context is asked for."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster

    @override
    def at(self, context: str | None) -> Cluster:
        if context == "nowhere":
            raise Misconfigured("no such context")
        return self._cluster


def _selected(raw: Mapping[str, Any], select: Select) -> bool:
    labels = raw.get("metadata", {}).get("labels", {})
    wanted = dict(each.split("=") for each in select.labels.split(",") if each)
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    involved = raw.get("involvedObject", {})
    fields = dict(each.split("=") for each in select.fields.split(",") if each)
    return all(involved.get(key.rpartition(".")[2]) == value for key, value in fields.items())
