"""What is known of one closed tick: how many requests each version served, and how.

A tick is 30 or 60 seconds long. Counts belong to one arm only, are whole, and are never changed
after the tick was closed: a verdict is a function of them, so that a replay finds it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.model.counts import Arm

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Truths = NDArray[np.bool_]

#: The quantiles of response time that are compared.
QUANTILES = (0.75, 0.95, 0.99)
#: The share of the stable version's requests that lies beyond each of them, and beyond the one
#: that gross slowness is measured from.
BEYOND = (0.25, 0.05, 0.01, 0.05)

#: Columns of counts: requests, errors, slower than each quantile, grossly slower, over the limit.
REQUESTS, ERRORS, OVER = 0, 1, 6
SLOW = slice(2, 6)
COLUMNS = 7


@dataclass(frozen=True, slots=True)
class Tick:
    """Both arms over the same seconds. ``step`` is the plan's step then, counted from 0.

    Steps never go back; whoever starts a new canary starts a new sequence of ticks.
    """

    canary: Arm
    stable: Arm
    step: int = 0


@dataclass(frozen=True, slots=True)
class Slice:
    """One tick of B canaries: ``canary`` and ``stable`` are (B, COLUMNS), ``step`` is (B,)."""

    canary: Floats
    stable: Floats
    step: Whole


def sliced(ticks: Sequence[Tick]) -> Slice:
    """One tick of each of ``len(ticks)`` canaries, as columns."""
    return Slice(
        np.array([tick.canary.counts for tick in ticks], dtype=np.float64).reshape(-1, COLUMNS),
        np.array([tick.stable.counts for tick in ticks], dtype=np.float64).reshape(-1, COLUMNS),
        np.array([tick.step for tick in ticks], dtype=np.int64),
    )
