"""What every source of metrics promises: in memory, on CloudWatch, on Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest

from bot.model.canary import Reading, Wanted
from bot.model.counts import Arm, Thresholds
from bot.model.errors import Misconfigured, QuarterdeckError, Transient
from tests.contracts.local_prometheus import Prometheus as Server
from tests.contracts.local_prometheus import local_prometheus
from tests.contracts.metric_stages import (
    CloudWatchStage,
    FakeStage,
    MetricsStage,
    PrometheusStage,
)
from tests.contracts.real_prometheus import PROGRAM, WHY_NOT, RealPrometheus, running_prometheus
from tests.contracts.stages import local_aws
from tests.fakes.metrics import Traffic

SLOW = Thresholds((0.1, 0.25, 0.5), 0.25, 1.0)
SLOWER = Thresholds((0.25, 0.5, 1.0), 2.5, 1.0)
#: One in each bucket, and one beyond all.
ALL_TIMES = (0.03, 0.07, 0.2, 0.4, 0.8, 1.7, 5.0)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPrometheus | None]:
    if PROGRAM is None:
        yield None
        return
    with running_prometheus(tmp_path_factory.mktemp("prometheus")) as server:
        yield server


@pytest.fixture(params=["fake", "cloudwatch", "prometheus", "local_prometheus"])
def stage(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    prometheus: RealPrometheus | None,
) -> Iterator[MetricsStage]:
    match request.param:
        case "fake":
            yield FakeStage()
        case "cloudwatch":
            with local_aws(monkeypatch) as aws:
                yield CloudWatchStage(aws)
        case "local_prometheus":
            with local_prometheus() as local:
                yield from _on(local)
        case _:
            if prometheus is None:
                pytest.skip(WHY_NOT)
            yield from _on(prometheus)


def _on(server: Server) -> Iterator[MetricsStage]:
    place = PrometheusStage(server)
    yield place
    place.close()


def fast(requests: int, failed: int = 0) -> Traffic:
    return Traffic((0.03,) * requests, failed)


def wish(stage: MetricsStage, since: float = 0, **changes: Any) -> Wanted:
    wanted = Wanted("backend-1", stage.spec, stage.arms, stage.at(since), SLOWER, SLOW)
    return replace(wanted, **changes)


def read(stage: MetricsStage, tick: int, wanted: Wanted | None = None) -> Sequence[Reading]:
    """What is handed out when the tick of that number is closed."""
    asked = wanted or wish(stage)
    found = stage.metrics.readings([asked], stage.closes(tick))
    for fault in found.faults.values():
        raise fault
    return found.seen[asked.deployment_id]


def test_each_version_is_counted_beyond_its_own_thresholds(stage: MetricsStage) -> None:
    for version in (stage.arms.stable, stage.arms.canary):
        stage.serve(version, 0, Traffic(ALL_TIMES, failed=2))
    (reading,) = read(stage, 0)
    assert reading.canary == Arm(7, 2, (4, 3, 2), 1, 2)
    assert reading.stable == Arm(7, 2, (5, 4, 3), 4, 2)


def test_ticks_are_aligned_and_as_long_as_they_say(stage: MetricsStage) -> None:
    for tick in range(3):
        stage.serve(stage.arms.stable, tick, fast(10 + tick))
    found = read(stage, 2, wish(stage, since=0.3))
    assert [each.begins for each in found] == [stage.at(1), stage.at(2)]
    assert {each.seconds for each in found} == {stage.closing.seconds}
    assert [each.stable.requests for each in found] == [11, 12]
    assert all(each.begins.tzinfo is UTC for each in found)


def test_a_tick_is_handed_out_once_nothing_is_added_to_it(stage: MetricsStage) -> None:
    stage.serve(stage.arms.stable, 0, fast(10))
    early = stage.closes(0) - timedelta(seconds=1)
    assert not stage.metrics.readings([wish(stage)], early).seen["backend-1"]
    assert len(read(stage, 0)) == 1


def test_ticks_follow_each_other_and_stay_as_they_were(stage: MetricsStage) -> None:
    kept: list[Reading] = []
    for tick in range(4):
        stage.serve(stage.arms.stable, tick, fast(90 + tick, failed=1))
        stage.serve(stage.arms.canary, tick, fast(10 + tick))
        kept += read(stage, tick, wish(stage, since=len(kept)))
    assert [each.stable.requests for each in kept] == [90, 91, 92, 93]
    assert [each.canary.requests for each in kept] == [10, 11, 12, 13]
    assert list(read(stage, 3)) == kept


def test_a_version_without_requests_counts_none(stage: MetricsStage) -> None:
    stage.serve(stage.arms.stable, 0, fast(90, failed=3))
    (reading,) = read(stage, 0)
    assert (reading.canary, reading.stable) == (Arm(0), Arm(90, 3))


def test_a_gap_is_a_gap_for_requests_and_errors_alike(stage: MetricsStage) -> None:
    stage.serve(stage.arms.stable, 0, fast(90, failed=3))
    stage.serve(stage.arms.stable, 2, fast(80, failed=2))
    found = read(stage, 2)
    assert [each.stable for each in found] == [Arm(90, 3), Arm(0), Arm(80, 2)]


def test_silence_may_only_be_late_and_is_read_again(stage: MetricsStage) -> None:
    stage.serve(stage.arms.stable, 0, fast(90))
    assert len(read(stage, 2)) == 1
    stage.serve(stage.arms.stable, 1, fast(80))
    stage.serve(stage.arms.stable, 2, fast(70))
    assert [each.stable.requests for each in read(stage, 2)] == [90, 80, 70]


def test_silence_that_lasts_is_no_traffic(stage: MetricsStage) -> None:
    stage.serve(stage.arms.stable, 0, fast(90))
    found = read(stage, 8)
    assert [each.stable.requests for each in found] == [90, *[0] * (len(found) - 1)]
    assert 5 <= len(found) <= 8


def test_without_response_times_requests_are_counted_all_the_same(stage: MetricsStage) -> None:
    stage.serve(stage.arms.canary, 0, Traffic(ALL_TIMES, failed=2))
    (reading,) = read(stage, 0, wish(stage, canary=None, stable=None))
    assert reading.canary == Arm(7, 2)


def test_many_are_asked_about_at_once(stage: MetricsStage) -> None:
    stage.serve(stage.arms.canary, 0, fast(10))
    stage.serve(stage.arms.stable, 0, fast(90))
    wanted = [wish(stage, deployment_id=f"backend-{each}") for each in range(30)]
    found = stage.metrics.readings(wanted, stage.closes(0))
    assert not found.faults
    assert {name: len(each) for name, each in found.seen.items()} == {
        f"backend-{each}": 1 for each in range(30)
    }


def test_what_fails_for_one_is_told_beside_the_others(stage: MetricsStage) -> None:
    stage.serve(stage.arms.stable, 0, fast(90))
    nameless = wish(stage, deployment_id="nameless", arms=replace(stage.arms, canary=""))
    found = stage.metrics.readings([nameless, wish(stage)], stage.closes(0))
    assert set(found.seen) == {"backend-1"}
    assert isinstance(found.faults["nameless"], Misconfigured)


def test_a_source_that_does_not_answer_is_no_traffic_of_zero(stage: MetricsStage) -> None:
    stage.serve(stage.arms.stable, 0, fast(90))
    stage.lose()
    found = stage.metrics.readings([wish(stage)], stage.closes(0))
    assert not found.seen
    assert isinstance(found.faults["backend-1"], Transient)
    with pytest.raises(QuarterdeckError):
        stage.metrics.past(stage.spec, stage.arms, stage.at(0))


def test_the_past_is_an_hour_of_the_stable_version(stage: MetricsStage) -> None:
    lag = round(stage.closing.lag / stage.closing.length + 0.4)  # whole ticks
    served = Traffic((0.03,) * 70 + (0.2,) * 22 + (0.4,) * 6 + (0.8,) * 2, failed=1)
    for tick in range(-63 - lag, -lag):
        stage.serve(stage.arms.stable, tick, served)
    stage.serve(stage.arms.canary, -lag - 1, fast(1000))
    past = stage.metrics.past(stage.spec, stage.arms, stage.at(0))
    assert len(past.ticks) == 3600 // past.tick_seconds
    assert past.tick_seconds == stage.closing.seconds
    assert past.quantiles is not None
    assert {(each.requests, each.errors) for each in past.ticks} == {(100, 1)}
    # Of the requests beyond each quantile there are about as many as there are to be.
    beyond = {each.slow for each in past.ticks}
    assert len(beyond) == 1
    ((first, second, third),) = beyond
    assert 5 <= first <= 30
    assert 1 <= second <= 8
    assert 0 <= third <= 2
    assert past.quantiles[0] <= past.quantiles[1] <= past.quantiles[2]


def test_the_past_is_known_before_the_canary_has_a_name(stage: MetricsStage) -> None:
    """Pods of a Rollout's canary are told apart by a hash that they get with their image."""
    lag = round(stage.closing.lag / stage.closing.length + 0.4)
    for tick in range(-20 - lag, -lag):
        stage.serve(stage.arms.stable, tick, fast(100, failed=1))
    nameless = replace(stage.arms, canary="")
    past = stage.metrics.past(stage.spec, nameless, stage.at(0))
    assert [(each.requests, each.errors) for each in past.ticks[-15:]] == [(100, 1)] * 15


def test_a_past_without_any_request_has_no_quantiles(stage: MetricsStage) -> None:
    past = stage.metrics.past(stage.spec, stage.arms, stage.at(0))
    assert past.quantiles is None
    assert all(each.requests == 0 for each in past.ticks)
