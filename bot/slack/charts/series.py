"""What a canary's chart shows, as numbers: rates of both versions, limits, steps. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil, log10

from bot.analysis.tick import ERRORS, OVER, REQUESTS, SLOW
from bot.analysis.verdict import Outcome
from bot.analysis.wording import percent
from bot.model.canary import Measured
from bot.model.canary_plan import CanaryPlan, in_percent, in_seconds
from bot.model.counts import Arm

#: A point covers the last ticks, so many at most, until they have so many requests: sharp where
#: there is traffic, and not a lightning bolt for every error where there is little.
WINDOW, ENOUGH = 10, 1000
#: An axis never ends lower: noise of a tenth of a percent is not to look like a mountain.
LEAST_TOP = 0.005
#: A limit is on the chart where the axis reaches it anyway, or where it is at most so many times
#: what was measured; else it is only named.
NEAR = 2.0
#: The share of requests that may be slower than the limit given for the 95th percentile.
MAY_BE_SLOW = 0.05
#: The column of requests slower than the quantile that limits are given for.
P95 = SLOW.start + 1


@dataclass(frozen=True, slots=True)
class Point:
    """``share`` of the requests at a time, in minutes; ``None`` where there were none."""

    minute: float
    share: float | None


@dataclass(frozen=True, slots=True)
class Limit:
    """A share that is not to be passed. ``shown`` says whether it lies on the axis."""

    share: float
    label: str
    shown: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """One measure of both versions; the axis goes from 0 to ``top``."""

    label: str
    canary: tuple[Point, ...]
    stable: tuple[Point, ...]
    top: float
    limit: Limit | None


@dataclass(frozen=True, slots=True)
class Band:
    """One step of the plan, from minute to minute."""

    label: str
    begins: float
    ends: float


@dataclass(frozen=True, slots=True)
class Plot:
    """All of a chart. ``verdict`` is ``None`` before there is one."""

    title: str
    panels: tuple[Panel, ...]
    bands: tuple[Band, ...]
    minutes: float
    verdict: Outcome | None


def plotted(
    ticks: Sequence[Measured], plan: CanaryPlan, title: str, verdict: Outcome | None = None
) -> Plot:
    """The chart of ``ticks``, oldest first. Raises ``ValueError`` where there are none."""
    if not ticks:
        raise ValueError("A chart needs a tick.")
    ends = _ends(ticks)
    panels = [_panel(ticks, "errors", ERRORS, _error_limit(plan))]
    column, beyond = slowness(plan)
    if any(arm.counts[column] for tick in ticks for arm in _arms(tick)):
        limit = (MAY_BE_SLOW, f"limit {in_percent(MAY_BE_SLOW)}") if column == OVER else None
        panels.append(_panel(ticks, f"slower than {beyond}", column, limit))
    return Plot(title, tuple(panels), tuple(_bands(ticks, plan)), ends[-1], verdict)


def described(plot: Plot, ticks: Sequence[Measured]) -> str:
    """The chart in words, for who cannot see it."""
    steps = ", ".join(band.label for band in plot.bands)
    rates = "; ".join(
        f"{name} {percent(errors / max(requests, 1))} errors of {requests:,} requests"
        for name, requests, errors in (
            ("canary", *_total(ticks, lambda tick: tick.reading.canary)),
            ("stable version", *_total(ticks, lambda tick: tick.reading.stable)),
        )
    )
    verdict = f" Verdict: {plot.verdict.value}." if plot.verdict else ""
    minutes = ceil(plot.minutes)
    lasted = f"{minutes} minute{'s' if minutes > 1 else ''}"
    return f"Chart of {lasted} at {steps} of the traffic: {rates}.{verdict}"


def _total(ticks: Sequence[Measured], arm: Callable[[Measured], Arm]) -> tuple[int, int]:
    return sum(arm(tick).requests for tick in ticks), sum(arm(tick).errors for tick in ticks)


def _arms(tick: Measured) -> tuple[Arm, Arm]:
    return tick.reading.canary, tick.reading.stable


def _ends(ticks: Sequence[Measured]) -> list[float]:
    first = ticks[0].reading.begins
    return [
        ((tick.reading.begins - first).total_seconds() + tick.reading.seconds) / 60
        for tick in ticks
    ]


def _error_limit(plan: CanaryPlan) -> tuple[float, str]:
    rate = plan.limits.error_rate
    return rate, f"limit {in_percent(rate)}"


def slowness(plan: CanaryPlan) -> tuple[int, str]:
    """Which requests are called slow, as a column of counts, and than what they are slower."""
    if plan.limits.p95 is not None:
        return OVER, in_seconds(plan.limits.p95)
    return P95, "the usual p95, canary with tolerance"


def _panel(
    ticks: Sequence[Measured], label: str, column: int, limit: tuple[float, str] | None
) -> Panel:
    ends = _ends(ticks)
    canary = _line(ends, [tick.reading.canary for tick in ticks], column)
    stable = _line(ends, [tick.reading.stable for tick in ticks], column)
    most = max((each.share or 0.0 for each in (*canary, *stable)), default=0.0)
    reach = max(most, LEAST_TOP)
    shown = limit is not None and limit[0] <= max(NEAR * reach, rounded_up(reach))
    if limit is not None and shown:
        reach = max(reach, limit[0])
    return Panel(
        label,
        canary,
        stable,
        rounded_up(reach),
        Limit(*limit, shown) if limit is not None else None,
    )


def _line(ends: Sequence[float], arms: Sequence[Arm], column: int) -> tuple[Point, ...]:
    return tuple(Point(end, _rate(arms, at, column)) for at, end in enumerate(ends))


def _rate(arms: Sequence[Arm], at: int, column: int) -> float | None:
    if not arms[at].requests:
        return None
    requests = events = 0
    for arm in reversed(arms[max(0, at - WINDOW + 1) : at + 1]):
        requests += arm.counts[REQUESTS]
        events += arm.counts[column]
        if requests >= ENOUGH:
            break
    return events / requests


def _bands(ticks: Sequence[Measured], plan: CanaryPlan) -> Iterator[Band]:
    ends = _ends(ticks)
    begins = 0.0
    for step, of_it in groupby(zip(ticks, ends, strict=True), key=lambda pair: pair[0].step):
        *_, (_, last) = of_it
        share = plan.steps[min(step, len(plan.steps) - 1)].share
        yield Band(in_percent(share), begins, last)
        begins = last


def rounded_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten, and never more than all."""
    power = 10.0 ** ceil(log10(value) - 1)
    nice = next(each for each in (1, 2, 5, 10) if each * power >= value * (1 - 1e-9))
    return float(min(nice * power, 1.0))
