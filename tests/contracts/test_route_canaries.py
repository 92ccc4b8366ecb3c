"""Canaries by an HTTPRoute's weights in git, on the local cluster: what is read back, in which
order it is changed, and what is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.model.canary import Goal
from tests.fakes.route_shop import PODS, RouteShop, route_shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[RouteShop]:
    with route_shop(tmp_path) as shop:
        yield shop


def test_from_the_first_pod_to_the_whole_service_and_to_nothing_left(shop: RouteShop) -> None:
    assert shop.canaries.check(shop.spec) == ()
    first = shop.aim(Goal.SHARE, 0.1)
    assert shop.look(first).arms is not None
    assert shop.reach(first).share == pytest.approx(0.1)
    assert shop.weights() == {(90, 10)}, "in every rule"
    assert shop.running("backend-canary") == ["v2"]
    stand = shop.look(first)
    assert (stand.canary.healthy, stand.stable.healthy) == (1, PODS)

    assert shop.reach(shop.aim(Goal.SHARE, 0.5, before=0.1)).reached
    assert shop.weights() == {(50, 50)}
    assert shop.running("backend-canary") == ["v2", "v2"]
    assert shop.running("backend") == ["v1"] * PODS, "the stable version keeps its size"

    assert shop.reach(shop.aim(Goal.EVERYTHING, before=0.5), 3600).reached
    assert shop.running("backend") == ["v2"] * PODS
    assert shop.weights() == {(100, 0)}
    assert shop.reach(shop.aim(Goal.GONE), 3600).reached
    assert shop.running("backend-canary") == []
    assert shop.subjects()[1:] == [
        "Add backend",
        "Run 1 of v2 as a canary of backend/staging",
        "Give 10% of backend/staging to v2",
        "Run 2 of v2 as a canary of backend/staging",
        "Give 50% of backend/staging to v2",
        "Deploy v2 to backend/staging",
        "Take the traffic of backend/staging off its canary",
        "End the canary of backend/staging",
    ]
    assert shop.canaries.check(shop.spec) == ()
