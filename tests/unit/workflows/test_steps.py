from __future__ import annotations

from datetime import timedelta

import pytest

from bot.commands.model import (
    Approve,
    Cancel,
    DeclareFreeze,
    Deploy,
    LockTarget,
    PauseAll,
    Rollback,
)
from bot.model.deployment import Deployment, Progress, Status
from bot.model.errors import AccessDenied, Misconfigured, Throttled, Unknown, Unreachable
from bot.model.reply import Reply
from bot.workflows.steps import PATIENCE, Steps
from tests.fakes.inner_rooms import PRODUCTION, STAGING, Rooms

LOST = Unknown("The answer of ecs:UpdateService was lost.")


def prepared(rooms: Rooms, version: str = "v2") -> Deployment:
    made = rooms.deploy(version)
    rooms.steps.adopt(made.id)
    assert rooms.steps.begin(made.id) == 0
    assert rooms.steps.prepare(made.id) == 0
    return rooms.get(made.id)


def test_the_provider_is_told_once_between_intent_and_outcome(rooms: Rooms) -> None:
    made = rooms.started()
    assert rooms.rollouts.told == [(STAGING, made.revision)]
    assert (made.attempts, made.explanation) == (1, "")
    assert made.handle is not None
    assert rooms.audit(deployment_id=made.id)[-2:] == [
        ("rollout.tell", "intent", ""),
        ("rollout.tell", "done", ""),
    ]
    assert rooms.said(made.id)[-1] == f"The provider accepted the rollout ({made.handle})."


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (LockTarget("backend", "staging", reason="incident"), "LOCKED"),
        (DeclareFreeze("staging", reason="incident"), "FROZEN"),
        (PauseAll("incident"), "PAUSED"),
    ],
)
def test_what_is_put_in_the_way_while_it_is_prepared_stops_it(
    rooms: Rooms, command: LockTarget | DeclareFreeze | PauseAll, code: str
) -> None:
    made = prepared(rooms)
    rooms.says("iris", command)
    assert rooms.steps.start(made.id) == 0
    ended = rooms.get(made.id)
    assert (ended.status, ended.reason_code) == (Status.REFUSED, code)
    assert rooms.rollouts.told == []


def test_what_overrides_a_freeze_is_not_stopped_by_it(rooms: Rooms) -> None:
    rooms.says("iris", DeclareFreeze("staging", reason="holidays"))
    made = rooms.asked("iris", Deploy((STAGING,), "v2", reason="hotfix", override_freeze=True))
    assert rooms.start(made).status is Status.RUNNING
    assert len(rooms.rollouts.told) == 1


def test_every_step_may_run_again(rooms: Rooms) -> None:
    made = rooms.started()
    for step in (rooms.steps.begin, rooms.steps.prepare, rooms.steps.start):
        assert step(made.id) == 0
    assert rooms.get(made.id) == made
    assert len(rooms.rollouts.told) == 1
    assert [verb for verb, _ in rooms.rollouts.calls].count("prepare") == 1


def test_after_a_lost_answer_it_is_read_back_and_not_told_again(rooms: Rooms) -> None:
    made = prepared(rooms)
    rooms.rollouts.break_next("start", LOST, after=True)
    assert rooms.steps.start(made.id) > 0
    assert rooms.get(made.id).explanation == f"Trying again: {LOST}"
    assert rooms.steps.start(made.id) == 0
    assert len(rooms.rollouts.told) == 1
    found = rooms.get(made.id)
    assert found.handle is not None
    assert found.explanation == ""
    assert rooms.rows(deployment_id=made.id)[-1].entry.reason.startswith("read back")


def test_after_a_call_that_never_arrived_it_is_told_again(rooms: Rooms) -> None:
    made = prepared(rooms)
    rooms.rollouts.break_next("start", LOST)
    assert rooms.steps.start(made.id) > 0
    assert rooms.rollouts.told == []
    assert rooms.steps.start(made.id) == 0
    assert rooms.rollouts.told == [(STAGING, made.revision)]
    assert rooms.get(made.id).attempts == 2


def test_when_somebody_else_came_first_it_is_superseded(rooms: Rooms) -> None:
    made = prepared(rooms)
    rooms.rollouts.break_next("start", LOST)
    rooms.steps.start(made.id)
    rooms.rollouts.deploy_elsewhere(STAGING, rooms.image("backend", "v3"))
    assert rooms.steps.start(made.id) == 0
    found = rooms.get(made.id)
    assert (found.status, found.reason_code) == (Status.SUPERSEDED, "SUPERSEDED")
    assert rooms.rollouts.told == []


def test_a_rollout_that_is_over_before_it_was_read_back_still_counts_as_told(rooms: Rooms) -> None:
    made = prepared(rooms)
    rooms.rollouts.break_next("start", LOST, after=True)
    rooms.steps.start(made.id)
    rooms.rollouts.take_back(STAGING)
    assert rooms.steps.start(made.id) == 0
    assert len(rooms.rollouts.told) == 1
    assert rooms.get(made.id).handle == ""


