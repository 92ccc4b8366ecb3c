"""The live charts: what is drawn of what happened, and what is said where nothing did."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bot.playground.aws.arrivals import Moment
from bot.playground.aws.world import World
from bot.playground.page.arms import Watch
from bot.playground.page.charts import (
    HEIGHT,
    LEFT,
    LETTER,
    MEASURES,
    SPAN,
    WIDTH,
    Charts,
    Measure,
    ceiling,
    chart,
    marks_of,
    path,
    points,
)
from bot.playground.page.sites import behind_balancers
from bot.playground.tour.fleet import NEW, furnish
from bot.playground.tour.visitors import front_of

NOW = 1_800_000_000.0
WINDOW = (NOW - SPAN, NOW)
REQUESTS, FAILED, SLOW = MEASURES


class Wall:
    def __init__(self) -> None:
        self.shows = NOW

    def __call__(self) -> float:
        return self.shows


class Place:
    """The demo's AWS on a wall that a test sets; a canary of the new version where it is wanted."""

    def __init__(self) -> None:
        self.wall = Wall()
        self.world = World(visitors_by_wall=True, wall=self.wall)
        self.visited = furnish(self.world)
        self.watch = Watch([*behind_balancers(self.world, self.visited)])
        self.charts = Charts(self.watch)

    def begin(self, environment: str = "production", tasks: int = 1) -> None:
        self.world.create_service(
            environment,
            "backend-canary",
            family=f"backend-{environment}",
            container="app",
            image=NEW,
            repository="backend",
            desired=tasks,
            target_group=front_of(self.visited, "backend", environment).canary,
        )

    def shift(self, share: int, environment: str = "production") -> None:
        front = front_of(self.visited, "backend", environment)
        weights = {front.stable: 100 - share, front.canary: share}
        self.world.balancers.set_weights(front.rule, weights)

    def passes(self, seconds: float) -> None:
        self.wall.shows += seconds
        self.world.moment()

    def drawn(self, environment: str = "production") -> str:
        return str(dict(self.charts.elements())[f"chart-backend-{environment}"])


@pytest.fixture
def place() -> Place:
    return Place()


def moment(ago: float, requests: int = 500, errors: int = 0, share: float = 0.9) -> Moment:
    return Moment(NOW - ago, 5.0, requests, errors, 0.04, 0.09, share)


def lines(drawn: str) -> list[str]:
    return re.findall(r'class="c-line c-(?:stable|canary)" d="([^"]*)"', drawn)


def test_the_past_is_drawn_at_once_and_the_canary_once_it_is_there(place: Place) -> None:
    before = place.drawn()
    assert [bool(each) for each in lines(before)] == [True, False] * 3
    assert "none runs" in before
    place.begin()
    place.shift(10)
    place.passes(60)
    after = place.drawn()
    assert all(lines(after))
    assert "1 of 1 healthy" in after
    assert "90 : 10" in after
    assert re.search(r"<b>canary</b> <span[^>]*>v1\.5\.0</span>", after)


def test_a_chart_says_in_words_what_it_shows(place: Place) -> None:
    place.begin()
    place.shift(10)
    place.watch.watched()[0].bend({"errors": 1.0})
    place.passes(60)
    said = re.findall(r'aria-label="(Failed in the last [^"]+)"', place.drawn())
    assert len(said) == 1
    assert re.fullmatch(
        r"Failed in the last 10 minutes. Now: stable 0[.0-9]* %, canary 100 %\.", said[0]
    )


def test_every_change_of_the_weights_has_a_mark(place: Place) -> None:
    place.begin()
    for share in (10, 50, 0):
        place.shift(share)
        place.passes(30)
    shares = re.findall(r'c-share"[^>]*>([^<]+)<', place.drawn())
    assert shares == ["10%", "50%", "0%"] * 3


def test_what_has_no_canary_is_left_out_beside_production(place: Place) -> None:
    assert [name for name, _ in place.charts.elements()] == ["chart-backend-production"]
    place.begin("staging")
    place.shift(20, "staging")
    place.passes(30)
    assert [name for name, _ in place.charts.elements()] == [
        "chart-backend-staging",
        "chart-backend-production",
    ]


def test_nothing_is_drawn_anew_before_something_is_new(place: Place) -> None:
    first = place.charts.elements()[0][1]
    place.passes(1)
    assert place.charts.elements()[0][1] is first
    place.passes(5)
    assert place.charts.elements()[0][1] is not first


def test_a_dead_task_gets_no_requests_and_is_not_called_healthy(place: Place) -> None:
    place.begin(tasks=2)
    place.world.kill_task("production", "backend-canary")
    assert "1 of 2 healthy" in place.drawn()


def test_no_style_and_no_script_comes_with_a_drawing(place: Place) -> None:
    assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=", place.drawn())


def test_points_lie_where_they_happened() -> None:
    found = points(REQUESTS, [moment(300), moment(0)], WINDOW)
    (x, rate), (_, between), (newest, _) = found
    assert between is None
    assert rate == 100
    assert x == pytest.approx(LEFT + WIDTH / 2, abs=2)
    assert newest == pytest.approx(LEFT + WIDTH, abs=2)


def test_slices_are_joined_to_points_by_their_requests() -> None:
    found = points(FAILED, [moment(10, 900, 0), moment(5, 100, 50)], WINDOW)
    assert [value for _, value in found] == [0.05]


