"""What goes wrong on purpose at the git host: refusals, silence, lost answers, lost races."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

#: What a client asks for: a look at the branches, in order to fetch or to push, or the deed itself.
Service = Literal["list_fetch", "fetch", "list_push", "push"]
SERVICES: tuple[Service, ...] = ("list_fetch", "fetch", "list_push", "push")
Kind = Literal["drop", "status", "lose_answer", "slow", "before"]
_LASTING = ("slow", "before")


@dataclass
class Fault:
    """One fault; ``remaining`` requests are hit by it, all of them where it is ``None``."""

    kind: Kind
    services: tuple[Service, ...]
    remaining: int | None
    status: int = 0
    text: str = ""
    seconds: float = 0.0
    deed: Callable[[], object] = bool


class Faults:
    """The switches. Thread-safe; each takes effect at the next request.

    ``delaying`` is set once a request has been made to wait.
    """

    def __init__(self) -> None:
        self.delaying = threading.Event()
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def unreachable(self, n: int | None = None, *services: Service) -> None:
        """Hang up without reading the request."""
        self._add(Fault("drop", services or SERVICES, n))

    def deny(self, n: int | None = None) -> None:
        """Answer 401 to every token, as if it had been revoked."""
        text = "Invalid username or token. Password authentication is not supported for Git."
        self._add(Fault("status", SERVICES, n, 401, text))

    def forbid_push(self, n: int | None = None) -> None:
        """Answer 403 to pushes, as to a token that may only read."""
        text = "Permission to the repository denied to quarterdeck[bot]."
        self._add(Fault("status", ("list_push", "push"), n, 403, text))

    def answer(self, status: int, n: int | None = 1, *services: Service) -> None:
        """Answer with an HTTP status (429, 503) and nothing else."""
        self._add(Fault("status", services or SERVICES, n, status, "Please try again later."))

    def lose_answer(self, n: int | None = 1, meanwhile: Callable[[], object] = bool) -> None:
        """Let the next push take effect, do something, and cut the connection without an answer."""
        self._add(Fault("lose_answer", ("push",), n, deed=meanwhile))

    def slow(self, seconds: float, n: int | None = None, *services: Service) -> None:
        """Answer later by so many real seconds."""
        self._add(Fault("slow", services or SERVICES, n, seconds=seconds))

    def when(self, service: Service, deed: Callable[[], object], n: int | None = 1) -> None:
        """Do something once the next request is there, before it takes effect."""
        self._add(Fault("before", (service,), n, deed=deed))

    def race(self, deed: Callable[[], object], n: int | None = 1) -> None:
        """Do something (let somebody else's commit land) once the next push is on its way.

        The pusher has seen the branch as it was before: git itself refuses the push.
        """
        self.when("push", deed, n)

    def clear(self) -> None:
        """Take back all faults."""
        with self._lock:
            self._faults.clear()

    def take(self, service: Service) -> list[Fault]:
        """The faults that hit this request; counted as used."""
        with self._lock:
            hit = []
            for fault in [each for each in self._faults if service in each.services]:
                hit.append(fault)
                self._use(fault)
                if fault.kind == "slow":
                    self.delaying.set()
                if fault.kind not in _LASTING:
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
