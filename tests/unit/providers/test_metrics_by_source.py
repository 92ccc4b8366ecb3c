"""Which source judges a target's canaries, and that one does not spoil the other's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from typing_extensions import override

from bot.model.canary import Arms, Readings, Wanted
from bot.model.canary_plan import CanaryPlan, Native, Prometheus
from bot.model.catalog import TargetSpec
from bot.model.errors import AccessDenied, Unreachable
from bot.model.rollout import Finding, Grade
from bot.providers.metrics import MetricsBySource
from bot.providers.ticks import Closing
from tests.contracts.metric_stages import spec_of
from tests.fakes.metrics import FakeMetrics, Traffic

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)
BY_DEFAULT = spec_of(CanaryPlan(native=Native()))
BY_PROMETHEUS = spec_of(
    CanaryPlan(
        native=Native(), prometheus=Prometheus(url="http://prometheus", labels='app="{{version}}"')
    )
)
NONE = BY_DEFAULT.model_copy(update={"canary": None})
ARMS = Arms("stable", "canary")


class Place:
    def __init__(self) -> None:
        self.cloudwatch = FakeMetrics()
        self.prometheus = FakeMetrics(Closing(30, timedelta(seconds=30)))
        self.metrics = MetricsBySource(self.cloudwatch, self.prometheus)


@pytest.fixture
def place() -> Place:
    return Place()


def wish(name: str, spec: TargetSpec) -> Wanted:
    return Wanted(name, spec, ARMS, NOON, None, None)


def test_each_plan_s_own_source_is_asked_once(place: Place) -> None:
    place.cloudwatch.serve("stable", NOON, Traffic((0.1,)))
    place.prometheus.serve("stable", NOON, Traffic((0.1, 0.1)))
    wanted = [
        wish("one", BY_DEFAULT),
        wish("two", BY_PROMETHEUS),
        wish("three", BY_DEFAULT),
        wish("four", BY_PROMETHEUS),
    ]
    found = place.metrics.readings(wanted, LATER)
    assert {name: seen[0].stable.requests for name, seen in found.seen.items()} == {
        "one": 1,
        "three": 1,
        "two": 2,
        "four": 2,
    }
    assert (place.cloudwatch.calls, place.prometheus.calls) == ([2], [2])
    assert place.metrics.past(BY_DEFAULT, ARMS, LATER).tick_seconds == 60
    assert place.metrics.past(BY_PROMETHEUS, ARMS, LATER).tick_seconds == 30


def test_a_source_that_nobody_wants_is_not_asked(place: Place) -> None:
    place.metrics.readings([wish("one", BY_DEFAULT)], LATER)
    assert place.prometheus.calls == []


def test_a_source_that_fails_as_a_whole_fails_only_its_own(place: Place) -> None:
    class Broken(FakeMetrics):
        @override
        def readings(self, wanted: Sequence[Wanted], now: datetime) -> Readings:
            raise Unreachable("It does not answer.")

    place.metrics = MetricsBySource(place.cloudwatch, Broken())
    found = place.metrics.readings([wish("one", BY_DEFAULT), wish("two", BY_PROMETHEUS)], LATER)
    assert (set(found.seen), set(found.faults)) == ({"one"}, {"two"})


def test_what_a_source_finds_is_told(place: Place) -> None:
    finding = Finding("backend/staging", Grade.OK, "all is well", "")
    place.prometheus.findings = [finding]
    assert place.metrics.examine(BY_PROMETHEUS, NOON) == [finding]
    assert place.metrics.examine(NONE, NOON) == []


def test_a_fault_is_a_finding(place: Place) -> None:
    place.cloudwatch.break_next(AccessDenied("AWS denied it.", hint="Allow it."))
    (found,) = place.metrics.examine(BY_DEFAULT, NOON)
    assert found == Finding("backend/staging", Grade.ERROR, "AWS denied it.", "Allow it.")
