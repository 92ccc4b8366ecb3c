"""E8, E11, L6: a conductor over a real database leads the canary of a Rollout in the local cluster.

Its deployments are those of the inner rooms; the Rollout, git and Argo CD are a shop's. Both clocks
go on together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from typing_extensions import override

from bot.model.canary import Act, Aim, Phase, Stand
from bot.model.canary_ports import Canaries
from bot.model.catalog import TargetSpec
from bot.model.deployment import Deployment, Status
from bot.model.rollout import Order
from bot.workflows.canary.conductor import Conductor
from tests.fakes.canaries import FakeCanaries
from tests.fakes.clock import FakeClock
from tests.fakes.conducted import Stage
from tests.fakes.inner_rooms import Rooms, rooms_in
from tests.fakes.rollout_shop import RolloutShop, rollout_shop

DEGRADED = 0.05


class OfTheShop(Canaries):
    """What the rooms ask of their canary, asked of the shop's. ``counted`` is for the metrics."""

    def __init__(self, shop: RolloutShop, counted: FakeCanaries) -> None:
        self._shop = shop
        self._counted = counted
        self.hashes: set[str] = set()

    @override
    def check(self, spec: TargetSpec) -> Sequence[str]:
        return self._shop.canaries.check(self._shop.spec)

    @override
    def look(self, spec: TargetSpec, order: Order, revision: str, aim: Aim) -> Stand:
        return self._told(self._shop.look(aim))

    @override
    def toward(self, spec: TargetSpec, order: Order, revision: str, aim: Aim) -> Stand:
        return self._told(self._shop.toward(aim))

    def _told(self, stand: Stand) -> Stand:
        self._counted.share = stand.share or 0.0
        self.hashes |= {stand.arms.canary} if stand.arms is not None else set()
        return stand


class RolloutStage(Stage):
    """A canary of v2 that is conducted, looked at until it is where a test wants it."""

    def __init__(self, rooms: Rooms, shop: RolloutShop) -> None:
        super().__init__(rooms)
        self.shop = shop
        self.canaries = OfTheShop(shop, self.traffic)
        rooms.with_canaries(self.canaries)
        self.conductor = Conductor(rooms.parts, self.canaries, self.metrics)
        self.made = self.begin()

    @override
    def looks(self, seconds: float = 1.0, times: int = 1) -> None:
        for _ in range(times):
            super().looks(seconds)
            self.shop.pass_by(seconds)

    def until(self, phase: Phase, step: int = 0, looks: int = 400) -> None:
        for _ in range(looks):
            found = self.canary(self.made)
            if (found.phase, found.step) == (phase, step):
                return
            self.looks(5.0)
        raise AssertionError(self.canary(self.made))

    @property
    def deployment(self) -> Deployment:
        return self.rooms.get(self.made.id)


@pytest.fixture
def stage(sqlite_url: str, tmp_path: Path) -> Iterator[RolloutStage]:
    with rooms_in(sqlite_url, FakeClock()) as rooms, rollout_shop(tmp_path) as shop:
        yield RolloutStage(rooms, shop)


def test_a_good_canary_goes_by_the_rollouts_steps_to_the_whole_of_it(stage: RolloutStage) -> None:
    stage.until(Phase.BAKING)
    assert stage.shop.weight() == 10
    stage.until(Phase.BAKING, 1)
    assert stage.shop.weight() == 50
    stage.until(Phase.OVER, 1)
    assert stage.deployment.status is Status.SUCCEEDED
    stage.shop.pass_by(60)  # Argo Rollouts keeps the earlier pods for a while
    assert (stage.shop.written(), stage.shop.images()) == ("v2", {"v2"})
    assert len(stage.canaries.hashes - {""}) == 1, "its pods were told apart by their hash"
    assert stage.actions(stage.made)[-2:] == ["canary.promoted done", "canary.gone done"]


def test_a_bad_canary_is_aborted_and_git_goes_back(stage: RolloutStage) -> None:
    stage.metrics.canary_fails = DEGRADED
    stage.until(Phase.OVER)
    ended = stage.deployment
    assert (ended.status, ended.reason_code) == (Status.ROLLED_BACK, "CANARY_WORSE")
    assert stage.shop.patches() == [{"abort": True}]
    assert (stage.shop.written(), stage.shop.images()) == ("v1", {"v1"})
    assert stage.shop.status()["phase"] == "Healthy"


@pytest.mark.parametrize("bad", [False, True])
def test_killed_at_every_look_it_ends_all_the_same(stage: RolloutStage, *, bad: bool) -> None:
    stage.metrics.canary_fails = DEGRADED if bad else 0.001
    for _ in range(400):
        stage.shop.restart()
        stage.conductor = Conductor(stage.rooms.parts, stage.canaries, stage.metrics)
        stage.looks(15.0)
        if stage.canary(stage.made).over:
            break
        stage.rooms.clock.advance(timedelta(seconds=31))  # a claim is given up after so long
    assert stage.deployment.status is (Status.ROLLED_BACK if bad else Status.SUCCEEDED)
    assert stage.shop.written() == ("v1" if bad else "v2")
    assert stage.shop.images() == ({"v1"} if bad else {"v2"})


def test_e11_aborted_by_hand_it_is_told_as_taken_back(stage: RolloutStage) -> None:
    stage.until(Phase.BAKING)
    stage.shop.kube.abort("staging", "backend")
    stage.until(Phase.OVER)
    ended = stage.deployment
    assert ended.status is Status.ROLLED_BACK
    assert "not by Quarterdeck" in ended.explanation
    assert stage.shop.written() == "v1"


def test_e11_promoted_by_hand_people_are_asked(stage: RolloutStage) -> None:
    stage.until(Phase.BAKING)
    stage.shop.kube.promote("staging", "backend")
    stage.until(Phase.ASKING)
    assert "it is at 50%, and not at 10%" in stage.canary(stage.made).trouble
    stage.says(Act.PROMOTE)
    stage.until(Phase.OVER, 1)
    assert stage.deployment.status is Status.SUCCEEDED


def test_e8_a_rollout_that_somebody_paused_is_not_promoted_over_it(stage: RolloutStage) -> None:
    stage.until(Phase.BAKING)
    stage.shop.by_hand({"spec": {"paused": True}})
    stage.until(Phase.ASKING)
    stage.minutes(10)
    assert stage.canary(stage.made).phase is Phase.ASKING
    assert stage.shop.patches() == []
    stage.shop.by_hand({"spec": {"paused": None}})
    stage.until(Phase.OVER, 1)
    assert stage.deployment.status is Status.SUCCEEDED


def test_l6_taken_back_by_a_person_the_next_one_finds_it_clean(stage: RolloutStage) -> None:
    stage.until(Phase.BAKING, 1)
    stage.says(Act.ABORT)
    stage.until(Phase.CLEANING, 1)
    assert stage.deployment.status is Status.ROLLED_BACK
    assert stage.shop.weight() == 0
    stage.until(Phase.OVER, 1)
    assert stage.canaries.check(stage.shop.spec) == ()
