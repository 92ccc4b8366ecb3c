"""Watches of the local API server: what they tell, how they end, what they miss."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest
from kubernetes import client
from urllib3.exceptions import HTTPError

from bot.playground.kube import KubeWorld, resources
from tests.fakes.kube_world import APPLICATIONS, KubeClients, Watch, running_cluster

PATIENCE = 10.0  # real seconds until something is missing


@pytest.fixture
def world() -> Iterator[KubeWorld]:
    with running_cluster() as started:
        for name in ("one", "two"):
            started.objects.create(
                resources.APPLICATIONS,
                "argocd",
                {
                    "metadata": {"name": name, "labels": {"team": name}},
                    "spec": {"project": "none", "destination": {}},
                },
            )
        started.advance(10)
        yield started


@pytest.fixture
def kube(world: KubeWorld, tmp_path: Path) -> Iterator[KubeClients]:
    clients = KubeClients(world, tmp_path)
    yield clients
    clients.close()


class Heard:
    """What one watch has told so far, in a thread of its own."""

    def __init__(self, kube: KubeClients, **options: Any) -> None:
        self.events: Queue[dict[str, Any]] = Queue()
        self.error: Exception | None = None
        self.over = threading.Event()
        self._kube = kube
        self._options = {"timeout_seconds": 30, **options}
        self._watch = Watch()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        call = self._kube.custom.list_namespaced_custom_object
        try:
            for event in self._watch.stream(call, *APPLICATIONS, **self._options):
                self.events.put(event)
        except (client.ApiException, HTTPError) as error:
            self.error = error
        finally:
            self.over.set()

    def next(self) -> tuple[str, str]:
        event = self.events.get(timeout=PATIENCE)
        return event["type"], event["object"]["metadata"].get("name", "")

    def join(self) -> None:
        assert self.over.wait(PATIENCE)
        self._thread.join(PATIENCE)

    def silent(self) -> bool:
        try:
            self.events.get(timeout=0.4)
        except Empty:
            return True
        return False


@contextmanager
def watching(world: KubeWorld, kube: KubeClients, **options: Any) -> Iterator[Heard]:
    heard = Heard(kube, **options)
    until(lambda: world.open_watches("applications") == 1)
    try:
        yield heard
    finally:
        world.faults.clear()
        world.cut_watches()
        heard.join()


def until(true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.01)):
        if true():
            return
        pause.wait(0.01)
    raise AssertionError("it never came to that")


def version(kube: KubeClients) -> str:
    listed = kube.custom.list_namespaced_custom_object(*APPLICATIONS)
    return str(listed["metadata"]["resourceVersion"])


def note(kube: KubeClients, name: str, value: str = "a") -> None:
    kube.patch_application(name, {"metadata": {"annotations": {"note": value}}})


def test_without_a_version_it_begins_with_what_is_there(
    world: KubeWorld, kube: KubeClients
) -> None:
    with watching(world, kube) as heard:
        assert [heard.next(), heard.next()] == [("ADDED", "one"), ("ADDED", "two")]
        note(kube, "one")
        assert heard.next() == ("MODIFIED", "one")


def test_from_a_version_on_it_misses_nothing(world: KubeWorld, kube: KubeClients) -> None:
    since = version(kube)
    note(kube, "one")
    kube.custom.delete_namespaced_custom_object(*APPLICATIONS, "two")
    with watching(world, kube, resource_version=since) as heard:
        assert [heard.next(), heard.next()] == [("MODIFIED", "one"), ("DELETED", "two")]


def test_a_selector_makes_objects_come_and_go(world: KubeWorld, kube: KubeClients) -> None:
    since = version(kube)
    with watching(world, kube, resource_version=since, label_selector="team=one") as heard:
        kube.patch_application("two", {"metadata": {"labels": {"team": "one"}}})
        assert heard.next() == ("ADDED", "two")
        kube.patch_application("one", {"metadata": {"labels": {"team": "three"}}})
        assert heard.next() == ("DELETED", "one")


def test_too_old_a_version_is_an_error_event(world: KubeWorld, kube: KubeClients) -> None:
    since = version(kube)
    world.forget_history()
    raw = kube.custom.list_namespaced_custom_object(
        *APPLICATIONS, watch=True, resource_version=since, _preload_content=False
    )
    assert raw.status == 200
    (event,) = [line for line in raw.read().splitlines() if line]
    assert b'"type": "ERROR"' in event
    assert b'"code": 410' in event
    assert b"too old resource version" in event
    with pytest.raises(client.ApiException) as caught:
        list(
            Watch().stream(
                kube.custom.list_namespaced_custom_object,
                *APPLICATIONS,
                resource_version=since,
                timeout_seconds=5,
            )
        )
    assert caught.value.status == 410


def test_an_open_watch_outlives_the_history(world: KubeWorld, kube: KubeClients) -> None:
    with watching(world, kube, resource_version=version(kube)) as heard:
        world.forget_history()
        note(kube, "one")
        assert heard.next() == ("MODIFIED", "one")


def test_410_may_come_as_a_status(world: KubeWorld, kube: KubeClients) -> None:
    world.faults.gone("watch", "applications")
    with pytest.raises(client.ApiException) as caught:
        next(Watch().stream(kube.custom.list_namespaced_custom_object, *APPLICATIONS))
    assert caught.value.status == 410


def test_it_ends_by_its_timeout_with_a_bookmark(world: KubeWorld, kube: KubeClients) -> None:
    since = version(kube)
    kube.apps.list_namespaced_deployment("argocd")
    world.create_namespace("elsewhere")
    heard = Heard(kube, resource_version=since, timeout_seconds=1, allow_watch_bookmarks=True)
    heard.join()
    assert heard.error is None
    event = heard.events.get_nowait()
    assert event["type"] == "BOOKMARK"
    # It has come further than the last event it told of.
    assert event["object"]["metadata"]["resourceVersion"] == str(world.store.revision)
    assert until_closed(world)


def until_closed(world: KubeWorld) -> bool:
    until(lambda: world.open_watches() == 0)
    return True


def test_bookmarks_come_only_where_they_were_asked_for(world: KubeWorld, kube: KubeClients) -> None:
    since = version(kube)
    with watching(world, kube, resource_version=since, allow_watch_bookmarks=True) as heard:
        world.send_bookmarks()
        assert heard.next()[0] == "BOOKMARK"
    with watching(world, kube, resource_version=since) as heard:
        world.send_bookmarks()
        assert heard.silent()


def test_a_watch_that_is_cut(world: KubeWorld, kube: KubeClients) -> None:
    with watching(world, kube, resource_version=version(kube)) as heard:
        assert world.cut_watches("applications") == 1
        heard.join()
        assert isinstance(heard.error, HTTPError)
        assert world.open_watches() == 0


def test_a_silent_watch_tells_later_what_it_missed(world: KubeWorld, kube: KubeClients) -> None:
    with watching(world, kube, resource_version=version(kube)) as heard:
        world.faults.silence_watches("applications")
        note(kube, "one")
        assert heard.silent()
        world.faults.clear()
        assert heard.next() == ("MODIFIED", "one")


def test_watches_are_counted_by_the_journal(world: KubeWorld, kube: KubeClients) -> None:
    with watching(world, kube, resource_version=version(kube)):
        assert world.count("watch", "applications") == 1
    assert world.open_watches() == 0
