"""A canary's chart as a PNG, to be read on a phone, on dark and on light ground.

Pillow with the font that it ships: no fonts of the machine, no cache, no state between calls, so
that any thread may draw and the same numbers give the same picture. It is drawn larger and scaled
down, which smooths lines and letters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import groupby, pairwise
from math import hypot

from PIL import Image, ImageDraw, ImageFont

from bot.analysis.verdict import Outcome
from bot.analysis.wording import percent
from bot.slack.charts.series import Band, Panel, Plot, Point

WIDTH, HEIGHT = 900, 420
#: Drawn so many times larger.
SCALE = 2
#: The frame of all panels, in pixels; above it title and steps, below it the minutes.
LEFT, TOP, RIGHT, BOTTOM = 92, 84, 870, 384
BETWEEN = 18
#: The last minute ends so far before the frame: room for the dot or the mark that stands there.
ROOM = 14
#: How much of the height errors get where slowness is shown too.
ERRORS_SHARE = 0.58
TEXT, TITLE = 20, 24
#: So much higher than its axis is a panel: room for its words, clear of the lines.
HEADROOM = 1.25
#: How long a line in the legend is: two dashes and their gap.
KEY = 35
#: At most so many minutes on the axis.
MARKS = 6

PAPER, SHADE, GRID = "#ffffff", "#f1f3f5", "#ced4da"
INK, FAINT = "#212529", "#5c636a"
#: As on the playground's page. Told apart with any colour vision: one is dashed.
CANARY, STABLE = "#1b5fc1", "#848d9a"
#: Red is for what is not to be passed, and for what was aborted.
LIMIT, EDGE = "#c92a2a", "#868e96"
VERDICTS = {
    Outcome.PASS: ("PASS", "#2b8a3e"),
    Outcome.HOLD: ("HOLD", "#5c636a"),
    Outcome.INCONCLUSIVE: ("INCONCLUSIVE", "#b35c00"),
    Outcome.ABORT: ("ABORT", "#c92a2a"),
}

Spot = tuple[float, float]


def drawn(plot: Plot) -> bytes:
    """The PNG."""
    canvas = Canvas()
    _heading(canvas, plot)
    for panel, (top, bottom) in zip(plot.panels, _heights(len(plot.panels)), strict=True):
        frame = Frame(top, bottom, plot.minutes, panel.top)
        _ground(canvas, frame, plot.bands)
        _measure(canvas, frame, panel)
    _steps(canvas, plot)
    _axis(canvas, plot.minutes)
    _mark(canvas, plot)
    return canvas.png()


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a panel is, and what its axes reach to."""

    top: float
    bottom: float
    minutes: float
    most: float

    def x(self, minute: float) -> float:
        """The pixel of a time."""
        return LEFT + (RIGHT - ROOM - LEFT) * minute / self.minutes

    def y(self, share: float) -> float:
        """The pixel of a share."""
        return self.bottom - (self.bottom - self.top) * share / (HEADROOM * self.most)


@dataclass(frozen=True, slots=True)
class Pencil:
    """What a line is drawn with; ``dash`` and gap in pixels, no dash for an unbroken line."""

    colour: str
    width: float
    dash: tuple[float, float] | None = None


#: The stable version's line lies below and is wider, to be seen where both run together.
PENCILS = {"canary": Pencil(CANARY, 4), "stable": Pencil(STABLE, 7, (14, 7))}


