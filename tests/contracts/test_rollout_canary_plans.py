"""Plans that a Rollout cannot follow are refused before anything is changed, with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.model.canary import Arms, Goal
from bot.model.canary_plan import CanaryStep, CloudWatch, Rollout
from bot.model.errors import Misconfigured
from tests.fakes.rollout_shop import RolloutShop, rollout_shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[RolloutShop]:
    with rollout_shop(tmp_path) as shop:
        yield shop


def refused(shop: RolloutShop, **canary: Any) -> Misconfigured:
    spec = shop.spec_with(canary) if canary else shop.spec
    with pytest.raises(Misconfigured) as refusal:
        shop.canaries.check(spec)
    assert refusal.value.reason_code == "CANARY_IMPOSSIBLE"
    assert refusal.value.hint
    return refusal.value


def steps(shop: RolloutShop, *found: dict[str, Any]) -> None:
    shop.by_hand({"spec": {"strategy": {"canary": {"steps": list(found)}}}})
    shop.pass_by(5)


def weight(percent: int) -> dict[str, Any]:
    return {"setWeight": percent}


PAUSE: dict[str, Any] = {"pause": {}}


@pytest.mark.parametrize(
    "found",
    [
        [weight(10), PAUSE],
        [weight(20), PAUSE, weight(50), PAUSE],
        [weight(10), PAUSE, weight(50), PAUSE, weight(80), PAUSE],
        [weight(10), PAUSE, weight(50)],
        [PAUSE, weight(10), PAUSE, weight(50)],
        [weight(10), {"setCanaryScale": {"replicas": 2}}, weight(50), PAUSE],
        [weight(10), PAUSE, {"analysis": {"templates": []}}, PAUSE],
        [],
    ],
)
def test_steps_that_are_not_the_plans_are_refused(
    shop: RolloutShop, found: list[dict[str, Any]]
) -> None:
    steps(shop, *found)
    fault = refused(shop)
    assert "the plan goes by 10%, 50%, with a pause at each" in fault.message
    assert "[{setWeight: 10}, {pause: {}}, {setWeight: 50}, {pause: {}}]" in fault.hint


@pytest.mark.parametrize("lasts", ["10m", 30])
def test_a_pause_that_ends_by_itself_is_refused(shop: RolloutShop, lasts: str | int) -> None:
    steps(shop, weight(10), {"pause": {"duration": lasts}}, weight(50), PAUSE)
    assert f"pause of {lasts} would end by itself" in refused(shop).message


def test_weights_of_another_whole_are_shares_of_it(shop: RolloutShop) -> None:
    routing = {"trafficRouting": {"maxTrafficWeight": 1000}}
    shop.by_hand({"spec": {"strategy": {"canary": routing}}})
    assert "setWeight: 100}, {pause: {}}, {setWeight: 500}" in refused(shop).hint
    steps(shop, weight(100), PAUSE, weight(500), PAUSE)
    assert shop.canaries.check(shop.spec) == ()


def test_a_share_that_no_weight_expresses_is_refused(shop: RolloutShop) -> None:
    few = (CanaryStep(share=0.005), CanaryStep(share=0.5))
    assert "the plan goes by 0.5%, 50%" in refused(shop, steps=few).message


def test_how_many_tasks_is_not_for_the_plan_to_say(shop: RolloutShop) -> None:
    counted = (CanaryStep(share=0.1, tasks=2), CanaryStep(share=0.5))
    assert "pods" in refused(shop, steps=counted).message


def test_cloudwatch_cannot_tell_the_versions_apart(shop: RolloutShop) -> None:
    assert (
        "CloudWatch does not know"
        in refused(shop, prometheus=None, cloudwatch=CloudWatch()).message
    )


def test_a_way_back_that_waits_for_people_is_refused(shop: RolloutShop) -> None:
    waiting = shop.spec_with(delivery="pull_request")
    for spec in (waiting, shop.spec_with(rollback="history")):
        with pytest.raises(Misconfigured) as refusal:
            shop.canaries.check(spec)
        assert refusal.value.reason_code == "CANARY_IMPOSSIBLE"


def test_a_rollout_that_is_not_the_applications_is_refused(shop: RolloutShop) -> None:
    fault = refused(shop, rollout=Rollout(namespace="staging", name="frontend"))
    assert "has no Rollout staging/frontend" in fault.message
    assert "it has staging/backend" in fault.hint


def test_another_strategy_is_refused(shop: RolloutShop) -> None:
    blue_green = {"blueGreen": {"activeService": "backend"}, "canary": None}
    shop.by_hand({"spec": {"strategy": blue_green}})
    assert "another strategy than canary" in refused(shop).message


@pytest.mark.parametrize(
    ("verb", "resource", "rule"),
    [
        ("patch", "rollouts/status", '["argoproj.io"], resources ["rollouts/status"]'),
        ("list", "replicasets", '["apps"], resources ["replicasets"]'),
        ("get", "rollouts", '["argoproj.io"], resources ["rollouts"]'),
    ],
)
def test_what_we_may_not_do_is_named(
    shop: RolloutShop, verb: str, resource: str, rule: str
) -> None:
    shop.kube.access.revoke(verb, resource)
    fault = refused(shop)
    assert f"does not let us {verb}" in fault.message
    assert f'{rule}, verbs ["{verb}"]' in fault.hint


def test_a_rollout_that_is_not_at_rest_is_refused(shop: RolloutShop) -> None:
    shop.on_trial()
    assert "in the middle of an update: CanaryPauseStep" in refused(shop).message
    shop.kube.abort("staging", "backend")
    shop.pass_by(5)
    assert "was aborted: git still asks" in refused(shop).message


def test_a_rollout_that_is_paused_by_hand_is_refused(shop: RolloutShop) -> None:
    shop.by_hand({"spec": {"paused": True}})
    shop.pass_by(5)
    assert "(spec.paused)" in refused(shop).message


def test_a_change_that_the_controller_has_not_seen_is_refused(shop: RolloutShop) -> None:
    """Healthy, by what it knew before."""
    shop.kube.halt_rollouts()
    shop.set_image(shop.image("v3"))
    assert shop.status()["phase"] == "Healthy"
    assert "in the middle of an update" in refused(shop).message


def test_a_controller_that_says_nothing_is_named(shop: RolloutShop) -> None:
    shop.kube.halt_rollouts()
    shop.tell({"phase": None})
    assert "its controller does not run, or is older than 1.0" in refused(shop).message


def test_an_own_analysis_is_worth_a_word(shop: RolloutShop) -> None:
    shop.by_hand({"spec": {"strategy": {"canary": {"analysis": {"templates": []}}}}})
    shop.pass_by(5)
    assert shop.canaries.check(shop.spec) == (
        "the Rollout has an analysis of its own, which may end the canary too",
    )


# --- by what the versions are told apart ---------------------------------------------------------


def test_services_tell_the_versions_apart_where_the_plan_says_so(shop: RolloutShop) -> None:
    rollout = Rollout(namespace="staging", name="backend", told_by="service")
    shop.spec = shop.spec_with({"rollout": rollout})
    assert shop.canaries.check(shop.spec) == ()
    stand = shop.look(shop.aim(Goal.SHARE, 0.1))
    assert stand.arms == Arms("backend-stable", "backend-canary")
    shop.by_hand({"spec": {"strategy": {"canary": {"pingPong": {}}}}})
    assert "change places" in refused(shop, rollout=rollout).message
    shop.by_hand({"spec": {"strategy": {"canary": {"stableService": None}}}})
    assert "names no stableService" in refused(shop, rollout=rollout).message
