"""The Rollout of the demo on the page: its two versions, and what can be done to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.model.deployment import Target
from bot.playground.aws.world import World
from bot.playground.page.arms import Watch
from bot.playground.page.charts import Charts
from bot.playground.page.pods import Pods
from bot.playground.page.visit_levers import VisitLevers
from bot.playground.slack.refusal import CannotDo
from bot.playground.tour.cluster import SEARCH, Cluster
from bot.playground.tour.fleet import NEW, OLD, catalog, furnish, furnish_cluster, image_of
from bot.playground.tour.pod_visitors import ENVIRONMENT, PER_SECOND, PodVisitors
from bot.playground.tour.visitors import canary_plans
from bot.settings.catalog_file import load

PLACE = (ENVIRONMENT, SEARCH)


class Place:
    """search on a cluster whose time a test moves; visitors come when it says so."""

    def __init__(self, folder: Path) -> None:
        self.world = World(speed=0.0)
        self.visited = furnish(self.world)
        self.cluster = Cluster(self.world, folder, 0.0)
        furnish_cluster(self.world, self.cluster)
        self.pods = PodVisitors(self.world, self.cluster)
        self.pods.visits.catch_up()
        self.site = Pods(self.world, self.cluster.kube, self.pods.visits, PLACE)
        self.levers = VisitLevers(Watch([self.site]))

    def begin(self, version: str = NEW) -> None:
        digest = image_of(self.world, SEARCH, version).digest
        self.cluster.deploy_aside(SEARCH, ENVIRONMENT, version, digest)
        self.cluster.kube.advance(60)

    def pull(self, name: str, **arguments: str) -> str:
        return self.levers.pulls[name](arguments)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.cluster.git.close()


def test_at_rest_all_of_it_is_the_stable_version(place: Place) -> None:
    arms = place.site.arms()
    assert (arms.stable.version, arms.stable.weight) == (OLD, 100)
    assert (arms.stable.healthy, arms.stable.targets) == (4, 4)
    assert not arms.canary.there
    assert arms.share == 0


def test_a_canary_has_the_weight_of_its_step(place: Place) -> None:
    place.begin()
    arms = place.site.arms()
    assert (arms.stable.version, arms.stable.weight, arms.stable.healthy) == (OLD, 90, 4)
    assert (arms.canary.version, arms.canary.weight, arms.canary.healthy) == (NEW, 10, 1)
    assert arms.canary.digest == image_of(place.world, SEARCH, NEW).digest


def test_the_past_is_drawn_at_once(place: Place) -> None:
    ((name, drawn),) = Charts(Watch([place.site])).elements()
    assert name == "chart-search-production"
    assert "search" in drawn
    assert "production · Ingress" in drawn
    stable, _ = place.site.recent(600)
    assert sum(each.requests for each in stable) == pytest.approx(PER_SECOND * 600, rel=0.1)


def test_levers_are_of_the_canary_or_of_what_may_be_next(place: Place) -> None:
    assert place.site.subject().tag == NEW
    place.pull("trait", trait="errors", option="many")
    assert place.world.traffic.version(image_of(place.world, SEARCH, NEW).digest).errors == 0.2
    assert place.site.subject().levers["errors"] == 0.2
    place.world.push(SEARCH, "v1.9.0")
    assert place.site.subject().tag == "v1.9.0"
    place.begin(NEW)
    assert place.site.subject().tag == NEW


def test_a_leak_is_of_its_version(place: Place) -> None:
    place.pull("trait", trait="leak", option="errors")
    assert place.site.subject().levers["leak_errors"] == 0.02


def test_visitors_and_incidents_are_its_own(place: Place) -> None:
    assert place.pull("visitors", crowd="5") == "Visitors of search: 5 times."
    place.pull("incident", state="on")
    assert place.site.suffering()
    assert place.world.traffic.flow.incidents == []
    place.pull("incident", state="over")
    assert not place.site.suffering()


def test_somebody_else_promotes_it_fully(place: Place) -> None:
    place.begin()
    said = place.pull("weights", weights="promote --full")
    assert said == (
        "Somebody else told the Rollout of search in production to promote --full, past the bot."
    )
    place.cluster.kube.advance(120)
    arms = place.site.arms()
    assert (arms.stable.version, arms.stable.weight) == (NEW, 100)
    assert not arms.canary.there


def test_somebody_else_aborts_it(place: Place) -> None:
    place.begin()
    place.pull("weights", weights="abort")
    place.cluster.kube.advance(10)
    arms = place.site.arms()
    assert (arms.stable.version, arms.stable.weight, arms.canary.weight) == (OLD, 100, 0)


@pytest.mark.parametrize("hand", ["abort", "promote --full"])
def test_without_a_canary_there_is_nothing_to_tell_it(place: Place, hand: str) -> None:
    with pytest.raises(CannotDo, match="no canary"):
        place.pull("weights", weights=hand)


def test_weights_are_not_set_by_hand(place: Place) -> None:
    with pytest.raises(ValueError, match="choose abort, promote --full"):
        place.pull("weights", weights="50:50")


def test_its_plan_is_one_while_prometheus_answers(place: Place, tmp_path: Path) -> None:
    assert place.pods.canary_plans() == {}
    with place.pods:
        plans = {**canary_plans(place.visited), **place.pods.canary_plans()}
        path = tmp_path / "quarterdeck.yaml"
        path.write_text(catalog(place.cluster, plans))
        assert "http://127.0.0.1:" in plans[SEARCH, ENVIRONMENT]
    spec = load(path).spec(Target(SEARCH, ENVIRONMENT))
    assert spec is not None
    assert spec.canary is not None
    assert [step.share for step in spec.canary.steps] == [0.1, 0.5]
