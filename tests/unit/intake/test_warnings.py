"""Drift and downtime: told when asked for, kept for the card, looked at again at the start."""

from __future__ import annotations

import pytest

from bot.commands.model import Deploy, ExplainTarget, Rollback, ShowDeployment, ShowStatus
from bot.model.deployment import Deployment, Status
from bot.model.errors import Unreachable
from bot.model.reply import Accepted, Details, DryRun, Refused, StatusReport, Why
from tests.fakes.inner_rooms import STAGING, Rooms, a_catalog

PROBE = "the container backend has no readiness probe"
SAID = f"backend/staging cannot be rolled without downtime: {PROBE}."
BEHIND = "the cluster runs v1, and git says v0"


def strict(rooms: Rooms) -> None:
    rooms.catalog = a_catalog(relaxed={"zero_downtime": "require"})


def on_its_card(rooms: Rooms, made: Deployment) -> tuple[str, ...]:
    reply = rooms.says("alice", ShowDeployment(made.id))
    assert isinstance(reply, Details)
    return reply.facts.warnings


def drift(rooms: Rooms) -> tuple[str, ...]:
    reply = rooms.says("alice", ShowStatus("backend", "staging"))
    assert isinstance(reply, StatusReport)
    return reply.targets[0].drift


# --- downtime ---


def test_downtime_is_told_in_the_answer_on_the_card_and_in_the_trail(rooms: Rooms) -> None:
    rooms.rollouts.downtime[STAGING] = (PROBE,)
    reply = rooms.says("alice", Deploy((STAGING,), "v2"))
    assert isinstance(reply, Accepted)
    assert reply.text.endswith(f"its card follows it. Mind: {SAID}")
    assert on_its_card(rooms, reply.deployments[0]) == (SAID,)
    (row,) = rooms.rows(action="deploy.requested")
    assert SAID in row.entry.reason


def test_a_dry_run_tells_it_too(rooms: Rooms) -> None:
    rooms.rollouts.downtime[STAGING] = (PROBE,)
    reply = rooms.says("alice", Deploy((STAGING,), "v2", dry_run=True))
    assert isinstance(reply, DryRun)
    assert reply.warnings == (SAID,)
    assert reply.decision == "It would start at once."
    strict(rooms)
    reply = rooms.says("alice", Deploy((STAGING,), "v2", dry_run=True))
    assert isinstance(reply, DryRun)
    assert reply.decision.startswith("It would be refused (DOWNTIME)")


def test_where_it_is_required_the_request_is_refused(rooms: Rooms) -> None:
    strict(rooms)
    rooms.rollouts.downtime[STAGING] = (PROBE,)
    reply = rooms.says("alice", Deploy((STAGING,), "v2"))
    assert isinstance(reply, Refused)
    assert (reply.reason_code, reply.text) == ("DOWNTIME", SAID)
    assert rooms.audit(action="deploy.requested") == [("deploy.requested", "denied", "DOWNTIME")]


def test_where_it_is_required_it_is_looked_at_again_at_the_start(rooms: Rooms) -> None:
    strict(rooms)
    made = rooms.deploy()
    rooms.rollouts.downtime[STAGING] = (PROBE,)
    rooms.steps.adopt(made.id)
    assert rooms.steps.begin(made.id) == 0
    ended = rooms.get(made.id)
    assert (ended.status, ended.reason_code) == (Status.REFUSED, "DOWNTIME")
    assert "/deploy retry" in ended.explanation
    assert rooms.rollouts.told == []


def test_a_rollback_passes_it_on_record(rooms: Rooms) -> None:
    rooms.finished("v2")
    strict(rooms)
    rooms.rollouts.downtime[STAGING] = (PROBE,)
    back = rooms.start(rooms.asked("iris", Rollback(STAGING, "previous", "broken")))
    assert back.status is Status.RUNNING
    assert on_its_card(rooms, back) == (SAID,)
    (row,) = rooms.rows(action="rollback.requested")
    assert f"Passed as a rollback: {SAID}" in row.entry.reason


def test_where_nobody_minds_it_is_told_nowhere(rooms: Rooms) -> None:
    rooms.catalog = a_catalog(relaxed={"zero_downtime": "off"})
    rooms.rollouts.downtime[STAGING] = (PROBE,)
    assert rooms.deploy().notes == ()


