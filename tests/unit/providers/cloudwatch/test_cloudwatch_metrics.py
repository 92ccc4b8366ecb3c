"""CloudWatch's own ways: what is asked, and what is made of odd answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typing_extensions import override

from bot.model.canary import Arms, Wanted
from bot.model.canary_plan import CanaryPlan, CloudWatch, Native, Weighted
from bot.model.catalog import TargetSpec
from bot.model.counts import Arm, Thresholds
from bot.model.errors import AccessDenied, Misconfigured, Throttled, Transient
from bot.model.places import EcsService
from bot.model.rollout import Grade
from bot.providers.cloudwatch import CloudWatchMetrics
from tests.fakes.cloudwatch import FakeClouds, FakeCloudWatch

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BALANCER = "app/web/50dc6c495c0c9188"
ACCOUNT = "arn:aws:elasticloadbalancing:eu-west-1:123456789012"
ARMS = Arms(f"{ACCOUNT}:targetgroup/stable/1", f"{ACCOUNT}:targetgroup/canary/2", BALANCER)
STABLE, CANARY = "targetgroup/stable/1", "targetgroup/canary/2"
SPEC = TargetSpec(
    service="backend",
    environment="production",
    ecs=EcsService(region="eu-west-1", cluster="main", service="backend", container="backend"),
)
SLOW = Thresholds((0.1, 0.2, 0.4), 0.2, 0.8)
SLOWER = Thresholds((0.115, 0.23, 0.46), 1.0, 0.8)
#: When the minute of noon is closed.
LATER = NOON + 4 * MINUTE


class Place:
    def __init__(self) -> None:
        self.clouds = FakeClouds()
        self.metrics = CloudWatchMetrics(self.clouds)

    @property
    def cloud(self) -> FakeCloudWatch:
        return self.clouds.places["eu-west-1", None]

    def serve(self, group: str, at: datetime, times: list[float], status: int = 2) -> None:
        """Requests that the targets answered after so many seconds."""
        self.count("RequestCount", group, at, len(times))
        self.count(f"HTTPCode_Target_{status}XX_Count", group, at, len(times))
        self.cloud.report(("TargetResponseTime", BALANCER, group), at, times)

    def drop(self, group: str, at: datetime, requests: int) -> None:
        """Requests that a target was chosen for and left unanswered: the load balancer's 502."""
        self.count("RequestCount", group, at, requests)
        self.refuse(at, requests)

    def refuse(self, at: datetime, requests: int) -> None:
        self.count("HTTPCode_ELB_5XX_Count", "", at, requests)

    def count(self, metric: str, group: str, at: datetime, number: int) -> None:
        self.cloud.report((metric, BALANCER, group), at, [1.0] * number)

    def read(self, now: datetime = LATER, wanted: Wanted | None = None) -> list[tuple[Arm, Arm]]:
        """Canary and stable of each minute from noon on."""
        asked = wanted or wish()
        readings = self.metrics.readings([asked], now)
        if readings.faults:
            raise readings.faults[asked.deployment_id]
        return [(each.canary, each.stable) for each in readings.seen[asked.deployment_id]]


@pytest.fixture
def place() -> Place:
    return Place()


def wish(
    name: str = "backend-1", since: datetime = NOON, arms: Arms = ARMS, **changes: Any
) -> Wanted:
    return replace(Wanted(name, SPEC, arms, since, SLOWER, SLOW), **changes)


def refusal(code: str) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}},  # type: ignore[typeddict-item]
        "GetMetricData",
    )


def test_each_arm_is_counted_by_its_own_thresholds(place: Place) -> None:
    for group in (STABLE, CANARY):
        place.serve(group, NOON, [0.05, 0.11, 0.22, 0.3, 0.5, 0.9, 1.5])
        place.serve(group, NOON, [0.01, 0.01], status=5)
    assert place.read() == [
        (Arm(9, 2, (5, 4, 3), 1, 2), Arm(9, 2, (6, 5, 3), 5, 2)),
    ]


def test_what_is_exactly_at_a_threshold_is_not_slower(place: Place) -> None:
    place.serve(STABLE, NOON, [0.1, 0.2, 0.4, 0.8])
    assert place.read() == [(Arm(0), Arm(4, 0, (3, 2, 1), 2, 0))]


