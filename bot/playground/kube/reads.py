"""Lists in pages, and the beginning of a watch."""

from __future__ import annotations

import base64
import json
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass

from bot.playground.kube import refusals
from bot.playground.kube.resources import Json
from bot.playground.kube.routing import Place, Request, document
from bot.playground.kube.selectors import Matches, selection
from bot.playground.kube.store import Change, Store

PAGES_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """What is left of a list, as it stood at ``revision``."""

    revision: int
    items: list[Json]


class Lists:
    """Answers ``list``; pages show the state of the first one, as the API server's do."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pages: OrderedDict[str, Page] = OrderedDict()
        self._count = 0

    def forget(self) -> None:
        """Let every page that was begun expire."""
        self._pages.clear()

    def answer(self, request: Request, place: Place) -> Json:
        """One page. Raises ``ApiError``: 410 where a continue token has expired."""
        token = request.query.get("continue", "")
        page = self._continued(token) if token else self._fresh(request, place)
        limit = int(request.query.get("limit") or 0)
        shown, left = page.items[:limit], page.items[limit:]
        if not limit:
            shown, left = page.items, []
        metadata: Json = {"resourceVersion": str(page.revision)}
        if left:
            metadata["continue"] = self._keep(Page(page.revision, left))
            if not request.query.get("labelSelector") and not request.query.get("fieldSelector"):
                metadata["remainingItemCount"] = len(left)
        return document(place.resource, shown, metadata)

    def _fresh(self, request: Request, place: Place) -> Page:
        matches = matcher(request, place)
        version = number(request.query.get("resourceVersion", ""))
        if version > self._store.revision:
            text = f"Too large resource version: {version}, current: {self._store.revision}"
            raise refusals.ApiError(504, "Timeout", f"Timeout: {text}", {"retryAfterSeconds": 1})
        found = self._store.all(place.resource, place.namespace)
        return Page(self._store.revision, [each for each in found if matches(each)])

    def _continued(self, token: str) -> Page:
        if token not in self._pages:
            raise refusals.expired(
                "The provided continue parameter is too old to display a consistent list result. "
                "You can start a new list without the continue parameter."
            )
        return self._pages[token]

    def _keep(self, page: Page) -> str:
        self._count += 1
        inside = json.dumps({"v": "meta.k8s.io/v1", "rv": page.revision, "start": self._count})
        token = base64.urlsafe_b64encode(inside.encode()).decode().rstrip("=")
        self._pages[token] = page
        while len(self._pages) > PAGES_KEPT:
            self._pages.popitem(last=False)
        return token


class Watch:
    """One open watch: what it has still to tell. Told by the store, read by its connection."""

    def __init__(self, store: Store, request: Request, place: Place) -> None:
        self._store = store
        self._place = place
        self._matches = matcher(request, place)
        self._pending: deque[Json] = deque()
        self.cut = threading.Event()
        self.asked = False  # for a bookmark at once
        self.position = 0

    def open(self, version: str) -> None:
        """Begin at that resourceVersion: empty or 0 shows first what is there.

        Raises ``ApiError`` (410) where it is too old. Hold the store's lock.
        """
        store, place = self._store, self._place
        wanted = number(version)
        if wanted:
            for change in store.since(place.resource, wanted):
                self._note(change)
        else:
            for each in store.all(place.resource, place.namespace):
                if self._matches(each):
                    self._pending.append({"type": "ADDED", "object": each})
        self.position = store.revision
        store.listeners.append(self._note)

    def close(self) -> None:
        """Hear no more."""
        with self._store.lock:
            if self._note in self._store.listeners:
                self._store.listeners.remove(self._note)

    def take(self) -> list[Json]:
        """What has not been told yet. Hold the store's lock."""
        told = list(self._pending)
        self._pending.clear()
        return told

    def bookmark(self) -> Json:
        """How far this watch has come."""
        resource = self._place.resource
        metadata = {"resourceVersion": str(self.position), "creationTimestamp": None}
        shown: Json = {"kind": resource.kind, "apiVersion": resource.api_version}
        return {"type": "BOOKMARK", "object": {**shown, "metadata": metadata}}

    @property
    def resource(self) -> str:
        """The plural that is watched."""
        return self._place.resource.plural

    @property
    def waiting(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._pending)

    def _note(self, change: Change) -> None:
        self.position = change.revision
        place = self._place
        if change.resource != place.resource:
            return
        if place.namespace not in {"", change.object["metadata"].get("namespace", "")}:
            return
        kind = self._kind(change)
        if kind:
            self._pending.append({"type": kind, "object": change.object})

    def _kind(self, change: Change) -> str:
        # An object that comes to fit the selector is added, one that ceases to is deleted.
        before = change.before is not None and self._matches(change.before)
        after = change.kind != "DELETED" and self._matches(change.object)
        if before and after:
            return "MODIFIED"
        if after:
            return "ADDED"
        return "DELETED" if before else ""


def matcher(request: Request, place: Place) -> Matches:
    """Which objects a list or a watch means, by its selectors and by the name in its path."""
    fields = request.query.get("fieldSelector", "")
    if place.name:
        fields = ",".join(filter(None, (fields, f"metadata.name={place.name}")))
    return selection(place.resource, request.query.get("labelSelector", ""), fields)


def number(version: str) -> int:
    """A resourceVersion as a number. Raises ``ApiError`` (400) where it is none."""
    if version and not version.isdigit():
        raise refusals.bad_request(f'Invalid value: "{version}": resourceVersion: invalid')
    return int(version or 0)
