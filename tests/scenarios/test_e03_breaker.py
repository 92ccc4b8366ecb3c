"""E3: ECS takes a deployment back by itself. Reported as rolled back, never as success.

A service that rolled back is "stable" again, which is what naive waiters take for success
(fabfuel/ecs-deploy#185, amazon-ecs-deploy-task-definition#191, #494).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.model.deployment import Image
from bot.model.rollout import End, Observation, Order, Watched
from tests.contracts.stages import REGION, REPOSITORY, SPEC, LocalAws, local_aws


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    with local_aws(monkeypatch) as aws:
        aws.world.push("backend", "v1")
        yield aws


def begin(aws: LocalAws, behaviour: str) -> Watched:
    image = Image(REPOSITORY, aws.world.push("backend", "v2", behaviour), "v2")
    order = Order("backend-staging-1", image, aws.rollouts.live(SPEC).revision)
    revision = aws.rollouts.prepare(SPEC, order)
    handle = aws.rollouts.start(SPEC, order, revision)
    return Watched("backend-staging-1", revision, handle, aws.now())


def look(aws: LocalAws, watched: Watched) -> Observation:
    return aws.rollouts.observe([(SPEC, watched)])[watched.deployment_id]


def naive_waiter_is_content(aws: LocalAws) -> bool:
    """botocore's ``services_stable``: one deployment, running equals desired."""
    (service,) = aws.clients.ecs(REGION).describe_services(cluster="staging", services=["backend"])[
        "services"
    ]
    return len(service["deployments"]) == 1 and service["runningCount"] == service["desiredCount"]


@pytest.mark.parametrize("readable", [True, False], ids=["history", "service-only"])
@pytest.mark.parametrize("behaviour", ["crashing", "unpullable", "unhealthy"])
def test_the_breaker_rolled_it_back(aws: LocalAws, behaviour: str, *, readable: bool) -> None:
    aws.world.create_service("staging", "backend", image="v1", desired=3)
    before = aws.rollouts.live(SPEC).revision
    if not readable:
        aws.world.faults.no_service_deployments()
    watched = begin(aws, behaviour)
    told = [look(aws, watched)]
    while told[-1].end is None:
        aws.world.advance(5)
        told.append(look(aws, watched))
        assert aws.world.clock.now() < 7200
    assert told[-1].end is End.ROLLED_BACK
    assert "circuit breaker" in told[-1].explanation or "failed" in told[-1].explanation
    assert any("Task stopped" in line for line in told[-1].events)
    assert naive_waiter_is_content(aws)
    assert aws.rollouts.live(SPEC).revision == before


@pytest.mark.parametrize("readable", [True, False], ids=["history", "service-only"])
def test_it_was_over_before_anybody_looked(aws: LocalAws, *, readable: bool) -> None:
    aws.world.create_service("staging", "backend", image="v1")
    watched = begin(aws, "crashing")
    assert aws.world.run_until_steady("staging", "backend")
    if not readable:
        aws.world.faults.no_service_deployments()
    assert naive_waiter_is_content(aws)
    observed = look(aws, watched)
    assert observed.end is End.ROLLED_BACK
    assert observed.explanation


@pytest.mark.parametrize("readable", [True, False], ids=["history", "service-only"])
def test_an_alarm_rolled_it_back(aws: LocalAws, *, readable: bool) -> None:
    aws.world.create_service(
        "staging", "backend", image="v1", alarms=["errors-high"], bake_minutes=10
    )
    if not readable:
        aws.world.faults.no_service_deployments()
    watched = begin(aws, "good")
    for _ in range(12):
        assert look(aws, watched).end is None
        aws.world.advance(10)
    aws.world.trip_alarm("errors-high")
    assert aws.world.run_until_steady("staging", "backend")
    assert look(aws, watched).end is End.ROLLED_BACK
