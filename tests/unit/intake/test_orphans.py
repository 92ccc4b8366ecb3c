"""Requests whose target has left the catalog: nothing is rolled out, and anything cleared away."""

from __future__ import annotations

import pytest

from bot.commands.model import Approve, Cancel, Reject
from bot.model.deployment import Deployment, Status, Target
from bot.model.reply import Accepted, Refused, Reply
from tests.fakes.inner_rooms import PRODUCTION, STAGING, Rooms, person, without

GONE = "backend/production is not in the catalog any more"
OTHER = Target("analytics", "production")


def code(reply: Reply) -> str:
    assert isinstance(reply, Refused), reply
    return reply.reason_code


def orphan(rooms: Rooms, *, environment: bool = False) -> Deployment:
    """Alice's request for production, which then left; its ``environment`` may leave with it."""
    made = rooms.deploy(target=PRODUCTION)
    rooms.catalog = without(rooms.catalog, PRODUCTION, *([OTHER] if environment else []))
    return made


@pytest.mark.parametrize("environment", [False, True], ids=["target", "environment"])
@pytest.mark.parametrize(
    ("kind", "status", "what"),
    [
        (Cancel, Status.CANCELLED, "Cancelled"),
        (Reject, Status.REJECTED, "Rejected"),
    ],
)
def test_its_requester_clears_it_away(
    rooms: Rooms, kind: type[Cancel | Reject], status: Status, what: str, *, environment: bool
) -> None:
    made = orphan(rooms, environment=environment)
    assert isinstance(rooms.says("alice", kind(made.id)), Accepted)
    ended = rooms.get(made.id)
    assert (ended.status, ended.explanation) == (status, f"{what} by alice: {GONE}.")
    assert rooms.audit(deployment_id=made.id)[-2:] == [
        ("deploy.cancel" if kind is Cancel else "vote.reject", "allowed", ""),
        (f"deploy.{status.value}", "failed", status.name),
    ]
    assert rooms.said(made.id)[-1].endswith(f"{GONE}.")
    facts = rooms.intake.card(made.id)
    assert facts is not None
    assert facts.deployment == ended


def test_its_card_keeps_the_reason_that_was_given(rooms: Rooms) -> None:
    made = orphan(rooms)
    rooms.says("alice", Cancel(made.id, reason="moved to the new cluster"))
    said = f"Cancelled by alice: moved to the new cluster; {GONE}."
    assert rooms.get(made.id).explanation == said


@pytest.mark.parametrize("kind", [Cancel, Reject])
@pytest.mark.parametrize("name", ["bob", "iris"])
def test_approvers_and_responders_of_the_environment_clear_it_away(
    rooms: Rooms, name: str, kind: type[Cancel | Reject]
) -> None:
    made = orphan(rooms)
    assert isinstance(rooms.says(name, kind(made.id)), Accepted)
    assert rooms.get(made.id).ended_by == person(name)


def test_a_responder_rejects_nothing_whose_target_is_there(rooms: Rooms) -> None:
    made = rooms.deploy(target=PRODUCTION)
    assert code(rooms.says("iris", Reject(made.id))) == "NOT_APPROVER"


def test_where_the_environment_left_too_nobody_else_can_be_judged(rooms: Rooms) -> None:
    made = orphan(rooms, environment=True)
    for name in ("bob", "iris", "robo"):
        assert code(rooms.says(name, Cancel(made.id))) == "NOT_ALLOWED"
    assert code(rooms.says("bob", Reject(made.id))) == "NOT_APPROVER"
    assert code(rooms.says("bob", Approve(made.id))) == "NOT_APPROVER"
    assert code(rooms.says("robo", Reject(made.id))) == "BOT_MAY_NOT_VOTE"
    assert rooms.get(made.id) == made


def test_it_is_not_approved_and_says_how_it_ends(rooms: Rooms) -> None:
    made = orphan(rooms)
    reply = rooms.says("bob", Approve(made.id))
    assert isinstance(reply, Refused)
    assert reply.reason_code == "UNKNOWN_TARGET"
    assert reply.text == f"{made.id} cannot be approved: {GONE}."
    assert reply.suggestion == f"/deploy cancel {made.id}"
    assert rooms.get(made.id) == made
    assert rooms.audit()[-1] == ("vote.approve", "denied", "UNKNOWN_TARGET")


def test_what_waits_for_its_turn_is_cancelled_and_what_runs_is_not(rooms: Rooms) -> None:
    running = rooms.started("v2")
    queued = rooms.deploy("v3", STAGING)
    rooms.catalog = without(rooms.catalog, STAGING)
    assert isinstance(rooms.says("alice", Cancel(queued.id)), Accepted)
    assert rooms.get(queued.id).status is Status.CANCELLED
    assert code(rooms.says("alice", Cancel(running.id, roll_back=True))) == "UNKNOWN_TARGET"
    assert rooms.get(running.id).status is Status.RUNNING


def test_a_cancel_delivered_again_is_answered_as_done(rooms: Rooms) -> None:
    made = orphan(rooms)
    rooms.says("alice", Cancel(made.id), "request-c")
    rows = rooms.rows()
    assert isinstance(rooms.says("alice", Cancel(made.id), "request-c"), Accepted)
    assert rooms.rows() == rows
