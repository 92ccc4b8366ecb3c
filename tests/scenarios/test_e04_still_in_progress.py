"""E4: counts look right while ECS is still at it, or the breaker never trips. Never success.

amazon-ecs-deploy-task-definition#838, copilot-cli#1879
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.model.deployment import Image
from bot.model.rollout import End, Observation, Order, Watched
from tests.contracts.stages import REPOSITORY, SPEC, LocalAws, local_aws


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


@pytest.mark.parametrize("readable", [True, False], ids=["history", "service-only"])
def test_all_tasks_run_but_ecs_is_still_watching_alarms(aws: LocalAws, *, readable: bool) -> None:
    aws.world.create_service(
        "staging", "backend", image="v1", alarms=["errors-high"], bake_minutes=10
    )
    if not readable:
        aws.world.faults.no_service_deployments()
    watched = begin(aws, "good")
    aws.world.advance(300)
    observed = look(aws, watched)
    assert (observed.progress.running, observed.progress.desired) == (2, 2)
    assert observed.progress.old == 0
    assert observed.end is None
    aws.world.advance(600)
    assert look(aws, watched).end is End.SUCCEEDED


@pytest.mark.parametrize("readable", [True, False], ids=["history", "service-only"])
def test_the_breaker_never_trips_and_nothing_is_claimed(aws: LocalAws, *, readable: bool) -> None:
    # Half of 40 tasks have to fail, and ECS waits longer and longer between its tries where they
    # never run.
    aws.world.create_service("staging", "backend", image="v1", desired=40, maximum=103)
    if not readable:
        aws.world.faults.no_service_deployments()
    watched = begin(aws, "unpullable")
    for _ in range(60):
        observed = look(aws, watched)
        assert observed.end is None
        assert observed.progress.old == 40
        aws.world.advance(60)
    assert observed.progress.failed > 0


def test_old_tasks_are_still_running(aws: LocalAws) -> None:
    aws.world.set_timings(stop=600)
    aws.world.create_service("staging", "backend", image="v1")
    watched = begin(aws, "good")
    aws.world.advance(300)
    observed = look(aws, watched)
    assert observed.progress.running == 2
    assert observed.end is None
    aws.world.advance(900)
    assert look(aws, watched).end is End.SUCCEEDED
