"""S1 for what was refused: whoever was told no finds nothing done when Slack delivers it again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.commands.model import (
    Approve,
    Cancel,
    Command,
    Deploy,
    LockTarget,
    Reject,
    Retry,
    Rollback,
    UnlockTarget,
)
from bot.model.catalog import People
from bot.model.deployment import Status
from bot.model.errors import AccessDenied, QuarterdeckError, Throttled, Unreachable
from bot.model.reply import Accepted, Refused
from tests.fakes.inner_rooms import ANALYTICS, PRODUCTION, STAGING, Rooms, a_catalog

DEPLOY, ROLLBACK = Deploy((STAGING,), "v2"), Rollback(STAGING)
LOCK = LockTarget("backend", "staging", reason="migration")
BARRED = {"deployers": People(users=("U0NOBODY",))}


def locked(rooms: Rooms) -> Command:
    rooms.says("iris", LOCK)
    return DEPLOY


def retried(rooms: Rooms) -> Command:
    earlier = rooms.deploy()
    rooms.says("alice", Cancel(earlier.id))
    rooms.says("iris", LOCK)
    return Retry(earlier.id)


def not_pushed(rooms: Rooms) -> Command:
    rooms.registry.remove("backend", rooms.digests["v2"])
    return DEPLOY


def throttled(rooms: Rooms) -> Command:
    return broken(rooms, Throttled("ECS is throttling."))


def unreachable(rooms: Rooms) -> Command:
    return broken(rooms, Unreachable("ECS did not answer."))


def no_permission(rooms: Rooms) -> Command:
    return broken(rooms, AccessDenied("No ecs:DescribeServices.", hint="Grant it."))


def broken(rooms: Rooms, fault: QuarterdeckError) -> Command:
    rooms.rollouts.break_next("live", fault)
    return DEPLOY


def under_way(rooms: Rooms) -> Command:
    rooms.deploy()
    return DEPLOY


def barred(rooms: Rooms) -> Command:
    rooms.finished("v2")
    rooms.catalog = a_catalog(relaxed=BARRED)
    return ROLLBACK


def taken_back_already(rooms: Rooms) -> Command:
    rooms.finished("v2")
    rooms.says("iris", ROLLBACK)
    return ROLLBACK


def over(rooms: Rooms) -> None:
    """Nothing is left of what caused any of these refusals."""
    rooms.catalog = a_catalog()
    rooms.says("iris", UnlockTarget("backend", "staging"))
    rooms.push("backend", "v2")
    with rooms.database.read() as tx:
        active = tx.deployments.active()
    for one in active:
        rooms.says("iris", Cancel(one.id))


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (locked, "LOCKED"),
        (retried, "LOCKED"),
        (not_pushed, "IMAGE_NOT_FOUND"),
        (throttled, "THROTTLED"),
        (unreachable, "UNREACHABLE"),
        (no_permission, "ACCESS_DENIED"),
        (under_way, "DUPLICATE"),
        (barred, "NOT_DEPLOYER"),
        (taken_back_already, "DUPLICATE"),
    ],
)
def test_s1_a_refusal_delivered_again_stands_though_its_cause_is_gone(
    rooms: Rooms, cause: Callable[[Rooms], Command], code: str
) -> None:
    command = cause(rooms)
    first = rooms.says("bob", command, "request-a")
    assert isinstance(first, Refused)
    assert first.reason_code == code
    over(rooms)
    before = rooms.everything()
    assert rooms.says("bob", command, "request-a") == first
    assert rooms.everything() == before
    assert isinstance(rooms.says("bob", command), Accepted)  # typed once more: another request


def test_s1_a_refused_cancellation_takes_nothing_back_when_it_is_delivered_again(
    rooms: Rooms,
) -> None:
    running = rooms.started()
    command = Cancel(running.id, roll_back=True)
    rooms.catalog = a_catalog(relaxed=BARRED)
    first = rooms.says("bob", command, "request-a")
    assert isinstance(first, Refused)
    rooms.catalog = a_catalog()
    assert rooms.says("bob", command, "request-a") == first
    assert rooms.get(running.id).status is Status.RUNNING


@pytest.mark.parametrize("kind", [Approve, Reject, Cancel])
def test_s1_a_refused_word_about_a_deployment_does_not_count_later(
    rooms: Rooms, kind: type[Approve | Reject | Cancel]
) -> None:
    made = rooms.deploy(target=PRODUCTION)
    rooms.catalog = a_catalog(approvers=BARRED["deployers"], deployers=BARRED["deployers"])
    first = rooms.says("bob", kind(made.id), "request-a")
    assert isinstance(first, Refused)
    rooms.catalog = a_catalog()
    before = rooms.everything()
    assert rooms.says("bob", kind(made.id), "request-a") == first
    assert rooms.everything() == before
    assert isinstance(rooms.says("bob", kind(made.id)), Accepted)


def test_s1_of_several_each_is_answered_as_it_was(rooms: Rooms) -> None:
    rooms.says("iris", LOCK)
    command = Deploy((STAGING, ANALYTICS), "v2")
    first = rooms.says("bob", command, "request-a")
    assert isinstance(first, Accepted)
    assert [refused.reason_code for refused in first.refused] == ["LOCKED"]
    over(rooms)
    before = rooms.everything()
    again = rooms.says("bob", command, "request-a")
    assert isinstance(again, Accepted)
    assert ([made.id for made in again.deployments], again.refused) == (
        ["analytics-staging-1"],
        first.refused,
    )
    assert rooms.everything() == before


def test_s1_somebody_elses_request_of_the_same_id_is_their_own(rooms: Rooms) -> None:
    rooms.says("iris", LOCK)
    assert isinstance(rooms.says("bob", DEPLOY, "request-a"), Refused)
    over(rooms)
    assert isinstance(rooms.says("alice", DEPLOY, "request-a"), Accepted)
