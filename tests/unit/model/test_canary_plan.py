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
