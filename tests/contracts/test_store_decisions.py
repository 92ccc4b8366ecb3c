"""Ballots, holds and releases, on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.model.deployment import (
    Ballot,
    Freeze,
    Lock,
    Pause,
    Person,
    Release,
    Status,
    Vote,
)
from bot.store.database import Database
from bot.store.session import make_engine
from tests.contracts.store_examples import (
    ALICE,
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

HOUR = timedelta(hours=1)


def a_vote(person: Person = ALICE, **changes: object) -> Vote:
    vote = Vote("backend-staging-1", person, Ballot.APPROVE, "sha256:1", NOON, "looks good")
    return replace(vote, **changes)  # type: ignore[arg-type] # one of its own fields


def a_lock(service: str = "backend", *, until: datetime | None = None) -> Lock:
    return Lock(service, "staging", ALICE, "migrating", NOON, until)


def a_freeze(*, since: datetime = NOON, until: datetime | None = None) -> Freeze:
    return Freeze("production", ALICE, "holidays", since, until)


def a_release(revision: int, version: str, hours: int, deployment: str | None = None) -> Release:
    return Release(STAGING, f"backend:{revision}", image(version), deployment, NOON + hours * HOUR)


def test_a_persons_first_ballot_stands(database: Database) -> None:
    stored(database, a_deployment(status=Status.AWAITING_APPROVAL))
    with database.begin() as tx:
        assert tx.votes.cast(a_vote())
        assert not tx.votes.cast(a_vote(ballot=Ballot.REJECT))
        assert tx.votes.cast(a_vote(BOB, at=NOON - HOUR))
    with database.read() as tx:
        assert tx.votes.on("backend-staging-1") == [a_vote(BOB, at=NOON - HOUR), a_vote()]
        assert tx.votes.on("backend-staging-2") == []


def test_a_double_click_on_two_replicas_counts_once(
    database_url: str, database: Database, clock: FakeClock
) -> None:
    other = make_engine(database_url)
    replicas = [database, Database(other, clock)]
    stored(database, a_deployment(status=Status.AWAITING_APPROVAL))

    def click(number: int) -> bool:
        with replicas[number % 2].begin() as tx:
            return tx.votes.cast(a_vote())

    counted = at_once(6, click)
    other.dispose()
    assert counted.count(True) == 1


def test_of_approvers_at_one_instant_exactly_one_sees_that_all_have_spoken(
    database_url: str, database: Database, clock: FakeClock
) -> None:
    other = make_engine(database_url)
    replicas = [database, Database(other, clock)]
    stored(database, a_deployment(status=Status.AWAITING_APPROVAL))

    def approve(number: int) -> int:
        with replicas[number % 2].begin() as tx:
            assert tx.votes.cast(a_vote(Person(f"U{number}", "approver")))
            return len(tx.votes.on("backend-staging-1"))

    seen = at_once(6, approve)
    other.dispose()
    assert sorted(seen) == [1, 2, 3, 4, 5, 6]


def test_a_lock_holds_until_it_is_released(database: Database) -> None:
    with database.begin() as tx:
        assert tx.holds.lock(a_lock())
        assert tx.holds.lock(a_lock("*"))
        assert not tx.holds.lock(replace(a_lock(), owner=BOB))
    with database.begin() as tx:
        assert sorted(lock.service for lock in tx.holds.locks(NOON + 1000 * HOUR)) == [
            "*",
            "backend",
        ]
        assert tx.holds.unlock("backend", "staging") == a_lock()
        assert tx.holds.unlock("backend", "staging") is None
        assert tx.holds.lock(replace(a_lock(), owner=BOB))


def test_only_the_very_lock_is_released(database: Database) -> None:
    others = [replace(a_lock(), owner=BOB), replace(a_lock(), since=NOON + HOUR)]
    for standing in others:
        with database.begin() as tx:
            assert tx.holds.lock(a_lock("*"))
            assert tx.holds.lock(standing)
        with database.begin() as tx:
            assert not tx.holds.release(a_lock())
            assert tx.holds.release(a_lock("*"))
            assert tx.holds.locks(NOON) == [standing]
            assert tx.holds.release(standing)
            assert not tx.holds.release(standing)
            assert tx.holds.locks(NOON) == []


def test_of_releases_of_one_lock_at_one_instant_one_counts(
    database_url: str, database: Database, clock: FakeClock
) -> None:
    other = make_engine(database_url)
    replicas = [database, Database(other, clock)]
    with database.begin() as tx:
        assert tx.holds.lock(a_lock())

    def release(number: int) -> bool:
        with replicas[number % 2].begin() as tx:
            return tx.holds.release(a_lock())

    won = at_once(6, release)
    other.dispose()
    assert won.count(True) == 1


def test_a_lock_that_ran_out_is_gone_and_replaced(database: Database, clock: FakeClock) -> None:
    short = a_lock(until=NOON + HOUR)
    with database.begin() as tx:
        assert tx.holds.lock(short)
        assert tx.holds.locks(NOON + HOUR - timedelta(microseconds=1)) == [short]
        assert tx.holds.locks(NOON + HOUR) == []
    clock.advance(HOUR)
    longer = a_lock(until=NOON + 3 * HOUR)
    with database.begin() as tx:
        assert tx.holds.lock(longer)
        assert tx.holds.locks(clock.now()) == [longer]


def test_of_two_locks_at_one_instant_one_stands(
    database_url: str, database: Database, clock: FakeClock
) -> None:
    other = make_engine(database_url)
    replicas = [database, Database(other, clock)]
    with database.begin() as tx:
        assert tx.holds.lock(a_lock(until=NOON))  # ended already: both may replace it

    def lock(number: int) -> bool:
        with replicas[number % 2].begin() as tx:
            return tx.holds.lock(a_lock(until=NOON + HOUR))

    won = at_once(6, lock)
    other.dispose()
    assert won.count(True) == 1


def test_a_freeze_holds_its_environment(database: Database) -> None:
    with database.begin() as tx:
        assert tx.holds.freeze(a_freeze())
        assert not tx.holds.freeze(replace(a_freeze(), owner=BOB))
        assert tx.holds.freezes(NOON) == [a_freeze()]
        assert tx.holds.unfreeze("production") == a_freeze()
        assert tx.holds.unfreeze("production") is None
        assert tx.holds.freezes(NOON) == []


def test_a_freeze_in_force_is_not_replaced_by_one_that_is_to_come(database: Database) -> None:
    now, later = a_freeze(until=NOON + HOUR), a_freeze(since=NOON + 2 * HOUR)
    with database.begin() as tx:
        assert tx.holds.freeze(now)
        assert not tx.holds.freeze(later)
        assert tx.holds.freezes(NOON) == [now]


def test_a_freeze_that_is_to_come_is_listed(database: Database, clock: FakeClock) -> None:
    later = a_freeze(since=NOON + HOUR, until=NOON + 2 * HOUR)
    with database.begin() as tx:
        assert tx.holds.freeze(later)
        assert tx.holds.freezes(NOON) == [later]
        assert tx.holds.freezes(NOON + 2 * HOUR) == []
    clock.advance(2 * HOUR)
    with database.begin() as tx:
        assert tx.holds.freeze(a_freeze())


def test_there_is_one_pause(database: Database) -> None:
    pause = Pause(ALICE, "incident 7", NOON)
    with database.begin() as tx:
        assert tx.holds.paused() is None
        assert tx.holds.pause(pause)
        assert not tx.holds.pause(Pause(BOB, "me too", NOON))
    with database.begin() as tx:
        assert tx.holds.paused() == pause
        assert tx.holds.resume() == pause
        assert tx.holds.resume() is None
        assert tx.holds.paused() is None


def test_known_good_is_newest_first_and_one_of_each_image(database: Database) -> None:
    releases = [
        a_release(1, "v1", 0, "backend-staging-1"),
        a_release(2, "v2", 1),
        a_release(3, "v1", 2, "backend-staging-3"),
        a_release(4, "v3", 3),
        replace(a_release(9, "v9", 9), target=PRODUCTION),
    ]
    with database.begin() as tx:
        for release in releases:
            tx.releases.add(release)
    with database.read() as tx:
        assert tx.releases.known_good(STAGING) == [releases[3], releases[2], releases[1]]
        assert tx.releases.known_good(STAGING, 1) == [releases[3]]
        assert tx.releases.known_good(PRODUCTION) == [releases[4]]


def test_a_revision_that_runs_again_moves_to_the_front(database: Database) -> None:
    first, second = a_release(1, "v1", 0, "backend-staging-1"), a_release(2, "v2", 1)
    again = a_release(1, "v1", 2, "backend-staging-3")
    with database.begin() as tx:
        for release in (first, second, again):
            tx.releases.add(release)
        assert tx.releases.known_good(STAGING) == [again, second]
