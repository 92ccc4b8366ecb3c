"""One watch for all who follow something in a namespace, and what interrupts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import pytest

from bot.model.errors import AccessDenied, QuarterdeckError, Throttled, Transient, Unreachable
from bot.providers.kube.cluster import APPLICATIONS, PODS
from bot.providers.kube.watches import Watches, Where
from bot.providers.kube.watching import Rhythm
from tests.fakes.cluster import FakeCluster, FakeClusters

HERE = Where(None, APPLICATIONS, "argocd")
FAST = Rhythm(lasts=30, idle=60.0, patience=10.0, stale=90.0, pause=0.01, longest=0.02, denied=0.02)
LONG = 10.0


class Ticks:
    """Seconds that pass only when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Bell:
    """Counts how often it was rung, and waits for a ring."""

    def __init__(self) -> None:
        self.rings = 0
        self._rung = Event()

    def __call__(self) -> None:
        self.rings += 1
        self._rung.set()

    def until(self, true: Callable[[], bool]) -> None:
        """Wait for rings until something is true."""
        while not true():
            assert self._rung.wait(LONG), "nothing stirred"
            self._rung.clear()


@pytest.fixture
def cluster() -> FakeCluster:
    cluster = FakeCluster()
    put(cluster, "web")
    return cluster


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def watches(cluster: FakeCluster, bell: Bell) -> Iterator[Watches]:
    watches = Watches(FakeClusters(cluster), bell, rhythm=FAST)
    yield watches
    watches.close()


