"""What one look at a Rollout of two steps shows, at a tenth and at a half of the traffic."""

from __future__ import annotations

from typing import Any

from bot.model.canary_plan import CanaryPlan, CanaryStep, Rollout
from bot.providers.argo_rollouts.scene import Scene
from bot.providers.argo_rollouts.views import PodsView, rollout_of

DIGEST = f"sha256:{'a' * 64}"
PODS = 4
_STEPS = [{"setWeight": 10}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]


def on_trial(
    weight: int = 10,
    available: int = 1,
    *,
    verified: bool | None = True,
    stable: int = PODS,
    **status: Any,
) -> Scene:
    """It waits at its first step; so many of its pods, and of the stable version's, serve."""
    found = {
        "currentPodHash": "new",
        "stableRS": "old",
        "currentStepIndex": 1,
        "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}],
        "controllerPause": True,
        "canary": {
            "weights": {
                "canary": {"weight": weight, "podTemplateHash": "new"},
                "stable": {"weight": 100 - weight, "podTemplateHash": "old"},
                "verified": verified,
            }
        },
    }
    ours = PodsView("new", (f"web:v2@{DIGEST}",), 1, available, available)
    return _scene(found | status, ours, PodsView("old", ("web:v1",), PODS, stable, stable))


def aborted(weight: int = 0, **changes: Any) -> Scene:
    """It was aborted."""
    return on_trial(
        weight,
        abort=True,
        currentStepIndex=0,
        pauseConditions=None,
        controllerPause=False,
        phase="Degraded",
        **changes,
    )


def taken_over(**status: Any) -> Scene:
    """All steps are behind it."""
    found = {"currentPodHash": "new", "stableRS": "new", "currentStepIndex": 4}
    return _scene(found | status, PodsView("new", (f"web:v2@{DIGEST}",), PODS, PODS, PODS))


def told_back(**status: Any) -> Scene:
    """The stable version is what is to run."""
    weights = {
        "canary": {"weight": 0, "podTemplateHash": "old"},
        "stable": {"weight": 100, "podTemplateHash": "old"},
    }
    found = {
        "currentPodHash": "old",
        "stableRS": "old",
        "currentStepIndex": 4,
        "canary": {"weights": weights},
    }
    pods = PodsView("new", (f"web:v2@{DIGEST}",), 1, 1, 1)
    return _scene(found | status, pods, PodsView("old", ("web:v1",), PODS, PODS, PODS))


def leaving(**status: Any) -> Scene:
    """It took over, and the earlier version is rolled anew, by its steps."""
    found = {
        "currentPodHash": "old",
        "stableRS": "new",
        "currentStepIndex": 1,
        "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}],
        "controllerPause": True,
    }
    pods = PodsView("new", (f"web:v2@{DIGEST}",), PODS, PODS, PODS)
    return _scene(found | status, pods, PodsView("old", ("web:v1",), 1, 1, 1))


def _scene(status: dict[str, Any], *pods: PodsView) -> Scene:
    rollout = Rollout(namespace="shop", name="web")
    steps = (CanaryStep(share=0.1), CanaryStep(share=0.5))
    plan = CanaryPlan(rollout=rollout, steps=steps)
    canary = {"steps": _STEPS, "trafficRouting": {"nginx": {}}}
    raw = {
        "metadata": {"uid": "u1", "generation": 3, "resourceVersion": "17"},
        "spec": {"replicas": PODS, "strategy": {"canary": canary}},
        "status": {"observedGeneration": "3", "phase": "Paused"} | status,
    }
    return Scene(plan, rollout, rollout_of(raw), pods, DIGEST)
