from __future__ import annotations

from datetime import timedelta

import pytest

from bot.commands.model import (
    Command,
    DeclareFreeze,
    Deploy,
    LiftFreeze,
    LockTarget,
    PauseAll,
    ResumeAll,
    ShowLocks,
    UnlockTarget,
)
from bot.model.catalog import FreezeWindow, People
from bot.model.reply import Accepted, HoldsReport, Refused, Reply
from tests.fakes.inner_rooms import STAGING, Rooms, a_catalog, person

LOCK = LockTarget("backend", "staging", timedelta(hours=2), "migration")
FREEZE = DeclareFreeze("staging", reason="holidays")
PAUSE = PauseAll("outage")

#: Each hold with what takes it away, what it writes, and what a second one is told.
HOLDS = [
    (LOCK, UnlockTarget("backend", "staging"), "target.lock", "LOCKED", "NOT_LOCKED"),
    (FREEZE, LiftFreeze("staging"), "environment.freeze", "FROZEN", "NOT_FROZEN"),
    (PAUSE, ResumeAll(), "all.pause", "PAUSED", "NOT_PAUSED"),
]
IDS = ["lock", "freeze", "pause"]


def holds(rooms: Rooms) -> HoldsReport:
    reply = rooms.says("alice", ShowLocks())
    assert isinstance(reply, HoldsReport)
    return reply


def code(reply: Reply) -> str:
    assert isinstance(reply, Refused), reply
    return reply.reason_code


@pytest.mark.parametrize(("put", "take", "action", "there", "gone"), HOLDS, ids=IDS)
def test_a_hold_is_put_and_taken_away(
    rooms: Rooms, put: Command, take: Command, action: str, there: str, gone: str
) -> None:
    assert code(rooms.says("iris", take)) == gone
    assert isinstance(rooms.says("iris", put), Accepted)
    row = rooms.rows()[-1].entry
    assert (row.action, row.decision, row.actor) == (action, "done", person("iris"))
    assert row.reason in {"migration", "holidays", "outage"}
    assert code(rooms.says("iris", put)) == there
    assert rooms.audit()[-1] == (action, "denied", there)
    assert code(rooms.says("alice", Deploy((STAGING,), "v2"))) == there
    assert isinstance(rooms.says("iris", take), Accepted)
    assert isinstance(rooms.says("alice", Deploy((STAGING,), "v2")), Accepted)


@pytest.mark.parametrize(("put", "take", "_action", "_there", "_gone"), HOLDS, ids=IDS)
def test_s1_a_hold_delivered_again_is_answered_as_it_was_and_written_once(
    rooms: Rooms, put: Command, take: Command, _action: str, _there: str, _gone: str
) -> None:
    first = rooms.says("iris", put, "request-put")
    rooms.clock.advance(timedelta(minutes=1))
    before = rooms.everything()
    assert rooms.says("iris", put, "request-put") == first
    assert rooms.everything() == before
    taken = rooms.says("iris", take, "request-take")
    assert isinstance(taken, Accepted)
    before = rooms.everything()
    assert rooms.says("iris", take, "request-take") == taken
    assert rooms.says("iris", put, "request-put") == first  # and does not put it back
    assert rooms.everything() == before


@pytest.mark.parametrize(("put", "take", "_action", "_there", "gone"), HOLDS, ids=IDS)
def test_s1_a_refusal_delivered_again_stays_one(
    rooms: Rooms, put: Command, take: Command, _action: str, _there: str, gone: str
) -> None:
    first = rooms.says("iris", take, "request-take")
    assert code(first) == gone
    rooms.says("iris", put)
    before = rooms.everything()
    assert rooms.says("iris", take, "request-take") == first
    assert rooms.everything() == before
    assert isinstance(rooms.says("iris", take), Accepted)


def test_s1_a_freeze_delivered_again_after_its_end_is_answered_as_it_was(rooms: Rooms) -> None:
    short = DeclareFreeze("staging", None, rooms.clock.now() + timedelta(minutes=1))
    first = rooms.says("iris", short, "request-f")
    assert isinstance(first, Accepted)
    rooms.clock.advance(timedelta(minutes=2))
    assert rooms.says("iris", short, "request-f") == first


