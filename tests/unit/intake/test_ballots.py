from __future__ import annotations

from datetime import timedelta

import pytest

from bot.commands.model import Approve, Cancel, Reject
from bot.model.catalog import Catalog
from bot.model.contract import ROLLOUT
from bot.model.deployment import Ballot, Kind, Status, Target, Vote
from bot.model.errors import Unreachable
from bot.model.reply import Accepted, Refused, Reply
from tests.fakes.inner_rooms import (
    PRODUCTION,
    SECURITY,
    STAGING,
    Rooms,
    a_catalog,
    person,
)


def code(reply: Reply) -> str:
    assert isinstance(reply, Refused), reply
    return reply.reason_code


def text(reply: Reply) -> str:
    assert isinstance(reply, Accepted), reply
    return reply.text


def test_the_approval_that_completes_them_queues_the_rollout(rooms: Rooms) -> None:
    made = rooms.deploy(target=PRODUCTION)
    assert "takes its turn" in text(rooms.says("bob", Approve(made.id, made.image.digest)))
    assert rooms.get(made.id).status is Status.QUEUED
    assert rooms.workflows()[made.id] == ROLLOUT
    assert rooms.audit(deployment_id=made.id)[1:] == [
        ("vote.approve", "allowed", ""),
        ("deploy.approved", "done", ""),
    ]
    assert rooms.said(made.id) == ["bob approved."]


def test_two_of_two_people_have_to_approve(rooms: Rooms) -> None:
    rooms.catalog = a_catalog(approvals=2)
    made = rooms.deploy(target=PRODUCTION)
    assert "1 more approval is needed." in text(rooms.says("bob", Approve(made.id)))
    assert rooms.get(made.id).status is Status.AWAITING_APPROVAL
    assert code(rooms.says("bob", Approve(made.id))) == "ALREADY_VOTED"
    assert rooms.get(made.id).status is Status.AWAITING_APPROVAL
    text(rooms.says("carol", Approve(made.id)))
    assert rooms.get(made.id).status is Status.QUEUED


def test_the_required_group_has_to_be_among_them(rooms: Rooms) -> None:
    rooms.catalog = a_catalog(approvals=2, required_group=SECURITY)
    made = rooms.deploy(target=PRODUCTION)
    rooms.says("bob", Approve(made.id))
    assert "from the required group" in text(rooms.says("carol", Approve(made.id)))
    assert rooms.get(made.id).status is Status.AWAITING_APPROVAL
    facts = rooms.intake.card(made.id)
    assert facts is not None
    assert facts.required_group == SECURITY
    assert [vote.person for vote in facts.votes] == [person("bob"), person("carol")]
    text(rooms.says("dave", Approve(made.id)))
    assert rooms.get(made.id).status is Status.QUEUED


def test_who_left_the_approvers_no_longer_counts(rooms: Rooms) -> None:
    rooms.catalog = a_catalog(approvals=2)
    made = rooms.deploy(target=PRODUCTION)
    rooms.says("bob", Approve(made.id))
    rooms.groups.members[person("bob").id] = frozenset()
    assert "1 more approval is needed." in text(rooms.says("carol", Approve(made.id)))
    assert rooms.get(made.id).status is Status.AWAITING_APPROVAL


def test_a_vote_that_comes_in_meanwhile_is_asked_about_before_it_counts(rooms: Rooms) -> None:
    rooms.catalog = a_catalog(approvals=3)
    made = rooms.deploy(target=PRODUCTION)
    rooms.says("bob", Approve(made.id))

    def dave_votes() -> None:
        vote = Vote(made.id, person("dave"), Ballot.APPROVE, made.image.digest, rooms.clock.now())
        with rooms.database.begin() as tx:
            tx.votes.cast(vote)
        rooms.groups.on_read = lambda: None

    rooms.groups.on_read = dave_votes
    assert "takes its turn" in text(rooms.says("carol", Approve(made.id)))
    assert (person("dave").id, False) in rooms.groups.calls


