"""What ECS is told for a canary by its own strategies, and what is set back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.model.canary_plan import CanaryPlan, CanaryStep, Native
from bot.providers.ecs.native_settings import (
    before,
    deploying,
    is_set,
    others,
    pause_minutes,
    pauses_of_others,
    restored,
)

ROLLING: dict[str, Any] = {
    "strategy": "ROLLING",
    "bakeTimeInMinutes": 0,
    "maximumPercent": 150,
    "somethingNew": {"kept": True},
    "lifecycleHooks": [
        {"hookTargetArn": "arn:x", "roleArn": "arn:r", "lifecycleStages": ["POST_SCALE_UP"]},
        {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"]},
    ],
}


def plan(**changes: Any) -> CanaryPlan:
    one = (CanaryStep(share=0.1, bake=timedelta(minutes=20)),)
    return CanaryPlan(**{"native": Native(), "steps": one, **changes})


def test_what_is_not_ours_stays_and_comes_back() -> None:
    told = deploying(ROLLING, plan())
    assert (told["maximumPercent"], told["somethingNew"]) == (150, {"kept": True})
    assert told["lifecycleHooks"][:2] == ROLLING["lifecycleHooks"]
    assert is_set(told)
    assert not is_set(ROLLING)
    assert restored(told, before(ROLLING)) == ROLLING


def test_told_once_more_there_is_one_hook_of_ours() -> None:
    twice = deploying(deploying(ROLLING, plan()), plan(answer_within=timedelta(hours=5)))
    assert len(twice["lifecycleHooks"]) == 3
    assert others(twice) == ROLLING["lifecycleHooks"]


def test_criteria_that_only_rolling_deployments_have_are_not_sent() -> None:
    assert "earlySuccessCriteria" not in deploying({**ROLLING, "earlySuccessCriteria": {}}, plan())


def test_without_a_note_deployments_roll() -> None:
    told = deploying({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5}, plan())
    assert restored(told, None) == {
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
        "lifecycleHooks": [],
    }


def test_only_pauses_wait_for_somebody_else() -> None:
    assert pauses_of_others(deploying(ROLLING, plan())) == {"PRE_SCALE_UP"}


@pytest.mark.parametrize(
    ("answer_within", "minutes"),
    [(timedelta(hours=2), 2 * 20 + 15 + 120), (timedelta(days=20), 20160)],
)
def test_a_pause_is_longer_than_the_plan_and_no_longer_than_ecs_allows(
    answer_within: timedelta, minutes: int
) -> None:
    assert pause_minutes(plan(answer_within=answer_within)) == minutes
