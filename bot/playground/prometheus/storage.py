"""Samples by their labels, as they were scraped: append-only, and for a while only."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

NAME = "__name__"
#: Milliseconds for which samples are kept.
KEPT = 3 * 3600 * 1000
#: Samples beyond that which may stay, so that not each new one moves all of the others.
_SLACK = 512

Labels = Mapping[str, str]
Key = tuple[tuple[str, str], ...]
#: Milliseconds since 1970.
Times = NDArray[np.int64]
Values = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Samples:
    """A copy of one series. Where ``stale``, a marker ends it: there is no value."""

    labels: Labels
    times: Times
    values: Values
    stale: Flags


@dataclass(slots=True)
class _Series:
    labels: Labels
    times: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    stale: array[int] = field(default_factory=lambda: array("b"))

    def add(self, at: int, value: float | None) -> None:
        if self.times and at <= self.times[-1]:
            raise ValueError(f"out of order sample of {dict(self.labels)} at {at} ms")
        self.times.append(at)
        self.values.append(0.0 if value is None else value)
        self.stale.append(value is None)
        old = bisect_left(self.times, at - KEPT)
        if old > _SLACK:
            del self.times[:old], self.values[:old], self.stale[:old]

    def copy(self) -> Samples:
        return Samples(
            self.labels,
            np.array(self.times, dtype=np.int64),
            np.array(self.values, dtype=np.float64),
            np.array(self.stale, dtype=np.bool_),
        )


class Storage:
    """All series. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_name: dict[str, dict[Key, _Series]] = {}

    def append(self, labels: Labels, at: float, value: float) -> None:
        """Add a sample; ``at`` in seconds since 1970, to the millisecond.

        Empty labels are none. Raises ``ValueError`` where it is not later than the one before.
        """
        self._add(labels, at, value)

    def end(self, labels: Labels, at: float) -> None:
        """Mark a series as stale: from then on it has no value, until it gets another sample.

        A scrape does that that finds it gone, or that fails.
        """
        self._add(labels, at, None)

    def select(self, name: str | None, matches: Callable[[Labels], bool]) -> list[Samples]:
        """Copies of the series of that metric (of all: ``None``) whose labels match."""
        with self._lock:
            homes = list(self._by_name.values()) if name is None else [self._by_name.get(name, {})]
            return [
                series.copy()
                for home in homes
                for series in home.values()
                if matches(series.labels)
            ]

    def _add(self, labels: Labels, at: float, value: float | None) -> None:
        key = tuple(sorted((name, each) for name, each in labels.items() if each))
        with self._lock:
            home = self._by_name.setdefault(labels.get(NAME, ""), {})
            when = round(at * 1000)
            if key not in home:
                for old in [k for k, each in home.items() if each.times[-1] < when - KEPT]:
                    del home[old]
                home[key] = _Series(dict(key))
            home[key].add(when, value)
