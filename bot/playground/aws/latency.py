"""Response times as counts in bins, and the statistics that can be read from them."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]

SHORTEST, LONGEST = 1e-4, 100.0  # seconds
RATIO = 1.02  # each bin's upper edge to its lower one: a quantile is right to 2 %
_STEP = math.log(RATIO)
BINS = math.ceil(math.log(LONGEST / SHORTEST) / _STEP)
EDGES = SHORTEST * RATIO ** np.arange(BINS + 1)
CENTRES = np.sqrt(EDGES[:-1] * EDGES[1:])
REACH = 5.5  # standard deviations beyond which no response time is drawn


def empty() -> Counts:
    """No response time at all."""
    return np.zeros(BINS, dtype=np.int64)


def draw(rng: np.random.Generator, count: int, median: float, sigma: float) -> Counts:
    """``count`` log-normal response times; ``median`` in seconds, ``sigma`` of their logarithm."""
    first, shares = _shares(round(math.log(median), 6), round(max(sigma, 1e-3), 6))
    found = empty()
    found[first : first + len(shares)] = rng.multinomial(count, shares)
    return found


@functools.lru_cache(maxsize=1024)
def _shares(mean: float, sigma: float) -> tuple[int, NDArray[np.float64]]:
    """The first bin that is reached, and how much of the distribution is in each from there on."""
    lowest = (mean - REACH * sigma - math.log(SHORTEST)) / _STEP
    highest = (mean + REACH * sigma - math.log(SHORTEST)) / _STEP
    first = min(max(math.floor(lowest), 0), BINS - 1)
    last = min(max(math.ceil(highest), first + 1), BINS)
    inner = [math.log(SHORTEST) + each * _STEP for each in range(first + 1, last)]
    below = [math.erfc((mean - edge) / (sigma * math.sqrt(2))) / 2 for edge in inner]
    # What lies beyond the bins is in the outermost ones.
    shares = np.diff([0.0, *below, 1.0])
    return first, shares / shares.sum()


def below(counts: Counts, limit: float) -> float:
    """How many are at most ``limit`` seconds; within a bin they are spread evenly."""
    if limit <= SHORTEST:
        return 0.0
    place = math.log(limit / SHORTEST) / _STEP
    whole = min(math.floor(place), BINS)
    part = (place - whole) * float(counts[whole]) if whole < BINS else 0.0
    return float(counts[:whole].sum()) + part


def within(limits: Sequence[float]) -> NDArray[np.float64]:
    """How much of each bin (columns) is at most each limit (rows), in seconds.

    ``within(limits) @ counts`` is ``below`` of each of them at once.
    """
    places = np.log(np.array(limits) / SHORTEST) / _STEP
    return np.clip(places[:, np.newaxis] - np.arange(BINS), 0.0, 1.0)


def quantile(counts: Counts, share: float) -> float:
    """The response time in seconds that ``share`` (0 to 1) of them do not exceed."""
    total = np.cumsum(counts)
    wanted = share * float(total[-1])
    at = int(np.searchsorted(total, max(wanted, 1e-9)))
    before = float(total[at - 1]) if at else 0.0
    within = (wanted - before) / float(counts[at]) if counts[at] else 0.0
    return float(EDGES[at] * RATIO ** min(max(within, 0.0), 1.0))


def seconds(counts: Counts) -> float:
    """Their sum."""
    return float(counts @ CENTRES)


def extremes(counts: Counts) -> tuple[float, float]:
    """The shortest and the longest, to a bin's width."""
    there = np.flatnonzero(counts)
    return float(CENTRES[there[0]]), float(CENTRES[there[-1]])