def test_a_canary_that_drops_its_connections_fails(place: Place) -> None:
    place.serve(STABLE, NOON, [0.1] * 90)
    place.serve(CANARY, NOON, [0.1] * 6)
    place.drop(CANARY, NOON, 4)
    ((canary, stable),) = place.read()
    assert (canary.requests, canary.errors) == (10, 4)
    assert (stable.requests, stable.errors) == (90, 0)


def test_errors_of_others_behind_the_load_balancer_are_nobodys(place: Place) -> None:
    place.serve(STABLE, NOON, [0.1] * 90)
    place.serve(CANARY, NOON, [0.1] * 10)
    place.refuse(NOON, 50)
    assert [(one.errors, other.errors) for one, other in place.read()] == [(0, 0)]


def test_clients_that_went_away_are_no_errors(place: Place) -> None:
    for group, answered, gone in ((STABLE, 90, 9), (CANARY, 10, 1)):
        place.serve(group, NOON, [0.1] * answered)
        place.count("RequestCount", group, NOON, gone)
    assert [(one.errors, other.errors) for one, other in place.read()] == [(0, 0)]


def test_what_is_not_known_burdens_both_at_the_same_rate(place: Place) -> None:
    for group, answered, gone in ((STABLE, 900, 90), (CANARY, 100, 10)):
        place.serve(group, NOON, [0.1] * answered)
        place.count("RequestCount", group, NOON, gone)
    place.refuse(NOON, 20)  # another service's
    ((canary, stable),) = place.read()
    assert (canary.errors, stable.errors) == (2, 18)


def test_no_request_count_is_no_request(place: Place) -> None:
    place.serve(STABLE, NOON, [0.1] * 90)
    place.count("HTTPCode_Target_5XX_Count", CANARY, NOON, 3)
    assert place.read() == [(Arm(0), Arm(90, 0, (0, 0, 0), 0, 0))]


def test_estimates_are_never_more_than_there_were_requests(place: Place) -> None:
    place.count("RequestCount", STABLE, NOON, 3)
    place.count("HTTPCode_Target_5XX_Count", STABLE, NOON, 5)
    place.cloud.report(("TargetResponseTime", BALANCER, STABLE), NOON, [2.0] * 4)
    assert place.read()[0][1] == Arm(3, 3, (3, 3, 3), 3, 3)


def test_without_response_times_none_are_asked_for(place: Place) -> None:
    place.serve(STABLE, NOON, [5.0])
    assert place.read(wanted=wish(canary=None, stable=None)) == [(Arm(0), Arm(1))]
    (request,) = place.cloud.asked
    statistics = {each["MetricStat"]["Stat"] for each in request["MetricDataQueries"]}
    assert statistics == {"Sum"}


def test_a_minute_is_handed_out_once_it_is_three_minutes_old(place: Place) -> None:
    place.serve(STABLE, NOON, [0.1])
    assert place.read(LATER - timedelta(seconds=1)) == []
    assert not place.cloud.asked
    assert len(place.read(LATER)) == 1


def test_the_plan_says_when_a_minute_is_final(place: Place) -> None:
    soon = CloudWatch(settles_after=timedelta(seconds=10))
    asked = wish(spec=replace_plan(SPEC, cloudwatch=soon))
    place.serve(STABLE, NOON, [0.1])
    place.serve(STABLE, NOON - MINUTE, [0.1] * 3)
    end = NOON + MINUTE
    assert place.read(end + timedelta(seconds=9), asked) == []
    assert [stable.requests for _, stable in place.read(end + timedelta(seconds=10), asked)] == [1]
    past = place.metrics.past(asked.spec, ARMS, NOON + timedelta(seconds=10))
    assert past.ticks[-1].requests == 3


def test_silence_that_may_only_be_late_is_read_again(place: Place) -> None:
    place.serve(STABLE, NOON, [0.1])
    late = NOON + 6 * MINUTE
    assert len(place.read(late)) == 1  # and not the two empty ones after it
    place.serve(STABLE, NOON + MINUTE, [0.1] * 7)
    place.serve(STABLE, NOON + 2 * MINUTE, [0.1] * 8)
    assert [stable.requests for _, stable in place.read(late)] == [1, 7, 8]


def test_silence_before_something_is_a_gap(place: Place) -> None:
    place.serve(STABLE, NOON, [0.1])
    place.serve(CANARY, NOON + 2 * MINUTE, [0.1] * 2)
    found = place.read(NOON + 6 * MINUTE)
    assert [(one.requests, other.requests) for one, other in found] == [(0, 1), (0, 0), (2, 0)]


