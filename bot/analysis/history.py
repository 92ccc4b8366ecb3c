"""What the stable version was like before the canary, and how much that can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

from bot.analysis.tick import BEYOND
from bot.model.counts import Arm

#: A service of which nothing is known is taken to fail one request in a thousand. That opinion
#: weighs as much as this many requests of its own.
PRIOR_RATE, PRIOR_REQUESTS = 0.001, 500.0
#: Overdispersion before anything is known of it, and how many pairs of ticks that is worth.
#: Errors come in clusters even where the last hour was too quiet to show it; response times less.
PRIOR_DISPERSION, PRIOR_SLOW_DISPERSION, PRIOR_PAIRS = 1.25, 1.0, 10.0
MOST_DISPERSION = 8.0
#: One-sided 95 %.
Z95 = 1.6449


@dataclass(frozen=True, slots=True)
class History:
    """A summary of the 60 minutes before the canary.

    ``rate`` is the share of requests that failed and ``upper`` its upper bound (95 %, one-sided).
    ``quantiles`` are response times in seconds at .75, .95 and .99, or ``None`` where they are
    not measured. ``dispersion`` says by how much error counts vary more than independent requests
    would (1 is not at all), ``slow_dispersion`` the same of counts beyond each quantile and of
    gross ones. ``pod_deviation`` is the standard deviation between replicas of the stable version
    of their median response time, as a share of it; ``replicas`` is of how many, 0 for not known.
    """

    rate: float = PRIOR_RATE
    upper: float = 1.0
    quantiles: tuple[float, float, float] | None = None
    dispersion: float = PRIOR_DISPERSION
    slow_dispersion: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    pod_deviation: float = 0.0
    replicas: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.rate <= self.upper <= 1:
            raise ValueError(f"No rate and upper bound: {self.rate}, {self.upper}.")
        if min(self.dispersion, *self.slow_dispersion) < 1 or self.pod_deviation < 0:
            raise ValueError("Dispersion is at least 1, a deviation at least 0.")
        if self.quantiles is not None and not _rises(self.quantiles):
            raise ValueError(f"No quantiles of response time: {self.quantiles}.")


def summarise(
    ticks: Sequence[Arm],
    quantiles: tuple[float, float, float] | None = None,
    pods: tuple[float, int] = (0.0, 0),
) -> History:
    """The summary of closed ticks of the stable version, oldest first.

    Counts beyond a quantile have to be those of the whole time's own quantiles. Ticks without
    requests are left out: they are gaps. ``pods`` are the deviation between replicas, and of how
    many.
    """
    served = [arm for arm in ticks if arm.requests > 0]
    requests = sum(arm.requests for arm in served)
    errors = sum(arm.errors for arm in served)
    rate = (errors + PRIOR_RATE * PRIOR_REQUESTS) / (requests + PRIOR_REQUESTS)
    found = dispersion([(arm.errors, arm.requests) for arm in served], rate, PRIOR_DISPERSION)
    return History(
        rate=rate,
        upper=max(rate, _upper(errors, requests, found)),
        quantiles=quantiles,
        dispersion=found,
        slow_dispersion=_slow_dispersion(served),
        pod_deviation=pods[0],
        replicas=pods[1],
    )


def dispersion(counts: Sequence[tuple[int, int]], rate: float, prior: float) -> float:
    """By how much proportions vary more than binomially, from their successive differences.

    ``counts`` are (events, requests). Von Neumann 1941: successive differences do not see a slow
    drift, which both arms share anyway. Shrunk to ``prior``, which is worth ``PRIOR_PAIRS`` pairs;
    pairs are worth no more than there are events, as a single one looks like a cluster where
    hardly any was expected.
    """
    pairs = list(pairwise(counts))
    worth = min(len(pairs), sum(events for events, _ in counts))
    if not worth:
        return prior
    found = sum(
        (later / then - events / requests) ** 2 / (rate * (1 - rate) * (1 / requests + 1 / then))
        for (events, requests), (later, then) in pairs
    )
    shrunk = (prior * PRIOR_PAIRS + worth * found / len(pairs)) / (PRIOR_PAIRS + worth)
    return min(max(shrunk, 1.0), MOST_DISPERSION)


def _slow_dispersion(served: Sequence[Arm]) -> tuple[float, float, float, float]:
    def of(column: int, beyond: float) -> float:
        counts = [((*arm.slow, arm.slow[1])[column], arm.requests) for arm in served]
        if not any(events for events, _ in counts):
            return PRIOR_SLOW_DISPERSION
        return dispersion(counts, beyond, PRIOR_SLOW_DISPERSION)

    first, second, third, gross = (of(column, beyond) for column, beyond in enumerate(BEYOND))
    return first, second, third, gross


def _upper(errors: float, requests: float, spread: float) -> float:
    """Wilson's upper bound (1927) on as many requests as are worth being called independent."""
    n = requests / spread
    if n < 1:
        return 1.0
    share = errors / requests
    middle = share + Z95**2 / (2 * n)
    around = Z95 * sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
    return min(1.0, (middle + around) / (1 + Z95**2 / n))


def _rises(quantiles: tuple[float, float, float]) -> bool:
    return 0 < quantiles[0] <= quantiles[1] <= quantiles[2]
