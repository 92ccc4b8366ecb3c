"""How replicas are counted that start, restart, vanish and differ: on a real Prometheus, and on the
playground's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from bot.model.canary import Arms, Past, Reading, Wanted
from bot.model.canary_plan import CanaryPlan, Native, Prometheus
from bot.model.counts import Arm, Thresholds
from bot.model.errors import Misconfigured, Transient
from bot.model.rollout import Grade
from bot.providers.prometheus import PrometheusMetrics
from bot.providers.prometheus.api import PrometheusApi
from tests.contracts.local_prometheus import Prometheus as Server
from tests.contracts.local_prometheus import local_prometheus
from tests.contracts.metric_stages import spec_of
from tests.contracts.real_prometheus import (
    PROGRAM,
    STALE,
    WHY_NOT,
    Sample,
    running_prometheus,
)

NUMBERS = count()
#: What a counter said, by seconds since the start.
Samples = Mapping[int, float] | Mapping[float, float]
LONG_AGO = datetime(2023, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module", params=["real", "local"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    if request.param == "local":
        with local_prometheus() as local:
            yield local
        return
    if PROGRAM is None:
        pytest.skip(WHY_NOT)
    with running_prometheus(tmp_path_factory.mktemp("prometheus")) as real:
        yield real


@dataclass
class Place:
    """Two versions on the server, at hours that no other test has."""

    server: Server
    api: PrometheusApi
    start: datetime
    plan: Prometheus

    def scraped(
        self, pod: str, metric: str, samples: Samples, app: str = "new", **labels: str
    ) -> None:
        """What a counter of a replica of the canary said, by seconds since the start."""
        name = {"__name__": metric, "app": app, "pod": pod, "instance": f"{pod}:80", **labels}
        self.server.write([(name, [self._sample(at, value) for at, value in samples.items()])])

    def requests(self, pod: str, samples: Samples, code: str = "200") -> None:
        self.scraped(pod, "http_requests_total", samples, code=code)

    def _sample(self, at: float, value: float) -> Sample:
        return self.start + timedelta(seconds=at), value

    def read(self, ticks: int = 1, **changes: Any) -> list[Arm]:
        """The canary's."""
        return [each.canary for each in self.readings(ticks, **changes)]

    def readings(self, ticks: int = 1, **changes: Any) -> list[Reading]:
        plan = CanaryPlan(native=Native(), prometheus=self.plan)
        wanted = replace(
            Wanted("one", spec_of(plan), Arms("old", "new"), self.start, None, None), **changes
        )
        length = timedelta(seconds=30 if self.plan.scrape_interval <= timedelta(seconds=15) else 60)
        now = self.start + ticks * length + timedelta(seconds=30)
        found = PrometheusMetrics(self.api).readings([wanted], now)
        for fault in found.faults.values():
            raise fault
        return list(found.seen["one"])

    def past(self) -> Past:
        spec = spec_of(CanaryPlan(native=Native(), prometheus=self.plan))
        until = self.start + timedelta(seconds=30)
        return PrometheusMetrics(self.api).past(spec, Arms("old", "new"), until)


@pytest.fixture
def place(server: Server) -> Iterator[Place]:
    api = PrometheusApi()
    start = LONG_AGO + next(NUMBERS) * timedelta(hours=6)
    plan = Prometheus(url=server.url, labels='app="{{version}}"', durations="seconds")
    yield Place(server, api, start, plan)
    api.close()


def steadily(since: float, per_scrape: float, number: int, first: float = 0) -> dict[float, float]:
    """A counter that is scraped every 15 seconds."""
    return {since + 15 * each: first + per_scrape * each for each in range(number)}


def test_replicas_are_counted_each_and_then_summed(place: Place) -> None:
    place.requests("a", steadily(-10, 5, 6))
    place.requests("b", steadily(-3, 7, 6, first=1_000_000))
    assert place.read() == [Arm(4 * 5 + 4 * 7)]


def test_counts_are_whole_and_not_extrapolated(place: Place) -> None:
    """``increase`` would make more than 7 of these 6: it adds to both ends of the tick."""
    place.requests("a", {-10: 0, 5: 0, 20: 3, 35: 3, 50: 6})
    assert place.read() == [Arm(6)]


def test_the_first_failed_request_of_a_replica_is_seen(place: Place) -> None:
    """A series begins with it; ``increase`` takes that for nothing."""
    place.requests("a", steadily(-10, 5, 6))
    place.requests("a", {35: 1, 50: 1}, code="503")
    assert place.read() == [Arm(21, 1)]


def test_a_restart_counts_from_its_second_scrape_on(place: Place) -> None:
    place.requests("a", {-10: 500, 5: 510, 20: 520, 35: 4, 50: 9})
    place.requests("a", {-10: 7, 5: 7, 20: 8, 35: STALE}, code="500")
    place.requests("a", {35: 3, 50: 4}, code="503")
    assert place.read() == [Arm(10 + 11 + 6, 1 + 1)]