@dataclass(frozen=True, slots=True)
class Canvas:
    """A sheet that takes the final picture's pixels."""

    sheet: Image.Image = field(
        default_factory=lambda: Image.new("RGB", (SCALE * WIDTH, SCALE * HEIGHT), PAPER)
    )

    def box(self, spots: tuple[Spot, Spot], colour: str) -> None:
        """A filled rectangle."""
        self._pen.rectangle(_scaled(spots), fill=colour)

    def pill(self, spots: tuple[Spot, Spot], colour: str) -> None:
        """A filled rectangle with round corners."""
        self._pen.rounded_rectangle(_scaled(spots), radius=8 * SCALE, fill=colour)

    def dot(self, centre: Spot, radius: float, colour: str) -> None:
        """A filled circle."""
        (x, y) = centre
        around = ((x - radius, y - radius), (x + radius, y + radius))
        self._pen.ellipse(_scaled(around), fill=colour)

    def line(self, spots: Sequence[Spot], colour: str, width: float) -> None:
        """A line through the spots."""
        self._pen.line(_scaled(spots), fill=colour, width=round(width * SCALE), joint="curve")

    def stroke(self, spots: Sequence[Spot], pencil: Pencil) -> None:
        """A line through the spots, with that pencil."""
        for part in _dashes(spots, *pencil.dash) if pencil.dash else [spots]:
            self.line(part, pencil.colour, pencil.width)

    def text(self, at: Spot, words: str, colour: str, anchor: str, size: int = TEXT) -> None:
        """Words; ``anchor`` as Pillow has it: ``lm`` is their left end, in the middle."""
        (spot,) = _scaled([at])
        self._pen.text(spot, words, fill=colour, font=_font(size), anchor=anchor)

    def length(self, words: str, size: int = TEXT) -> float:
        """How wide they are."""
        return _font(size).getlength(words) / SCALE

    def png(self) -> bytes:
        """The picture at its size."""
        out = BytesIO()
        small = self.sheet.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        # A palette is a quarter of the bytes, and no eye sees the difference.
        small.quantize(128, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(out, "PNG")
        return out.getvalue()

    @property
    def _pen(self) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self.sheet)


def _dashes(spots: Sequence[Spot], dash: float, gap: float) -> Iterator[list[Spot]]:
    """The parts of a line that a dashed one shows, measured along it."""
    shown, left = [spots[0]], dash
    drawing = True
    for (x, y), (to_x, to_y) in pairwise(spots):
        length, gone = hypot(to_x - x, to_y - y), 0.0
        while length - gone > left:
            gone += left
            turn = (x + (to_x - x) * gone / length, y + (to_y - y) * gone / length)
            if drawing:
                yield [*shown, turn]
            drawing, shown = not drawing, [turn]
            left = dash if drawing else gap
        left -= length - gone
        shown.append((to_x, to_y))
    if drawing and len(shown) > 1:
        yield shown


def _scaled(spots: Sequence[Spot]) -> list[Spot]:
    return [(SCALE * x, SCALE * y) for x, y in spots]


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(SCALE * size)
    if not isinstance(font, ImageFont.FreeTypeFont):  # Pillow built without FreeType
        raise TypeError("Pillow cannot draw letters of any size here.")
    return font


def _heights(panels: int) -> Iterator[tuple[float, float]]:
    if panels == 1:
        yield TOP, BOTTOM
        return
    middle = TOP + (BOTTOM - TOP - BETWEEN) * ERRORS_SHARE
    yield TOP, middle
    yield middle + BETWEEN, BOTTOM


def _heading(canvas: Canvas, plot: Plot) -> None:
    right = float(RIGHT)
    if plot.verdict is not None:
        word, colour = VERDICTS[plot.verdict]
        left = right - canvas.length(word) - 24
        canvas.pill(((left, 12), (right, 44)), colour)
        canvas.text(((left + right) / 2, 28), word, PAPER, "mm")
        right = left - 20
    for name in ("stable", "canary"):
        canvas.text((right, 28), name, INK, "rm")
        right -= canvas.length(name) + 10
        canvas.stroke([(right - KEY, 28), (right, 28)], PENCILS[name])
        right -= KEY + 22
    canvas.text((20, 28), _fitting(canvas, plot.title, right - 20), INK, "lm", TITLE)


def _fitting(canvas: Canvas, words: str, room: float) -> str:
    """In letters that the font has, and cut where there is no room for more."""
    shown = "".join(letter if " " <= letter <= "~" else "?" for letter in words)
    if canvas.length(shown, TITLE) <= room:
        return shown
    while shown and canvas.length(f"{shown}...", TITLE) > room:
        shown = shown[:-1]
    return f"{shown}..."