def test_silence_that_lasts_is_no_traffic(place: Place) -> None:
    found = place.read(NOON + 11 * MINUTE)
    assert found == [(Arm(0), Arm(0))] * 5


def test_a_tick_begins_with_a_minute(place: Place) -> None:
    place.serve(STABLE, NOON, [0.1])
    place.serve(STABLE, NOON + MINUTE, [0.1, 0.1])
    since = NOON + timedelta(seconds=20)
    readings = place.metrics.readings([wish(since=since)], NOON + 5 * MINUTE)
    (reading,) = readings.seen["backend-1"]
    assert (reading.begins, reading.seconds) == (NOON + MINUTE, 60)
    assert reading.begins.tzinfo is UTC
    assert reading.stable.requests == 2


def test_who_was_away_for_long_catches_up_by_and_by(place: Place) -> None:
    now = NOON + timedelta(hours=10)
    first = place.metrics.readings([wish()], now).seen["backend-1"]
    assert len(first) == 180
    after = first[-1].begins + MINUTE
    second = place.metrics.readings([wish(since=after)], now).seen["backend-1"]
    assert second[0].begins == after


def test_many_canaries_are_one_call(place: Place) -> None:
    place.serve(STABLE, NOON, [0.1])
    wanted = [wish(f"backend-{number}", arms=arms_of(number)) for number in range(20)]
    found = place.metrics.readings(wanted, LATER)
    assert len(found.seen) == 20
    (request,) = place.cloud.asked
    queries = request["MetricDataQueries"]
    assert len(queries) == len({str(each["MetricStat"]) for each in queries}) <= 500
    assert len({each["Id"] for each in queries}) == len(queries)


