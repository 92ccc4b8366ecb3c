from __future__ import annotations

from datetime import timedelta

import pytest

from bot.commands.model import (
    Approve,
    Cancel,
    DeclareFreeze,
    Deploy,
    LiftFreeze,
    LockTarget,
    PauseAll,
    Rollback,
)
from bot.model.catalog import People
from bot.model.deployment import Deployment, Status
from bot.model.errors import Unreachable
from tests.fakes.inner_rooms import PRODUCTION, STAGING, Rooms, a_catalog, person, without


def begun(rooms: Rooms, deployment: Deployment) -> Deployment:
    rooms.steps.adopt(deployment.id)
    assert rooms.steps.begin(deployment.id) == 0
    return rooms.get(deployment.id)


def refused(rooms: Rooms, deployment: Deployment) -> Deployment:
    found = begun(rooms, deployment)
    assert found.status is Status.REFUSED
    assert rooms.rollouts.told == []
    assert rooms.audit(deployment_id=found.id)[-1] == (
        "deploy.refused",
        "failed",
        found.reason_code,
    )
    return found


def approved(rooms: Rooms, version: str = "v2") -> Deployment:
    made = rooms.deploy(version, PRODUCTION)
    rooms.says("bob", Approve(made.id))
    return rooms.get(made.id)


def test_a_turn_begins_with_an_intent_and_an_owner(rooms: Rooms) -> None:
    rooms.clock.advance(timedelta(minutes=1))
    running = begun(rooms, rooms.deploy())
    assert (running.status, running.owner) == (Status.RUNNING, "replica-1")
    assert running.started_at == rooms.clock.now()
    assert rooms.audit(deployment_id=running.id)[-1] == ("deploy.started", "intent", "")
    row = rooms.rows(deployment_id=running.id)[-1].entry
    assert (row.from_digest, row.to_digest) == (rooms.digests["v1"], rooms.digests["v2"])
    assert rooms.rollouts.told == []


def test_what_ran_before_the_first_deployment_becomes_known_good(rooms: Rooms) -> None:
    begun(rooms, rooms.deploy())
    (release,) = rooms.known_good()
    assert release.image.digest == rooms.digests["v1"]
    assert release.deployment_id is None


def test_what_is_not_in_git_does_not_become_known_good(rooms: Rooms) -> None:
    rooms.rollouts.drift[STAGING] = "Deployment backend runs v1, and git says v0"
    rooms.start(rooms.deploy())
    assert rooms.known_good() == []


def test_what_is_not_steady_does_not_become_known_good(rooms: Rooms) -> None:
    revision = rooms.rollouts.deploy_elsewhere(STAGING, rooms.image("backend", "v3"))
    rooms.rollouts.undo_end(STAGING)
    begun(rooms, rooms.deploy())
    assert revision not in [release.revision for release in rooms.known_good()]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (LockTarget("backend", "staging", reason="migration"), "LOCKED"),
        (DeclareFreeze("staging", reason="holidays"), "FROZEN"),
        (PauseAll("outage"), "PAUSED"),
    ],
)
def test_a_gate_that_closed_in_between_refuses_at_the_start(
    rooms: Rooms, command: LockTarget | DeclareFreeze | PauseAll, code: str
) -> None:
    made = rooms.deploy()
    rooms.says("iris", command)
    found = refused(rooms, made)
    assert found.reason_code == code
    assert "iris" in found.explanation
    assert "/deploy retry" in found.explanation


def test_an_overridden_freeze_stays_overridden(rooms: Rooms) -> None:
    rooms.says("iris", DeclareFreeze("staging", reason="holidays"))
    made = rooms.asked("iris", Deploy((STAGING,), "v2", reason="hotfix", override_freeze=True))
    running = begun(rooms, made)
    assert running.status is Status.RUNNING
    assert "holidays" in rooms.rows(deployment_id=made.id)[-1].entry.detail["freeze_override"]


def test_an_override_holds_for_the_freeze_it_was_given_for(rooms: Rooms) -> None:
    rooms.says("iris", DeclareFreeze("staging", reason="holidays"))
    made = rooms.asked("iris", Deploy((STAGING,), "v2", reason="hotfix", override_freeze=True))
    rooms.says("iris", LiftFreeze("staging"))
    rooms.says("iris", DeclareFreeze("staging", reason="data centre move"))
    ended = refused(rooms, made)
    assert ended.reason_code == "FROZEN"
    assert "data centre move" in ended.explanation


def test_an_override_ends_with_the_role_it_came_from(rooms: Rooms) -> None:
    rooms.says("iris", DeclareFreeze("staging", reason="holidays"))
    made = rooms.asked("iris", Deploy((STAGING,), "v2", reason="hotfix", override_freeze=True))
    rooms.catalog = a_catalog(relaxed={"incident_responders": People()})
    assert refused(rooms, made).reason_code == "OVERRIDE_NOT_ALLOWED"