@pytest.mark.parametrize("verb", ["prepare", "start"])
def test_throttling_is_waited_out(rooms: Rooms, verb: str) -> None:
    made = rooms.deploy()
    rooms.steps.adopt(made.id)
    rooms.steps.begin(made.id)
    fault = Throttled("ECS is throttling.")
    fault.retry_after = 120.0
    rooms.rollouts.break_next(verb, fault)
    if verb == "start":
        assert rooms.steps.prepare(made.id) == 0
    assert getattr(rooms.steps, verb)(made.id) == 120.0
    assert rooms.get(made.id).status is Status.RUNNING
    assert rooms.start(made).handle is not None


def test_waits_grow_up_to_a_limit_and_begin_anew_after_a_success(rooms: Rooms) -> None:
    made = rooms.deploy()
    rooms.steps.adopt(made.id)
    rooms.rollouts.break_next("live", *[Unreachable("No answer.")] * 12)
    waits = [rooms.steps.begin(made.id) for _ in range(12)]
    assert 0.5 <= waits[0] <= 1.0
    assert 1.0 <= waits[1] <= 2.0
    assert all(15.0 <= wait <= 30.0 for wait in waits[5:])
    assert rooms.steps.begin(made.id) == 0
    rooms.rollouts.break_next("prepare", Unreachable("No answer."))
    assert rooms.steps.prepare(made.id) <= 1.0


def test_what_cannot_begin_is_given_up_in_the_end(rooms: Rooms) -> None:
    made = rooms.deploy()
    fault = Unreachable("ECS did not answer.", hint="Look at the status page.")
    rooms.rollouts.break_next("live", *[fault] * 3)
    assert rooms.steps.begin(made.id) > 0
    rooms.clock.advance(PATIENCE)
    assert rooms.steps.begin(made.id) > 0
    rooms.clock.advance(timedelta(seconds=1))
    assert rooms.steps.begin(made.id) == 0
    found = rooms.get(made.id)
    assert (found.status, found.reason_code) == (Status.FAILED, "UNREACHABLE")
    assert found.explanation == "ECS did not answer. Look at the status page."


@pytest.mark.parametrize("verb", ["prepare", "start"])
@pytest.mark.parametrize("fault", [AccessDenied("No ecs."), Misconfigured("No such cluster.")])
def test_what_can_never_work_fails_at_once(
    rooms: Rooms, verb: str, fault: AccessDenied | Misconfigured
) -> None:
    made = rooms.deploy()
    rooms.steps.adopt(made.id)
    rooms.rollouts.break_next(verb, fault)
    for step in (rooms.steps.begin, rooms.steps.prepare, rooms.steps.start):
        assert step(made.id) == 0
    found = rooms.get(made.id)
    assert (found.status, found.reason_code) == (Status.FAILED, fault.reason_code)
    assert found.explanation == fault.message
    assert rooms.rollouts.told == []


def test_a_replica_that_lost_the_work_touches_nothing(rooms: Rooms) -> None:
    made = prepared(rooms)
    other = Steps(rooms.as_replica("replica-2"))
    other.adopt(made.id)
    assert rooms.steps.start(made.id) == 0
    assert rooms.rollouts.told == []
    assert rooms.get(made.id).status is Status.RUNNING
    assert other.start(made.id) == 0
    assert len(rooms.rollouts.told) == 1
    assert rooms.get(made.id).owner == "replica-2"


def test_a_replica_that_loses_the_work_while_it_prepares_goes_no_further(rooms: Rooms) -> None:
    made = rooms.deploy()
    rooms.steps.adopt(made.id)
    rooms.steps.begin(made.id)
    other = Steps(rooms.as_replica("replica-2"))
    rooms.rollouts.meanwhile["prepare"] = lambda: other.adopt(made.id)
    assert rooms.steps.prepare(made.id) == 0
    assert rooms.get(made.id).revision is None
    assert other.prepare(made.id) == 0
    assert other.start(made.id) == 0
    assert [revision for _, revision in rooms.rollouts.told] == [rooms.get(made.id).revision]


def test_what_was_taken_back_while_it_prepared_is_not_told(rooms: Rooms) -> None:
    rooms.finished("v2")
    made = rooms.deploy("v3")
    rooms.steps.adopt(made.id)
    rooms.steps.begin(made.id)
    said: list[Reply] = []
    rooms.rollouts.meanwhile["prepare"] = lambda: said.append(
        rooms.says("alice", Rollback(STAGING))
    )
    for step in (rooms.steps.prepare, rooms.steps.start):
        assert step(made.id) == 0
    assert rooms.get(made.id).status is Status.CANCELLED
    assert len(rooms.rollouts.told) == 1