def test_calls_hold_as_many_series_as_they_may(place: Place) -> None:
    wanted = [wish(f"backend-{number}", arms=arms_of(number)) for number in range(100)]
    place.serve(f"{STABLE}77", NOON, [0.1])
    found = place.metrics.readings(wanted, LATER)
    assert len(found.seen) == 100
    assert [len(each) for each in found.seen.values()].count(1) == 1
    sizes = [len(each["MetricDataQueries"]) for each in place.cloud.asked]
    assert max(sizes) <= 500
    assert len(sizes) == -(-sum(sizes) // 500)


def test_who_is_far_behind_is_asked_about_apart(place: Place) -> None:
    old = NOON - timedelta(days=2)
    place.metrics.readings([wish("one"), wish("two", since=old), wish("three")], LATER)
    spans = [each["EndTime"] - each["StartTime"] for each in place.cloud.asked]
    assert spans == [180 * MINUTE, MINUTE]


def replace_plan(spec: TargetSpec, **changes: Any) -> TargetSpec:
    plan = CanaryPlan(strategy="native", **changes)
    return spec.model_copy(update={"canary": plan})


def arms_of(number: int) -> Arms:
    return replace(ARMS, stable=f"{ARMS.stable}{number}", canary=f"{ARMS.canary}{number}")


def test_pages_are_followed(place: Place) -> None:
    place.cloud.page = 3
    place.serve(CANARY, NOON, [2.0] * 10)
    place.serve(STABLE, NOON, [0.05] * 90, status=5)
    assert place.read() == [(Arm(10, 0, (10, 10, 10), 10, 10), Arm(90, 90))]
    assert len(place.cloud.asked) > 1


@pytest.mark.parametrize("status", ["PartialData", "InternalError", ""])
def test_what_was_not_answered_in_full_is_no_zero(place: Place, status: str) -> None:
    place.serve(STABLE, NOON, [0.1] * 90)
    place.cloud.statuses["HTTPCode_Target_5XX_Count", CANARY] = status
    other = wish("other", arms=arms_of(1))
    found = place.metrics.readings([wish(), other], LATER)
    assert list(found.seen) == ["other"]
    fault = found.faults["backend-1"]
    assert isinstance(fault, Transient)
    assert "HTTPCode_Target_5XX_Count of targetgroup/canary/2" in fault.message


def test_a_page_after_partial_data_completes_it(place: Place) -> None:
    class Halves(FakeCloudWatch):
        @override
        def get_metric_data(self, **request: Any) -> dict[str, Any]:
            token = request.pop("NextToken", None)
            answer = super().get_metric_data(**request)
            for each in answer["MetricDataResults"]:
                each["StatusCode"] = "Complete" if token else "PartialData"
                part = slice(1, None) if token else slice(1)
                each["Timestamps"], each["Values"] = each["Timestamps"][part], each["Values"][part]
            return answer if token else {**answer, "NextToken": "more"}

    place.clouds.places["eu-west-1", None] = Halves()
    place.serve(STABLE, NOON, [0.1])
    place.serve(STABLE, NOON + MINUTE, [0.1] * 2)
    assert [stable.requests for _, stable in place.read(LATER + MINUTE)] == [1, 2]


def test_an_answer_without_end_is_given_up(place: Place) -> None:
    class Endless(FakeCloudWatch):
        @override
        def get_metric_data(self, **request: Any) -> dict[str, Any]:
            request.pop("NextToken", None)
            return {**super().get_metric_data(**request), "NextToken": "again"}

    place.clouds.places["eu-west-1", None] = Endless()
    with pytest.raises(Transient, match="did not come to an end"):
        place.read()


def test_a_series_that_is_left_out_is_no_zero(place: Place) -> None:
    place.serve(STABLE, NOON, [0.1])
    place.cloud.forgotten.add("HTTPCode_ELB_5XX_Count")
    with pytest.raises(Transient, match="HTTPCode_ELB_5XX_Count of app/web/50dc6c495c0c9188"):
        place.read()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_no_answer(place: Place, value: float) -> None:
    place.cloud.report(("RequestCount", BALANCER, STABLE), NOON, [value])
    with pytest.raises(Transient, match="cannot be read"):
        place.read()


def test_a_missing_permission_is_named(place: Place) -> None:
    place.cloud.broken[""] = refusal("AccessDenied")
    found = place.metrics.readings([wish("one"), wish("two", arms=arms_of(1))], LATER)
    assert set(found.faults) == {"one", "two"}
    assert len(place.cloud.asked) == 1
    assert all("cloudwatch:GetMetricData" in fault.message for fault in found.faults.values())
    with pytest.raises(AccessDenied, match="cloudwatch:GetMetricData"):
        place.metrics.past(SPEC, ARMS, NOON)


def test_a_series_that_is_forbidden_names_the_permission(place: Place) -> None:
    place.cloud.statuses["RequestCount", STABLE] = "Forbidden"
    with pytest.raises(AccessDenied, match="cloudwatch:GetMetricData"):
        place.read()


def test_throttling_is_told_as_such_and_not_asked_again(place: Place) -> None:
    place.cloud.broken[""] = refusal("Throttling")
    found = place.metrics.readings([wish("one"), wish("two", arms=arms_of(1))], LATER)
    assert all(isinstance(fault, Throttled) for fault in found.faults.values())
    assert len(place.cloud.asked) == 1


def test_one_that_cannot_be_asked_for_is_not_the_others_fault(place: Place) -> None:
    wanted = [wish(f"backend-{number}", arms=arms_of(number)) for number in range(8)]
    place.cloud.broken[f"{CANARY}5"] = refusal("InvalidParameterValue")
    found = place.metrics.readings(wanted, LATER)
    assert set(found.faults) == {"backend-5"}
    assert len(found.seen) == 7


def test_one_account_is_not_the_others_fault(place: Place) -> None:
    role = "arn:aws:iam::210987654321:role/quarterdeck"
    elsewhere = TargetSpec(
        service="backend",
        environment="production",
        ecs=EcsService(
            region="eu-west-1", cluster="main", service="backend", container="backend", role=role
        ),
    )
    place.clouds.denied[role] = AccessDenied("AWS denied sts:AssumeRole.")
    place.serve(STABLE, NOON, [0.1])
    found = place.metrics.readings([wish(), wish("away", spec=elsewhere)], LATER)
    assert list(found.seen) == ["backend-1"]
    assert "sts:AssumeRole" in found.faults["away"].message


@pytest.mark.parametrize(
    "arms", [Arms("backend", "backend-canary"), replace(ARMS, load_balancer=""), Arms("", "")]
)
def test_without_target_groups_there_is_nothing_to_ask(place: Place, arms: Arms) -> None:
    found = place.metrics.readings([wish(arms=arms), wish("other")], LATER)
    assert isinstance(found.faults["backend-1"], Misconfigured)
    assert "other" not in found.faults
    with pytest.raises(Misconfigured, match="no target group"):
        place.metrics.past(SPEC, arms, NOON)


def test_the_hour_is_counted_beyond_its_own_quantiles(place: Place) -> None:
    for minute in range(62):
        at = NOON - (64 - minute) * MINUTE
        place.serve(STABLE, at, [number / 100 for number in range(1, 101)])
    past = place.metrics.past(SPEC, ARMS, NOON)
    assert past.quantiles == (0.75, 0.95, 0.99)
    assert (past.tick_seconds, past.pods) == (60, (0.0, 0))
    assert past.ticks == (Arm(100, 0, (25, 5, 1), 5, 0),) * 60
    spans = {(each["StartTime"], each["EndTime"]) for each in place.cloud.asked}
    assert spans == {(NOON - 63 * MINUTE, NOON - 3 * MINUTE)}


def test_an_hour_that_is_cut_by_the_clock_weighs_its_parts(place: Place) -> None:
    class ByTheClock(FakeCloudWatch):
        @override
        def get_metric_data(self, **request: Any) -> dict[str, Any]:
            start = request["StartTime"]
            if request["MetricDataQueries"][0]["MetricStat"]["Period"] == 3600:
                start = start.replace(minute=0)
            return super().get_metric_data(**{**request, "StartTime": start})

    place.clouds.places["eu-west-1", None] = ByTheClock()
    until = NOON + 32 * MINUTE  # an hour from 11:30 on
    place.serve(STABLE, NOON - MINUTE, [0.1] * 30)
    place.serve(STABLE, NOON + MINUTE, [0.4] * 10)
    past = place.metrics.past(SPEC, ARMS, until)
    assert past.quantiles == pytest.approx((0.175, 0.175, 0.175))


def test_an_hour_without_response_times_has_no_quantiles(place: Place) -> None:
    place.count("RequestCount", STABLE, NOON - 10 * MINUTE, 5)
    place.count("HTTPCode_Target_5XX_Count", STABLE, NOON - 10 * MINUTE, 2)
    past = place.metrics.past(SPEC, ARMS, NOON)
    assert past.quantiles is None
    assert sum(arm.requests for arm in past.ticks) == 5
    assert sum(arm.errors for arm in past.ticks) == 2
    assert len(past.ticks) == 60


def test_the_stable_versions_own_dropped_connections_are_history(place: Place) -> None:
    at = NOON - 10 * MINUTE
    place.serve(STABLE, at, [0.1] * 98)
    place.drop(STABLE, at, 2)
    place.refuse(at, 30)  # another service's
    past = place.metrics.past(SPEC, ARMS, NOON)
    assert [arm.errors for arm in past.ticks if arm.requests] == [2]


RULE = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/web/50dc6c495c0c9188"
WEIGHTED = CanaryPlan(weighted=Weighted(rule=f"{RULE}/1/2", stable=ARMS.stable, canary=ARMS.canary))


def planned(plan: CanaryPlan) -> TargetSpec:
    return SPEC.model_copy(update={"canary": plan})


def test_doctor_tells_what_canaries_are_judged_by(place: Place) -> None:
    place.serve(STABLE, NOON - 10 * MINUTE, [0.1] * 1200)
    (found,) = place.metrics.examine(planned(WEIGHTED), NOON)
    assert (found.grade, found.subject) == (Grade.OK, "backend/production")
    assert "1,200 requests in the last hour" in found.found
    assert len(place.cloud.asked) == 1


def test_doctor_tells_of_a_target_group_without_requests(place: Place) -> None:
    (found,) = place.metrics.examine(planned(WEIGHTED), NOON)
    assert found.grade is Grade.WARNING
    assert f"no requests of {STABLE} behind {BALANCER}" in found.found


def test_doctor_tells_of_missing_response_times(place: Place) -> None:
    place.count("RequestCount", STABLE, NOON - 10 * MINUTE, 5)
    (found,) = place.metrics.examine(planned(WEIGHTED), NOON)
    assert found.grade is Grade.WARNING
    assert "no response times" in found.found


def test_doctor_asks_whether_metrics_may_be_read_where_no_group_is_known(place: Place) -> None:
    native = planned(CanaryPlan(native=Native()))
    (found,) = place.metrics.examine(native, NOON)
    assert found.grade is Grade.OK
    (request,) = place.cloud.asked
    assert len(request["MetricDataQueries"]) == 1
    place.cloud.broken[""] = refusal("AccessDenied")
    with pytest.raises(AccessDenied, match="cloudwatch:GetMetricData"):
        place.metrics.examine(native, NOON)


def test_doctor_refuses_what_has_no_target_groups(place: Place) -> None:
    with pytest.raises(Misconfigured) as raised:
        place.metrics.examine(SPEC.model_copy(update={"ecs_place": None}), NOON)
    assert "prometheus" in raised.value.hint
