"""A canary's chart: its numbers exactly, its picture coarsely."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageColor

from bot.analysis.verdict import Outcome
from bot.model.canary import Measured, Reading
from bot.model.canary_plan import CanaryLimits
from bot.model.counts import Arm
from bot.playground import page
from bot.slack.charts.drawing import (
    BOTTOM,
    CANARY,
    HEIGHT,
    LEFT,
    LIMIT,
    PAPER,
    RIGHT,
    STABLE,
    TOP,
    VERDICTS,
    WIDTH,
    Canvas,
    Pencil,
    drawn,
)
from bot.slack.charts.series import ENOUGH, Plot, described, plotted, rounded_up
from tests.unit.slack.drawn import NOON, PLAN

FREE = PLAN.model_copy(update={"limits": CanaryLimits()})
NONE = Arm(0)


def served(requests: int, errors: int = 0, over: int = 0) -> Arm:
    return Arm(requests, errors, (over, over, 0), 0, over)


def measured(canary: Sequence[Arm], stable: Arm, steps: Sequence[int] = ()) -> list[Measured]:
    return [
        Measured(
            Reading(NOON + timedelta(seconds=30 * at), 30, arm, stable), steps[at] if steps else 0
        )
        for at, arm in enumerate(canary)
    ]


def of_colour(png: bytes, colour: str) -> list[tuple[int, int]]:
    """Where the picture has nearly that colour."""
    image = Image.open(BytesIO(png)).convert("RGB")
    wanted = ImageColor.getrgb(colour)
    pixels = image.load()
    assert pixels is not None
    return [
        (x, y)
        for x in range(image.width)
        for y in range(image.height)
        if all(abs(a - b) <= 40 for a, b in zip(pixels[x, y], wanted, strict=True))  # type: ignore[arg-type]
    ]


def middle(png: bytes, colour: str) -> float:
    """How low that colour is on average, between the words of a panel."""
    rows = [y for x, y in of_colour(png, colour) if y > TOP and 200 < x < 500]
    return sum(rows) / len(rows)


def plot_of(errors: int, verdict: Outcome | None = None) -> Plot:
    ticks = measured([served(1000, errors)] * 20, served(9000, 9), [0] * 12 + [1] * 8)
    return plotted(ticks, FREE, "backend-production-7", verdict)


def test_a_point_is_sharp_where_there_is_traffic() -> None:
    busy = plotted(
        measured([served(ENOUGH), served(ENOUGH, 100)], served(ENOUGH)), FREE, "x"
    ).panels[0]
    assert [point.share for point in busy.canary] == [0.0, 100 / ENOUGH]
    assert [point.minute for point in busy.canary] == [0.5, 1.0]


def test_one_error_is_no_peak_where_there_is_little_traffic() -> None:
    quiet = plotted(measured([served(2)] * 9 + [served(2, 1)], served(18)), FREE, "x").panels[0]
    assert quiet.canary[-1].share == 1 / 20
    assert quiet.canary[-2].share == 0.0


def test_a_line_breaks_where_nothing_was_measured() -> None:
    gap = plotted(measured([served(5), NONE, served(5)], served(9)), FREE, "x").panels[0]
    assert [point.share is None for point in gap.canary] == [False, True, False]


def test_steps_are_named_by_their_shares() -> None:
    ticks = measured([served(9)] * 6, served(9), [0, 0, 0, 1, 1, 2])
    bands = plotted(ticks, FREE, "x").bands
    assert [(band.label, band.begins, band.ends) for band in bands] == [
        ("10%", 0.0, 1.5),
        ("25%", 1.5, 2.5),
        ("50%", 2.5, 3.0),
    ]


def test_slowness_is_shown_where_it_is_measured() -> None:
    ticks = measured([served(100, over=4)] * 3, served(100, over=5))
    errors, slow = plotted(ticks, PLAN, "x").panels
    assert (errors.label, slow.label) == ("errors", "slower than 800ms")
    assert slow.canary[-1].share == 0.04
    assert slow.limit is not None
    assert slow.limit.share == 0.05
    assert (
        plotted(ticks, FREE, "x").panels[1].label
        == "slower than the usual p95, canary with tolerance"
    )
    assert len(plotted(measured([served(100)], served(100)), PLAN, "x").panels) == 1


def test_a_limit_is_on_the_axis_where_it_is_near() -> None:
    for rate, shown, top in ((0.05, True, 0.05), (0.5, False, 0.05)):
        plan = PLAN.model_copy(update={"limits": CanaryLimits(error_rate=rate)})
        panel = plotted(measured([served(2000, 60)], served(2000)), plan, "x").panels[0]
        assert panel.limit is not None
        assert (panel.limit.shown, panel.top) == (shown, top)


def test_a_limit_at_the_end_of_the_axis_is_on_it() -> None:
    plan = PLAN.model_copy(update={"limits": CanaryLimits(error_rate=0.5)})
    panel = plotted(measured([served(2000, 440)], served(2000)), plan, "x").panels[0]
    assert panel.limit is not None
    assert (panel.top, panel.limit.share, panel.limit.shown) == (0.5, 0.5, True)


@pytest.mark.parametrize(
    ("value", "top"),
    [(0.005, 0.005), (0.0051, 0.01), (0.011, 0.02), (0.3, 0.5), (0.6, 1.0), (1.0, 1.0)],
)
def test_axes_end_at_round_numbers(value: float, top: float) -> None:
    assert rounded_up(value) == pytest.approx(top)


def test_who_cannot_see_it_is_told() -> None:
    ticks = measured([served(1000, 21)] * 4, served(9000, 27))
    plot = plotted(ticks, FREE, "x", Outcome.ABORT)
    assert described(plot, ticks) == (
        "Chart of 2 minutes at 10% of the traffic: canary 2.1 % errors of 4,000 requests; "
        "stable version 0.3 % errors of 36,000 requests. Verdict: abort."
    )


def test_one_minute_is_no_plural() -> None:
    ticks = measured([served(9)] * 2, served(9))
    assert described(plotted(ticks, FREE, "x"), ticks).startswith("Chart of 1 minute at 10% ")


def test_nothing_measured_is_no_chart() -> None:
    with pytest.raises(ValueError, match="tick"):
        plotted([], PLAN, "x")


def test_it_is_a_png_of_one_size_for_any_ground() -> None:
    png = drawn(plot_of(5))
    image = Image.open(BytesIO(png))
    assert (image.format, image.size) == ("PNG", (WIDTH, HEIGHT))
    assert "transparency" not in image.info
    assert image.convert("RGB").getpixel((2, 2)) == ImageColor.getrgb(PAPER)
    assert 4_000 < len(png) < 80_000


def test_a_worse_canary_stands_higher() -> None:
    png = drawn(plot_of(40))
    assert middle(png, CANARY) < middle(png, STABLE) - 100
    assert abs(middle(drawn(plot_of(1)), CANARY) - middle(drawn(plot_of(1)), STABLE)) < 10


def test_versions_look_as_on_the_page() -> None:
    sheet = Path(page.__file__).with_name("static") / "page.css"
    accent = re.search(r"--accent: (#[0-9a-f]{6})", sheet.read_text())
    assert accent is not None
    assert accent[1] == CANARY
    red, green, blue = ImageColor.getrgb(STABLE)[:3]
    assert max(red, green, blue) - min(red, green, blue) < 30  # grey


def test_the_stable_line_is_broken_and_the_canarys_is_not() -> None:
    png = drawn(plot_of(40))
    canary, stable = (
        {x for x, y in of_colour(png, each) if y > TOP and 200 < x < 380}
        for each in (CANARY, STABLE)
    )
    assert len(canary) == 179
    assert 90 < len(stable) < 160


def test_only_a_limit_and_an_abort_are_red() -> None:
    limit = PLAN.model_copy(update={"limits": CanaryLimits(error_rate=0.05)})
    ticks = measured([served(1000, 40)] * 9, served(9000, 9))
    red = [
        of_colour(drawn(plotted(ticks, plan, "x", verdict)), LIMIT)
        for plan, verdict in ((FREE, None), (limit, None), (FREE, Outcome.ABORT))
    ]
    assert [bool(each) for each in red] == [False, True, True]


def test_dashes_are_measured_along_the_line() -> None:
    canvas = Canvas()
    canvas.stroke([(100, 100), (104, 100), (104, 300)], Pencil(STABLE, 2, (14, 6)))
    column = {y for x, y in of_colour(canvas.png(), STABLE) if x in {103, 104}}
    assert {102, 107} <= column
    assert not {112, 114} & column
    assert {118, 126} <= column


@pytest.mark.parametrize("verdict", [None, Outcome.ABORT])
def test_what_stands_at_the_last_minute_is_inside_the_frame(verdict: Outcome | None) -> None:
    plot = plotted(measured([served(1000, 40)], served(9000, 9)), FREE, "x", verdict)
    colour = CANARY if verdict is None else VERDICTS[verdict][1]
    found = [x for x, y in of_colour(drawn(plot), colour) if y > TOP]
    assert RIGHT - 30 < max(found) <= RIGHT


def test_the_beginning_of_both_axes_can_be_read() -> None:
    image = Image.open(BytesIO(drawn(plot_of(5)))).convert("L")
    # Left of the frame's corner and right of it, where both say "0": a clear column is between.
    corner = image.crop((LEFT - 40, BOTTOM - 12, LEFT + 50, BOTTOM + 32))
    ground = [
        x
        for x in range(corner.width)
        if all(corner.getpixel((x, y)) == 255 for y in range(16, corner.height))
    ]
    assert any(30 <= x <= 38 for x in ground)


@pytest.mark.parametrize("verdict", list(Outcome))
def test_the_verdict_is_marked(verdict: Outcome) -> None:
    colour = VERDICTS[verdict][1]
    found = of_colour(drawn(plot_of(40, verdict)), colour)
    assert any(y < 60 for _, y in found)  # in words
    assert any(y > 60 and x > 800 for x, y in found)  # and at the end of the canary's line


def test_the_same_numbers_give_the_same_picture_on_any_thread() -> None:
    plot = plot_of(40, Outcome.ABORT)
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(drawn, [plot] * 8))) == 1


@pytest.mark.parametrize("title", ["", "x" * 500, "Zoë's ☃ \U0001f680 \x00"])
def test_any_title_is_drawn(title: str) -> None:
    ticks = measured([NONE], NONE)
    assert drawn(plotted(ticks, PLAN, title, Outcome.HOLD))


def test_a_long_canary_is_drawn() -> None:
    ticks = measured([served(100, 1, 3)] * 2000, served(100, 1, 3), [0] * 1999 + [1])
    assert drawn(plotted(ticks, PLAN, "x"))


def test_the_bot_starts_without_what_draws() -> None:
    look = "import sys, bot.app; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
