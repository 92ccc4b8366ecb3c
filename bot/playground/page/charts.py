"""Live charts of both versions of a service: what they serve, how much fails, how long it takes.

They are made of what happened, without CloudWatch's delay: a person sees a minute earlier what the
judge will see.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from markupsafe import Markup

from bot.analysis.wording import percent
from bot.model.canary_plan import in_percent
from bot.playground.aws.arrivals import Moment
from bot.playground.page.arms import Arm, Arms, Recent, Site, Watch
from bot.playground.page.templating import draw
from bot.playground.tour.fleet import ENVIRONMENTS

#: Seconds that a chart shows, that one of its points sums up, and between two lines below it.
SPAN, POINT, GRID = 600.0, 15.0, 120.0
#: The drawing's size without its margins, in its own units, and the margin for the numbers.
WIDTH, HEIGHT, LEFT = 330.0, 56.0, 34.0
#: How wide a letter of a mark's label is at most, how far apart two labels are, and the rows that
#: they have above the drawing, for marks that are too close for one.
LETTER, APART, ROWS = 6.0, 3.0, 2
#: What stands in place of a value that there is not.
NOTHING = "-"
#: Shares that differ by less are the same.
ALIKE = 0.0005

#: What a scale ends at, times a power of ten.
STEPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)

#: Where in the drawing, and the value; none where the version was to get nothing and got nothing,
#: or was not there.
Points = Sequence[tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class Measure:
    """One chart: how a point is told, and the least that its scale ends at."""

    title: str
    told: Callable[[float], str]
    value: Callable[[Sequence[Moment]], float | None]
    least: float


@dataclass(frozen=True, slots=True)
class Line:
    """One version in one chart: its newest value in words, and the path of all of them."""

    side: str
    now: str
    path: str


@dataclass(frozen=True, slots=True)
class Mark:
    """When the weights changed: ``x`` in the drawing, and the canary's share from then on.

    The share is empty where there is no room for it. ``middle`` is that of its label, which is
    within the drawing, and ``row`` the label's, counted upwards.
    """

    x: float
    share: str
    middle: float
    row: int = 0


@dataclass(frozen=True, slots=True)
class Chart:
    """One drawing."""

    title: str
    top: str
    lines: Sequence[Line]
    marks: Sequence[Mark]
    grid: Sequence[float]
    said: str


@dataclass(slots=True)
class Charts:
    """Draws every site that is worth it; a drawing is made again once something is new."""

    watch: Watch
    _drawn: dict[str, tuple[object, Markup]] = field(default_factory=dict)

    def elements(self) -> list[tuple[str, Markup]]:
        """Element id and HTML of the watched service's production, and of whatever else has or had
        a canary of late; the watched service first."""
        watched = self.watch.watched()[0].service
        found = []
        for site, arms in sorted(self.watch.arms(), key=lambda each: each[0].service != watched):
            recent = site.recent(SPAN + POINT)
            had = arms.canary.there or any(each.share for each in recent[1])
            if had or (site.service, site.environment) == (watched, ENVIRONMENTS[-1]):
                name = f"chart-{site.service}-{site.environment}"
                found.append((name, self._card(name, site, arms, recent)))
        return found

    def _card(self, name: str, site: Site, arms: Arms, recent: Recent) -> Markup:
        key = (arms, *(moments[-1].at if moments else 0.0 for moments in recent))
        known = self._drawn.get(name)
        if known is None or known[0] != key:
            self._drawn[name] = known = (key, card(site, arms, recent))
        return known[1]


def card(site: Site, arms: Arms, recent: Recent) -> Markup:
    """Everything about one site at one moment."""
    now = max((each.at for moments in recent for each in moments), default=0.0)
    span = (now - SPAN, now)
    marks = marks_of(recent[1], span)
    return draw(
        "charts.html",
        site=site,
        arms=arms,
        sides=(("stable", arms.stable), ("canary", arms.canary)),
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        part=round(arms.share * WIDTH, 1),
        share=in_percent(arms.share),
        charts=[chart(each, recent, span, marks) for each in MEASURES],
        told=told,
    )


def told(side: str, arm: Arm) -> str:
    """How its targets are."""
    if not arm.there:
        return "none runs" if side == "canary" else "gone"
    return f"{arm.healthy} of {arm.targets} healthy"


def chart(
    measure: Measure,
    recent: Recent,
    span: tuple[float, float],
    marks: Sequence[Mark],
) -> Chart:
    """One measure of both versions."""
    both = [points(measure, moments, span) for moments in recent]
    values = [value for each in both for _, value in each if value is not None]
    top = ceiling(max(values, default=0.0), measure.least)
    lines = [
        Line(side, _now(measure, moments, (found, span)), path(found, top))
        for side, moments, found in zip(("stable", "canary"), recent, both, strict=True)
    ]
    ways = (
        ", ".join(f"{each.side} {each.now}" for each in lines if each.now != NOTHING) or "nothing"
    )
    said = f"{measure.title} in the last {SPAN / 60:g} minutes. Now: {ways}."
    grid = [LEFT + _x(at, span) for at in _steps(span)]
    return Chart(measure.title, measure.told(top), lines, marks, grid, said)


def points(measure: Measure, moments: Sequence[Moment], span: tuple[float, float]) -> Points:
    """Where in the drawing each point is, with its value, oldest first."""
    slots: dict[float, list[Moment]] = {}
    for each in moments:
        slots.setdefault(math.floor((each.at - 1e-3) / POINT), []).append(each)
    found: list[tuple[float, float | None]] = []
    until = -math.inf
    for together in slots.values():
        value = measure.value(together)
        begins = together[0].at - together[0].seconds
        middle = (begins + together[-1].at) / 2
        if found and begins - until >= POINT:
            found.append((LEFT + _x(until, span), None))
        until = together[-1].at
        if middle >= span[0] and (value is not None or _idle(together)):
            found.append((LEFT + _x(middle, span), value))
    return found


def path(found: Points, top: float) -> str:
    """As SVG draws it: a new beginning after each gap."""
    words: list[str] = []
    before = -math.inf
    for x, value in found:
        if value is None:
            before = -math.inf
            continue
        # History is a point each minute.
        joined = x - before <= WIDTH * 61 / SPAN
        y = HEIGHT * (1 - min(value / top, 1.0))
        words.append(f"{'L' if joined else 'M'}{x:.1f} {y:.1f}")
        before = x
    if len(words) == 1:
        words.append("h1")  # a single point would not be seen
    return " ".join(words)


def marks_of(canary: Sequence[Moment], span: tuple[float, float]) -> list[Mark]:
    """Every change of the canary's share. One that begins anew comes from nothing."""
    found: list[Mark] = []
    before, until = 0.0, span[0]
    for each in canary:
        begins = each.at - each.seconds
        before = before if begins - until < POINT else 0.0
        if abs(each.share - before) > ALIKE and begins >= span[0]:
            x = round(LEFT + _x(begins, span), 1)
            found.append(Mark(x, in_percent(each.share), x))
        before, until = each.share, each.at
    return _labelled(found)


