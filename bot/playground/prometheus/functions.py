"""The functions that are needed, as Prometheus computes them.

Sources: ``promql/functions.go`` and ``promql/quantile.go``, and
https://prometheus.io/docs/prometheus/latest/querying/functions/.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf, nan

import numpy as np

from bot.playground.prometheus.refusals import execution
from bot.playground.prometheus.selecting import Windows, pattern
from bot.playground.prometheus.storage import Values
from bot.playground.prometheus.vectors import (
    Column,
    Vector,
    grouped,
    merged,
    nameless,
    without,
)

#: Windows reach beyond their samples where these are no further from the end than so many of the
#: samples' mean distance.
_NEAR = 1.1
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_GROUP = re.compile(r"\$(?:(\w+)|\{(\w+)\}|(\$))")


def increase(found: Iterable[Windows]) -> Vector:
    """By how much counters grew in each window, extrapolated to its ends."""
    return merged(_increase(each) for each in found)


def _increase(it: Windows) -> Column:
    there = it.behind - it.first >= 2  # noqa: PLR2004 - growth takes two samples
    if not there.any():
        return Column(nameless(it.labels), np.zeros(len(there)), there)
    first = np.where(there, it.first, 0)
    last = np.where(there, it.behind - 1, 0)
    # After a reset a counter has counted on from 0.
    lost = np.where(np.diff(it.values) < 0, it.values[:-1], 0.0)
    whole = it.values + np.concatenate(([0.0], np.cumsum(lost)))
    grown = whole[last] - whole[first]
    with np.errstate(divide="ignore", invalid="ignore"):
        sampled = (it.times[last] - it.times[first]) / 1000
        mean = sampled / (last - first)
        before = (it.times[first] - it.begins) / 1000
        after = (it.ends - it.times[last]) / 1000
        counted = (grown > 0) & (it.values[first] >= 0)
        from_zero = np.where(counted, sampled * it.values[first] / grown, inf)
        before = np.minimum(before, from_zero)
        reach = sampled + np.where(before < mean * _NEAR, before, mean / 2)
        reach += np.where(after < mean * _NEAR, after, mean / 2)
        values = grown * reach / sampled
    return Column(nameless(it.labels), np.where(there, values, 0.0), there)


def count_over_time(found: Iterable[Windows]) -> Vector:
    """How many samples each window has."""
    columns = []
    for each in found:
        number = each.behind - each.first
        columns.append(Column(nameless(each.labels), number.astype(np.float64), number > 0))
    return merged(columns)


def clamp_min(vector: Vector, least: Values) -> Vector:
    """Nothing below ``least``."""
    return merged(
        Column(nameless(each.labels), np.maximum(each.values, least), each.there) for each in vector
    )


def label_replace(vector: Vector, words: Sequence[str]) -> Vector:
    """Set one label by another one's value. ``words``: target, replacement, source and regex."""
    target, replacement, source, regex = words
    if not _LABEL.fullmatch(target):
        raise execution(f'invalid destination label name in label_replace(): "{target}"')
    wanted = pattern(regex)

    def replaced(each: Column) -> Column:
        found = wanted.fullmatch(each.labels.get(source, ""))
        if found is None:
            return each
        value = _GROUP.sub(lambda mark: _expanded(found, mark), replacement)
        others = without(target)(each.labels)
        return replace(each, labels={**others, target: value} if value else others)

    return merged(map(replaced, vector))


def _expanded(found: re.Match[str], mark: re.Match[str]) -> str:
    if mark[3]:
        return "$"
    name = mark[1] or mark[2]
    try:
        return found[int(name) if name.isdecimal() else name] or ""
    except IndexError:
        return ""


def histogram_quantile(share: Values, vector: Vector) -> Vector:
    """The value below which ``share`` of what a histogram's buckets count lies."""
    found = []
    measured = [each for each in vector if _bound(each) is not None]
    for key, columns in grouped(measured, without("__name__", "le")).items():
        columns.sort(key=lambda each: _bound(each) or 0.0)
        there = np.logical_or.reduce([each.there for each in columns])
        values = np.full(len(there), nan)
        for at in np.flatnonzero(there):
            buckets = [(_bound(e) or 0.0, float(e.values[at])) for e in columns if e.there[at]]
            values[at] = _quantile(float(share[at]), buckets)
        found.append(Column(dict(key), values, there))
    return merged(found)


def _bound(column: Column) -> float | None:
    """The bucket's upper bound; ``None`` where it is none, which is left out."""
    try:
        return float(column.labels["le"])
    except (KeyError, ValueError):
        return None


def _quantile(share: float, buckets: Sequence[tuple[float, float]]) -> float:
    """Within a bucket values are taken to be spread evenly. ``buckets``: ascending bounds, with
    how many are at or below each."""
    if not 0 <= share <= 1:
        return share * inf
    counts = np.maximum.accumulate([count for _, count in buckets])
    rank = share * float(counts[-1])
    # Without an infinite bucket, or with nothing in it, nobody knows.
    if buckets[-1][0] != inf or len(buckets) < 2 or not counts[-1] > 0:  # noqa: PLR2004
        return nan
    at = int(np.searchsorted(counts[:-1], rank))
    if at == len(buckets) - 1:
        return buckets[-2][0]
    upper = buckets[at][0]
    if at == 0 and upper <= 0:
        return upper
    lower, below = (buckets[at - 1][0], float(counts[at - 1])) if at else (0.0, 0.0)
    inside = float(counts[at]) - below
    return lower + (upper - lower) * (rank - below) / inside if inside else nan