def test_what_nobody_asked_for_has_no_error_rate() -> None:
    assert points(FAILED, [moment(0, 0)], WINDOW) == []
    assert points(SLOW, [Moment(NOW, 5.0, 0, 0, 0.0, 0.0, 0.1)], WINDOW) == []
    # Weights without visitors are a rate of nothing; without weights there is no rate at all.
    assert [value for _, value in points(REQUESTS, [moment(0, 0)], WINDOW)] == [0.0]
    assert [value for _, value in points(REQUESTS, [moment(0, 0, share=0.0)], WINDOW)] == [None]


def test_a_line_begins_anew_after_a_gap() -> None:
    assert path([(40, 1.0), (48, 2.0), (200, 1.0), (208, 1.0)], 2.0) == (
        f"M40.0 {HEIGHT / 2} L48.0 0.0 M200.0 {HEIGHT / 2} L208.0 {HEIGHT / 2}"
    )
    assert path([(40, 4.0)], 2.0) == "M40.0 0.0 h1"
    assert path([], 2.0) == ""
    assert path([(40, 1.0), (48, None), (56, 1.0), (64, 1.0)], 2.0) == (
        f"M40.0 {HEIGHT / 2} M56.0 {HEIGHT / 2} L64.0 {HEIGHT / 2}"
    )


@pytest.mark.parametrize("measure", MEASURES)
def test_a_line_is_not_joined_through_a_pause_of_the_canary(measure: Measure) -> None:
    def pause(requests: int, share: float) -> list[Moment]:
        return [moment(ago, requests, share=share) for ago in (100, 95, 90)]

    def strokes(*between: Moment) -> int:
        canary = [*_steady(150, 105), *between, *_steady(85, 5)]
        return path(points(measure, canary, WINDOW), 1000.0).count("M")

    assert strokes(*pause(0, share=0.0)) == 2
    assert strokes(*pause(50, share=0.1)) == 1
    assert strokes(*pause(3, share=0.0)) == 1  # it was asked all the same
    assert strokes(*pause(0, share=0.1)) == 1  # nobody came
    assert strokes() == 2
    assert strokes(moment(100, 50, share=0.1)) == 1  # two slices too few are no pause


def test_history_has_a_point_a_minute_which_is_joined() -> None:
    history = [Moment(NOW - ago, 60.0, 600, 0, 0.04, 0.09, 1.0) for ago in (240, 180, 120)]
    assert path(points(REQUESTS, history, WINDOW), 10.0).count("M") == 1


def _steady(first: int, last: int) -> list[Moment]:
    return [moment(ago, 50, share=0.1) for ago in range(first, last - 5, -5)]


def test_marks_leave_out_what_is_older_than_the_chart() -> None:
    canary = [
        moment(700, share=0.0),
        moment(695, share=0.1),
        replace(moment(100, share=0.1), seconds=595.0),
        moment(95, share=0.5),
    ]
    assert [each.share for each in marks_of(canary, WINDOW)] == ["50%"]


def test_a_canary_that_begins_anew_comes_from_nothing() -> None:
    canary = [
        moment(300, share=0.1),
        moment(295, share=1.0),
        moment(100, share=0.0),
        moment(95, share=0.1),
    ]
    assert [each.share for each in marks_of(canary, WINDOW)] == ["10%", "100%", "10%"]


def test_marks_that_are_close_have_their_labels_in_two_rows() -> None:
    shares = (0.0, 0.1, 0.25, 0.5, 1.0)
    canary = [moment(300 - 30 * at, share=share) for at, share in enumerate(shares)]
    found = marks_of(canary, WINDOW)
    assert [(each.share, each.row) for each in found] == [
        ("10%", 1),
        ("25%", 0),
        ("50%", 1),
        ("100%", 0),
    ]
    assert [each.middle for each in found] == [each.x for each in found]


def test_of_too_many_marks_in_one_place_the_later_have_the_labels() -> None:
    canary = [moment(300 - 5 * at, share=share) for at, share in enumerate((0.0, 0.1, 0.5, 0.0))]
    found = marks_of(canary, WINDOW)
    assert [(each.share, each.row) for each in found] == [("", 0), ("50%", 1), ("0%", 0)]


def test_labels_are_within_the_drawing_and_clear_of_the_axis() -> None:
    canary = [moment(595, share=0.1), moment(300, share=0.1), moment(0, share=1.0)]
    canary[1] = replace(canary[1], seconds=290.0)
    first, *_, last = marks_of(canary, WINDOW)
    assert first.x < LEFT + 5
    assert first.middle == LEFT + LETTER * len("10%") / 2
    assert last.x > LEFT + WIDTH - 5
    assert last.middle == LEFT + WIDTH - LETTER * len("100%") / 2


def test_an_old_value_is_not_told_as_the_present_one() -> None:
    drawn = chart(REQUESTS, ([moment(0)], [moment(200)]), WINDOW, ())
    assert [each.now for each in drawn.lines] == ["100/s", "-"]
    assert drawn.said.endswith("Now: stable 100/s.")


def test_what_gets_nothing_any_more_has_no_present_value() -> None:
    canary = [moment(5, 50, share=0.1), moment(0, 0, share=0.0)]
    drawn = chart(FAILED, ([moment(0)], canary), WINDOW, ())
    assert [each.now for each in drawn.lines] == ["0 %", "-"]
    assert drawn.lines[1].path


@pytest.mark.parametrize(
    ("most", "top"), [(0, 10), (10, 10), (11, 15), (201, 300), (790, 800), (801, 1000)]
)
def test_a_scale_ends_at_a_round_number(most: float, top: float) -> None:
    assert ceiling(most, 10) == pytest.approx(top)
