"""The simulated visitors of pods: who gets their requests, and what Prometheus scrapes of it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from ruamel.yaml import YAML

from bot.playground.aws import World
from bot.playground.aws.arrivals import SLICE
from bot.playground.kube import KubeWorld
from bot.playground.kube.resources import ROLLOUTS
from bot.playground.prometheus import Storage
from bot.playground.prometheus.storage import Labels, Samples
from bot.playground.visits import Visits
from bot.providers.argo_rollouts.views import HASH
from tests.contracts.stages import NOON
from tests.fakes.kube_world import running_cluster
from tests.fakes.rollout_shop import ROUTED, manifest

RATE = 100.0
PLACE = ("staging", "backend")
REQUESTS, COUNT = "http_requests_total", "http_request_duration_seconds_count"
BUCKET = "http_request_duration_seconds_bucket"


class Shop:
    """A Rollout of four pods with visitors; its canary runs ``v2``."""

    def __init__(self, kube: KubeWorld, routing: str = ROUTED) -> None:
        self.kube, self.aws, self.storage = kube, World(), Storage()
        self.now = NOON
        self.images = {each: self.aws.push("backend", each) for each in ("v1", "v2")}
        kube.create_namespace("staging")
        rollout = YAML(typ="safe").load(manifest(routing=routing))
        kube.objects.create(ROLLOUTS, "staging", rollout)
        self.run("v1")
        kube.settle()
        self.visits = Visits(kube, self.aws, self.storage, wall=lambda: self.now)

    def open(self, history: float = 0.0) -> None:
        self.visits.receive(*PLACE, RATE, history=history)
        self.visits.catch_up()

    def run(self, version: str) -> None:
        """Let that version be what is to run."""
        image = f"registry/backend:{version}@{self.images[version]}"
        probe = {"httpGet": {"path": "/healthz", "port": 8080}}
        containers = [{"name": "backend", "image": image, "readinessProbe": probe}]
        self.kube.apply(
            ROLLOUTS, *PLACE, {"spec": {"template": {"spec": {"containers": containers}}}}
        )

    def begin(self) -> None:
        """A canary at its first step, with pods that are ready."""
        self.run("v2")
        self.pass_by(60)

    def pass_by(self, seconds: float) -> None:
        for _ in range(int(seconds / SLICE)):
            self.now += SLICE
            self.kube.advance(SLICE)
            self.visits.catch_up()

    @property
    def hashes(self) -> tuple[str, str]:
        """The stable version's, and what is to run."""
        status = self.kube.get(ROLLOUTS, *PLACE)["status"]
        return status["stableRS"], status["currentPodHash"]

    def series(self, name: str, **labels: str) -> list[Samples]:
        def matches(found: Labels) -> bool:
            return all(found.get(key) == each for key, each in labels.items())

        return self.storage.select(name, matches)

    def grown(self, name: str, pods: str, seconds: float, **labels: str) -> float:
        """By how much the counters of that hash have grown in that time."""
        since = (self.now - seconds) * 1000 + 1
        total = 0.0
        for each in self.series(name, rollouts_pod_template_hash=pods, **labels):
            before = each.values[each.times < since]
            total += each.values[-1] - (before[-1] if len(before) else 0.0)
        return total


@pytest.fixture
def kube() -> Iterator[KubeWorld]:
    with running_cluster() as world:
        yield world


@pytest.fixture
def shop(kube: KubeWorld) -> Shop:
    return Shop(kube)


def within(count: float, expected: float, sigmas: float = 5.0) -> bool:
    """Whether a count of independent events is as expected, give or take its chance."""
    return abs(count - expected) <= sigmas * math.sqrt(max(expected, 1))


def test_requests_are_shared_by_the_weights_that_the_router_was_told(shop: Shop) -> None:
    shop.open()
    shop.begin()
    stable, canary = shop.hashes
    shop.pass_by(300)
    assert within(shop.grown(REQUESTS, stable, 300), 0.9 * RATE * 300)
    assert within(shop.grown(REQUESTS, canary, 300), 0.1 * RATE * 300)
    pods = shop.series(COUNT, rollouts_pod_template_hash=stable)
    assert len(pods) == 4
    total = sum(each.values[-1] for each in pods)
    assert all(within(each.values[-1], total / 4) for each in pods)


def test_without_a_router_every_ready_pod_gets_as_much(kube: KubeWorld) -> None:
    shop = Shop(kube, routing="")
    shop.open()
    shop.begin()
    stable, canary = shop.hashes
    ready = [len(shop.visits.serving(*PLACE).receiving(each)) for each in (stable, canary)]
    shop.pass_by(300)
    assert min(ready) >= 1
    for pods, number in zip((stable, canary), ready, strict=True):
        assert within(shop.grown(REQUESTS, pods, 300), RATE * 300 * number / sum(ready))


