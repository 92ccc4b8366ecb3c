"""Which service deployment is ours, where the same revision has been rolled before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.model.deployment import Image
from bot.model.rollout import End, Order, Told, Watched
from bot.playground.aws import World
from bot.playground.aws.errors import AwsError
from bot.providers.ecs.history import History, Wanted
from bot.providers.ecs.reads import EcsReads, account_of
from tests.contracts.stages import REPOSITORY, SPEC, LocalAws, Ticks, local_aws

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


# --- what ECS refuses ---

REFUSED = AwsError("ClientException", "It is being deleted.")
GONE = SPEC.ecs.model_copy(update={"service": "gone"})


@pytest.fixture
def history(aws: LocalAws) -> History:
    return History(EcsReads(aws.clients), Ticks(aws.world))


def rolled(aws: LocalAws) -> Wanted:
    """A rollout that is over, and whose service deployment the service still names."""
    watched = deploy(aws, "v2")
    assert aws.world.run_until_steady("staging", "backend")
    current = EcsReads(aws.clients).service(SPEC.ecs).view.current
    return Wanted("rolled", SPEC.ecs, watched.revision, current=current)


def deleted() -> Wanted:
    return Wanted("gone", GONE, "td:1", arn="arn:aws:ecs:a:1:service-deployment/x/gone/y")


def test_a_service_that_is_gone_hides_no_other(aws: LocalAws, history: History) -> None:
    here, gone = rolled(aws), replace(deleted(), may_list=True)
    listed = replace(here, key="listed", current=None, may_list=True)
    told = history.of(account_of(SPEC.ecs), [gone, here, listed])
    assert set(told.found) == {"rolled", "listed"}
    assert told.readable
    assert not history.closed(account_of(SPEC.ecs))
    assert history.knows(GONE, "td:1", "td:0", T0) is None
    assert not history.closed(account_of(SPEC.ecs))


@pytest.mark.parametrize("operation", ["DescribeServiceDeployments", "DescribeServiceRevisions"])
def test_what_is_refused_together_is_asked_one_by_one(
    aws: LocalAws, history: History, operation: str
) -> None:
    here = rolled(aws)
    first = EcsReads(aws.clients).deployments_since(SPEC.ecs, None)[-1]
    other = replace(here, key="other", current=first["serviceDeploymentArn"])
    aws.world.faults.fail(operation, REFUSED)
    assert set(history.of(account_of(SPEC.ecs), [other, here]).found) == {"rolled"}
    assert aws.world.count(operation) == 2  # each one by itself
    assert not history.closed(account_of(SPEC.ecs))


def test_what_was_found_before_a_denial_is_kept(aws: LocalAws, history: History) -> None:
    here, gone = rolled(aws), replace(deleted(), may_list=True)
    aws.world.faults.deny("ListServiceDeployments")
    told = history.of(account_of(SPEC.ecs), [gone, here])
    assert (set(told.found), told.readable) == ({"rolled"}, True)
    assert history.closed(account_of(SPEC.ecs))


def test_what_was_found_before_a_fault_that_passes_is_kept(aws: LocalAws, history: History) -> None:
    here, gone = rolled(aws), replace(deleted(), may_list=True)
    aws.world.faults.throttle("ListServiceDeployments")
    told = history.of(account_of(SPEC.ecs), [gone, here])
    assert (set(told.found), told.readable) == ({"rolled"}, False)
    assert not history.closed(account_of(SPEC.ecs))


def test_an_end_that_was_read_is_told_though_a_later_call_failed(aws: LocalAws) -> None:
    watched = deploy(aws, "v2")
    assert aws.world.run_until_steady("staging", "backend")
    aws.world.create_service(
        "staging", "other", image="v1", repository="backend", container="backend"
    )
    ecs = SPEC.ecs.model_copy(update={"service": "other"})
    spec = SPEC.model_copy(update={"service": "other", "ecs": ecs})
    lost = Watched("lost", "td:1", None, aws.now())
    aws.world.faults.throttle("ListServiceDeployments")
    seen = aws.rollouts.observe([(SPEC, watched), (spec, lost)])
    assert seen[watched.deployment_id].end is End.SUCCEEDED
    assert seen["lost"].end is None
