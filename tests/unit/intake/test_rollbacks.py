from __future__ import annotations

from datetime import timedelta

import pytest

from bot.commands.model import Deploy, OpenRollbackForm, PauseAll, Rollback
from bot.model.catalog import People
from bot.model.contract import ROLLOUT
from bot.model.deployment import SYSTEM, Deployment, Kind, Status, Target
from bot.model.errors import AccessDenied, QuarterdeckError, Throttled, Unreachable, UserError
from bot.model.reply import Accepted, Refused, Reply, RollbackForm
from tests.fakes.inner_rooms import PRODUCTION, STAGING, Rooms, a_catalog, person


def code(reply: Reply) -> str:
    assert isinstance(reply, Refused), reply
    return reply.reason_code


@pytest.fixture
def history(rooms: Rooms) -> tuple[Deployment, Deployment]:
    """Staging ran v1, then we brought v2 and v3; v3 runs now."""
    return rooms.finished("v2"), rooms.finished("v3")


def test_previous_is_what_ran_before_what_runs_now(
    rooms: Rooms, history: tuple[Deployment, Deployment]
) -> None:
    v2, v3 = history
    made = rooms.asked("alice", Rollback(STAGING, reason="errors"), "request-b")
    assert (made.kind, made.status) == (Kind.ROLLBACK, Status.QUEUED)
    assert (made.image, made.revision) == (v2.image, v2.revision)
    assert made.previous is not None
    assert made.previous.digest == v3.image.digest
    assert rooms.workflows()[made.id] == ROLLOUT
    assert rooms.audit(deployment_id=made.id) == [("rollback.requested", "allowed", "")]
    (row,) = rooms.rows(deployment_id=made.id)
    assert (row.entry.reason, row.entry.to_digest) == ("errors", v2.image.digest)


@pytest.mark.parametrize("wanted", ["id", "version", "digest", "prefix", "short"])
def test_an_older_version_is_named_by_deployment_version_or_digest(
    rooms: Rooms, history: tuple[Deployment, Deployment], wanted: str
) -> None:
    v2, _ = history
    digest = rooms.digests["v1"] if wanted == "digest" else v2.image.digest
    to = {
        "id": v2.id,
        "version": "v2",
        "digest": digest,
        "prefix": digest[:20],
        "short": digest.removeprefix("sha256:")[:7],
    }[wanted]
    assert rooms.asked("alice", Rollback(STAGING, to)).image.digest == digest


@pytest.mark.parametrize("to", ["v9", "v3", "763", "backend-staging-99", "sha256:"])
def test_what_is_not_known_good_is_refused_with_what_is(
    rooms: Rooms, history: tuple[Deployment, Deployment], to: str
) -> None:
    assert history
    reply = rooms.says("alice", Rollback(STAGING, to))
    assert isinstance(reply, Refused)
    assert reply.reason_code == "UNKNOWN_VERSION"
    assert to in reply.text
    assert reply.hint == "Known good, newest first: v2, v1."
    assert ("what runs there now" in reply.text) == (to == "v3")
    assert rooms.audit()[-1] == ("rollback.requested", "denied", "UNKNOWN_VERSION")


def test_with_nothing_known_good_there_is_no_way_back(rooms: Rooms) -> None:
    reply = rooms.says("alice", Rollback(STAGING))
    assert isinstance(reply, Refused)
    assert reply.reason_code == "NO_KNOWN_GOOD"
    assert "/deploy backend staging" in reply.hint
    assert rooms.workflows() == {}


def test_an_unknown_target_is_refused(rooms: Rooms) -> None:
    assert code(rooms.says("alice", Rollback(Target("backend", "moon")))) == "UNKNOWN_TARGET"
    assert rooms.audit() == [("rollback.requested", "denied", "UNKNOWN_TARGET")]


def test_what_ran_before_the_first_deployment_is_known_good_too(rooms: Rooms) -> None:
    rooms.finished("v2")
    made = rooms.asked("alice", Rollback(STAGING))
    assert made.image.digest == rooms.digests["v1"]


def test_a_release_whose_task_definition_is_gone_is_refused(
    rooms: Rooms, history: tuple[Deployment, Deployment]
) -> None:
    v2, _ = history
    assert v2.revision is not None
    rooms.rollouts.deregister(v2.revision)
    reply = rooms.says("alice", Rollback(STAGING))
    assert isinstance(reply, Refused)
    assert reply.reason_code == "RELEASE_UNUSABLE"
    assert "was deregistered" in reply.text


def test_a_release_whose_image_is_gone_is_refused(
    rooms: Rooms, history: tuple[Deployment, Deployment]
) -> None:
    v2, _ = history
    rooms.registry.remove("backend", v2.image.digest)
    reply = rooms.says("alice", Rollback(STAGING))
    assert isinstance(reply, Refused)
    assert reply.reason_code == "RELEASE_UNUSABLE"
    assert "its image is gone from the registry" in reply.text


@pytest.mark.parametrize(
    "fault", [Throttled("Slow down."), AccessDenied("No ecr."), UserError("No repository.")]
)
def test_a_registry_that_cannot_be_asked_stands_in_nobodys_way(
    rooms: Rooms, history: tuple[Deployment, Deployment], fault: QuarterdeckError
) -> None:
    rooms.registry.break_next(fault)
    assert rooms.asked("alice", Rollback(STAGING)).image == history[0].image


def test_a_provider_that_cannot_be_read_stands_in_nobodys_way(
    rooms: Rooms, history: tuple[Deployment, Deployment]
) -> None:
    v2, v3 = history
    rooms.rollouts.break_next("live", Unreachable("No answer."))
    rooms.rollouts.break_next("usable", Unreachable("No answer."))
    made = rooms.asked("alice", Rollback(STAGING))
    assert made.image == v2.image
    assert (made.previous, made.previous_revision) == (v3.image, None)


