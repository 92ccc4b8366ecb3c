"""What a Rollout's status means: whose generation, which step, whose weights."""

from __future__ import annotations

from typing import Any

import pytest

from bot.model.canary_plan import CanaryPlan, CanaryStep, Rollout
from bot.model.errors import Unreachable
from bot.providers.argo_rollouts.scene import Scene, carries
from bot.providers.argo_rollouts.views import HASH, PodsView, pods_of, rollout_of

DIGEST = f"sha256:{'a' * 64}"
STEPS = [{"setWeight": 10}, {"pause": {}}, {"setWeight": 50}, {"pause": {"duration": "5m"}}]


def raw(status: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    return {
        "kind": "Rollout",
        "metadata": {"name": "web", "uid": "u1", "generation": 7, **metadata},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"canary": {"steps": STEPS}},
        },
        "status": status or {},
    }


@pytest.mark.parametrize(
    ("observed", "seen"),
    [
        ("7", True),
        ("6", False),
        ("", True),  # nothing is known of it, as before version 0.10
        ("5d9c7b6f8", True),  # a hash, as those versions wrote it
        ("12345678", True),  # a hash of digits alone
    ],
)
def test_whether_the_newest_spec_was_seen(observed: str, *, seen: bool) -> None:
    assert rollout_of(raw({"observedGeneration": observed})).seen is seen


def test_a_deployment_that_lends_its_template_has_a_generation_of_its_own() -> None:
    annotations = {"rollout.argoproj.io/workload-generation": "3"}
    for known, seen in (("2", False), ("3", True)):
        status = {"observedGeneration": "7", "workloadObservedGeneration": known}
        assert rollout_of(raw(status, annotations=annotations)).seen is seen


@pytest.mark.parametrize(
    ("status", "weight", "ahead"),
    [
        ({"currentStepIndex": 0}, 10, 2),
        ({"currentStepIndex": 1}, 10, 2),
        ({"currentStepIndex": 2}, 50, 1),
        ({"currentStepIndex": 3}, 50, 1),
        ({"currentStepIndex": 4}, 100, 0),
        ({"currentStepIndex": 9}, 100, 0),  # steps were taken away
        ({"currentStepIndex": 3, "abort": True}, 0, 1),
    ],
)
def test_the_step_it_is_at(status: dict[str, Any], weight: int, ahead: int) -> None:
    view = rollout_of(raw(status))
    assert (view.weight, view.pauses_ahead) == (weight, ahead)


def test_steps_are_told_as_they_are_written() -> None:
    told = [each.text for each in rollout_of(raw()).steps]
    assert told == ["setWeight: 10", "pause", "setWeight: 50", "pause: 5m"]


def test_a_pause_that_was_ended_and_not_taken_note_of() -> None:
    pause = [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T12:00:00Z"}]
    paused = rollout_of(raw({"controllerPause": True, "pauseConditions": pause}))
    assert (paused.unpausing, paused.at_step) == (False, True)
    ended = rollout_of(raw({"controllerPause": True}))
    assert (ended.unpausing, ended.at_step) == (True, False)


def test_what_is_no_rollout_is_not_guessed_at() -> None:
    with pytest.raises(Unreachable, match="currentStepIndex is not a number"):
        rollout_of(raw({"currentStepIndex": "two"}))


def test_a_replica_set_of_somebody_else_is_none_of_its_pods() -> None:
    mine = {
        "metadata": {"labels": {HASH: "abc"}, "ownerReferences": [{"uid": "u1"}]},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"image": "web:v1"}]}}},
        "status": {"replicas": 2, "availableReplicas": 1},
    }
    assert pods_of(mine, "u1") == PodsView("abc", ("web:v1",), 2, 2, 1)
    assert pods_of(mine, "u2") is None


# --- whose traffic -------------------------------------------------------------------------------


def scene(status: dict[str, Any], *pods: PodsView, routed: bool = True) -> Scene:
    found = raw(status)
    if routed:
        found["spec"]["strategy"]["canary"]["trafficRouting"] = {"nginx": {}}
    rollout = Rollout(namespace="shop", name="web")
    plan = CanaryPlan(rollout=rollout, steps=(CanaryStep(share=0.1),))
    return Scene(plan, rollout, rollout_of(found), pods, DIGEST)


def pods(name: str, image: str, count: int = 4) -> PodsView:
    return PodsView(name, (image,), count, count, count)


OLD, NEW = pods("old", "web:v1"), pods("new", f"web:v2@{DIGEST}", 1)


def weights(canary: tuple[str, int], stable: tuple[str, int]) -> dict[str, Any]:
    told = {"canary": canary, "stable": stable}
    return {
        "weights": {
            name: {"podTemplateHash": each, "weight": weight}
            for name, (each, weight) in told.items()
        }
    }


@pytest.mark.parametrize(
    ("hashes", "told", "share"),
    [
        (("new", "old"), (("new", 10), ("old", 90)), 0.1),
        (("old", "old"), (("old", 0), ("old", 100)), 0.0),
        (("new", "new"), (("new", 0), ("new", 100)), 1.0),
        (("old", "new"), (("old", 30), ("new", 70)), 0.7),  # on its way back
    ],
)
def test_weights_belong_to_whose_pods_have_that_hash(
    hashes: tuple[str, str], told: tuple[tuple[str, int], tuple[str, int]], share: float
) -> None:
    current, stable = hashes
    status = {"currentPodHash": current, "stableRS": stable, "canary": weights(*told)}
    assert scene(status, OLD, NEW).share == pytest.approx(share)


def test_a_router_that_says_nothing_leaves_the_share_open() -> None:
    status = {"currentPodHash": "new", "stableRS": "old"}
    assert scene(status, OLD, NEW).share is None
    assert scene(status, OLD).share == 0.0


def test_weights_that_are_not_confirmed_yet_are_not_verified() -> None:
    told = weights(("new", 10), ("old", 90))
    told["weights"]["verified"] = False
    assert not scene({"canary": told}, OLD, NEW).verified
    assert scene({"canary": weights(("new", 10), ("old", 90))}, OLD, NEW).verified


def test_without_a_router_available_pods_are_what_counts() -> None:
    assert scene({}, OLD, NEW, routed=False).share == pytest.approx(0.2)
    starting = PodsView("new", NEW.images, 1, 1, 0)
    assert scene({}, OLD, starting, routed=False).share == 0.0
    assert scene({}, routed=False).share == 0.0


@pytest.mark.parametrize(
    ("image", "value", "same"),
    [
        (f"r/web:v2@{DIGEST}", f"v2@{DIGEST}", True),
        (f"r/web@{DIGEST}", DIGEST, True),
        ("r/web:v2", f"v2@{DIGEST}", False),
        ("r/web:v1", "v1", True),
        ("r/web:v1", "r/web:v1", True),
        ("r/web:v11", "v1", False),
    ],
)
def test_which_image_a_value_names(image: str, value: str, *, same: bool) -> None:
    assert carries((image,), value) is same