def _ground(canvas: Canvas, frame: Frame, bands: Sequence[Band]) -> None:
    for number, band in enumerate(bands):
        left = frame.x(band.begins)
        right = RIGHT if band is bands[-1] else frame.x(band.ends)
        canvas.box(((left, frame.top), (right, frame.bottom)), PAPER if number % 2 else SHADE)
        if number:
            canvas.line([(left, frame.top), (left, frame.bottom)], EDGE, 2)
    for share in (0.0, frame.most / 2, frame.most):
        y = frame.y(share)
        canvas.line([(LEFT, y), (RIGHT, y)], GRID, 1)
        canvas.text((LEFT - 10, y), percent(share), FAINT, "rm")


def _measure(canvas: Canvas, frame: Frame, panel: Panel) -> None:
    if panel.limit is not None:
        said = panel.limit.label
        if panel.limit.shown:
            y = frame.y(panel.limit.share)
            canvas.stroke([(LEFT, y), (RIGHT, y)], Pencil(LIMIT, 2, (9, 7)))
        else:
            said = f"{said}, off the chart"
        canvas.text((RIGHT - 8, frame.top + 22), said, FAINT, "rs")
    canvas.text((LEFT + 8, frame.top + 22), panel.label, INK, "ls")
    _curve(canvas, frame, panel.stable, PENCILS["stable"])
    _curve(canvas, frame, panel.canary, PENCILS["canary"])


def _curve(canvas: Canvas, frame: Frame, points: Sequence[Point], pencil: Pencil) -> None:
    """Broken where nothing was measured; a lonely point is a dot."""
    for measured, group in groupby(points, key=lambda point: point.share is not None):
        spots = [(frame.x(each.minute), frame.y(each.share or 0.0)) for each in group]
        if measured and len(spots) > 1:
            canvas.stroke(spots, pencil)
        elif measured:
            canvas.dot(spots[0], pencil.width + 1, pencil.colour)


def _steps(canvas: Canvas, plot: Plot) -> None:
    """Their shares, above the first panel; one that would run into the one before is left out."""
    frame, clear = Frame(TOP, BOTTOM, plot.minutes, 1.0), float(LEFT)
    for band in plot.bands:
        half = canvas.length(band.label) / 2
        middle = (frame.x(band.begins) + frame.x(band.ends)) / 2
        middle = min(max(middle, LEFT + half), RIGHT - half)
        if middle - half >= clear:
            canvas.text((middle, TOP - 16), band.label, FAINT, "mm")
            clear = middle + half + 12


def _axis(canvas: Canvas, minutes: float) -> None:
    frame = Frame(TOP, BOTTOM, minutes, 1.0)
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)
    apart = next((step for step in steps if minutes / step <= MARKS), 10_080)
    for minute in range(0, int(minutes) + 1, apart):
        x = frame.x(minute)
        canvas.line([(x, BOTTOM), (x, BOTTOM + 6)], EDGE, 2)
        if minute:
            canvas.text((x, BOTTOM + 10), str(minute), FAINT, "mt")
        else:  # to the right of its place: to the left are the shares
            canvas.text((x - 4, BOTTOM + 10), "0 min", FAINT, "lt")


def _mark(canvas: Canvas, plot: Plot) -> None:
    """The verdict, where the canary's errors are now."""
    found = [each for each in plot.panels[0].canary if each.share is not None]
    if plot.verdict is None or not found:
        return
    top, bottom = next(_heights(len(plot.panels)))
    frame = Frame(top, bottom, plot.minutes, plot.panels[0].top)
    spot = (frame.x(found[-1].minute), frame.y(found[-1].share or 0.0))
    canvas.dot(spot, 12, PAPER)
    canvas.dot(spot, 10, VERDICTS[plot.verdict][1])
