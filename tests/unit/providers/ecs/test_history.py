"""Which service deployment is ours, where the same revision has been rolled before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bot.model.deployment import Image
from bot.model.rollout import Order, Told, Watched
from bot.playground.aws import World
from bot.providers.ecs.history import Wanted
from tests.contracts.stages import REPOSITORY, SPEC, LocalAws, local_aws

T0 = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    """Everything happens within a second of shown time: clocks alone decide nothing."""
    with local_aws(monkeypatch, World(strict=True, wall=T0.timestamp)) as aws:
        digest = aws.world.push("backend", "v1")
        aws.world.create_service("staging", "backend", image=digest)
        yield aws


def deploy(aws: LocalAws, version: str) -> Watched:
    image = Image(REPOSITORY, aws.world.push("backend", version), version)
    order = Order(f"backend-staging-{version}", image, aws.rollouts.live(SPEC).revision)
    revision = aws.rollouts.prepare(SPEC, order)
    handle = aws.rollouts.start(SPEC, order, revision)
    return Watched(order.deployment_id, revision, handle, aws.now())


def rollback_to(aws: LocalAws, revision: str) -> Order:
    live = aws.rollouts.live(SPEC)
    assert live.image is not None
    return Order("backend-staging-back", live.image, live.revision, revision)


def test_the_first_run_of_a_revision_is_not_the_rollback_to_it(aws: LocalAws) -> None:
    first = aws.rollouts.live(SPEC).revision
    deploy(aws, "v2")
    assert aws.world.run_until_steady("staging", "backend")
    order = rollback_to(aws, first)
    assert aws.rollouts.read_back(SPEC, order, first, T0).told is Told.NO
    aws.rollouts.start(SPEC, order, first)
    assert aws.rollouts.read_back(SPEC, order, first, T0).told is Told.YES


def test_tasks_still_draining_are_not_the_rollback_to_them(aws: LocalAws) -> None:
    first = aws.rollouts.live(SPEC).revision
    deploy(aws, "v2")
    aws.world.advance(5)
    order = rollback_to(aws, first)
    assert first in {
        each.revision.task_definition.arn
        for each in aws.world.service("staging", "backend").deployments
    }
    assert aws.rollouts.read_back(SPEC, order, first, T0).told is Told.NO


def test_a_rollback_that_somebody_replaced_since_was_told(aws: LocalAws) -> None:
    first = aws.rollouts.live(SPEC).revision
    deploy(aws, "v2")
    assert aws.world.run_until_steady("staging", "backend")
    order = rollback_to(aws, first)
    aws.rollouts.start(SPEC, order, first)
    assert aws.world.run_until_steady("staging", "backend")
    aws.world.push("backend", "v3")
    aws.world.deploy_out_of_band("staging", "backend", "v3")
    assert aws.world.run_until_steady("staging", "backend")
    assert aws.rollouts.read_back(SPEC, order, first, T0).told is Told.YES


def wanted(started: datetime | None = None, since: datetime | None = None) -> Wanted:
    return Wanted("id", SPEC.ecs, "td:1", started=started, since=since)


@pytest.mark.parametrize(
    ("ours", "revision", "made", "fits"),
    [
        (wanted(), "td:1", T0, True),
        (wanted(), "td:2", T0, False),
        (wanted(), "td:1", None, True),
        (wanted(started=T0), "td:1", T0 + timedelta(seconds=2), True),
        (wanted(started=T0), "td:1", T0 - timedelta(minutes=1), False),
        (wanted(started=T0), "td:1", T0 + timedelta(minutes=1), False),
        (wanted(since=T0), "td:1", T0 - timedelta(seconds=20), True),
        (wanted(since=T0), "td:1", T0 - timedelta(minutes=1), False),
        (wanted(since=T0), "td:1", T0 + timedelta(days=1), True),
        (wanted(started=T0, since=T0 + timedelta(days=1)), "td:1", T0, True),
    ],
)
def test_ecs_dates_decide_before_ours(
    ours: Wanted, revision: str, made: datetime | None, *, fits: bool
) -> None:
    assert ours.fits(revision, made) is fits
