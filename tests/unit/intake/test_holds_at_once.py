"""Holds in the same instant, over PostgreSQL: there two transactions do run at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from bot.commands.model import (
    Command,
    DeclareFreeze,
    LiftFreeze,
    LockTarget,
    PauseAll,
    ResumeAll,
    UnlockTarget,
)
from bot.intake.front_door import Intake
from bot.model.catalog import Catalog
from bot.model.deployment import Lock
from bot.model.reply import Accepted, Refused, Reply
from tests.contracts.store_examples import at_once
from tests.fakes.clock import FakeClock
from tests.fakes.inner_rooms import Rooms, person, requester, rooms_in

LOCK = LockTarget("backend", "staging", timedelta(hours=2), "migration")
UNLOCK = UnlockTarget("backend", "staging")


@pytest.fixture
def rooms(postgres_url: str, clock: FakeClock) -> Iterator[Rooms]:
    with rooms_in(postgres_url, clock) as rooms:
        yield rooms


def delivered(rooms: Rooms, command: Command, _number: int) -> Reply:
    return rooms.says("iris", command, type(command).__name__)


@pytest.mark.parametrize(
    ("put", "take"),
    [(LOCK, UNLOCK), (DeclareFreeze("staging"), LiftFreeze("staging")), (PauseAll(), ResumeAll())],
    ids=["lock", "freeze", "pause"],
)
def test_s1_deliveries_in_one_instant_change_a_hold_once(
    rooms: Rooms, put: Command, take: Command
) -> None:
    for number, command in enumerate((put, take), start=1):
        replies = at_once(6, partial(delivered, rooms, command))
        assert isinstance(replies[0], Accepted)
        assert replies.count(replies[0]) == len(replies)
        assert [decision for _, decision, _ in rooms.audit()] == ["done"] * number


def test_a_lock_that_took_the_place_of_the_judged_one_is_judged_anew(rooms: Rooms) -> None:
    """Alice may release her own lock; Bob's has replaced it before hers is gone."""
    rooms.says("alice", LOCK)
    bobs = Lock("backend", "staging", person("bob"), "incident", rooms.clock.now(), None)
    pending = [bobs]

    def catalog() -> Catalog:
        while pending:  # the policies are looked up between the look at the lock and its end
            with rooms.database.begin() as tx:
                tx.holds.unlock("backend", "staging")
                assert tx.holds.lock(pending.pop())
        return rooms.catalog

    intake = Intake(replace(rooms.parts, catalog=catalog))
    reply = intake.submit(UNLOCK, requester("alice"), "request-u")
    assert isinstance(reply, Refused)
    assert reply.reason_code == "NOT_ALLOWED"
    with rooms.database.read() as tx:
        assert tx.holds.locks(rooms.clock.now()) == [bobs]
    assert rooms.audit()[-1] == ("target.unlock", "denied", "NOT_ALLOWED")