def test_while_membership_is_unknown_no_vote_is_counted(rooms: Rooms) -> None:
    rooms.catalog = a_catalog(approvals=2)
    made = rooms.deploy(target=PRODUCTION)
    rooms.says("bob", Approve(made.id))
    rooms.groups.break_next(Unreachable("Slack did not answer."))
    before = rooms.everything()
    with pytest.raises(Unreachable):
        rooms.says("carol", Approve(made.id))
    assert rooms.everything() == before


def test_one_rejection_ends_the_request(rooms: Rooms) -> None:
    rooms.catalog = a_catalog(approvals=2)
    made = rooms.deploy(target=PRODUCTION)
    rooms.says("bob", Approve(made.id))
    text(rooms.says("carol", Reject(made.id, "it is Friday")))
    ended = rooms.get(made.id)
    assert (ended.status, ended.reason_code) == (Status.REJECTED, "REJECTED")
    assert ended.explanation == "Rejected by carol: it is Friday"
    assert ended.ended_by == person("carol")
    assert code(rooms.says("dave", Approve(made.id))) == "ALREADY_DECIDED"
    assert rooms.audit(action="deploy.rejected") == [("deploy.rejected", "failed", "REJECTED")]


def test_the_requester_may_reject_but_not_approve(rooms: Rooms) -> None:
    made = rooms.deploy(target=PRODUCTION, by="bob")
    assert code(rooms.says("bob", Approve(made.id))) == "SELF_APPROVAL"
    text(rooms.says("bob", Reject(made.id)))
    assert rooms.get(made.id).explanation == "Rejected by bob."


@pytest.mark.parametrize(
    ("name", "expected"), [("iris", "NOT_APPROVER"), ("robo", "BOT_MAY_NOT_VOTE")]
)
def test_who_may_not_vote_is_refused_and_recorded(rooms: Rooms, name: str, expected: str) -> None:
    made = rooms.deploy(target=PRODUCTION)
    for command, action in ((Approve(made.id), "vote.approve"), (Reject(made.id), "vote.reject")):
        assert code(rooms.says(name, command)) == expected
        assert rooms.audit()[-1] == (action, "denied", expected)
    assert rooms.get(made.id).status is Status.AWAITING_APPROVAL


def test_a_vote_for_another_image_than_the_cards_does_not_count(rooms: Rooms) -> None:
    made = rooms.deploy(target=PRODUCTION)
    assert code(rooms.says("bob", Approve(made.id, rooms.digests["v3"]))) == "DIGEST_CHANGED"
    assert rooms.get(made.id).status is Status.AWAITING_APPROVAL


def test_a_vote_after_the_expiry_is_refused_also_before_it_was_recorded(rooms: Rooms) -> None:
    made = rooms.deploy(target=PRODUCTION)
    rooms.clock.advance(timedelta(hours=4))
    reply = rooms.says("bob", Approve(made.id))
    assert code(reply) == "EXPIRED"
    assert isinstance(reply, Refused)
    assert f"/deploy retry {made.id}" in reply.hint


@pytest.mark.parametrize("kind", [Approve, Reject])
def test_a_vote_delivered_again_is_answered_as_counted(
    rooms: Rooms, kind: type[Approve | Reject]
) -> None:
    made = rooms.deploy(target=PRODUCTION)
    rooms.says("bob", kind(made.id), "request-v")
    rows = rooms.rows()
    assert "counts" in text(rooms.says("bob", kind(made.id), "request-v"))
    assert rooms.rows() == rows


# --- cancelling ---


@pytest.mark.parametrize("target", [STAGING, PRODUCTION])
def test_what_has_not_started_is_cancelled(rooms: Rooms, target: Target) -> None:
    made = rooms.deploy(target=target)
    text(rooms.says("alice", Cancel(made.id, reason="wrong one")))
    ended = rooms.get(made.id)
    assert (ended.status, ended.reason_code) == (Status.CANCELLED, "CANCELLED")
    assert ended.explanation == "Cancelled by alice: wrong one"
    assert (ended.ended_by, ended.finished_at) == (person("alice"), rooms.clock.now())


