"""Plans for canaries: which shares a step may have."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bot.model.canary_plan import CanaryPlan


def plan(native: dict[str, Any], *shares: object) -> CanaryPlan:
    steps = [{"share": share} for share in shares]
    return CanaryPlan.model_validate({"native": native, "steps": steps})


def test_everything_at_once_is_a_step_of_blue_green() -> None:
    made = plan({"kind": "blue_green"}, "100 %")
    assert [step.share for step in made.steps] == [1.0]
    assert made.model_dump(mode="json")["steps"][0]["share"] == "100%"


@pytest.mark.parametrize("kind", ["canary", "linear"])
def test_after_its_last_step_any_other_gets_everything_anyway(kind: str) -> None:
    with pytest.raises(ValidationError, match="only native blue_green has a step of 100%"):
        plan({"kind": kind}, "50%", "100%")


@pytest.mark.parametrize("share", ["0%", "101%", "100.5%", "100", True])
def test_what_is_no_share(share: object) -> None:
    with pytest.raises(ValidationError, match="share"):
        plan({"kind": "blue_green"}, share)


@pytest.mark.parametrize(
    ("native", "shares"),
    [
        ({}, [0.1]),
        ({"kind": "canary"}, [0.1]),
        ({"kind": "linear"}, [0.25, 0.5, 0.75]),
        ({"kind": "blue_green"}, [1.0]),
    ],
)
def test_without_steps_a_native_canary_has_those_that_ecs_can_do(
    native: dict[str, Any], shares: list[float]
) -> None:
    made = CanaryPlan.model_validate({"native": native})
    assert [step.share for step in made.steps] == shares
    assert CanaryPlan.model_validate(made.model_dump(mode="json", exclude_none=True)) == made


def test_the_strategy_alone_has_them_too() -> None:
    made = CanaryPlan.model_validate({"strategy": "native"})
    assert [step.share for step in made.steps] == [0.1]


@pytest.mark.parametrize("kind", [7, None, ["canary"], "rolling"])
def test_a_kind_that_there_is_not(kind: object) -> None:
    with pytest.raises(ValidationError, match=r"native\.kind"):
        CanaryPlan.model_validate({"native": {"kind": kind}})


@pytest.mark.parametrize(
    ("kind", "shares", "said"),
    [
        ("canary", ("10%", "25%"), "have one step before everything, and the plan has 2: give it"),
        ("canary", ("0.05%",), "tenths of a percent"),
        ("linear", ("2%", "4%"), "3% at least"),
        ("linear", ("20%", "40%", "80%"), "from 20% on these are 20%, 40%, 60%, 80%;"),
        ("linear", ("20%", "40%"), "from 20% on these are 20%, 40%, 60%, 80%;"),
        ("blue_green", ("50%",), "shift everything at once"),
    ],
)
def test_steps_that_ecs_does_not_have(kind: str, shares: tuple[str, ...], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        plan({"kind": kind}, *shares)


def test_a_third_in_each_step() -> None:
    assert len(plan({"kind": "linear"}, "33.3%", "66.6%", "99.9%").steps) == 3
