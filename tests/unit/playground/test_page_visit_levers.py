"""Levers of the visitors: what they do to the traffic, to the new version and to the rule."""

from __future__ import annotations

import re

import pytest

from bot.playground.aws.world import World
from bot.playground.page.arms import Watch
from bot.playground.page.panels import draw_panel
from bot.playground.page.sites import behind_balancers
from bot.playground.page.visit_levers import TRAITS, VisitLevers
from bot.playground.slack.refusal import CannotDo
from bot.playground.tour.fleet import NEW, OLD, furnish, image_of
from bot.playground.tour.visitors import front_of


class Place:
    def __init__(self) -> None:
        self.world = World(speed=0.0)
        self.visited = furnish(self.world)
        self.levers = VisitLevers(Watch([*behind_balancers(self.world, self.visited)]))

    def pull(self, name: str, **arguments: str) -> str:
        return self.levers.pulls[name](arguments)

    def drawn(self, name: str) -> str:
        (panel,) = [each for each in self.levers.panels() if each.id == f"lever-{name}"]
        return str(draw_panel(panel))

    def begin(self, image: str, environment: str = "production") -> None:
        self.world.create_service(
            environment,
            "backend-canary",
            family=f"backend-{environment}",
            container="app",
            image=image,
            repository="backend",
            desired=1,
            target_group=front_of(self.visited, "backend", environment).canary,
        )

    def weights(self, environment: str = "production") -> list[int]:
        rule = front_of(self.visited, "backend", environment).rule
        return list(self.world.balancers.weights(rule).values())


@pytest.fixture
def place() -> Place:
    return Place()


def pressed(drawn: str) -> list[str]:
    return re.findall(r'aria-pressed="true">([^<]+)<', drawn)


@pytest.mark.parametrize(("crowd", "production"), [("0", 0), ("0.1", 20), ("5", 1000), ("1", 200)])
def test_more_or_fewer_visitors_come(place: Place, crowd: str, production: float) -> None:
    said = place.pull("visitors", crowd=crowd)
    rule = front_of(place.visited, "backend", "production").rule
    assert place.world.traffic.flow.stream(rule).per_second == production
    assert said.startswith("Visitors of backend: ")
    assert f"{production:g}/s in production" in place.drawn("visitors")
    assert len(pressed(place.drawn("visitors"))) == 1


@pytest.mark.parametrize(
    ("trait", "option"),
    [(name, option) for name, each in TRAITS.items() for option in each.options],
)
def test_the_new_version_gets_what_was_chosen_and_says_so(
    place: Place, trait: str, option: str
) -> None:
    said = place.pull("trait", trait=trait, option=option)
    label, levers = TRAITS[trait].options[option]
    version = place.world.traffic.version(image_of(place.world, "backend", NEW).digest)
    assert {name: getattr(version, name) for name in levers} == dict(levers)
    assert pressed(place.drawn(trait)) == [label]
    assert f"of backend {NEW}" in place.drawn(trait)
    assert said == f"backend {NEW}: {TRAITS[trait].title.lower()} {label}, from now on."
    place.pull("trait", trait=trait, option="usual")
    assert "w-pulled" not in place.drawn(trait)


def test_what_a_canary_runs_is_what_levers_act_on(place: Place) -> None:
    place.begin(OLD, "staging")
    place.pull("trait", trait="errors", option="many")
    assert place.world.traffic.version(image_of(place.world, "backend", OLD).digest).errors == 0.2
    assert place.world.traffic.version(image_of(place.world, "backend", NEW).digest).errors < 0.01


def test_without_a_canary_it_is_the_newest_version_that_starts(place: Place) -> None:
    place.world.push("backend", "v1.10.0")
    place.world.push("backend", "v1.11.0", "crashing")
    assert "of backend v1.10.0" in place.drawn("errors")


def test_a_leak_begins_when_its_lever_is_pulled(place: Place) -> None:
    place.world.advance(600)
    place.pull("trait", trait="leak", option="errors")
    version = place.world.traffic.version(image_of(place.world, "backend", NEW).digest)
    now = version.now()
    assert version.error_rate(0.0, now) == pytest.approx(0.001)
    assert version.error_rate(0.0, now + 60) == pytest.approx(0.021)


def test_an_incident_harms_both_until_it_is_ended(place: Place) -> None:
    place.pull("incident", state="on")
    assert "w-pulled" in place.drawn("incident")
    with pytest.raises(CannotDo, match="one already"):
        place.pull("incident", state="on")
    place.world.advance(3600)
    assert "w-pulled" in place.drawn("incident")
    assert place.pull("incident", state="over") == "The incident is over."
    with pytest.raises(CannotDo, match="none"):
        place.pull("incident", state="over")
    assert place.world.traffic.flow.incidents == []


def test_somebody_else_sets_the_weights_where_the_canary_is(place: Place) -> None:
    said = place.pull("weights", weights="50:50")
    assert said == "Somebody else set the weights of backend in production to 50:50, past the bot."
    assert place.weights() == [50, 50]
    assert pressed(place.drawn("weights")) == ["50:50"]
    place.begin(NEW, "staging")
    assert "staging: 100:0." in place.drawn("weights")
    place.pull("weights", weights="0:100")
    assert (place.weights("staging"), place.weights()) == ([0, 100], [50, 50])


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("visitors", {"crowd": "7"}),
        ("trait", {"trait": "mood", "option": "usual"}),
        ("trait", {"trait": "errors", "option": "none"}),
        ("incident", {}),
        ("weights", {"weights": "1:1"}),
        ("weights", {"weights": "50:50", "service": "analytics"}),
        ("watch", {"service": "analytics"}),
    ],
)
def test_words_that_mean_nothing_are_refused(
    place: Place, name: str, arguments: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="There is no"):
        place.pull(name, **arguments)


def test_every_button_does_what_it_says(place: Place) -> None:
    for panel in (place.levers.choice(), *place.levers.panels()):
        for button in panel.buttons:
            assert place.pull(button.lever, **button.arguments).endswith(".")
