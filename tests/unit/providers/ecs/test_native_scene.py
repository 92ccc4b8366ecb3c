"""Our service deployment, as ECS describes it."""

from __future__ import annotations

from typing import Any

import pytest

from bot.providers.ecs.native_scene import Run, run_of

OWN = {"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]}


def described(*details: dict[str, Any], stage: str = "PRODUCTION_TRAFFIC_SHIFT") -> Run:
    record: Any = {
        "serviceDeploymentArn": "arn:ours",
        "status": "IN_PROGRESS",
        "lifecycleStage": stage,
        "lifecycleHookDetails": list(details),
        "targetServiceRevision": {"arn": "arn:r", "requestedProductionTrafficWeight": 33.3},
        "deploymentConfiguration": {"lifecycleHooks": [OWN]},
    }
    return run_of(record, "backend:7")


def test_a_lambda_is_no_pause() -> None:
    run = described({"hookId": "1", "targetType": "AWS_LAMBDA", "status": "AWAITING_ACTION"})
    assert run.pause is None


def test_only_one_that_waits_is_answered() -> None:
    run = described(
        {"hookId": "1", "targetType": "PAUSE", "status": "SUCCEEDED"},
        {"hookId": "2", "targetType": "PAUSE", "status": "AWAITING_ACTION"},
    )
    assert run.pause is not None
    assert run.pause.id == "2"
    assert run.share == pytest.approx(0.333)


def test_a_pause_of_the_service_s_own_is_somebody_else_s() -> None:
    waits = {"hookId": "1", "targetType": "PAUSE", "status": "AWAITING_ACTION"}
    run = described(waits, stage="POST_SCALE_UP")
    assert (run.pause, run.strange) == (None, True)


def test_before_it_has_begun_little_is_known() -> None:
    run = run_of({"serviceDeploymentArn": "arn:ours", "status": "PENDING"}, "backend:7")
    assert (run.open, run.share, run.pause, run.strange) == (True, 0.0, None, False)