def test_a_rollback_passes_every_gate_but_who(
    rooms: Rooms, history: tuple[Deployment, Deployment]
) -> None:
    assert history
    rooms.says("iris", PauseAll("outage"))
    rooms.catalog = a_catalog(relaxed={"channels": ("C0OTHERS",)})
    assert code(rooms.says("alice", Deploy((STAGING,), "v2"))) == "WRONG_CHANNEL"
    assert rooms.asked("alice", Rollback(STAGING)).status is Status.QUEUED
    nobody = People(users=("U0NOBODY",))
    rooms.catalog = a_catalog(relaxed={"deployers": nobody})
    assert code(rooms.says("alice", Rollback(STAGING, "v1"))) == "NOT_DEPLOYER"
    assert rooms.audit()[-1] == ("rollback.requested", "denied", "NOT_DEPLOYER")


def test_a_rollback_ends_what_runs_and_goes_before_what_waits(
    rooms: Rooms, history: tuple[Deployment, Deployment]
) -> None:
    assert history
    running = rooms.started("v2")
    made = rooms.asked("alice", Rollback(STAGING, "v1"))
    ended = rooms.get(running.id)
    assert (ended.status, ended.reason_code) == (Status.CANCELLED, "ROLLED_BACK_BY_HAND")
    assert ended.ended_by == person("alice")
    rooms.start(made)
    spec = rooms.catalog.spec(STAGING)
    assert spec is not None
    assert rooms.rollouts.live(spec).revision == made.revision


def test_what_is_being_rolled_out_is_never_the_way_back(
    rooms: Rooms, history: tuple[Deployment, Deployment]
) -> None:
    _, v3 = history
    rooms.started("v2")
    rooms.rollouts.break_next("live", Unreachable("No answer."))
    assert rooms.asked("alice", Rollback(STAGING)).image == v3.image


def test_a_rollback_holds_its_target_against_everybody(
    rooms: Rooms, history: tuple[Deployment, Deployment]
) -> None:
    assert history
    made = rooms.asked("alice", Rollback(STAGING, reason="errors"))
    with rooms.database.read() as tx:
        (lock,) = tx.holds.locks(rooms.clock.now())
    assert lock.owner == SYSTEM
    assert lock.reason == f"held after {made.id} by alice: errors"
    assert lock.until == rooms.clock.now() + timedelta(hours=24)
    assert code(rooms.says("alice", Deploy((STAGING,), "v3"))) == "LOCKED"
    assert ("target.locked", "done", "") in rooms.audit()


def test_a_policy_may_do_without_the_hold(
    rooms: Rooms, history: tuple[Deployment, Deployment]
) -> None:
    assert history
    rooms.catalog = a_catalog(relaxed={"hold_after_rollback": timedelta()})
    rooms.says("alice", Rollback(STAGING))
    with rooms.database.read() as tx:
        assert tx.holds.locks(rooms.clock.now()) == []


def test_a_rollback_delivered_again_is_the_same_rollback(
    rooms: Rooms, history: tuple[Deployment, Deployment]
) -> None:
    assert history
    first = rooms.says("alice", Rollback(STAGING), "request-b")
    before = rooms.everything()
    assert rooms.says("alice", Rollback(STAGING), "request-b") == first
    assert rooms.everything() == before


def test_the_same_rollback_twice_is_refused_and_recorded(
    rooms: Rooms, history: tuple[Deployment, Deployment]
) -> None:
    assert history
    assert isinstance(rooms.says("alice", Rollback(STAGING)), Accepted)
    assert code(rooms.says("bob", Rollback(STAGING))) == "DUPLICATE"
    assert rooms.audit()[-1] == ("rollback.requested", "denied", "DUPLICATE")


# --- the form ---


def form(rooms: Rooms, target: Target | None = STAGING) -> RollbackForm:
    reply = rooms.says("alice", OpenRollbackForm(target))
    assert isinstance(reply, RollbackForm)
    return reply


def test_the_form_offers_what_can_run_again_newest_first(
    rooms: Rooms, history: tuple[Deployment, Deployment]
) -> None:
    v2, _ = history
    offered = form(rooms)
    assert offered.target == STAGING
    assert [choice.image.name for choice in offered.choices] == ["v2", "v1"]
    assert (offered.unusable, offered.warnings) == ((), ())
    rooms.registry.remove("backend", v2.image.digest)
    offered = form(rooms)
    assert [choice.image.name for choice in offered.choices] == ["v1"]
    assert offered.unusable == ("v2: its image is gone from the registry",)


def test_the_form_offers_at_most_five(rooms: Rooms) -> None:
    for number in range(2, 10):
        rooms.push("backend", f"v{number}")
        rooms.finished(f"v{number}")
    assert [choice.image.name for choice in form(rooms).choices] == ["v8", "v7", "v6", "v5", "v4"]


def test_the_form_warns_of_what_runs(rooms: Rooms, history: tuple[Deployment, Deployment]) -> None:
    assert history
    running = rooms.started("v2")
    assert form(rooms).warnings == (f"{running.id} is running and will be cancelled.",)


@pytest.mark.parametrize("target", [None, Target("backend", "moon")])
def test_without_a_target_the_form_asks_for_one(rooms: Rooms, target: Target | None) -> None:
    asked = form(rooms, target)
    assert (asked.target, asked.choices) == (None, ())
    assert {STAGING, PRODUCTION} < set(asked.targets)
