"""What goes wrong on purpose, by verb and resource: refusals, lost answers, cut and silent watches.

``verb`` is one of get, list, watch, create, update, patch, delete; ``resource`` is a plural such
as ``deployments``, with its subresource where it has one (``deployments/scale``). ``*`` is any.
Every fault hits the next ``n`` calls, all of them where ``n`` is ``None``.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal

from bot.playground.kube import refusals
from bot.playground.kube.refusals import ApiError

ANY = "*"
Kind = Literal["error", "deny", "conflict", "drop_before", "drop_after", "delay", "delay_answer"]
#: These slow a call down, and other faults still hit it.
SLOWING = ("delay", "delay_answer")


@dataclass
class Fault:
    """One fault. ``error`` goes with the kind of that name, ``seconds`` (real) with delays."""

    kind: Kind
    verb: str
    resource: str
    remaining: int | None
    error: ApiError | None = None
    seconds: float = 0.0

    def hits(self, verb: str, resource: str) -> bool:
        """Whether it is meant for that call."""
        return self.verb in {ANY, verb} and self.resource in {ANY, resource}


class Faults:
    """The switches. Thread-safe; each takes effect at the next call.

    ``delaying`` is set once a call has been made to wait.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._silent: set[str] = set()
        self._watch_lag = 0.0
        self.delaying = threading.Event()

    def unauthorized(self, verb: str = ANY, resource: str = ANY, n: int | None = None) -> None:
        """Refuse with 401, as where a token has expired."""
        self._add(Fault("error", verb, resource, n, refusals.unauthorized()))

    def deny(self, verb: str = ANY, resource: str = ANY, n: int | None = None) -> None:
        """Refuse with 403, in the API server's words. Access reviews do not know of it; for that
        take the rule away: ``Access.revoke``."""
        self._add(Fault("deny", verb, resource, n))

    def conflict(self, verb: str = ANY, resource: str = ANY, n: int | None = 1) -> None:
        """Refuse a write with 409, as where somebody else was faster."""
        self._add(Fault("conflict", verb, resource, n))

    def gone(self, verb: str = "watch", resource: str = ANY, n: int | None = 1) -> None:
        """Refuse with 410 as a status; ``KubeWorld.forget_history`` gives it as an event."""
        text = "The resourceVersion for the provided watch is too old."
        self._add(Fault("error", verb, resource, n, refusals.expired(text)))

    def throttle(
        self, verb: str = ANY, resource: str = ANY, n: int | None = 1, retry_after: int = 1
    ) -> None:
        """Refuse with 429 and ``Retry-After`` in seconds."""
        self._add(Fault("error", verb, resource, n, refusals.too_many_requests(retry_after)))

    def fail(self, verb: str = ANY, resource: str = ANY, n: int | None = 1) -> None:
        """Refuse with 500."""
        self._add(Fault("error", verb, resource, n, refusals.internal()))

    def unavailable(self, verb: str = ANY, resource: str = ANY, n: int | None = 1) -> None:
        """Refuse with 503."""
        self._add(Fault("error", verb, resource, n, refusals.unavailable()))

    def cut(self, verb: str = ANY, resource: str = ANY, n: int | None = 1) -> None:
        """Cut the connection before the call takes effect."""
        self._add(Fault("drop_before", verb, resource, n))

    def lose_answer(self, verb: str = "patch", resource: str = ANY, n: int | None = 1) -> None:
        """Carry the call out, and cut the connection instead of answering."""
        self._add(Fault("drop_after", verb, resource, n))

    def delay(
        self, verb: str = ANY, resource: str = ANY, n: int | None = None, *, seconds: float
    ) -> None:
        """Carry the call out later by ``seconds`` of real time."""
        self._add(Fault("delay", verb, resource, n, seconds=seconds))

    def delay_answer(
        self, verb: str = ANY, resource: str = ANY, n: int | None = None, *, seconds: float
    ) -> None:
        """Carry the call out at once, and answer later by ``seconds`` of real time."""
        self._add(Fault("delay_answer", verb, resource, n, seconds=seconds))

    def silence_watches(self, resource: str = ANY) -> None:
        """Let watches of that resource stay open and say nothing, until ``clear``."""
        with self._lock:
            self._silent.add(resource)

    def lag_watches(self, seconds: float) -> None:
        """Let watches tell of a change ``seconds`` of real time after it."""
        self._watch_lag = seconds

    def clear(self) -> None:
        """Take back all faults. A watch that was silent tells then what it has missed."""
        with self._lock:
            self._faults.clear()
            self._silent.clear()
            self._watch_lag = 0.0

    @property
    def watch_lag(self) -> float:
        """How far watches are behind, in real seconds."""
        return self._watch_lag

    def silent(self, resource: str) -> bool:
        """Whether watches of that resource say nothing."""
        with self._lock:
            return not self._silent.isdisjoint({ANY, resource})

    def take(self, verb: str, resource: str) -> list[Fault]:
        """The faults that hit this call; counted as used."""
        with self._lock:
            hit = []
            for fault in [each for each in self._faults if each.hits(verb, resource)]:
                hit.append(fault)
                self._use(fault)
                if fault.kind not in SLOWING:
                    break
            return hit

    def _use(self, fault: Fault) -> None:
        if fault.remaining is not None:
            fault.remaining -= 1
            if fault.remaining <= 0:
                self._faults.remove(fault)

    def _add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)
