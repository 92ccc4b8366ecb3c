"""The site whose traffic ECS shifts: two target groups that take turns, told apart by time."""

from __future__ import annotations

import pytest

from bot.playground.aws.world import World
from bot.playground.page.arms import Watch
from bot.playground.page.balanced import Native
from bot.playground.page.charts import SPAN, Charts, marks_of
from bot.playground.page.sites import behind_balancers
from bot.playground.tour.fleet import NEW, OLD, furnish
from bot.playground.tour.visitors import PUBLICATION

NOW = 1_800_000_000.0
PAUSES = ["PRE_PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"]


class Wall:
    def __init__(self) -> None:
        self.shows = NOW

    def __call__(self) -> float:
        return self.shows


class Place:
    """The demo's frontend in production on a wall that a test sets, deployed by ECS's canary."""

    def __init__(self) -> None:
        self.wall = Wall()
        self.world = World(visitors_by_wall=True, wall=self.wall)
        visited = furnish(self.world)
        sites = list(behind_balancers(self.world, visited))
        (self.site,) = [each for each in sites if isinstance(each, Native)]
        self.watch = Watch(sites)
        (self.front,) = [each.front for each in visited if each.service == "frontend"]

    def deploy(self, tag: str) -> None:
        self.passes(120)
        hook = {
            "targetType": "PAUSE",
            "lifecycleStages": PAUSES,
            "timeoutConfiguration": {"timeoutInMinutes": 60, "action": "ROLLBACK"},
        }
        configuration = {
            "strategy": "CANARY",
            "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 0},
            "bakeTimeInMinutes": 0,
            "lifecycleHooks": [hook],
        }
        service = {"cluster": "production", "service": "frontend"}
        self.world.ask("UpdateService", {**service, "deploymentConfiguration": configuration})
        self.world.deploy_out_of_band("production", "frontend", tag)

    def goes_on(self, action: str = "CONTINUE") -> None:
        """It is answered at the pause that it is at or comes to."""
        assert self.world.shifts.run_until_paused("production", "frontend")
        self.world.shifts.answer("production", "frontend", action)
        self.passes(30)

    def ends(self) -> None:
        self.world.advance(600)
        self.passes(30)
        assert not self.world.service("production", "frontend").history[-1].open

    def passes(self, seconds: float) -> None:
        self.world.advance(60)
        self.wall.shows += seconds
        self.world.moment()

    def window(self) -> tuple[float, float]:
        return self.wall.shows - SPAN, self.wall.shows

    def weights(self) -> tuple[int, int]:
        arms = self.site.arms()
        return arms.stable.weight, arms.canary.weight

    def versions(self) -> tuple[str, str]:
        arms = self.site.arms()
        return arms.stable.version, arms.canary.version


@pytest.fixture
def place() -> Place:
    return Place()


def test_before_any_canary_all_is_stable(place: Place) -> None:
    assert (place.weights(), place.versions()) == ((100, 0), (OLD, ""))
    stable, canary = place.site.recent(SPAN)
    assert stable
    assert canary == []
    assert place.site.arms().stable.healthy == 4
    assert place.world.metrics.publication is PUBLICATION


def test_both_versions_while_it_is_shifted_and_who_is_stable_after(place: Place) -> None:
    place.deploy(NEW)
    assert place.versions() == (OLD, NEW)
    place.goes_on()
    assert place.weights() == (90, 10)
    assert place.site.subject().tag == NEW
    place.goes_on()
    assert place.weights() == (0, 100)
    place.goes_on()
    place.ends()
    assert (place.weights(), place.versions()) == ((100, 0), (NEW, ""))
    stable, canary = place.site.recent(SPAN)
    assert [each.share for each in canary][-1] == 1.0
    assert {0.1, 1.0} <= {each.share for each in canary}
    assert stable[-1].share == 1.0
    assert [each.share for each in marks_of(canary, place.window())] == ["10%", "100%"]


def test_the_next_canary_goes_to_the_other_group(place: Place) -> None:
    place.deploy(NEW)
    for _ in range(3):
        place.goes_on()
    place.ends()
    place.deploy(OLD)
    place.goes_on()
    assert (place.weights(), place.versions()) == ((90, 10), (NEW, OLD))
    assert place.site.groups() == (place.front.canary, place.front.stable)


def test_one_that_is_taken_back_comes_to_nothing(place: Place) -> None:
    place.deploy(NEW)
    place.goes_on()
    place.goes_on("ROLLBACK")
    place.ends()
    assert (place.weights(), place.versions()) == ((100, 0), (OLD, ""))
    canary = place.site.recent(SPAN)[1]
    assert [each.share for each in marks_of(canary, place.window())] == ["10%", "0%"]


def test_somebody_else_sets_its_weights(place: Place) -> None:
    place.deploy(NEW)
    place.goes_on()
    place.site.shift(50, 50)
    assert place.weights() == (50, 50)


def test_it_is_followed_once_it_has_a_canary(place: Place) -> None:
    assert place.watch.watched()[0].service == "backend"
    place.deploy(NEW)
    place.goes_on()
    charts = dict(Charts(place.watch).elements())
    assert place.watch.watched()[0] is place.site
    assert next(iter(charts)) == "chart-frontend-production"
    assert "production · shifted by ECS" in str(charts["chart-frontend-production"])