def _labelled(marks: Sequence[Mark]) -> list[Mark]:
    """Each label in the lowest row with room for it, the newest first; without one, no label."""
    free = [LEFT + WIDTH] * ROWS
    found: list[Mark] = []
    for mark in reversed(marks):
        half = LETTER * len(mark.share) / 2
        middle = min(max(mark.x, LEFT + half), LEFT + WIDTH - half)
        row = next((row for row in range(ROWS) if middle + half <= free[row] + 1e-9), None)
        if row is None:
            found.append(replace(mark, share=""))
            continue
        free[row] = middle - half - APART
        found.append(replace(mark, middle=round(middle, 1), row=row))
    return found[::-1]


def ceiling(most: float, least: float) -> float:
    """The end of a scale: a round number that nothing goes beyond."""
    wanted = max(most, least)
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(step * power for step in STEPS if step * power >= wanted * (1 - 1e-9))


def _now(
    measure: Measure, moments: Sequence[Moment], at: tuple[Points, tuple[float, float]]
) -> str:
    """The newest value, unless it is of old, or nothing is sent there any more."""
    found, span = at
    x, value = found[-1] if found else (-math.inf, None)
    fresh = x >= LEFT + _x(span[1] - 2 * POINT, span)
    return measure.told(value) if value is not None and fresh and moments[-1].share else NOTHING


def _x(at: float, span: tuple[float, float]) -> float:
    return WIDTH * (at - span[0]) / (span[1] - span[0])


def _steps(span: tuple[float, float]) -> list[float]:
    return [span[1] - GRID * each for each in range(1, int(SPAN / GRID))]


def _idle(moments: Sequence[Moment]) -> bool:
    """Whether it was to get nothing, and got nothing."""
    return not any(each.share or each.requests for each in moments)


def _rate(moments: Sequence[Moment]) -> float | None:
    seconds = sum(each.seconds for each in moments)
    asked = sum(each.requests for each in moments)
    return None if _idle(moments) or not seconds else asked / seconds


def _failing(moments: Sequence[Moment]) -> float | None:
    asked = sum(each.requests for each in moments)
    return sum(each.errors for each in moments) / asked if asked else None


def _slow(moments: Sequence[Moment]) -> float | None:
    """Quantiles cannot be added up: the mean of the slices', by their requests."""
    answered = [(each.requests, each.p95) for each in moments if each.p95 > 0]
    asked = sum(requests for requests, _ in answered)
    return sum(requests * p95 for requests, p95 in answered) / asked if asked else None


def _count(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 10 or not rate else f"{rate:.1f}/s"  # noqa: PLR2004


def _time(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


MEASURES: Final = (
    Measure("Requests", _count, _rate, 10.0),
    Measure("Failed", percent, _failing, 0.01),
    Measure("95 % are faster than", _time, _slow, 0.05),
)
