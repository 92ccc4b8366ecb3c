"""Canaries counted through the local AWS, as visitors arrive and CloudWatch tells of them late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from bot.model.canary import Arms, Reading, Wanted
from bot.model.canary_plan import CanaryPlan, Native, Weighted
from bot.model.catalog import TargetSpec
from bot.model.errors import AccessDenied, Throttled
from bot.model.rollout import Grade
from bot.providers.cloudwatch import CloudWatchMetrics
from tests.contracts.metric_stages import spec_of
from tests.contracts.stages import LocalAws, local_aws

RATE = 50.0


class Shop:
    """A service with an hour of visitors behind it, and a canary with a tenth of them."""

    def __init__(self, aws: LocalAws) -> None:
        self.world = aws.world
        self.v1 = self.world.push("backend", "v1")
        self.v2 = self.world.push("backend", "v2")
        self.front = self.world.balancers.create_service(
            "staging", "backend", image="v1", per_second=RATE, weights=(9, 1), history=70
        )
        self.world.create_service(
            "staging",
            "backend-canary",
            image="v2",
            repository="backend",
            container="backend",
            desired=1,
            target_group=self.front.canary,
        )
        front = self.front
        given = Weighted(rule=front.rule, stable=front.stable, canary=front.canary)
        self.spec: TargetSpec = spec_of(CanaryPlan(weighted=given))
        self.arms = Arms(front.stable, front.canary, given.load_balancer)
        self.metrics = CloudWatchMetrics(aws.clients)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.world.moment(), UTC)

    def wish(self, since: datetime) -> Wanted:
        return Wanted("one", self.spec, self.arms, since, None, None)

    def read(self, since: datetime) -> Sequence[Reading]:
        found = self.metrics.readings([self.wish(since)], self.now())
        for fault in found.faults.values():
            raise fault
        return found.seen["one"]

    def run(self, minutes: int) -> list[Reading]:
        """Look every ten seconds, and keep each minute that is handed out."""
        began = since = self.now().replace(second=0, microsecond=0) + timedelta(minutes=1)
        kept: list[Reading] = []
        while self.now() < began + timedelta(minutes=minutes + 3):
            self.world.advance(10)
            kept += self.read(since)
            since = kept[-1].begins + timedelta(minutes=1) if kept else since
        return kept[:minutes]


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    with local_aws(monkeypatch) as aws:
        yield Shop(aws)


def test_every_minute_is_counted_once_however_late_it_is_told(shop: Shop) -> None:
    kept = shop.run(10)
    begins = [each.begins for each in kept]
    assert begins == [begins[0] + timedelta(minutes=each) for each in range(10)]
    minutes = shop.world.traffic.flow.minutes
    for group, arms in (
        (shop.front.stable, [each.stable for each in kept]),
        (shop.front.canary, [each.canary for each in kept]),
    ):
        series = minutes[shop.front.load_balancer, group]
        true = [series[int(at.timestamp()) // 60].requests for at in begins]
        counted = [arm.requests for arm in arms]
        # What CloudWatch adds later is a part of a few minutes, and the same of both versions.
        assert all(0.9 * whole <= seen <= whole for seen, whole in zip(counted, true, strict=True))


def test_a_canary_whose_connections_are_refused_fails(shop: Shop) -> None:
    shop.world.traffic.version(shop.v2).unreachable = 1.0
    last = shop.run(3)[-1]
    assert last.canary.requests > 0
    assert last.canary.errors == last.canary.requests
    assert last.stable.errors <= 0.02 * last.stable.requests


def test_errors_of_targets_are_their_versions(shop: Shop) -> None:
    shop.world.traffic.version(shop.v2).errors = 0.5
    last = shop.run(3)[-1]
    assert last.canary.errors == pytest.approx(0.5 * last.canary.requests, rel=0.25)
    assert last.stable.errors <= 0.02 * last.stable.requests


def test_the_past_s_quantiles_have_their_shares_beyond_them(shop: Shop) -> None:
    past = shop.metrics.past(shop.spec, shop.arms, shop.now())
    assert past.quantiles is not None
    requests = sum(each.requests for each in past.ticks)
    assert requests == pytest.approx(0.9 * RATE * 3600, rel=0.05)
    for column, share in enumerate((0.25, 0.05, 0.01)):
        beyond = sum(each.slow[column] for each in past.ticks) / requests
        assert beyond == pytest.approx(share, rel=0.15)


def test_doctor_s_question_is_one_call(shop: Shop) -> None:
    (found,) = shop.metrics.examine(shop.spec, shop.now())
    assert found.grade is Grade.OK
    assert shop.world.count("GetMetricData") == 1


def test_aws_that_denies_or_throttles_is_told_as_such(shop: Shop) -> None:
    since = shop.now() - timedelta(minutes=10)
    shop.world.faults.deny("GetMetricData", 1)
    with pytest.raises(AccessDenied, match="cloudwatch:GetMetricData"):
        shop.read(since)
    shop.world.faults.throttle("GetMetricData", 1)
    with pytest.raises(Throttled):
        shop.read(since)
    assert shop.read(since)


def test_where_groups_take_turns_the_past_is_of_whichever_served(shop: Shop) -> None:
    """ECS has just given everything to the other group: the hour before was in this one."""
    weights = {shop.front.stable: 0, shop.front.canary: 100}
    shop.world.balancers.set_weights(shop.front.rule, weights)
    shop.world.advance(600)
    spec = spec_of(CanaryPlan(native=Native()))
    arms = Arms(shop.front.canary, shop.front.stable, shop.arms.load_balancer)
    past = shop.metrics.past(spec, arms, shop.now())
    assert past.quantiles is not None
    per_second = sum(each.requests for each in past.ticks) / (60 * len(past.ticks))
    # A tenth went to the other one before, and what CloudWatch adds later is missing in the end.
    assert 0.8 * RATE < per_second < RATE
    alone = shop.metrics.past(shop.spec, arms, shop.now())
    assert sum(each.requests for each in alone.ticks) < 0.4 * sum(e.requests for e in past.ticks)
