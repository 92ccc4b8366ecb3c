"""One watch and its thread: list, follow, and begin again after whatever interrupts it.

- A server that ends the watch in time is asked to go on from the last version that it told.
- A connection that is cut is made anew and goes on where it was. One that is cut again before it
  told anything, or cannot be made, is a fault: then all is listed anew, ever more slowly.
- 410 Gone, as an answer or in the stream, means: list anew. What vanished meanwhile is found so.
- A watch that goes silent is noticed: each lasts less than a minute, and one that has not ended a
  little after its time is given up. Bookmarks keep its version young in between.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Event, Thread

import structlog

from bot.model.errors import QuarterdeckError, Terminal, Throttled, Unreachable
from bot.providers.kube.cluster import Cluster, Raw, Resource, Stream
from bot.providers.kube.faults import Gone

#: Seconds that the end of a watch waits for its thread.
_FAREWELL = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """In seconds: how long one watch lasts, how long nobody may ask before it ends, how long the
    first list is waited for, how old a sign of life may be, and the pauses after a fault.

    ``denied`` is the pause after what only a person can mend.
    """

    lasts: int = 45
    idle: float = 300.0
    patience: float = 10.0
    stale: float = 90.0
    pause: float = 1.0
    longest: float = 30.0
    denied: float = 60.0


class Watching:
    """Watches ``what``, a resource in a namespace; ``ticks`` counts seconds."""

    def __init__(
        self,
        cluster: Cluster,
        what: tuple[Resource, str],
        stirred: Callable[[], None],
        ticks: Callable[[], float],
        rhythm: Rhythm,
    ) -> None:
        self._cluster = cluster
        self._resource, self._namespace = what
        self._stirred = stirred
        self._ticks = ticks
        self._rhythm = rhythm
        self._changed = Condition()
        self._stopping = Event()
        self._objects: dict[str, Raw] | None = None
        self._wanted: dict[str, float] = {}
        self._fault: QuarterdeckError | None = None
        self._heard = self._asked = self._began = ticks()
        self._version = ""
        self._faults = 0
        self._stream: Stream | None = None
        name = f"watch-{self._resource.plural}-{self._namespace}"
        self._thread = Thread(target=self._run, name=name, daemon=True)

    @property
    def alive(self) -> bool:
        """Whether it goes on. One that has ended is begun anew by whoever asks next."""
        return not self._stopping.is_set()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def look(self, names: Sequence[str]) -> tuple[dict[str, Raw], float]:
        """The objects by name, and how old the last sign of life is. Raises why it is not known."""
        with self._changed:
            self._asked = self._ticks()
            self._wanted.update(dict.fromkeys(names, self._asked))
            left = self._rhythm.patience - (self._asked - self._began)
            self._changed.wait_for(self._known, timeout=max(0.0, left))
            if self._fault is not None:
                raise self._fault
            age = self._ticks() - self._heard
            if self._objects is None or age > self._rhythm.stale:
                where = f"{self._resource.title} in namespace {self._namespace}"
                raise Unreachable(f"Cluster {self._cluster.name} tells nothing about {where}.")
            return dict(self._objects), age

    def close(self) -> None:
        """End it, and wait for its thread a moment."""
        self._stopping.set()
        with self._changed:
            stream = self._stream
            self._changed.notify_all()
        if stream is not None:
            stream.close()
        if self._thread.is_alive():
            self._thread.join(_FAREWELL)

    def _known(self) -> bool:
        return self._objects is not None or self._fault is not None or self._stopping.is_set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = self._ticks()
            try:
                self._round()
            except Gone as fault:
                self._version = ""
                self._endure(fault)
            except QuarterdeckError as fault:
                self._endure(fault)
            except Exception as bug:  # whoever asks would hear of nothing any more
                log.exception("watch failed", resource=self._resource.title)
                self._endure(_unfollowed(self._cluster, bug))
            now = self._ticks()
            if now - self._asked > self._rhythm.idle:
                self._stopping.set()
            # A server that ends each watch as soon as it began is not asked without a pause.
            self._stopping.wait(max(0.0, self._rhythm.pause - (now - began)))

    def _round(self) -> None:
        if not self._version:
            self._list()
        lasts = self._rhythm.lasts
        with self._cluster.watch(self._resource, self._namespace, self._version, lasts) as stream:
            with self._changed:
                self._stream = stream
            if not self._stopping.is_set():
                self._follow(stream)
        with self._changed:
            self._stream = None

    def _follow(self, stream: Stream) -> None:
        for change in stream:
            metadata = change.object.get("metadata") or {}
            version = str(metadata.get("resourceVersion", ""))
            name = str(metadata.get("name", ""))
            with self._changed:
                if change.kind == "DELETED" and self._objects is not None:
                    self._objects.pop(name, None)
                elif change.kind != "BOOKMARK" and self._objects is not None:
                    self._objects[name] = slim(change.object)
                self._version = version or self._version
            self._sign_of_life()
            if change.kind != "BOOKMARK" and self._told(name):
                self._stirred()
        self._sign_of_life()

    def _list(self) -> None:
        listing = self._cluster.list(self._resource, self._namespace)
        objects = {str(each.get("metadata", {}).get("name", "")): each for each in listing.items}
        with self._changed:
            self._objects = {name: slim(each) for name, each in objects.items()}
            self._version = listing.version
            self._changed.notify_all()
        self._sign_of_life()
        self._stirred()

    def _sign_of_life(self) -> None:
        with self._changed:
            self._heard = self._ticks()
            recovered, self._fault = self._fault is not None, None
            self._faults = 0
        if recovered:
            self._stirred()

    def _told(self, name: str) -> bool:
        """Whether somebody who asked for it lately wants to know of its change."""
        with self._changed:
            asked = self._wanted.get(name)
            if asked is not None and self._ticks() - asked > self._rhythm.idle:
                del self._wanted[name]
            return name in self._wanted

    def _endure(self, fault: QuarterdeckError) -> None:
        """A first interruption of what is known is mended at once, and nobody need hear of it."""
        if self._stopping.is_set():
            return
        hidden = self._faults == 0 and self._objects is not None
        with self._changed:
            self._stream = None
            self._faults += 1
            if not hidden:
                self._fault = fault
                self._version = ""  # what an open watch alone would not prove, a list does
            self._changed.notify_all()
        if hidden:
            return
        about = {"resource": self._resource.title, "namespace": self._namespace}
        log.warning("watch interrupted", reason_code=fault.reason_code, **about)
        self._stopping.wait(self._pause(fault))

    def _pause(self, fault: QuarterdeckError) -> float:
        if isinstance(fault, Terminal):
            return self._rhythm.denied
        grown = self._rhythm.pause * 2.0 ** min(self._faults - 1, 10)
        pause = min(self._rhythm.longest, grown) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        return max(pause, fault.retry_after) if isinstance(fault, Throttled) else pause


def _unfollowed(cluster: Cluster, bug: Exception) -> Unreachable:
    kind = type(bug).__name__
    return Unreachable(f"What cluster {cluster.name} tells cannot be followed ({kind}).")


def slim(found: Raw) -> Raw:
    """Without what only the API server's own book-keeping needs, which is half of an object."""
    metadata = {k: v for k, v in (found.get("metadata") or {}).items() if k != "managedFields"}
    return {**found, "metadata": metadata}