def test_pods_that_are_not_ready_get_nothing(shop: Shop) -> None:
    shop.open()
    shop.run("v2")
    shop.pass_by(SLICE)
    stable, canary = shop.hashes
    pods = [each for each in shop.visits.serving(*PLACE).pods if each.hash == canary]
    assert [(each.ready, each.running) for each in pods] == [(False, True)]
    assert [each.values[-1] for each in shop.series(COUNT, pod=pods[0].name)] == [0.0]
    assert within(shop.grown(REQUESTS, stable, SLICE), RATE * SLICE)


def test_aborted_its_pods_get_nothing_more(shop: Shop) -> None:
    shop.open()
    shop.begin()
    stable, canary = shop.hashes
    shop.kube.abort(*PLACE)
    shop.pass_by(2 * SLICE)
    shop.pass_by(20)
    assert shop.grown(REQUESTS, canary, 20) == 0
    assert within(shop.grown(REQUESTS, stable, 20), RATE * 20)


def test_levers_are_those_of_the_image(shop: Shop) -> None:
    shop.open()
    shop.begin()
    version = shop.aws.traffic.version(shop.images["v2"])
    version.errors, version.latency = 0.2, 4.0
    stable, canary = shop.hashes
    shop.pass_by(600)
    served, failed = (
        shop.grown(REQUESTS, canary, 600),
        shop.grown(REQUESTS, canary, 600, code="500"),
    )
    assert within(failed, 0.2 * served)
    assert within(shop.grown(REQUESTS, stable, 600, code="500"), 0.001 * 0.9 * RATE * 600)
    # Half of the usual requests take longer than 40 ms, and hardly any 4 times as much.
    fast = shop.grown(BUCKET, stable, 600, le="0.04")
    assert within(fast, 0.5 * shop.grown(COUNT, stable, 600), 10)
    assert shop.grown(BUCKET, canary, 600, le="0.04") < 0.02 * served


def test_a_leak_and_a_cold_start_go_by_each_pods_age(shop: Shop) -> None:
    shop.open()
    version = shop.aws.traffic.version(shop.images["v2"])
    version.cold_errors, version.cold_seconds = 1.0, 5.0
    shop.begin()
    _, canary = shop.hashes
    cold = shop.grown(REQUESTS, canary, 60, code="500")
    shop.pass_by(60)
    assert shop.grown(REQUESTS, canary, 60, code="500") < cold / 4
    assert cold > 10


def test_an_incident_harms_both_until_it_is_calmed(shop: Shop) -> None:
    shop.open()
    shop.begin()
    shop.visits.incident(*PLACE, errors=0.5, latency=2.0)
    assert shop.visits.suffering(*PLACE)
    shop.pass_by(60)
    for pods in shop.hashes:
        served = shop.grown(REQUESTS, pods, 60)
        assert within(shop.grown(REQUESTS, pods, 60, code="500"), 0.5 * served)
    shop.visits.calm(*PLACE)
    assert not shop.visits.suffering(*PLACE)
    shop.pass_by(60)
    assert shop.grown(REQUESTS, shop.hashes[0], 60, code="500") < 60


def test_pods_are_scraped_with_what_tells_versions_and_replicas_apart(shop: Shop) -> None:
    shop.open()
    shop.pass_by(10)
    found = shop.series(COUNT)
    pods = {each["metadata"]["name"]: each for each in shop.kube.pods("staging")}
    assert len({each.labels["instance"] for each in found}) == 4
    for each in found:
        pod = pods[each.labels["pod"]]
        assert each.labels["rollouts_pod_template_hash"] == pod["metadata"]["labels"][HASH]
        assert each.labels["instance"] == f"{pod['status']['podIP']}:8080"
        assert each.labels["namespace"] == "staging"
    assert {round(each) for each in (found[0].times[1:] - found[0].times[:-1])} == {5000}


def test_counters_only_grow_and_buckets_are_cumulative(shop: Shop) -> None:
    shop.open()
    shop.pass_by(120)
    for name in (REQUESTS, COUNT, BUCKET):
        for each in shop.series(name):
            assert all(each.values[1:] >= each.values[:-1])
    pod = shop.series(COUNT)[0].labels["pod"]
    buckets = {float(each.labels["le"]): each.values[-1] for each in shop.series(BUCKET, pod=pod)}
    counts = [buckets[each] for each in sorted(buckets)]
    assert counts == sorted(counts)
    (whole,) = shop.series(COUNT, pod=pod)
    (served,) = shop.series(REQUESTS, pod=pod, code="200")
    assert counts[-1] == whole.values[-1]
    assert 0 <= whole.values[-1] - served.values[-1] < 30


