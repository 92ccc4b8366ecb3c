"""Which service charts and levers are of, whatever kinds of sites there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from typing_extensions import override

from bot.playground.aws.arrivals import Moment
from bot.playground.page.arms import Arm, Arms, Recent, Site, Subject, Watch
from bot.playground.page.charts import Charts
from bot.playground.page.panels import draw_panel
from bot.playground.page.visit_levers import TRAITS, VisitLevers

NOTHING = Arm(0, "", "", 0, 0)


@dataclass
class Shop(Site):
    """A site of no kind in particular: it does as it is told, and remembers it."""

    service: str
    environment: str = "production"
    behind: str = "mesh"
    per_second: float = 100.0
    canary: Arm = NOTHING
    levers: dict[str, float] = field(default_factory=dict)
    comes: float = 1.0
    hurt: bool = False
    weights: tuple[int, int] = (100, 0)

    @override
    def arms(self) -> Arms:
        return Arms(Arm(100 - self.canary.weight, "v1", "sha256:1", 4, 4), self.canary)

    @override
    def recent(self, seconds: float) -> Recent:
        return [Moment(1000.0, 5.0, 500, 1, 0.04, 0.09, 0.9)], []

    @override
    def subject(self) -> Subject:
        usual = {
            name: value
            for trait in TRAITS.values()
            for name, value in trait.options[trait.usual][1].items()
        }
        return Subject("v2", {**usual, **self.levers})

    @override
    def bend(self, levers: Mapping[str, float]) -> None:
        self.levers.update(levers)

    @override
    def crowd(self, factor: float) -> None:
        self.comes = factor

    @override
    def suffering(self) -> bool:
        return self.hurt

    @override
    def suffer(self, errors: float, latency: float) -> None:
        self.hurt = True

    @override
    def calm(self) -> None:
        self.hurt = False

    @override
    def shift(self, stable: int, canary: int) -> None:
        self.weights = (stable, canary)

    def begin(self) -> None:
        self.canary = Arm(10, "v2", "sha256:2", 1, 1)


class Street:
    def __init__(self) -> None:
        self.backend, self.staging = Shop("backend"), Shop("backend", "staging")
        self.frontend = Shop("frontend")
        self.watch = Watch([self.staging, self.backend, self.frontend])
        self.levers = VisitLevers(self.watch)
        self.charts = Charts(self.watch)

    def pull(self, name: str, **arguments: str) -> str:
        return self.levers.pulls[name](arguments)

    def shown(self) -> list[str]:
        return [name for name, _ in self.charts.elements()]

    def titles(self) -> str:
        return "".join(str(draw_panel(each)) for each in self.levers.panels())


@pytest.fixture
def street() -> Street:
    return Street()


def test_until_somebody_chooses_the_first_service_is_watched(street: Street) -> None:
    assert street.watch.watched()[0] is street.backend
    assert street.shown() == ["chart-backend-production"]


def test_or_else_the_one_that_has_a_canary(street: Street) -> None:
    street.frontend.begin()
    assert street.watch.watched()[0] is street.frontend
    assert "of frontend v2" in street.titles()
    assert street.shown() == ["chart-frontend-production"]


def test_what_was_chosen_stays_whatever_else_has_a_canary(street: Street) -> None:
    assert street.pull("watch", service="backend") == "Charts and levers are those of backend."
    street.frontend.begin()
    assert "of backend v2" in street.titles()
    assert street.shown() == ["chart-backend-production", "chart-frontend-production"]
    drawn = str(draw_panel(street.levers.choice()))
    assert 'data-service="backend" aria-pressed="true"' in drawn
    assert 'data-service="frontend" aria-pressed="false"' in drawn


def test_within_a_service_it_is_where_the_canary_is(street: Street) -> None:
    street.pull("watch", service="backend")
    street.staging.begin()
    assert street.watch.watched()[0] is street.staging


def test_a_button_acts_on_the_service_it_was_drawn_for(street: Street) -> None:
    buttons = [each for panel in street.levers.panels() for each in panel.buttons]
    street.pull("watch", service="frontend")
    for each in buttons:
        if each.lever != "incident":
            street.pull(each.lever, **each.arguments)
    assert (street.backend.comes, street.staging.comes) == (5.0, 5.0)
    assert street.backend.weights == (0, 100)
    assert street.backend.levers
    assert (street.frontend.comes, street.frontend.weights) == (1.0, (100, 0))
    assert not street.frontend.levers


def test_each_service_has_its_own_visitors(street: Street) -> None:
    street.pull("visitors", service="frontend", crowd="0.1")
    assert "100/s in production and 100/s in staging." in street.titles()
    street.pull("watch", service="frontend")
    assert "10/s in production." in street.titles()


def test_an_incident_harms_every_service(street: Street) -> None:
    street.pull("incident", state="on")
    assert all(each.hurt for each in (street.backend, street.staging, street.frontend))
    street.pull("incident", state="over")
    assert not any(each.hurt for each in (street.backend, street.staging, street.frontend))


def test_what_stands_before_a_service_is_told(street: Street) -> None:
    assert "production · mesh" in str(street.charts.elements()[0][1])
