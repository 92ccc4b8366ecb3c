"""What counts as taken over: Argo CD and the Rollout have to agree, about the newest spec."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from typing_extensions import override

from bot.model.canary import Aim, Goal
from bot.model.canary_plan import CanaryPlan, CanaryStep, Rollout
from bot.model.deployment import Image, Progress
from bot.model.rollout import End, Observation, Order
from bot.providers.argo_rollouts.commits import Commits
from bot.providers.argo_rollouts.controls import Controls
from bot.providers.argo_rollouts.scene import Errand, Scene
from bot.providers.argo_rollouts.trial import Trial
from bot.providers.argo_rollouts.views import PodsView, rollout_of
from tests.fakes.argo_stage import spec_of
from tests.fakes.cluster import FakeCluster, FakeClusters
from tests.fakes.desired import FakeDesired
from tests.fakes.rollouts import FakeRollouts

DIGEST = f"sha256:{'a' * 64}"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ORDER = Order("web-staging-7", Image("web", DIGEST, "v2"), "v1")


class SettledCommits(Commits):
    """Argo CD says that the canary's commit is Synced, and Healthy for long enough."""

    def __init__(self) -> None:
        super().__init__(FakeDesired("v1"), FakeRollouts(lambda: NOW))

    @override
    def brought(self, errand: Errand) -> str | None:
        return "c" * 40

    @override
    def follow(self, errand: Errand) -> Observation | None:
        return Observation(Progress(4, 4), End.SUCCEEDED)


def scene(**status: Any) -> Scene:
    rollout = Rollout(namespace="shop", name="web")
    plan = CanaryPlan(rollout=rollout, steps=(CanaryStep(share=0.1),))
    raw = {
        "metadata": {"uid": "u1", "generation": 3},
        "spec": {"strategy": {"canary": {"steps": [{"setWeight": 10}, {"pause": {}}]}}},
        "status": {"currentPodHash": "new", "stableRS": "new", "currentStepIndex": 2, **status},
    }
    pods = (PodsView("new", (f"web:v2@{DIGEST}",), 4, 4, 4),)
    return Scene(plan, rollout, rollout_of(raw), pods, DIGEST)


@pytest.mark.parametrize(
    ("phase", "observed", "reached"),
    [
        ("Healthy", "3", True),
        ("Healthy", "2", False),  # of an earlier spec
        ("Progressing", "3", False),
        ("Degraded", "3", False),
        ("", "3", False),
    ],
)
def test_healthy_at_the_newest_spec_by_both_accounts(
    phase: str, observed: str, *, reached: bool
) -> None:
    trial = Trial(Controls(FakeClusters(FakeCluster())), SettledCommits(), lambda *_: ())
    errand = Errand(spec_of(), ORDER, f"v2@{DIGEST}", Aim(Goal.EVERYTHING, NOW, before=0.1))
    move = trial.everything(scene(phase=phase, observedGeneration=observed), errand)
    assert move.stand.reached is reached
    assert move.deed is None
