"""How each version of a service answers requests: the levers of the traffic simulation."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.playground.aws.records import Behaviour

MINUTE = 60.0
#: Where an image does not work, its requests fail, should any reach it.
BROKEN = (Behaviour.CRASHING, Behaviour.UNHEALTHY)


@dataclass
class Version:
    """What an image does with a request. Each lever may be set at any time, and holds from then on.

    ``errors``: share of requests answered 5xx (0 to 1).
    ``median``: response time in seconds that half of the requests exceed; ``sigma``: standard
    deviation of its logarithm (.5: the 95th percentile is 2.3 medians).
    ``latency``: factor on every response time.
    ``unreachable``: share of requests that find no answer at all; the load balancer answers 502.
    ``clustering``: how much more error counts vary than independent requests would (1: not at all).
    ``pod_deviation``: standard deviation between tasks of their median, as a share of it.
    ``cold_latency``, ``cold_errors``: factor on response times and share of errors added when a
    task has just begun to run, fading with the time constant ``cold_seconds``.
    Leaks are set by ``leak``.
    """

    now: Callable[[], float] = field(repr=False, compare=False)
    errors: float = 0.001
    median: float = 0.04
    sigma: float = 0.5
    latency: float = 1.0
    unreachable: float = 0.0
    clustering: float = 1.0
    pod_deviation: float = 0.03
    cold_latency: float = 1.0
    cold_errors: float = 0.0
    cold_seconds: float = 20.0
    leak_errors: float = 0.0
    leak_latency: float = 0.0
    leaks_from: float = 0.0

    def leak(self, errors_per_minute: float = 0.0, latency_per_minute: float = 0.0) -> None:
        """Let it get worse with the time that each task runs, from now on.

        ``errors_per_minute``: share of errors added in each minute; ``latency_per_minute``: what
        is added to the factor on response times. Called without anything, it stops leaking.
        """
        self.leak_errors, self.leak_latency = errors_per_minute, latency_per_minute
        self.leaks_from = self.now()

    def error_rate(self, running_at: float, now: float) -> float:
        """The share of requests that fail on a task that runs since then; virtual seconds."""
        cold = self.cold_errors * self._cold(running_at, now)
        return min(
            max(self.errors + cold + self.leak_errors * self._leaking(running_at, now), 0), 1
        )

    def median_of(self, task: str, running_at: float, now: float) -> float:
        """The median response time in seconds on that task."""
        cold = 1 + (self.cold_latency - 1) * self._cold(running_at, now)
        leak = 1 + self.leak_latency * self._leaking(running_at, now)
        pod = math.exp(self.pod_deviation * _deviate(task))
        return max(self.median * self.latency * cold * leak * pod, 1e-4)

    def _cold(self, running_at: float, now: float) -> float:
        return math.exp(-(now - running_at) / max(self.cold_seconds, 1e-3))

    def _leaking(self, running_at: float, now: float) -> float:
        return max(now - max(running_at, self.leaks_from), 0.0) / MINUTE


def version_of(behaviour: Behaviour, now: Callable[[], float]) -> Version:
    """How an image of that behaviour answers unless told otherwise."""
    return Version(now, errors=1.0) if behaviour in BROKEN else Version(now)


@functools.lru_cache(maxsize=4096)
def _deviate(task: str) -> float:
    """A standard normal deviate that belongs to the task."""
    return random.Random(task).gauss(0, 1)  # noqa: S311 - chance, no secret