def test_a_code_is_there_from_its_first_request_on(shop: Shop) -> None:
    shop.aws.traffic.version(shop.images["v1"]).errors = 0.0
    shop.open()
    shop.pass_by(30)
    assert shop.series(REQUESTS, code="500") == []
    shop.aws.traffic.version(shop.images["v1"]).errors = 0.5
    shop.pass_by(SLICE)
    found = shop.series(REQUESTS, code="500")
    assert len(found) == 4
    assert all(each.values[0] > 0 for each in found)


def test_a_restart_begins_its_counters_anew(shop: Shop) -> None:
    shop.open()
    shop.pass_by(60)
    pod = shop.series(COUNT)[0].labels["pod"]
    (before,) = shop.series(COUNT, pod=pod)
    shop.kube.crash_pod("staging", pod)
    shop.pass_by(60)
    (after,) = shop.series(COUNT, pod=pod)
    assert after.values[len(before.times)] < before.values[-1]


def test_who_is_gone_is_marked_as_stale_once(shop: Shop) -> None:
    shop.open()
    shop.begin()
    _, canary = shop.hashes
    shop.kube.abort(*PLACE)
    shop.pass_by(120)
    found = shop.series(COUNT, rollouts_pod_template_hash=canary)
    assert len(found) == 1
    assert (found[0].stale[-1], sum(found[0].stale)) == (True, 1)
    assert found[0].times[-1] < shop.now * 1000 - 30_000


def test_the_past_was_as_the_present_is(shop: Shop) -> None:
    shop.open(history=60)
    stable, _ = shop.hashes
    pods = shop.series(COUNT)
    assert len(pods) == 4
    for each in pods:
        assert each.times[0] <= (NOON - 3540) * 1000
        assert each.times[-1] <= NOON * 1000
    assert within(shop.grown(COUNT, stable, 3600), RATE * 3570, 8)
    shop.pass_by(60)
    assert within(shop.grown(COUNT, stable, 60), RATE * 60)
    (recent, none) = shop.visits.recent(*PLACE, 600)
    assert sum(each.requests for each in recent) == pytest.approx(RATE * 600, rel=0.1)
    assert not any(each.requests or each.share for each in none)


def test_charts_show_each_version_as_it_is(shop: Shop) -> None:
    shop.open()
    shop.begin()
    shop.aws.traffic.version(shop.images["v2"]).errors = 0.5
    shop.pass_by(60)
    stable, canary = shop.visits.recent(*PLACE, 60)
    assert {each.share for each in stable} == {0.9}
    assert {each.share for each in canary} == {0.1}
    failing = sum(each.errors for each in canary) / sum(each.requests for each in canary)
    assert failing == pytest.approx(0.5, abs=0.1)
    assert all(0.03 < each.p50 < each.p95 < 0.2 for each in stable)


def test_requests_for_pods_that_are_all_gone_are_unserved(shop: Shop) -> None:
    shop.open()
    for pod in shop.kube.pods("staging"):
        shop.kube.crash_pod("staging", pod["metadata"]["name"])
    shop.visits.catch_up()
    shop.now += SLICE
    shop.visits.catch_up()
    stable, _ = shop.visits.recent(*PLACE, SLICE)
    assert stable[-1].requests == stable[-1].errors > 0


def test_more_and_fewer_visitors(shop: Shop) -> None:
    shop.open()
    shop.visits.set(*PLACE, 0.0)
    shop.pass_by(SLICE)
    stable, _ = shop.hashes
    shop.pass_by(60)
    assert shop.grown(COUNT, stable, 60) == 0
    shop.visits.set(*PLACE, 5 * RATE)
    shop.pass_by(60)
    assert within(shop.grown(COUNT, stable, 60), 5 * RATE * 60)


def test_time_goes_on_by_itself_where_it_is_served(kube: KubeWorld) -> None:
    shop = Shop(kube)
    shop.visits.receive(*PLACE, RATE, history=1)
    shop.visits.serve()
    shop.visits.serve()
    try:
        for _ in range(1000):
            if shop.series(COUNT):
                break
            kube.store.lock.acquire(timeout=0.01)
            kube.store.lock.release()
    finally:
        shop.visits.close()
    assert shop.series(COUNT)
