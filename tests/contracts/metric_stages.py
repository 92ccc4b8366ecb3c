"""Where the contract of ``Metrics`` is played: the same traffic in memory, on CloudWatch (the local
AWS), on a real Prometheus and on the local one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Protocol

import numpy as np
from typing_extensions import override

from bot.model.canary import Arms
from bot.model.canary_plan import CanaryPlan, Native, Prometheus, Weighted
from bot.model.canary_ports import Metrics
from bot.model.catalog import TargetSpec
from bot.model.errors import Unreachable
from bot.model.places import EcsService
from bot.playground.aws import latency
from bot.playground.aws.arrivals import Tally
from bot.providers.cloudwatch import CloudWatchMetrics
from bot.providers.prometheus import PrometheusMetrics
from bot.providers.prometheus.api import PrometheusApi
from bot.providers.ticks import Closing
from tests.contracts.local_prometheus import Prometheus as Server
from tests.contracts.real_prometheus import Sample
from tests.contracts.stages import LocalAws
from tests.fakes.metrics import FakeMetrics, Traffic

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
#: Bounds of histograms. What is served takes none of these times exactly.
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


def spec_of(plan: CanaryPlan) -> TargetSpec:
    return TargetSpec(
        service="backend",
        environment="staging",
        ecs=EcsService(
            region="eu-west-1", cluster="staging", service="backend", container="backend"
        ),
        canary=plan,
    )


class MetricsStage(Protocol):
    """Two versions of a service, and what they serve, tick by tick, in order of time.

    ``start`` is the beginning of a tick.
    """

    metrics: Metrics
    spec: TargetSpec
    arms: Arms
    closing: Closing = Closing(60, timedelta(minutes=3))
    start: datetime = NOON

    def serve(self, version: str, tick: int, traffic: Traffic) -> None:
        """In the tick of that number after the start; negative ones are before it."""
        ...

    def lose(self) -> None:
        """Nothing answers any more."""
        ...

    def at(self, tick: float) -> datetime:
        """The moment of so many ticks after the start."""
        return self.start + tick * self.closing.length

    def closes(self, tick: int) -> datetime:
        """When the tick of that number is closed."""
        return self.at(tick + 1) + self.closing.lag


class FakeStage(MetricsStage):
    def __init__(self) -> None:
        self.fake = FakeMetrics()
        self.metrics = self.fake
        self.spec = spec_of(CanaryPlan(native=Native()))
        self.arms = Arms("stable", "canary")

    @override
    def serve(self, version: str, tick: int, traffic: Traffic) -> None:
        self.fake.serve(version, self.at(tick), traffic)

    @override
    def lose(self) -> None:
        self.fake.break_next(*[Unreachable("It does not answer.")] * 9)


class CloudWatchStage(MetricsStage):
    """What a load balancer of the local AWS told hours ago, whose metrics are all there by now."""

    start = NOON - timedelta(hours=3)

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        aws.world.push("backend", "v1")
        self.front = aws.world.balancers.create_service(
            "staging", "backend", image="v1", per_second=0, history=0
        )
        self.balancer = self.front.load_balancer
        name = self.balancer.partition("loadbalancer/")[2]
        self.arms = Arms(self.front.stable, self.front.canary, name)
        self.metrics = CloudWatchMetrics(aws.clients)
        rule, stable, canary = self.front.rule, self.front.stable, self.front.canary
        self.spec = spec_of(CanaryPlan(weighted=Weighted(rule=rule, stable=stable, canary=canary)))

    @override
    def serve(self, version: str, tick: int, traffic: Traffic) -> None:
        key = (self.balancer, version)
        minutes = self.aws.world.metrics.flow.minutes.setdefault(key, {})
        minutes.setdefault(round(self.at(tick).timestamp()) // 60, Tally()).add(tally_of(traffic))

    @override
    def lose(self) -> None:
        self.aws.world.close()


def tally_of(traffic: Traffic) -> Tally:
    times = latency.empty()
    for each in traffic.times:
        times[int(np.searchsorted(latency.EDGES, each)) - 1] += 1
    return Tally(len(traffic.times), traffic.failed, times=times)


#: Each test has names and hours of its own on the server that they share.
_NUMBERS = count()
_LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
#: Seconds after a tick's beginning at which a replica is scraped.
SCRAPES = (8, 23, 38, 53)


class PrometheusStage(MetricsStage):
    """Each version has one replica, scraped every 15 seconds; what is served in a tick is counted
    from its second scrape on."""

    closing = Closing(60, timedelta(seconds=30))

    def __init__(self, server: Server) -> None:
        self.server = server
        number = next(_NUMBERS)
        self.start = _LONG_AGO + number * timedelta(hours=6)
        self.arms = Arms(f"stable-{number}", f"canary-{number}")
        self._api = PrometheusApi()
        self.metrics = PrometheusMetrics(self._api)
        self.spec = self._spec(server.url)
        self._counters: dict[str, dict[Key, float]] = {}

    def _spec(self, url: str) -> TargetSpec:
        plan = Prometheus(url=url, labels='app="{{version}}"', durations="http_request_duration")
        return spec_of(CanaryPlan(native=Native(), prometheus=plan))

    @override
    def serve(self, version: str, tick: int, traffic: Traffic) -> None:
        before = self._counters.get(version)
        if before is None:
            before = dict.fromkeys(counters_of(Traffic()), 0.0)
            self._write(
                version, {key: [(self.at(tick) - timedelta(seconds=7), 0.0)] for key in before}
            )
        after = {key: before[key] + more for key, more in counters_of(traffic).items()}
        first, *others = (self.at(tick) + timedelta(seconds=each) for each in SCRAPES)
        self._write(
            version,
            {key: [(first, before[key]), *((at, after[key]) for at in others)] for key in after},
        )
        self._counters[version] = after

    def _write(self, version: str, samples: Mapping[Key, list[Sample]]) -> None:
        here = {"app": version, "pod": f"{version}-0", "instance": f"{version}-0:80"}
        self.server.write([({**here, **dict(key)}, found) for key, found in samples.items()])

    @override
    def lose(self) -> None:
        self.spec = self._spec("http://127.0.0.1:1")

    def close(self) -> None:
        self._api.close()


#: Labels of one series, in order, beside those of the replica.
Key = tuple[tuple[str, str], ...]


def counters_of(traffic: Traffic) -> dict[Key, float]:
    """What the counters of a replica that has served just that say."""
    times = traffic.times
    name = "http_request_duration"
    found: dict[Key, float] = defaultdict(float)
    found[("__name__", "http_requests_total"), ("code", "200")] = len(times) - traffic.failed
    found[("__name__", "http_requests_total"), ("code", "500")] = traffic.failed
    found[(("__name__", f"{name}_count"),)] = len(times)
    for bound in BUCKETS:
        within = sum(each <= bound for each in times)
        found[("__name__", f"{name}_bucket"), ("le", f"{bound}")] = within
    found[("__name__", f"{name}_bucket"), ("le", "+Inf")] = len(times)
    return dict(found)
