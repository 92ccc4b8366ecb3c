"""Two things in the same instant: one of them happens, and both are answered truthfully."""

from __future__ import annotations

import pickle

import pytest

from bot.commands.model import Deploy, Rollback
from bot.model.errors import AccessDenied, QuarterdeckError, Throttled, Unknown, UserError
from bot.model.reply import Accepted, Refused, Reply
from tests.fakes.inner_rooms import STAGING, Rooms


def test_a_request_that_is_delivered_twice_at_once_is_made_once(rooms: Rooms) -> None:
    command = Deploy((STAGING,), "v2")
    replies: list[Reply] = []
    rooms.rollouts.meanwhile["live"] = lambda: replies.append(
        rooms.says("alice", command, "request-a")
    )
    replies.append(rooms.says("alice", command, "request-a"))
    assert isinstance(replies[0], Accepted)
    assert replies[0] == replies[1]
    assert list(rooms.workflows()) == ["backend-staging-1"]
    assert rooms.audit() == [("deploy.requested", "allowed", "")]


def test_two_people_who_ask_for_the_same_at_once_are_told_apart(rooms: Rooms) -> None:
    command = Deploy((STAGING,), "v2")
    replies: list[Reply] = []
    rooms.rollouts.meanwhile["live"] = lambda: replies.append(rooms.says("bob", command))
    replies.append(rooms.says("alice", command))
    assert isinstance(replies[0], Accepted)
    assert isinstance(replies[1], Refused)
    assert replies[1].reason_code == "DUPLICATE"


def test_a_rollback_that_is_delivered_twice_at_once_is_made_once(rooms: Rooms) -> None:
    rooms.finished("v2")
    replies: list[Reply] = []
    rooms.rollouts.meanwhile["usable"] = lambda: replies.append(
        rooms.says("alice", Rollback(STAGING), "request-b")
    )
    replies.append(rooms.says("alice", Rollback(STAGING), "request-b"))
    assert isinstance(replies[0], Accepted)
    assert replies[0] == replies[1]
    assert rooms.audit(action="rollback") == [("rollback.requested", "allowed", "")]


@pytest.mark.parametrize(
    "fault",
    [
        UserError("No such tag.", reason_code="IMAGE_NOT_FOUND", hint="v1", suggestion="/deploy"),
        AccessDenied("No ecs:UpdateService.", hint="Grant it."),
        Throttled("Slow down."),
        Unknown("The answer was lost."),
    ],
)
def test_a_fault_survives_the_engines_storage(fault: QuarterdeckError) -> None:
    again = pickle.loads(pickle.dumps(fault))  # noqa: S301 - our own bytes
    assert type(again) is type(fault)
    assert (str(again), again.hint, again.reason_code) == (
        fault.message,
        fault.hint,
        fault.reason_code,
    )
    assert getattr(again, "suggestion", "") == getattr(fault, "suggestion", "")