def test_series_that_are_dropped_make_no_requests(place: Place) -> None:
    """Some exporters forget what was idle for long: the rest is no restart's first count."""
    place.requests("a", {-10: 90_000, 5: 90_000, 20: 90_000, 35: STALE}, code="301")
    place.requests("a", steadily(-10, 5, 6, first=80_000))
    assert place.read() == [Arm(5 + 5 + 5)]


def test_errors_that_are_dropped_take_none_from_other_replicas(place: Place) -> None:
    place.requests("a", {-10: 40, 5: 40, 20: 40, 35: STALE}, code="500")
    place.requests("a", steadily(-10, 50, 6))
    place.requests("b", {-10: 0, 5: 0, 20: 0, 35: 3, 50: 3}, code="500")
    assert place.read() == [Arm(50 + 50 + (50 - 40) + 3 + 50, 3)]


def test_what_a_new_replica_had_counted_before_is_not_counted(place: Place) -> None:
    place.requests("a", steadily(-10, 5, 6))
    place.requests("b", {20: 40, 35: 47, 50: 54})
    place.requests("b", {20: 3, 35: 3, 50: 4}, code="500")
    assert place.read() == [Arm(4 * 5 + 7 + 7 + 1, 1)]


def test_what_fell_into_a_scrape_gap_is_lost_and_no_restart(place: Place) -> None:
    """A scrape that failed ends all series of its replica, until the next one that does not."""
    ok = {-10: 0, 5: 10, 20: STALE, 35: 30, 50: 40}
    failed = {-10: 0, 5: 0, 20: STALE, 35: 5, 50: 6}
    place.requests("a", ok)
    place.requests("a", failed, code="500")
    assert place.read() == [Arm(10 + 10 + 1, 1)]


def test_a_tick_without_any_scrape_counts_nothing(place: Place) -> None:
    place.requests("a", {-10: 0, 5: 10, 20: 20, 35: STALE, 125: 900, 140: 910, 155: 920, 170: 930})
    assert place.read(3) == [Arm(20), Arm(0), Arm(30)]


def test_a_replica_that_is_gone_takes_nothing_back(place: Place) -> None:
    place.requests("a", steadily(-10, 5, 6))
    place.requests("b", {-10: 100, 5: 110, 20: STALE})
    assert place.read() == [Arm(20 + 10)]


def test_ticks_lose_nothing_between_them(place: Place) -> None:
    place.requests("a", steadily(-10, 3, 26))
    assert sum(each.requests for each in place.read(6)) == 3 * 24


def test_scrapes_once_a_minute_fill_a_minute(place: Place) -> None:
    place.requests("a", {-20 + 60 * each: 100.0 * each for each in range(6)})
    assert place.read(4) == [Arm(100)] * 4


def test_frequent_scrapes_make_shorter_ticks(place: Place) -> None:
    changes = {"scrape_interval": timedelta(seconds=15)}
    place.plan = place.plan.model_copy(update=changes)
    place.requests("a", steadily(-10, 5, 10))
    found = place.readings(4)
    assert [each.seconds for each in found] == [30] * 4
    assert [each.canary.requests for each in found] == [10] * 4
    assert place.past().tick_seconds == 30
    assert len(place.past().ticks) == 120


def histogram(
    place: Place, pod: str, app: str, buckets: Mapping[str, float], hours: int = 1
) -> None:
    """Cumulative counts after an hour that began with none; a sample a minute."""
    for le, total in buckets.items():
        grown = {60 * each - 3700.0: total * each / 60 for each in range(60 * hours + 1)}
        place.scraped(pod, "seconds_bucket", grown, app, le=le)
        if le == "+Inf":
            place.scraped(pod, "seconds_count", grown, app)
            place.scraped(pod, "http_requests_total", grown, app, code="200")


def test_quantiles_of_the_past_are_bounds_of_the_histogram(place: Place) -> None:
    histogram(place, "a", "old", {"0.1": 4200, "0.2": 4560, "0.5": 5700, "1": 5940, "+Inf": 6000})
    past = place.past()
    # A quarter of 6,000 is beyond none of them: 0.2 s (24 %) is nearest, then 0.5 s (5 %).
    assert past.quantiles == (0.2, 0.5, 1.0)
    first, *_, last = (each for each in past.ticks if each.requests)
    assert first == last == Arm(100, 0, (24, 5, 1), 5)


def test_what_has_just_taken_over_is_waited_for(place: Place) -> None:
    """Told apart by their pods' hash, it has no past, which is not that nobody comes."""
    place.scraped("a", "http_requests_total", {-20: 4000, -5: 6000, 10: 8000, 25: 9000}, "old")
    with pytest.raises(Transient, match="began so lately"):
        place.past()


def test_what_nobody_asks_is_measured_all_the_same(place: Place) -> None:
    place.scraped("a", "http_requests_total", steadily(-3700, 0, 250, first=700), "old")
    past = place.past()
    assert past.quantiles is None
    assert {each.requests for each in past.ticks} == {0}


