"""The deployments table, on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.model.deployment import NEXT, Kind, Progress, Status, Target
from bot.model.errors import UserError
from bot.store.database import Database
from bot.store.session import make_engine
from tests.contracts.store_examples import (
    BOB,
    NOON,
    PRODUCTION,
    STAGING,
    a_deployment,
    at_once,
    image,
    stored,
)
from tests.fakes.clock import FakeClock


def test_what_is_stored_comes_back_whole(database: Database) -> None:
    whole = a_deployment(
        previous=image("v1"),
        previous_revision="backend:7",
        requester_is_bot=True,
        reason="a *bold* <!channel> reason\nwith two lines",
        explanation="why not",
        reason_code="FROZEN",
        ended_by=BOB,
        approvals_needed=2,
        expires_at=NOON + timedelta(hours=4, microseconds=123456),
        revision="backend:8",
        handle="ecs-svc/1",
        owner="replica-1",
        attempts=3,
        started_at=NOON + timedelta(seconds=1),
        finished_at=NOON + timedelta(seconds=2),
        progress=Progress(desired=4, running=3, pending=1, failed=2, old=5),
        overridden_freeze="weekend",
        notes=("drifted: *v1* <!channel>", "no readiness probe"),
    )
    stored(database, whole)
    with database.read() as tx:
        assert tx.deployments.get(whole.id) == whole
        assert tx.deployments.get("backend-staging-99") is None


def test_a_note_is_one_line_whatever_was_in_it(database: Database) -> None:
    made = a_deployment(notes=("two\nlines\u2028more", "another"))
    stored(database, made)
    with database.begin() as tx:
        found = tx.deployments.get(made.id)
        assert found is not None
        assert found.notes == ("two lines more", "another")
        assert tx.deployments.note(made.id, None, notes=())
        found = tx.deployments.get(made.id)
    assert found is not None
    assert found.notes == ()


def test_text_that_postgresql_cannot_hold_is_stored_without_harm(database: Database) -> None:
    stored(database, a_deployment(reason="nul \x00 and half \ud800 a pair"))
    with database.read() as tx:
        found = tx.deployments.get("backend-staging-1")
    assert found is not None
    assert found.reason == "nul \ufffd and half ? a pair"


def test_a_naive_time_is_refused(database: Database) -> None:
    naive = a_deployment(created_at=NOON.replace(tzinfo=None))
    with pytest.raises(sa.exc.StatementError, match="without a zone"):
        stored(database, naive)


def test_ids_count_up_for_each_target(database: Database) -> None:
    with database.begin() as tx:
        ids = [tx.deployments.next_id(target) for target in (STAGING, STAGING, PRODUCTION)]
    assert ids == ["backend-staging-1", "backend-staging-2", "backend-production-1"]


def test_targets_whose_names_join_alike_share_their_numbers(database: Database) -> None:
    with database.begin() as tx:
        ids = [tx.deployments.next_id(Target(*parts)) for parts in (("a-b", "c"), ("a", "b-c"))]
    assert ids == ["a-b-c-1", "a-b-c-2"]


def test_ids_asked_for_at_once_by_two_replicas_are_all_different(
    database_url: str, database: Database, clock: FakeClock
) -> None:
    other = make_engine(database_url)
    replicas = [database, Database(other, clock)]

    def ask(number: int) -> str:
        with replicas[number % 2].begin() as tx:
            return tx.deployments.next_id(STAGING)

    ids = at_once(12, ask)
    other.dispose()
    assert sorted(ids) == sorted(f"backend-staging-{number}" for number in range(1, 13))


@pytest.mark.parametrize("status", [Status.AWAITING_APPROVAL, Status.QUEUED, Status.RUNNING])
def test_the_same_image_is_refused_while_it_is_on_its_way(
    database: Database, status: Status
) -> None:
    stored(database, a_deployment(1, status=status))
    again = a_deployment(2, image=image("v1"))
    with database.begin() as tx:
        with pytest.raises(UserError, match="backend-staging-1") as refused:
            tx.deployments.add(again)
        # The transaction around it goes on.
        tx.deployments.add(a_deployment(3))
    assert refused.value.reason_code == "DUPLICATE"
    with database.read() as tx:
        kept = {deployment.id for deployment in tx.deployments.active()}
    assert kept == {"backend-staging-1", "backend-staging-3"}


def test_the_same_image_may_come_again_once_it_has_ended(database: Database) -> None:
    stored(database, a_deployment(1, status=Status.SUCCEEDED))
    stored(database, a_deployment(2, image=image("v1")))


def test_a_rollback_to_an_image_that_is_being_deployed_is_not_a_repetition(
    database: Database,
) -> None:
    stored(database, a_deployment(1))
    stored(database, a_deployment(2, image=image("v1"), kind=Kind.ROLLBACK))


def test_a_request_is_stored_once_for_each_target(database: Database) -> None:
    first = a_deployment(1, request_id="trigger", status=Status.FAILED)
    elsewhere = a_deployment(2, request_id="trigger", target=PRODUCTION)
    stored(database, first, elsewhere)
    with pytest.raises(UserError, match="backend-staging-1"):
        stored(database, a_deployment(3, request_id="trigger"))
    with database.read() as tx:
        found = tx.deployments.by_request("trigger")
        assert [d.id for d in found] == [first.id, elsewhere.id]
        assert tx.deployments.by_request("other") == []


def test_of_two_submits_in_one_instant_one_is_stored(
    database_url: str, database: Database, clock: FakeClock
) -> None:
    other = make_engine(database_url)
    replicas = [database, Database(other, clock)]

    def submit(number: int) -> str:
        try:
            stored(replicas[number % 2], a_deployment(number + 1, image=image("v9")))
        except UserError as duplicate:
            return duplicate.reason_code
        return "stored"

    said = at_once(6, submit)
    other.dispose()
    assert sorted(said) == ["DUPLICATE"] * 5 + ["stored"]


def test_a_number_given_out_twice_is_not_called_a_repetition(database: Database) -> None:
    stored(database, a_deployment(1))
    with pytest.raises(RuntimeError, match="given out twice"):
        stored(database, a_deployment(1, image=image("v9"), request_id="other"))


@pytest.mark.parametrize("to", Status)
@pytest.mark.parametrize("start", Status)
def test_a_state_is_left_only_for_what_the_state_machine_allows(
    sqlite_url: str, clock: FakeClock, start: Status, to: Status
) -> None:
    engine = make_engine(sqlite_url)
    database = Database(engine, clock)
    deployment = stored(database, a_deployment(status=start))
    with database.begin() as tx:
        moved = tx.deployments.move(deployment, to, explanation="moved")
    engine.dispose()
    if to in NEXT.get(start, frozenset()):
        assert moved == replace(deployment, status=to, version=2, explanation="moved")
    else:
        assert moved is None


def test_a_move_from_an_old_version_loses(database: Database) -> None:
    old = stored(database, a_deployment())
    with database.begin() as tx:
        running = tx.deployments.move(old, Status.RUNNING, owner="replica-1", started_at=NOON)
        assert running is not None
        assert (running.owner, running.started_at) == ("replica-1", NOON)
        assert tx.deployments.move(old, Status.CANCELLED) is None
        assert tx.deployments.get(old.id) == running


def test_of_two_replicas_that_move_at_once_one_wins(
    database_url: str, database: Database, clock: FakeClock
) -> None:
    other = make_engine(database_url)
    replicas = [database, Database(other, clock)]
    waiting = stored(database, a_deployment(status=Status.AWAITING_APPROVAL))

    def decide(number: int) -> bool:
        to = Status.QUEUED if number % 2 else Status.REJECTED
        with replicas[number % 2].begin() as tx:
            return tx.deployments.move(waiting, to) is not None

    won = at_once(8, decide)
    other.dispose()
    assert won.count(True) == 1


def test_only_one_runs_on_a_target(database: Database) -> None:
    stored(database, a_deployment(1, status=Status.RUNNING))
    second = stored(database, a_deployment(2))
    elsewhere = stored(database, a_deployment(3, target=PRODUCTION))
    with database.begin() as tx:
        assert tx.deployments.move(second, Status.RUNNING) is None
        # The transaction around it goes on.
        assert tx.deployments.move(elsewhere, Status.RUNNING) is not None


def test_a_move_changes_nothing_that_is_fixed(database: Database) -> None:
    deployment = stored(database, a_deployment())
    with pytest.raises(TypeError, match="target"), database.begin() as tx:
        tx.deployments.move(deployment, Status.RUNNING, target=PRODUCTION)


def test_a_note_needs_the_owner_it_names(database: Database) -> None:
    running = stored(database, a_deployment(status=Status.RUNNING, owner="replica-1"))
    with database.begin() as tx:
        progress = Progress(desired=2, running=1)
        assert tx.deployments.note(running.id, "replica-1", progress=progress, handle="h")
        assert not tx.deployments.note(running.id, "replica-2", handle="stolen")
        assert tx.deployments.note(running.id, None, attempts=1)
        expected = replace(running, progress=progress, handle="h", attempts=1)
        assert tx.deployments.get(running.id) == expected


def test_a_settled_deployment_takes_no_notes(database: Database) -> None:
    settled = stored(database, a_deployment(status=Status.SUCCEEDED, owner="replica-1"))
    with database.begin() as tx:
        assert not tx.deployments.note(settled.id, "replica-1", handle="late")
        assert not tx.deployments.note(settled.id, None, handle="late")


def test_a_note_does_not_change_the_state(database: Database) -> None:
    running = stored(database, a_deployment(status=Status.RUNNING))
    with pytest.raises(TypeError, match="status"), database.begin() as tx:
        tx.deployments.note(running.id, None, status=Status.SUCCEEDED)


def test_what_an_old_owner_decided_before_a_takeover_loses(database: Database) -> None:
    old = stored(database, a_deployment(status=Status.RUNNING, owner="replica-1"))
    with database.begin() as tx:
        assert tx.deployments.note(old.id, None, owner="replica-1")  # still its own
        assert tx.deployments.get(old.id) == old
        assert tx.deployments.note(old.id, None, owner="replica-2")
    with database.begin() as tx:
        assert tx.deployments.move(old, Status.SUCCEEDED) is None


def test_turns_are_taken_in_order(database: Database) -> None:
    later = NOON + timedelta(minutes=1)
    stored(
        database,
        a_deployment(10),
        a_deployment(9),  # of the same instant as 10, and asked for before
        a_deployment(1, created_at=later, status=Status.RUNNING),
        a_deployment(2, created_at=later, kind=Kind.ROLLBACK),
        a_deployment(3, status=Status.AWAITING_APPROVAL),
        a_deployment(4, status=Status.SUCCEEDED),
        a_deployment(5, target=PRODUCTION, created_at=later),
    )
    with database.read() as tx:
        here = [int(d.id.rpartition("-")[2]) for d in tx.deployments.active(STAGING)]
        everywhere = [int(d.id.rpartition("-")[2]) for d in tx.deployments.active()]
    assert here == [1, 2, 9, 10, 3]
    assert everywhere == [1, 2, 9, 10, 5, 3]


def test_history_is_newest_first(database: Database) -> None:
    stored(
        database,
        a_deployment(1, status=Status.FAILED),
        *(a_deployment(number, status=Status.FAILED) for number in (9, 10)),
        a_deployment(11, target=PRODUCTION, created_at=NOON + timedelta(hours=1)),
        a_deployment(12, target=Target("frontend", "staging")),
    )
    with database.read() as tx:
        history = tx.deployments.history
        assert [d.id for d in history(STAGING, 2)] == ["backend-staging-10", "backend-staging-9"]
        assert [d.image.ref for d in history(None, 10)] == ["v11", "v12", "v10", "v9", "v1"]
        assert [d.image.ref for d in history(None, 10, "frontend")] == ["v12"]


def test_a_replica_finds_what_it_runs(database: Database) -> None:
    stored(
        database,
        a_deployment(1, status=Status.RUNNING, owner="replica-1"),
        a_deployment(2, status=Status.RUNNING, owner="replica-2", target=PRODUCTION),
        a_deployment(3, status=Status.FAILED, owner="replica-1"),
        a_deployment(4, owner="replica-1"),
    )
    with database.read() as tx:
        assert [d.image.ref for d in tx.deployments.running("replica-1")] == ["v1"]
