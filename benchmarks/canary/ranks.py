"""Mann-Whitney's confidence interval of a shift, for many pairs of short series at once."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from bot.analysis.tick import Floats


def shifted(
    canary: Floats, stable: Floats, confidences: Sequence[float]
) -> tuple[Floats, Floats, Floats]:
    """Lower ends (C, R), Hodges-Lehmann estimate (R,) and ratio of means (R,) of (R, N) series.

    Missing values are left out, outliers beyond 3 interquartile ranges removed. The interval's
    ends are order statistics of all differences (Hollander, Wolfe 1999, 4.3; what R's
    ``wilcox.test`` gives in large samples).
    """
    one, other = _cleaned(canary), _cleaned(stable)
    n, m = (~np.isnan(one)).sum(axis=1), (~np.isnan(other)).sum(axis=1)
    gaps = np.sort((one[:, :, None] - other[:, None, :]).reshape(len(one), -1), axis=1)
    pairs = n * m
    rows = np.arange(len(one))
    estimate = (
        gaps[rows, np.maximum((pairs - 1) // 2, 0)]
        + gaps[rows, np.minimum(pairs // 2, gaps.shape[1] - 1)]
    ) / 2
    lower = []
    for confidence in confidences:
        z = NormalDist().inv_cdf((1 + confidence) / 2)
        place = np.floor(pairs / 2 - z * np.sqrt(pairs * (n + m + 1) / 12)).astype(np.int64)
        ends = gaps[rows, np.clip(place - 1, 0, gaps.shape[1] - 1)]
        # Too few values for this confidence: the interval has no lower end.
        lower.append(np.where(place >= 1, ends, -np.inf))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (np.nansum(one, axis=1) / n) / (np.nansum(other, axis=1) / m)
    return np.stack(lower), np.nan_to_num(estimate), np.nan_to_num(ratio, nan=0.0, posinf=np.inf)


def _cleaned(values: Floats) -> Floats:
    known = np.where(np.isnan(values).all(axis=1, keepdims=True), 0.0, values)
    low, high = np.nanquantile(known, [0.25, 0.75], axis=1, keepdims=True)
    reach = 3 * (high - low)
    is_far = (reach > 0) & ((known < low - reach) | (known > high + reach))
    found: Floats = np.where(is_far | np.isnan(values), np.nan, values)
    return found