@pytest.mark.parametrize(
    ("command", "action"),
    [
        (FREEZE, "environment.freeze"),
        (LiftFreeze("staging"), "environment.unfreeze"),
        (PAUSE, "all.pause"),
        (ResumeAll(), "all.resume"),
    ],
)
def test_who_may_not_is_refused_and_recorded(rooms: Rooms, command: Command, action: str) -> None:
    before = holds(rooms)
    assert code(rooms.says("alice", command)) == "NOT_ALLOWED"
    assert holds(rooms) == before
    assert rooms.audit() == [(action, "denied", "NOT_ALLOWED")]


def test_a_lock_says_until_when_and_runs_out(rooms: Rooms) -> None:
    reply = rooms.says("alice", LOCK)
    assert reply == Accepted("backend/staging is locked until 2026-03-02 14:00 UTC.")
    (lock,) = holds(rooms).locks
    assert (lock.owner, lock.reason) == (person("alice"), "migration")
    rooms.clock.advance(timedelta(hours=2))
    assert holds(rooms).locks == ()
    assert code(rooms.says("alice", UnlockTarget("backend", "staging"))) == "NOT_LOCKED"


def test_a_lock_without_a_duration_says_no_end(rooms: Rooms) -> None:
    reply = rooms.says("alice", LockTarget("*", "staging", reason="migration"))
    assert reply == Accepted("*/staging is locked.")
    assert holds(rooms).locks[0].until is None


def test_a_lock_takes_a_part_in_everything_it_covers(rooms: Rooms) -> None:
    rooms.catalog = a_catalog(relaxed={"deployers": People(users=(person("bob").id,))})
    assert code(rooms.says("alice", LOCK)) == "NOT_ALLOWED"
    assert rooms.audit() == [("target.lock", "denied", "NOT_ALLOWED")]
    assert isinstance(rooms.says("bob", LOCK), Accepted)


def test_somebody_elses_lock_takes_a_responder(rooms: Rooms) -> None:
    rooms.says("alice", LOCK)
    unlock = UnlockTarget("backend", "staging")
    assert code(rooms.says("dave", unlock)) == "NOT_ALLOWED"
    assert len(holds(rooms).locks) == 1
    reply = rooms.says("iris", unlock)
    assert reply == Accepted("backend/staging is unlocked; it was locked by alice.")


@pytest.mark.parametrize("until", [timedelta(), timedelta(hours=-1), timedelta(hours=1)])
def test_a_freeze_must_end_after_it_begins_and_in_the_future(
    rooms: Rooms, until: timedelta
) -> None:
    now = rooms.clock.now()
    freeze = DeclareFreeze("staging", now + timedelta(hours=1), now + until)
    reply = rooms.says("iris", freeze, "request-f")
    assert isinstance(reply, Refused)
    assert (reply.reason_code, reply.hint) == ("USAGE", "See /deploy help freeze.")
    assert holds(rooms).freezes == ()
    assert rooms.audit() == [("environment.freeze", "denied", "USAGE")]
    before = rooms.everything()
    assert rooms.says("iris", freeze, "request-f") == reply
    assert rooms.everything() == before


def test_a_freeze_for_later_begins_later(rooms: Rooms) -> None:
    now = rooms.clock.now()
    later = DeclareFreeze("staging", now + timedelta(hours=1), now + timedelta(hours=2), "cutover")
    said = "staging will be frozen from 2026-03-02 13:00 UTC until 2026-03-02 14:00 UTC."
    assert rooms.says("iris", later) == Accepted(said)
    assert isinstance(rooms.says("alice", Deploy((STAGING,), "v2")), Accepted)
    rooms.clock.advance(timedelta(hours=1))
    assert code(rooms.says("alice", Deploy((STAGING,), "v3"))) == "FROZEN"
    rooms.clock.advance(timedelta(hours=1))
    assert isinstance(rooms.says("alice", Deploy((STAGING,), "v3")), Accepted)


def test_locks_shows_windows_of_the_catalog_too(rooms: Rooms) -> None:
    always = FreezeWindow(name="nights", cron="0 0 * * *", duration=timedelta(hours=20))
    rooms.catalog = a_catalog(relaxed={"freezes": (always,)})
    rooms.says("iris", PAUSE)
    rooms.says("iris", FREEZE)
    rooms.says("alice", LOCK)
    report = holds(rooms)
    assert [(place, name) for place, name, _ in report.windows] == [("staging", "nights")]
    assert [lock.service for lock in report.locks] == ["backend"]
    assert [freeze.reason for freeze in report.freezes] == ["holidays"]
    assert report.paused is not None
    assert report.paused.owner == person("iris")
