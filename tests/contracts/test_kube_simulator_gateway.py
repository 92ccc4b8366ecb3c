"""The local Gateway against what the Gateway API documents of the status of an HTTPRoute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bot.playground.kube import KubeWorld
from bot.playground.kube.resources import HTTP_ROUTES, SERVICES
from tests.fakes.kube_world import running_cluster

RULES = [{"backendRefs": [{"name": "web", "port": 80, "weight": 1}]}]


@pytest.fixture
def world() -> Iterator[KubeWorld]:
    with running_cluster() as world:
        world.create_namespace("shop")
        service = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
        world.objects.create(SERVICES, "shop", service)
        spec = {"parentRefs": [{"name": "public"}], "rules": RULES}
        world.objects.create(HTTP_ROUTES, "shop", {"metadata": {"name": "web"}, "spec": spec})
        world.advance(5)
        yield world


def conditions(world: KubeWorld) -> dict[str, Any]:
    (parent,) = world.get(HTTP_ROUTES, "shop", "web")["status"]["parents"]
    assert parent["parentRef"] == {"name": "public"}
    return {each["type"]: each for each in parent["conditions"]}


def test_each_parent_says_that_it_accepts_the_newest_generation(world: KubeWorld) -> None:
    found = conditions(world)
    assert {name: each["status"] for name, each in found.items()} == {
        "Accepted": "True",
        "ResolvedRefs": "True",
    }
    rules = [{"backendRefs": [{"name": "web", "port": 80, "weight": 7}]}]
    world.apply(HTTP_ROUTES, "shop", "web", {"spec": {"rules": rules}})
    route = world.get(HTTP_ROUTES, "shop", "web")
    assert route["metadata"]["generation"] == 2
    world.advance(5)
    assert conditions(world)["Accepted"]["observedGeneration"] == 2


def test_a_service_that_is_not_there_is_not_resolved(world: KubeWorld) -> None:
    rules = [{"backendRefs": [{"name": "other", "port": 80}]}]
    world.apply(HTTP_ROUTES, "shop", "web", {"spec": {"rules": rules}})
    world.advance(5)
    unresolved = conditions(world)["ResolvedRefs"]
    assert (unresolved["status"], unresolved["reason"]) == ("False", "BackendNotFound")
    world.objects.create(SERVICES, "shop", {"metadata": {"name": "other"}, "spec": {}})
    world.advance(5)
    assert conditions(world)["ResolvedRefs"]["status"] == "True"


def test_one_that_is_down_takes_note_later(world: KubeWorld) -> None:
    world.halt_gateway()
    world.apply(HTTP_ROUTES, "shop", "web", {"spec": {"hostnames": ["acme.example"]}})
    world.advance(60)
    assert conditions(world)["Accepted"]["observedGeneration"] == 1
    world.halt_gateway(halted=False)
    world.advance(5)
    assert conditions(world)["Accepted"]["observedGeneration"] == 2


def test_the_ports_of_a_service_are_merged_by_their_number(world: KubeWorld) -> None:
    patch = {"spec": {"ports": [{"port": 80, "name": "web"}, {"port": 443}]}}
    after = world.apply(SERVICES, "shop", "web", patch)
    assert after["spec"]["ports"] == [{"port": 80, "name": "web"}, {"port": 443}]