def test_replicas_that_differ_are_told_with_their_number(place: Place) -> None:
    for pod, median in (("a", 0.09), ("b", 0.1), ("c", 0.11)):
        halves = {f"{median - 0.01:g}": 0, f"{median + 0.01:g}": 6000, "+Inf": 6000}
        histogram(place, pod, "old", halves)
    histogram(place, "seldom", "old", {"5": 0, "10": 50, "+Inf": 50})
    deviation, number = place.past().pods
    assert number == 3
    assert deviation == pytest.approx(0.1, abs=0.002)


def test_between_bounds_the_canary_is_given_the_benefit(place: Place) -> None:
    for app in ("old", "new"):
        for le, total in {"0.1": 60, "0.2": 76, "0.5": 95, "1.0": 99, "+Inf": 100}.items():
            place.scraped("a", "seconds_bucket", {-10: 0, 20: total}, app, le=le)
        place.scraped("a", "seconds_count", {-10: 0, 20: 100}, app)
        place.scraped("a", "http_requests_total", {-10: 0, 20: 100}, app, code="200")
    slow = Thresholds((0.2, 0.5, 1.0), 0.5, 0.4)
    slower = Thresholds((0.23, 0.575, 1.15), 2.5, 0.4)
    (found,) = place.readings(canary=slower, stable=slow)
    assert found.canary == Arm(100, 0, (5, 1, 0), 0, 5)
    assert found.stable == Arm(100, 0, (24, 5, 1), 5, 5)


def examined(place: Place) -> list[tuple[Grade, str]]:
    spec = spec_of(CanaryPlan(native=Native(), prometheus=place.plan))
    found = PrometheusMetrics(place.api).examine(spec, place.start)
    return [(each.grade, each.found) for each in found]


def test_doctor_tells_what_canaries_are_judged_by(place: Place) -> None:
    fine = {"0.1": 4500, "0.12": 4600, "0.15": 5700, "0.2": 5940, "0.25": 5990, "+Inf": 6000}
    histogram(place, "a", "old", fine)
    histogram(place, "b", "old", fine)
    ((grade, found),) = examined(place)
    assert grade is Grade.OK
    assert "requests of 2 replicas in the last hour" in found
    assert place.server.url not in found


def test_doctor_tells_of_a_metric_that_is_not_there(place: Place) -> None:
    ((grade, found),) = examined(place)
    assert grade is Grade.WARNING
    assert found.endswith('has no http_requests_total by app="{{version}}"')


def test_doctor_tells_what_weakens_the_judge(place: Place) -> None:
    changes = {"pod": "kubernetes_pod_name", "scrape_interval": timedelta(seconds=15)}
    place.plan = place.plan.model_copy(update=changes)
    histogram(place, "a", "old", {"0.1": 4500, "0.5": 5700, "5": 5940, "+Inf": 6000})
    found = examined(place)
    assert {grade for grade, _ in found} == {Grade.WARNING}
    text = " ".join(words for _, words in found)
    assert 'no label "kubernetes_pod_name"' in text
    assert "a scrape comes about every 67 s" in text
    assert "slower than 5s is never told from others" in text


def test_doctor_tells_of_missing_response_times(place: Place) -> None:
    place.requests("a", steadily(-3000, 5, 200))
    ((grade, found),) = examined(place)
    assert grade is Grade.WARNING
    assert "response times are not measured: seconds_bucket is not there" in found
    place.plan = place.plan.model_copy(update={"durations": None})
    ((_, found),) = examined(place)
    assert '"durations" is not given' in found


def test_versions_are_told_apart_by_a_pattern_too(place: Place) -> None:
    place.plan = place.plan.model_copy(update={"labels": 'app="new",pod=~"{{version}}-[a-z]+",'})
    for pod in ("web-1.0-a", "web-1.0-b", "web-1x0-c"):
        place.requests(pod, steadily(-10, 5, 6))
    assert place.read(arms=Arms("old", "web-1.0")) == [Arm(40)]


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "a'b", "a{b}"])
def test_any_name_of_a_version_is_quoted(place: Place, name: str) -> None:
    place.scraped("a", "http_requests_total", steadily(-10, 5, 6), app=name, code="200")
    assert place.read(arms=Arms("old", name)) == [Arm(20)]


def test_a_query_that_cannot_be_is_told_and_not_the_others_fault(place: Place) -> None:
    place.requests("a", steadily(-10, 5, 6))
    good = spec_of(CanaryPlan(native=Native(), prometheus=place.plan))
    broken = place.plan.model_copy(update={"failed": "code=~"})
    bad = spec_of(CanaryPlan(native=Native(), prometheus=broken))
    wanted = [
        Wanted(
            f"{number}", bad if number == 3 else good, Arms("old", "new"), place.start, None, None
        )
        for number in range(9)
    ]
    found = PrometheusMetrics(place.api).readings(wanted, place.start + timedelta(seconds=90))
    assert set(found.faults) == {"3"}
    fault = found.faults["3"]
    assert isinstance(fault, Misconfigured)
    assert "parse error" in fault.message
    assert {name for name, readings in found.seen.items() if readings[0].canary == Arm(20)} == {
        f"{number}" for number in range(9) if number != 3
    }
