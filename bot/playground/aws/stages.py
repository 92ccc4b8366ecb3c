"""How far a blue/green, linear or canary deployment has come: stages, weights and hooks.

Blue is the revision that served before, green the one that is deployed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

WHOLE = 100.0  # percent of the traffic


class Stage(StrEnum):
    """The lifecycle stages, in their order.

    Source: "Deployment lifecycle stages" in ECS's Developer Guide. botocore 1.44 names all of them
    in its text on ``ServiceDeployment.lifecycleStage``, and all but PRE_PRODUCTION_TRAFFIC_SHIFT
    in the enum beside it.
    """

    RECONCILE_SERVICE = "RECONCILE_SERVICE"
    PRE_SCALE_UP = "PRE_SCALE_UP"
    SCALE_UP = "SCALE_UP"
    POST_SCALE_UP = "POST_SCALE_UP"
    TEST_TRAFFIC_SHIFT = "TEST_TRAFFIC_SHIFT"
    POST_TEST_TRAFFIC_SHIFT = "POST_TEST_TRAFFIC_SHIFT"
    PRE_PRODUCTION_TRAFFIC_SHIFT = "PRE_PRODUCTION_TRAFFIC_SHIFT"
    PRODUCTION_TRAFFIC_SHIFT = "PRODUCTION_TRAFFIC_SHIFT"
    POST_PRODUCTION_TRAFFIC_SHIFT = "POST_PRODUCTION_TRAFFIC_SHIFT"
    BAKE_TIME = "BAKE_TIME"
    CLEAN_UP = "CLEAN_UP"


ORDER = tuple(Stage)
#: In these, green has no tasks yet.
BEFORE_SCALING = (Stage.RECONCILE_SERVICE, Stage.PRE_SCALE_UP)


@dataclass(eq=False)
class Hook:
    """One time that a PAUSE hook was reached; ``expires_at`` is as shown to callers."""

    id: str
    stage: Stage
    expires_at: float
    timeout_action: str
    status: str = "AWAITING_ACTION"

    @property
    def awaiting(self) -> bool:
        """Whether the deployment waits for it."""
        return self.status == "AWAITING_ACTION"


@dataclass(eq=False)
class Passage:
    """One deployment on its way through the stages. Revisions are named by their ARNs.

    ``steps`` is green's share of the production traffic after each shift, ``shifted`` how many of
    them are done; ``turn`` counts the stages entered, so that what was due in an earlier one can
    tell; ``due`` is the virtual time before which the present one does not end. ``by_the_enum``
    shows callers no stage that the model's enum lacks.
    """

    blue: str | None
    green: str
    steps: tuple[float, ...]
    production: dict[str, float]
    test: dict[str, float]
    stage: Stage | None = None
    turn: int = 0
    due: float = 0.0
    shifted: int = 0
    turned_back: bool = False
    by_the_enum: bool = False
    hooks: list[Hook] = field(default_factory=list)

    def awaiting(self) -> Iterator[Hook]:
        """The hooks that hold it up now."""
        return (hook for hook in self.hooks if hook.awaiting)

    def hook(self, identifier: str) -> Hook | None:
        """The hook of that id, if it is still waiting."""
        return next((hook for hook in self.awaiting() if hook.id == identifier), None)

    def abandon(self) -> None:
        """Nobody can answer its hooks any more."""
        for hook in self.awaiting():
            hook.status = "FAILED"

    def next_stage(self) -> Stage | None:
        """Where it goes from here; ``None`` after the last stage.

        The traffic is shifted in as many rounds as there are steps, each with a
        PRE_PRODUCTION_TRAFFIC_SHIFT of its own. On the way back, tasks are only started where
        blue had begun to go.
        """
        if self.stage is Stage.CLEAN_UP or self.stage is None:
            return None
        if self.turned_back:
            return _BACKWARDS[self.stage]
        if self.stage is Stage.PRODUCTION_TRAFFIC_SHIFT and self.shifted < len(self.steps):
            return Stage.PRE_PRODUCTION_TRAFFIC_SHIFT
        return ORDER[ORDER.index(self.stage) + 1]

    def arrive(self) -> None:
        """It went all the way long ago."""
        self.stage, self.shifted = Stage.CLEAN_UP, len(self.steps)
        self.give_green(WHOLE)

    def give_green(self, percent: float) -> None:
        """Let green have that share of the production traffic, and blue the rest."""
        rest = round(WHOLE - percent, 1)
        for arn in self.production:
            self.production[arn] = percent if arn == self.green else 0.0
        if self.blue is not None and self.blue != self.green:
            self.production[self.blue] = rest

    def give_green_tests(self, percent: float) -> None:
        """Let green have that share of the test traffic."""
        self.test[self.green] = percent


_BACKWARDS: Mapping[Stage, Stage] = {
    Stage.SCALE_UP: Stage.PRODUCTION_TRAFFIC_SHIFT,
    Stage.PRODUCTION_TRAFFIC_SHIFT: Stage.TEST_TRAFFIC_SHIFT,
    Stage.TEST_TRAFFIC_SHIFT: Stage.CLEAN_UP,
}


def shares(configuration: Mapping[str, Any], *, first: bool) -> tuple[float, ...]:
    """Green's share of the production traffic after each shift, ending at 100 percent.

    A canary has two shifts, a linear deployment one for each ``stepPercent``; the last is cut to
    what is left. With no blue revision (``first``), there is nothing to share with: one shift.
    Source: ECS's Developer Guide, "Amazon ECS canary deployments", "Amazon ECS linear
    deployments"; that the last linear step is cut and that a first deployment shifts once are
    assumed.
    """
    strategy = configuration["strategy"]
    if strategy == "BLUE_GREEN" or first:
        return (WHOLE,)
    if strategy == "CANARY":
        canary = float(configuration["canaryConfiguration"]["canaryPercent"])
        return (canary, WHOLE) if canary < WHOLE else (WHOLE,)
    tenths = round(configuration["linearConfiguration"]["stepPercent"] * 10)
    return (*(each / 10 for each in range(tenths, 1000, tenths)), WHOLE)


def minutes_between(configuration: Mapping[str, Any]) -> float:
    """How long a share of the traffic is watched before the next shift."""
    if configuration["strategy"] == "CANARY":
        return float(configuration["canaryConfiguration"]["canaryBakeTimeInMinutes"])
    if configuration["strategy"] == "LINEAR":
        return float(configuration["linearConfiguration"]["stepBakeTimeInMinutes"])
    return 0.0


def shown(passage: Passage) -> dict[str, Any]:
    """Its members of a ``ServiceDeployment``."""
    if passage.stage is None:
        return {}
    stage = passage.stage
    if passage.by_the_enum and stage is Stage.PRE_PRODUCTION_TRAFFIC_SHIFT:
        stage = Stage.PRODUCTION_TRAFFIC_SHIFT
    return {
        "lifecycleStage": stage.value,
        "lifecycleHookDetails": [
            {
                "hookId": hook.id,
                "targetType": "PAUSE",
                "status": hook.status,
                "expiresAt": hook.expires_at,
                "timeoutAction": hook.timeout_action,
            }
            for hook in passage.hooks
        ],
    }