def test_why_tells_what_a_deployment_would_meet(rooms: Rooms) -> None:
    rooms.rollouts.downtime[STAGING] = (PROBE,)
    reply = rooms.says("alice", ExplainTarget(STAGING))
    assert reply == Why("backend/staging would take a deployment now.", ())
    strict(rooms)
    reply = rooms.says("alice", ExplainTarget(STAGING))
    assert isinstance(reply, Why)
    assert [line[:2] for line in reply.lines] == [("DOWNTIME", SAID)]
    rooms.rollouts.break_next("live", Unreachable("No answer."))
    assert rooms.says("alice", ExplainTarget(STAGING)) == Why(
        "backend/staging would take a deployment now.", ()
    )


def test_the_card_tells_what_was_true_when_it_began(rooms: Rooms) -> None:
    rooms.rollouts.downtime[STAGING] = (PROBE,)
    made = rooms.deploy()
    del rooms.rollouts.downtime[STAGING]
    rooms.rollouts.drift[STAGING] = BEHIND
    rooms.start(made)
    assert on_its_card(rooms, made) == (f"backend/staging: {BEHIND}",)
    del rooms.rollouts.drift[STAGING]
    rooms.finish(made)
    assert on_its_card(rooms, made) == (f"backend/staging: {BEHIND}",)


# --- drift ---


def test_what_differs_from_git_is_told_beside_what_somebody_else_deployed(rooms: Rooms) -> None:
    rooms.finished("v2")
    rooms.rollouts.drift[STAGING] = BEHIND
    assert drift(rooms) == (BEHIND,)
    rooms.rollouts.deploy_elsewhere(STAGING, rooms.image("backend", "v1"))
    first, second = drift(rooms)
    named = f"{rooms.digests['v1'][7:19]}"
    assert first.startswith("is set to ")
    assert named in first
    assert first.endswith(", but v2 was released last: changed outside Quarterdeck")
    assert second == BEHIND
    made = rooms.deploy("v3")
    assert on_its_card(rooms, made) == (f"backend/staging {first}", f"backend/staging: {second}")


def test_what_was_released_last_and_is_not_in_git_was_not_changed_outside(rooms: Rooms) -> None:
    """A rollback in Argo CD's history leaves git as it is."""
    rooms.finished("v2")
    rooms.rollouts.deploy_elsewhere(STAGING, rooms.image("backend", "v2"))
    assert drift(rooms)[0].endswith("changed outside Quarterdeck")
    rooms.rollouts.drift[STAGING] = BEHIND
    assert drift(rooms) == (BEHIND,)


def test_while_something_runs_nothing_has_drifted_but_while_it_waits(rooms: Rooms) -> None:
    rooms.rollouts.drift[STAGING] = BEHIND
    made = rooms.deploy("v2")
    assert drift(rooms) == (BEHIND,)
    rooms.start(made)
    assert drift(rooms) == ()
    assert rooms.deploy("v3").notes == ()


@pytest.mark.parametrize("end", ["break_down", "lose"])
def test_what_a_deployment_of_ours_left_there_was_not_changed_outside(
    rooms: Rooms, end: str
) -> None:
    rooms.finished("v2")
    left = rooms.started("v3")
    getattr(rooms.rollouts, end)(STAGING)
    rooms.observer.look()
    assert rooms.get(left.id).settled
    how = {"break_down": "failed", "lose": "ended, and nobody knows how"}[end]
    assert drift(rooms) == (f"is set to v3, which {left.id} left there: it {how}",)
    rooms.rollouts.drift[STAGING] = BEHIND
    assert rooms.deploy("v1").notes == (f"backend/staging: {BEHIND}",)
    back = rooms.asked("iris", Rollback(STAGING, "previous", "broken"))
    assert back.image.ref == "v2"
    assert back.notes == (f"backend/staging: {BEHIND}",)


def test_what_came_after_a_deployment_that_failed_was_changed_outside(rooms: Rooms) -> None:
    rooms.finished("v2")
    rooms.started("v3")
    rooms.rollouts.break_down(STAGING)
    rooms.observer.look()
    rooms.rollouts.deploy_elsewhere(STAGING, rooms.image("backend", "v3"))
    assert drift(rooms)[0].endswith("changed outside Quarterdeck")
