from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Event

import pytest
from dbos import DBOS

from bot.model.deployment import Status
from bot.model.errors import Unreachable
from bot.workflows.ending import Ending, settle
from bot.workflows.engine import Engine
from bot.workflows.keeper import Keeper
from bot.workflows.observer import Observer
from bot.workflows.reaper import Reaper
from tests.fakes.inner_rooms import PRODUCTION, STAGING, Rooms
from tests.fakes.replicas import FakeReplicas

LEASE = timedelta(seconds=15)


@pytest.fixture
def leases() -> FakeReplicas:
    return FakeReplicas()


# --- the keeper ---


def test_a_beat_extends_the_lease(leases: FakeReplicas) -> None:
    fenced: list[str] = []
    keeper = Keeper("replica-1", leases, LEASE, lambda: fenced.append("fenced"))
    assert keeper.keep()
    assert leases.beats == [("replica-1", LEASE)]
    assert fenced == []


def test_a_replica_whose_lease_was_taken_is_told(leases: FakeReplicas) -> None:
    fenced = Event()
    keeper = Keeper("replica-1", leases, timedelta(seconds=0.05), fenced.set)
    leases.fenced.add("replica-1")
    keeper.start()
    assert fenced.wait(30)
    keeper.stop()


def test_a_fault_does_not_end_the_keeping(leases: FakeReplicas) -> None:
    fenced = Event()
    keeper = Keeper("replica-1", leases, timedelta(seconds=0.05), fenced.set)
    keeper.start()
    leases.break_next(Unreachable("No database."), Unreachable("No database."))
    leases.fenced.add("replica-1")
    assert fenced.wait(30)
    keeper.stop()


def test_stopping_gives_the_lease_up_as_far_as_that_is_possible(leases: FakeReplicas) -> None:
    keeper = Keeper("replica-1", leases, LEASE, lambda: None)
    keeper.start()
    keeper.stop()
    assert leases.released == ["replica-1"]
    keeper = Keeper("replica-2", leases, LEASE, lambda: None)
    leases.break_next(Unreachable("No database."))
    keeper.stop()
    assert leases.released == ["replica-1"]


# --- with the engine ---


@pytest.fixture
def engine(rooms: Rooms) -> Iterator[Engine]:
    engine = Engine(rooms.engine, "replica-1", rooms.steps)
    engine.launch()
    yield engine
    end_everything(rooms)
    DBOS.destroy(
        workflow_completion_timeout_sec=30
    )  # a workflow's thread must not outlive the test
    engine.close()


def end_everything(rooms: Rooms) -> None:
    with rooms.database.begin() as tx:
        for deployment in tx.deployments.active():
            settle(tx, deployment, Ending(Status.CANCELLED), rooms.clock.now())


def until(true: Callable[[], object]) -> None:
    """Long enough for any machine; how long it takes proves nothing."""
    pause = Event()
    for _ in range(1200):
        if true():
            return
        pause.wait(0.05)
    pytest.fail("gave up waiting")


def test_a_turn_is_taken_followed_and_ended(rooms: Rooms, engine: Engine) -> None:
    assert engine.replica == "replica-1"
    first, second = rooms.deploy("v2"), rooms.deploy("v3")
    until(lambda: rooms.get(first.id).handle is not None)
    assert rooms.get(second.id).status is Status.QUEUED
    observer = Observer(rooms.parts, quick=0.02)
    observer.start()
    try:
        rooms.rollouts.break_next("observe", Unreachable("No answer."))
        rooms.rollouts.finish(STAGING)
        until(lambda: rooms.get(first.id).status is Status.SUCCEEDED)
        until(lambda: rooms.get(second.id).handle is not None)
        rooms.rollouts.take_back(STAGING)
        until(lambda: rooms.get(second.id).status is Status.ROLLED_BACK)
    finally:
        observer.stop()
    assert [target for target, _ in rooms.rollouts.told] == [STAGING, STAGING]
    until(lambda: over(first.id) and over(second.id))


def over(workflow_id: str) -> bool:
    found = DBOS.list_workflows(workflow_ids=[workflow_id])
    return [workflow.status for workflow in found] == ["SUCCESS"]


def test_what_broke_is_ended_with_what_is_known(rooms: Rooms, engine: Engine) -> None:
    """Its workflow is over, though it is not: by a fault of ours, or an operator's hand."""
    assert engine.replica
    running = rooms.deploy("v2")
    until(lambda: rooms.get(running.id).handle is not None)
    waiting = rooms.deploy("v3")
    awaiting = rooms.deploy("v2", PRODUCTION)
    for workflow_id in (running.id, waiting.id):
        DBOS.cancel_workflow(workflow_id)
    Reaper(rooms.parts, None).mend()
    found = rooms.get(running.id)
    assert (found.status, found.reason_code) == (Status.OUTCOME_UNKNOWN, "INTERNAL")
    assert "Look at the service" in found.explanation
    found = rooms.get(waiting.id)
    assert (found.status, found.reason_code) == (Status.FAILED, "INTERNAL")
    assert "nothing was changed" in found.explanation
    assert rooms.get(awaiting.id).status is Status.AWAITING_APPROVAL
    before = rooms.audit()
    Reaper(rooms.parts, None).mend()
    assert rooms.audit() == before


def test_the_dead_are_claimed_once_and_what_is_well_is_left_alone(
    rooms: Rooms, engine: Engine, leases: FakeReplicas
) -> None:
    assert engine.replica
    running = rooms.deploy("v2")
    until(lambda: rooms.get(running.id).handle is not None)
    leases.others = {"replica-0"}
    reaper = Reaper(rooms.parts, leases)
    for _ in range(6):
        reaper.look()
    assert leases.claims == [("replica-0", "replica-1")]
    assert rooms.get(running.id).status is Status.RUNNING