def test_while_the_provider_cannot_say_whether_it_was_told_nothing_is_claimed(
    rooms: Rooms,
) -> None:
    made = prepared(rooms)
    rooms.rollouts.break_next("start", LOST)
    rooms.steps.start(made.id)
    rooms.rollouts.break_next("read_back", AccessDenied("No ecs:DescribeServices."))
    assert rooms.steps.start(made.id) > 0
    assert rooms.get(made.id).status is Status.RUNNING
    rooms.clock.advance(timedelta(minutes=30))
    rooms.rollouts.break_next("read_back", AccessDenied("No ecs:DescribeServices."))
    assert rooms.steps.time_out(made.id) == 0
    assert rooms.get(made.id).status is Status.OUTCOME_UNKNOWN


@pytest.mark.parametrize("step", ["begin", "prepare", "start", "time_out", "expire"])
def test_a_step_of_what_does_not_exist_or_is_settled_does_nothing(rooms: Rooms, step: str) -> None:
    made = rooms.deploy()
    rooms.says("alice", Cancel(made.id))
    before = rooms.everything()
    assert getattr(rooms.steps, step)(made.id) == 0
    assert getattr(rooms.steps, step)("backend-staging-99") == 0
    assert rooms.everything() == before


def test_a_rollback_runs_an_old_revision_again(rooms: Rooms) -> None:
    first = rooms.finished("v2")
    rooms.finished("v3")
    rollback = rooms.start(rooms.asked("alice", Rollback(STAGING)))
    assert rollback.revision == first.revision
    assert rooms.rollouts.told[-1] == (STAGING, first.revision)


# --- the deadline ---


def test_remaining_counts_down_from_the_start(rooms: Rooms) -> None:
    made = rooms.deploy()
    assert rooms.steps.remaining(made.id) == 0
    rooms.start(made)
    assert rooms.steps.remaining(made.id) == 30 * 60
    rooms.clock.advance(timedelta(minutes=29))
    assert rooms.steps.remaining(made.id) == 60
    rooms.clock.advance(timedelta(minutes=2))
    assert rooms.steps.remaining(made.id) == 0
    rooms.finish(made)
    assert rooms.steps.remaining(made.id) == 0
    assert rooms.steps.remaining("backend-staging-99") == 0


def test_at_the_deadline_it_is_timed_out_with_what_is_known(rooms: Rooms) -> None:
    made = rooms.started()
    rooms.rollouts.show(STAGING, Progress(desired=2, running=1, failed=4))
    rooms.clock.advance(timedelta(minutes=30))
    assert rooms.steps.time_out(made.id) == 0
    found = rooms.get(made.id)
    assert (found.status, found.reason_code) == (Status.TIMED_OUT, "TIMED_OUT")
    assert "after 30 minutes, with 1 of 2 tasks running" in found.explanation


def test_before_the_deadline_nothing_times_out(rooms: Rooms) -> None:
    made = rooms.started()
    rooms.clock.advance(timedelta(minutes=29))
    rooms.steps.time_out(made.id)
    assert rooms.get(made.id).status is Status.RUNNING


def test_what_ended_just_before_the_deadline_ends_truly(rooms: Rooms) -> None:
    made = rooms.started()
    rooms.rollouts.finish(STAGING)
    rooms.clock.advance(timedelta(minutes=30))
    rooms.steps.time_out(made.id)
    assert rooms.get(made.id).status is Status.SUCCEEDED
    assert rooms.known_good()[0].deployment_id == made.id


@pytest.mark.parametrize("fault", [Unreachable("No answer."), AccessDenied("No ecs.")])
def test_what_cannot_be_read_at_the_deadline_is_unknown(
    rooms: Rooms, fault: Unreachable | AccessDenied
) -> None:
    made = rooms.started()
    rooms.clock.advance(timedelta(minutes=30))
    rooms.rollouts.break_next("observe", fault)
    assert rooms.steps.time_out(made.id) == 0
    found = rooms.get(made.id)
    assert (found.status, found.reason_code) == (Status.OUTCOME_UNKNOWN, "OUTCOME_UNKNOWN")
    assert fault.message in found.explanation


# --- expiry ---


def test_an_approval_expires_at_its_time_and_not_before(rooms: Rooms) -> None:
    made = rooms.deploy(target=PRODUCTION)
    assert rooms.steps.expire(made.id) == 4 * 3600
    rooms.clock.advance(timedelta(hours=4, seconds=-1))
    assert rooms.steps.expire(made.id) == 1
    rooms.clock.advance(timedelta(seconds=1))
    assert rooms.steps.expire(made.id) == 0
    found = rooms.get(made.id)
    assert (found.status, found.reason_code) == (Status.EXPIRED, "EXPIRED")
    assert "2026-03-02 16:00 UTC" in found.explanation
    assert rooms.audit(deployment_id=made.id)[-1] == ("deploy.expired", "failed", "EXPIRED")


def test_what_was_approved_in_time_does_not_expire(rooms: Rooms) -> None:
    made = rooms.deploy(target=PRODUCTION)
    rooms.says("bob", Approve(made.id))
    rooms.clock.advance(timedelta(hours=5))
    assert rooms.steps.expire(made.id) == 0
    assert rooms.get(made.id).status is Status.QUEUED