def test_who_left_the_company_deploys_nothing(rooms: Rooms) -> None:
    made = rooms.deploy()
    rooms.groups.gone.add(person("alice").id)
    assert refused(rooms, made).reason_code == "OUTSIDER"


def test_who_is_no_deployer_any_more_deploys_nothing(rooms: Rooms) -> None:
    made = rooms.deploy()
    rooms.catalog = a_catalog(relaxed={"deployers": People(users=(person("bob").id,))})
    assert refused(rooms, made).reason_code == "NOT_DEPLOYER"


def test_membership_is_read_anew_at_the_start(rooms: Rooms) -> None:
    made = approved(rooms)
    rooms.groups.calls.clear()
    begun(rooms, made)
    assert rooms.groups.calls[0] == (person("alice").id, True)


def test_while_membership_is_unknown_nothing_starts(rooms: Rooms) -> None:
    made = rooms.deploy()
    rooms.groups.break_next(Unreachable("Slack did not answer."))
    assert rooms.steps.begin(made.id) > 0
    found = rooms.get(made.id)
    assert found.status is Status.QUEUED
    assert found.explanation == "Trying again: Slack did not answer."
    assert begun(rooms, made).status is Status.RUNNING


@pytest.mark.parametrize("how", ["left the group", "left the company", "more are needed"])
def test_approvals_that_no_longer_suffice_lapse(rooms: Rooms, how: str) -> None:
    made = approved(rooms)
    if how == "left the group":
        rooms.groups.members[person("bob").id] = frozenset()
    elif how == "left the company":
        rooms.groups.gone.add(person("bob").id)
    else:
        rooms.catalog = a_catalog(approvals=2)
    found = refused(rooms, made)
    assert found.reason_code == "APPROVAL_LAPSED"
    assert "1 more approval is needed." in found.explanation


def test_a_policy_that_wants_fewer_now_takes_nothing_back(rooms: Rooms) -> None:
    made = approved(rooms)
    rooms.catalog = a_catalog(approvals=0)
    assert begun(rooms, made).status is Status.RUNNING


def test_an_image_that_is_gone_is_not_rolled_out(rooms: Rooms) -> None:
    made = rooms.deploy()
    rooms.registry.remove("backend", made.image.digest)
    found = refused(rooms, made)
    assert found.reason_code == "IMAGE_NOT_FOUND"
    assert found.explanation.startswith("v2 (sha256:")


def test_what_somebody_else_put_there_since_is_not_overwritten(rooms: Rooms) -> None:
    made = rooms.deploy()
    rooms.rollouts.deploy_elsewhere(STAGING, rooms.image("backend", "v3"))
    found = refused(rooms, made)
    assert found.reason_code == "STALE_FROM"
    assert rooms.digests["v3"][:19] in found.explanation
    assert f"/deploy retry {made.id}" in found.explanation


def test_what_quarterdeck_released_since_is_no_surprise(rooms: Rooms) -> None:
    first, second = rooms.deploy("v2"), rooms.deploy("v3")
    rooms.finish(rooms.start(first))
    assert begun(rooms, second).status is Status.RUNNING
    previous = rooms.get(second.id).previous
    assert previous is not None
    assert previous.digest == rooms.digests["v2"]


def test_two_turns_of_one_target_never_run_at_once(rooms: Rooms) -> None:
    first, second = rooms.started("v2"), rooms.deploy("v3")
    rooms.rollouts.finish(STAGING)
    assert rooms.steps.begin(second.id) > 0
    assert rooms.get(second.id).status is Status.QUEUED
    rooms.observer.look()
    assert rooms.get(first.id).status is Status.SUCCEEDED
    assert begun(rooms, second).status is Status.RUNNING


def test_a_target_that_left_the_catalog_fails(rooms: Rooms) -> None:
    made = rooms.deploy()
    rooms.catalog = without(rooms.catalog, STAGING)
    found = begun(rooms, made)
    assert (found.status, found.reason_code) == (Status.FAILED, "MISCONFIGURED")
    assert "not in the catalog any more" in found.explanation
    assert "Put it back" in found.explanation


def test_nothing_stands_in_the_way_of_a_rollback_at_its_start(rooms: Rooms) -> None:
    rooms.finished("v2")
    made = rooms.asked("alice", Rollback(STAGING))
    rooms.registry.remove("backend", made.image.digest)
    rooms.rollouts.deploy_elsewhere(STAGING, rooms.image("backend", "v3"))
    rooms.groups.gone.add(person("alice").id)
    rooms.groups.break_next(Unreachable("Slack did not answer."))
    rooms.says("iris", PauseAll("outage"))
    assert begun(rooms, made).status is Status.RUNNING
    assert ("rollback.started", "intent", "") in rooms.audit(deployment_id=made.id)


def test_what_was_cancelled_in_between_does_not_begin(rooms: Rooms) -> None:
    made = rooms.deploy()
    rooms.says("alice", Cancel(made.id))
    assert begun(rooms, made).status is Status.CANCELLED
    assert rooms.rollouts.told == []
