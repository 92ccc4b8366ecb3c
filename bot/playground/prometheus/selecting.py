"""From a selector to samples: matchers, the lookback, and windows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from promql_parser import Matcher, MatchOp, MatrixSelector, VectorSelector

from bot.playground.prometheus.refusals import bad_data, unsupported
from bot.playground.prometheus.storage import Labels, Samples, Storage, Times, Values
from bot.playground.prometheus.vectors import Column

#: Milliseconds for which a sample stands for what comes after it, unless a marker ends it.
LOOKBACK = 5 * 60 * 1000


def select(storage: Storage, selector: VectorSelector) -> list[Samples]:
    """The series that it means. Raises ``QueryError``."""
    if selector.at is not None:
        raise unsupported("the @ modifier")
    if selector.matchers.or_matchers:
        raise unsupported("or between matchers")
    tests = [_test(each) for each in selector.matchers.matchers]
    return storage.select(selector.name, lambda labels: all(test(labels) for test in tests))


def instant(storage: Storage, selector: VectorSelector, moments: Times) -> list[Column]:
    """Each series' newest sample at each moment, no older than the lookback."""
    moments = moments - milliseconds(selector.offset)
    return [_newest(each, moments) for each in select(storage, selector)]


def _newest(samples: Samples, moments: Times) -> Column:
    place = np.searchsorted(samples.times, moments, side="right") - 1
    found = np.maximum(place, 0)
    fresh = samples.times[found] > moments - LOOKBACK
    return Column(
        samples.labels, samples.values[found], (place >= 0) & fresh & ~samples.stale[found]
    )


@dataclass(frozen=True, slots=True)
class Windows:
    """One series' samples in a window before each moment.

    They are those from ``first`` to before ``behind``; the windows go from ``begins`` to ``ends``.
    """

    labels: Labels
    times: Times
    values: Values
    first: Times
    behind: Times
    begins: Times
    ends: Times


def windows(storage: Storage, selector: MatrixSelector, moments: Times) -> list[Windows]:
    """The windows of each series; what is at their beginning is not in them."""
    ends = moments - milliseconds(selector.vector_selector.offset)
    begins = ends - milliseconds(selector.range)
    found = []
    for each in select(storage, selector.vector_selector):
        times, values = each.times[~each.stale], each.values[~each.stale]
        first = np.searchsorted(times, begins, side="right")
        behind = np.searchsorted(times, ends, side="right")
        found.append(Windows(each.labels, times, values, first, behind, begins, ends))
    return found


def milliseconds(length: timedelta | None) -> int:
    """A duration, or none."""
    return 0 if length is None else round(length.total_seconds() * 1000)


def pattern(text: str) -> re.Pattern[str]:
    """A regular expression, which is anchored at both ends. Raises ``QueryError``."""
    try:
        return re.compile(text)
    except re.error as wrong:
        raise bad_data(f"error parsing regexp: {wrong}: `{text}`") from None


def _test(matcher: Matcher) -> Callable[[Labels], bool]:
    name, value = matcher.name, matcher.value
    match matcher.op:
        case MatchOp.Equal:
            return lambda labels: labels.get(name, "") == value
        case MatchOp.NotEqual:
            return lambda labels: labels.get(name, "") != value
        case MatchOp.Re:
            wanted = pattern(value)
            return lambda labels: wanted.fullmatch(labels.get(name, "")) is not None
        case _:
            unwanted = pattern(value)
            return lambda labels: unwanted.fullmatch(labels.get(name, "")) is None