def test_a_cancel_delivered_again_is_answered_as_done(rooms: Rooms) -> None:
    made = rooms.deploy()
    text(rooms.says("alice", Cancel(made.id), "request-c"))
    rows = rooms.rows()
    assert "cancelled" in text(rooms.says("alice", Cancel(made.id), "request-c"))
    assert rooms.rows() == rows


def test_what_has_ended_is_not_cancelled(rooms: Rooms) -> None:
    made = rooms.finished()
    assert code(rooms.says("alice", Cancel(made.id))) == "NOT_RUNNING"
    assert rooms.get(made.id) == made


def test_somebody_without_a_part_in_it_cancels_nothing(rooms: Rooms) -> None:
    made = rooms.deploy()
    rooms.catalog = only_alice(rooms.catalog)
    assert code(rooms.says("carol", Cancel(made.id))) == "NOT_ALLOWED"
    assert rooms.get(made.id).status is Status.QUEUED
    assert rooms.audit()[-1] == ("deploy.cancel", "denied", "NOT_ALLOWED")


def only_alice(catalog: Catalog) -> Catalog:
    people = catalog.policies["relaxed"].deployers.model_copy(
        update={"everyone": False, "users": (person("alice").id,)}
    )
    return a_catalog(relaxed={"deployers": people})


def test_what_runs_is_only_cancelled_together_with_a_rollback(rooms: Rooms) -> None:
    made = rooms.started()
    reply = rooms.says("alice", Cancel(made.id))
    assert isinstance(reply, Refused)
    assert reply.reason_code == "ALREADY_RUNNING"
    assert reply.suggestion == f"/deploy cancel {made.id} --roll-back"
    assert rooms.get(made.id).status is Status.RUNNING


def test_cancel_and_roll_back_goes_back_to_what_ran_before(rooms: Rooms) -> None:
    made = rooms.started()
    rollback = rooms.asked("alice", Cancel(made.id, roll_back=True), "request-b")
    assert (rollback.kind, rollback.status) == (Kind.ROLLBACK, Status.QUEUED)
    assert rollback.image.digest == rooms.digests["v1"]
    assert rollback.revision == made.previous_revision
    assert rollback.reason == f"{made.id} was cancelled"
    ended = rooms.get(made.id)
    assert (ended.status, ended.reason_code) == (Status.CANCELLED, "ROLLED_BACK_BY_HAND")
    assert rollback.id in ended.explanation
    again = rooms.asked("alice", Cancel(made.id, roll_back=True), "request-b")
    assert again == rollback


def test_cancel_and_roll_back_to_what_is_gone_is_refused(rooms: Rooms) -> None:
    made = rooms.started()
    assert made.previous_revision is not None
    rooms.rollouts.deregister(made.previous_revision)
    assert code(rooms.says("alice", Cancel(made.id, roll_back=True))) == "RELEASE_UNUSABLE"
    assert rooms.get(made.id).status is Status.RUNNING


def test_cancel_and_roll_back_to_what_nobody_knows_is_refused(rooms: Rooms) -> None:
    rooms.rollouts.place(STAGING, None)
    made = rooms.started()
    assert made.previous is None
    assert code(rooms.says("alice", Cancel(made.id, roll_back=True))) == "NO_KNOWN_GOOD"
    assert rooms.audit()[-1] == ("rollback.requested", "denied", "NO_KNOWN_GOOD")


def test_a_running_rollback_is_not_cancelled(rooms: Rooms) -> None:
    made = rooms.started()
    rollback = rooms.start(rooms.asked("alice", Cancel(made.id, roll_back=True)))
    reply = rooms.says("alice", Cancel(rollback.id, roll_back=True))
    assert code(reply) == "ALREADY_RUNNING"
    assert rooms.get(rollback.id).status is Status.RUNNING
