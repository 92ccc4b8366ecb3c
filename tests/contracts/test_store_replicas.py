"""Leases of replicas, on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.model.errors import Unreachable
from bot.model.ports import Replicas
from bot.store.replicas import ReplicaLeases
from bot.store.session import make_engine
from bot.store.tables import audit, replicas
from bot.store.trail import read
from tests.contracts.store_examples import NOON, at_once
from tests.fakes.clock import FakeClock

LEASE = timedelta(minutes=5)


@pytest.fixture
def leases(engine: sa.Engine, clock: FakeClock) -> Replicas:
    return ReplicaLeases(engine, clock)


def run_out(engine: sa.Engine, replica_id: str, ago: timedelta = timedelta(seconds=1)) -> None:
    """Its lease was over a while ago, by the clock that decides."""
    with engine.begin() as connection:
        lease = connection.execute(
            sa.select(replicas.c.heartbeat_at).where(replicas.c.id == replica_id)
        ).scalar_one()
        connection.execute(
            sa.update(replicas).where(replicas.c.id == replica_id).values(lease_until=lease - ago)
        )


def test_a_replica_that_beats_is_alive(leases: Replicas) -> None:
    assert leases.beat("one", LEASE, "host-1")
    assert leases.beat("one", LEASE)
    assert leases.dead(NOON) == []


def test_a_replica_that_is_silent_for_too_long_is_dead(leases: Replicas, engine: sa.Engine) -> None:
    leases.beat("one", LEASE)
    leases.beat("two", LEASE)
    run_out(engine, "one")
    assert leases.dead(NOON) == ["one"]


def test_one_that_was_late_but_not_taken_over_lives_on(leases: Replicas, engine: sa.Engine) -> None:
    leases.beat("one", LEASE)
    run_out(engine, "one")
    assert leases.beat("one", LEASE)
    assert leases.dead(NOON) == []


def test_one_that_leaves_need_not_be_waited_for(leases: Replicas) -> None:
    leases.beat("one", LEASE)
    leases.beat("two", LEASE)
    leases.release("one")
    assert leases.dead(NOON) == ["one"]
    assert leases.claim_dead("one", "two")


def test_one_that_was_taken_over_is_fenced(leases: Replicas, engine: sa.Engine) -> None:
    leases.beat("one", LEASE)
    leases.beat("two", LEASE)
    run_out(engine, "one")
    assert leases.claim_dead("one", "two")
    assert not leases.beat("one", LEASE)
    assert leases.dead(NOON) == []


def test_the_living_cannot_be_taken_over(leases: Replicas) -> None:
    leases.beat("one", LEASE)
    leases.beat("two", LEASE)
    assert not leases.claim_dead("one", "two")
    assert not leases.claim_dead("nobody", "two")
    assert leases.beat("one", LEASE)


def test_the_dead_take_nobody_over(leases: Replicas, engine: sa.Engine) -> None:
    for name in ("one", "two"):
        leases.beat(name, LEASE)
        run_out(engine, name)
    assert not leases.claim_dead("one", "two")
    assert not leases.claim_dead("one", "nobody")


def test_of_many_that_want_to_take_over_one_does(
    database_url: str, engine: sa.Engine, clock: FakeClock
) -> None:
    other = make_engine(database_url)
    ends = [ReplicaLeases(engine, clock), ReplicaLeases(other, clock)]
    ends[0].beat("dead", LEASE)
    run_out(engine, "dead")
    for number in range(6):
        ends[0].beat(f"replica-{number}", LEASE)
    won = at_once(6, lambda number: ends[number % 2].claim_dead("dead", f"replica-{number}"))
    other.dispose()
    assert won.count(True) == 1


def test_when_the_one_who_took_over_dies_too_another_can(
    leases: Replicas, engine: sa.Engine
) -> None:
    for name in ("one", "two", "three"):
        leases.beat(name, LEASE)
    run_out(engine, "one")
    assert leases.claim_dead("one", "two")
    run_out(engine, "two")
    assert leases.dead(NOON) == ["one", "two"]
    assert leases.claim_dead("two", "three")
    assert leases.claim_dead("one", "three")
    assert leases.dead(NOON) == []


def test_the_long_dead_are_forgotten(leases: Replicas, engine: sa.Engine) -> None:
    for name in ("ancient", "one", "two"):
        leases.beat(name, LEASE)
    run_out(engine, "ancient", timedelta(days=8))
    run_out(engine, "one", timedelta(days=6))
    assert leases.claim_dead("ancient", "two")
    assert leases.claim_dead("one", "two")
    with engine.connect() as connection:
        names = connection.execute(sa.select(replicas.c.id).order_by(replicas.c.id)).scalars()
        assert list(names) == ["one", "two"]


def test_a_replica_with_a_wrong_clock_harms_nobody(postgres_url: str) -> None:
    engine = make_engine(postgres_url)
    fast = FakeClock(NOON + timedelta(days=3650))
    here, there = ReplicaLeases(engine, FakeClock()), ReplicaLeases(engine, fast)
    assert here.beat("here", LEASE)
    assert there.beat("there", LEASE)
    assert there.dead(fast.now()) == []
    assert here.dead(NOON) == []
    assert not there.claim_dead("here", "there")
    engine.dispose()


def test_on_sqlite_time_is_this_process_clock(sqlite_url: str, clock: FakeClock) -> None:
    engine = make_engine(sqlite_url)
    leases = ReplicaLeases(engine, clock)
    leases.beat("one", LEASE)
    clock.advance(LEASE)
    assert leases.dead(clock.now()) == ["one"]
    engine.dispose()


def taken_over(engine: sa.Engine) -> list[dict[str, str]]:
    with engine.connect() as connection:
        entries = [read(row).entry for row in connection.execute(sa.select(audit))]
    return [dict(each.detail) for each in entries if each.action == "replica.taken_over"]


def test_taking_over_is_recorded_once(leases: Replicas, engine: sa.Engine) -> None:
    leases.beat("one", LEASE)
    leases.beat("two", LEASE)
    leases.release("one")
    assert leases.claim_dead("one", "two")
    assert not leases.claim_dead("one", "two")
    assert taken_over(engine) == [{"replica": "two", "dead": "one"}]


def test_nobody_takes_over_what_cannot_be_recorded(leases: Replicas, engine: sa.Engine) -> None:
    leases.beat("one", LEASE)
    leases.beat("two", LEASE)
    leases.release("one")
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE audit_head RENAME TO lost_head"))
    with pytest.raises(Unreachable):
        leases.claim_dead("one", "two")
    assert leases.dead(NOON) == ["one"]
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE lost_head RENAME TO audit_head"))
    assert leases.claim_dead("one", "two")
    assert taken_over(engine) == [{"replica": "two", "dead": "one"}]