def eventually(true: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if true():
            return
        Event().wait(0.001)
    pytest.fail("it never came true")


def put(cluster: FakeCluster, name: str, **status: Any) -> None:
    metadata = {"name": name, "namespace": "argocd", "managedFields": [{"manager": "argocd"}]}
    cluster.put(APPLICATIONS, {"metadata": metadata, "status": status})


def health(watches: Watches, name: str = "web") -> str:
    found = watches.look(HERE, name).objects.get(name, {})
    return str(found.get("status", {}).get("health", ""))


def test_two_hundred_applications_are_one_list_and_one_watch(
    cluster: FakeCluster, watches: Watches
) -> None:
    names = [f"app-{number}" for number in range(200)]
    for name in names:
        put(cluster, name)
    for name in names:
        assert name in watches.look(HERE, name).objects
    assert (cluster.count("list"), cluster.count("get"), watches.running()) == (1, 0, 1)


def test_a_change_is_told_at_once(cluster: FakeCluster, watches: Watches, bell: Bell) -> None:
    assert health(watches) == ""
    put(cluster, "web", health="Healthy")
    bell.until(lambda: health(watches) == "Healthy")
    assert cluster.count("list") == 1


def test_what_nobody_asked_for_stirs_nobody(
    cluster: FakeCluster, watches: Watches, bell: Bell
) -> None:
    health(watches)
    put(cluster, "web", health="a")
    bell.until(lambda: health(watches) == "a")
    before = bell.rings
    put(cluster, "other", health="Healthy")
    put(cluster, "web", health="b")
    bell.until(lambda: health(watches) == "b")
    assert bell.rings == before + 1
    assert health(watches, "other") == "Healthy"


def test_what_is_deleted_is_gone(cluster: FakeCluster, watches: Watches, bell: Bell) -> None:
    health(watches)
    cluster.remove(APPLICATIONS, "argocd", "web")
    bell.until(lambda: "web" not in watches.look(HERE, "web").objects)


def test_a_cut_connection_goes_on_where_it_was(
    cluster: FakeCluster, watches: Watches, bell: Bell
) -> None:
    health(watches)
    cluster.cut()
    put(cluster, "web", health="Healthy")
    bell.until(lambda: health(watches) == "Healthy")
    assert cluster.count("list") == 1


def test_after_410_everything_is_listed_anew(
    cluster: FakeCluster, watches: Watches, bell: Bell
) -> None:
    put(cluster, "other")
    health(watches)
    cluster.mute()
    cluster.remove(APPLICATIONS, "argocd", "other")
    put(cluster, "web", health="Healthy")
    cluster.forget()
    cluster.mute(muted=False)
    bell.until(lambda: health(watches) == "Healthy")
    assert "other" not in watches.look(HERE, "web").objects
    assert cluster.count("list") == 2


def test_410_as_the_answer_is_the_same(cluster: FakeCluster, watches: Watches, bell: Bell) -> None:
    health(watches)
    cluster.mute()
    put(cluster, "web", health="Healthy")
    cluster.forget()
    cluster.cut()
    cluster.mute(muted=False)
    bell.until(lambda: health(watches) == "Healthy")
    assert cluster.count("list") == 2


@pytest.mark.parametrize(
    "fault", [Unreachable("away"), AccessDenied("may not list"), Transient("failed")]
)
def test_while_it_cannot_be_heard_nothing_is_told(
    cluster: FakeCluster, watches: Watches, bell: Bell, fault: QuarterdeckError
) -> None:
    cluster.break_next("list", *[fault] * 2)
    with pytest.raises(type(fault), match=str(fault)):
        health(watches)
    bell.until(lambda: _heard(watches))
    assert cluster.count("list") == 3


def _heard(watches: Watches) -> bool:
    try:
        return health(watches) == ""
    except (Transient, AccessDenied):
        return False


def test_a_watch_that_breaks_and_stays_broken_is_a_fault(
    cluster: FakeCluster, watches: Watches
) -> None:
    health(watches)
    for verb in ("watch", "list"):
        cluster.break_next(verb, *[Unreachable("away")] * 10_000)
    cluster.cut()
    eventually(lambda: not _heard(watches))
    with pytest.raises(Unreachable, match="away"):
        watches.look(HERE, "web")


def test_a_watch_that_is_cut_before_it_tells_anything_is_not_believed(
    cluster: FakeCluster, watches: Watches, bell: Bell
) -> None:
    """It opens each time, as it does behind a proxy that ends what lasts."""
    health(watches)
    cluster.mute()
    put(cluster, "web", health="Healthy")
    cluster.cut()
    eventually(lambda: (cluster.count("watch"), cluster.streams) == (2, 1))
    cluster.cut()
    bell.until(lambda: health(watches) == "Healthy")
    assert cluster.count("list") == 2


@pytest.mark.parametrize("verb", ["list", "watch"])
def test_a_fault_that_nobody_thought_of_ends_no_watch(
    cluster: FakeCluster, watches: Watches, verb: str
) -> None:
    """Its thread would be gone, and nothing heard of any object there until a restart."""
    if verb == "watch":
        assert health(watches) == ""
    cluster.break_next(verb, *[TypeError("no mapping")] * 2)
    cluster.cut()
    put(cluster, "web", health="Healthy")

    def heard() -> bool:
        try:
            return health(watches) == "Healthy"
        except Unreachable:
            return False

    eventually(heard)


def test_throttling_is_waited_out(cluster: FakeCluster, watches: Watches, bell: Bell) -> None:
    fault = Throttled("slow down")
    fault.retry_after = 0.2
    cluster.break_next("list", fault)
    with pytest.raises(Throttled):
        health(watches)
    assert cluster.count("list") == 1
    bell.until(lambda: _heard(watches))


def test_a_silent_watch_is_known_to_be_old(cluster: FakeCluster) -> None:
    ticks = Ticks()
    watches = Watches(FakeClusters(cluster), ticks=ticks, rhythm=FAST)
    try:
        assert watches.look(HERE, "web").age == 0
        ticks.now = 50
        assert watches.look(HERE, "web").age == 50
        ticks.now = 91
        with pytest.raises(Unreachable, match="tells nothing about applications"):
            watches.look(HERE, "web")
    finally:
        watches.close()


def test_a_watch_that_nobody_asks_ends_and_begins_again(cluster: FakeCluster) -> None:
    ticks = Ticks()
    rhythm = Rhythm(lasts=1, idle=60.0, pause=0.0)
    watches = Watches(FakeClusters(cluster), ticks=ticks, rhythm=rhythm)
    try:
        watches.look(HERE, "web")
        ticks.now = 61
        cluster.cut()
        eventually(lambda: watches.running() == 0)
        assert "web" in watches.look(HERE, "web").objects
        assert watches.running() == 1
    finally:
        watches.close()


def test_each_namespace_and_resource_has_its_own(watches: Watches) -> None:
    watches.look(HERE, "web")
    watches.look(Where(None, PODS, "argocd"), "web")
    watches.look(Where(None, APPLICATIONS, "other"), "web")
    assert watches.running() == 3


def test_the_books_of_the_server_are_not_kept(watches: Watches) -> None:
    assert "managedFields" not in watches.look(HERE, "web").objects["web"]["metadata"]


def test_an_unknown_cluster_is_said(watches: Watches) -> None:
    with pytest.raises(Exception, match="no such context"):
        watches.look(Where("nowhere", APPLICATIONS, "argocd"), "web")
