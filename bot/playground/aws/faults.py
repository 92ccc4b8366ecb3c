"""What goes wrong on purpose: throttling, denials, expired credentials, lost answers, delays.

Every fault names an operation (``UpdateService``), or ``*`` for all but STS's.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Literal

from bot.playground.aws.errors import AwsError

EVERYTHING = "*"
SERVICE_DEPLOYMENTS = (
    "ListServiceDeployments",
    "DescribeServiceDeployments",
    "DescribeServiceRevisions",
    "StopServiceDeployment",
    "ContinueServiceDeployment",
)
Kind = Literal["error", "deny", "drop_before", "drop_after", "delay", "delay_answer"]
#: These slow a call down, and other faults still hit it.
SLOWING = ("delay", "delay_answer")


@dataclass
class Fault:
    """One fault; ``remaining`` calls are hit by it, all of them where it is ``None``."""

    kind: Kind
    remaining: int | None
    error: AwsError | None = None
    seconds: float = 0.0


class Budget:
    """At most ``rate`` calls a second, in real time, saving up to one second's worth."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._tokens = rate
        self._at = time.monotonic()

    def spend(self) -> bool:
        """Whether there was a call left."""
        now = time.monotonic()
        self._tokens = min(self._rate, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Faults:
    """The switches. Thread-safe; each takes effect at the next call.

    ``delaying`` is set once a call has been made to wait.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_operation: dict[str, list[Fault]] = {}
        self._budgets: dict[str, Budget] = {}
        self._lag = 0.0
        self.delaying = threading.Event()

    @property
    def lag_seconds(self) -> float:
        """How far reads lag behind writes, in virtual seconds."""
        return self._lag

    def throttle(self, op: str, n: int | None = 1) -> None:
        """Refuse the next ``n`` calls (``None``: all) with ThrottlingException, HTTP 400."""
        self._add(op, Fault("error", n, _throttled()))

    def limit(self, op: str, per_second: float) -> None:
        """Refuse calls beyond ``per_second`` real ones a second with ThrottlingException."""
        with self._lock:
            self._budgets[op] = Budget(per_second)

    def deny(self, op: str, n: int | None = None) -> None:
        """Refuse with AccessDeniedException, in AWS's words."""
        self._add(op, Fault("deny", n))

    def expire_credentials(self, op: str = EVERYTHING, n: int | None = None) -> None:
        """Refuse with ExpiredTokenException."""
        text = "The security token included in the request is expired"
        self._add(op, Fault("error", n, AwsError("ExpiredTokenException", text)))

    def fail(self, op: str, error: AwsError | None = None, n: int | None = 1) -> None:
        """Refuse with ``error``; a ServerException, HTTP 500, unless told."""
        broken = AwsError("ServerException", "Service Unavailable. Please try again later.", 500)
        self._add(op, Fault("error", n, error or broken))

    def lose_answer(self, op: str, n: int | None = 1, *, after_effect: bool = True) -> None:
        """Cut the connection without an answer, after the call took effect or before it."""
        self._add(op, Fault("drop_after" if after_effect else "drop_before", n))

    def delay(self, op: str, seconds: float, n: int | None = None) -> None:
        """Answer later by ``seconds`` of real time."""
        self._add(op, Fault("delay", n, seconds=seconds))

    def delay_answer(self, op: str, seconds: float, n: int | None = None) -> None:
        """Carry the call out at once, and answer later by ``seconds`` of real time."""
        self._add(op, Fault("delay_answer", n, seconds=seconds))

    def lag(self, seconds: float) -> None:
        """Let reads show the state before a write for ``seconds`` of virtual time after it."""
        self._lag = seconds

    def no_service_deployments(self, code: str = "UnsupportedFeatureException") -> None:
        """Take the service deployments operations away, as in old regions or narrow policies.

        ``code`` is ``UnsupportedFeatureException`` or ``AccessDeniedException``.
        """
        for op in SERVICE_DEPLOYMENTS:
            if code == "AccessDeniedException":
                self.deny(op)
            else:
                self.fail(op, AwsError(code, "The specified task isn't supported."), n=None)

    def clear(self, op: str | None = None) -> None:
        """Take back all faults, or those of one operation."""
        with self._lock:
            if op is None:
                self._by_operation.clear()
                self._budgets.clear()
                self._lag = 0.0
            else:
                self._by_operation.pop(op, None)
                self._budgets.pop(op, None)

    def take(self, service: str, op: str) -> list[Fault]:
        """The faults that hit this call; counted as used."""
        with self._lock:
            keys = (op,) if service == "sts" else (op, EVERYTHING)
            hit = []
            for key in keys:
                for fault in list(self._by_operation.get(key, [])):
                    hit.append(fault)
                    self._use(key, fault)
                    if fault.kind not in SLOWING:
                        return hit
                if key in self._budgets and not self._budgets[key].spend():
                    return [*hit, Fault("error", 1, _throttled())]
            return hit

    def _use(self, key: str, fault: Fault) -> None:
        if fault.remaining is not None:
            fault.remaining -= 1
            if fault.remaining <= 0:
                self._by_operation[key].remove(fault)

    def _add(self, op: str, fault: Fault) -> None:
        with self._lock:
            self._by_operation.setdefault(op, []).append(fault)


def _throttled() -> AwsError:
    return AwsError("ThrottlingException", "Rate exceeded")
