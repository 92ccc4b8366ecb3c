"""The audit trail, on SQLite and PostgreSQL: whole, in order, and closed to changes."""

# ruff: noqa: PT012 - it is the end of a transaction's block that raises

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.model.deployment import SYSTEM, AuditRow
from bot.store.audit import GENESIS, WORDS, Head, digest
from bot.store.database import Database
from bot.store.session import make_engine
from tests.contracts.store_examples import ALICE, BOB, NOON, an_entry, at_once
from tests.fakes.clock import FakeClock

REFUSAL = "append-only"
FORWARD = "only moves forward"
#: A copy of the first row under another number, or under its own.
APPENDED = (
    "INSERT INTO audit SELECT {}at, actor_id, actor_name, action, decision, target, "
    "deployment_id, from_digest, to_digest, reason, reason_code, request_id, detail, previous, "
    "digest FROM audit WHERE seq = 1"
)


def rows(database: Database) -> list[AuditRow]:
    with database.read() as tx:
        return list(tx.audit.rows())


def record(database: Database, *reasons: str) -> None:
    for reason in reasons:
        with database.begin() as tx:
            tx.audit.append(an_entry(reason))


def test_rows_are_numbered_timed_and_chained(database: Database, clock: FakeClock) -> None:
    entry = an_entry(
        "ünïcödé 🚢",
        deployment_id="backend-staging-1",
        from_digest="sha256:1",
        to_digest="sha256:2",
        reason_code="FROZEN",
        request_id="trigger-1",
        detail={"rule": "freeze", "a": "b"},
    )
    with database.begin() as tx:
        tx.audit.append(entry)
        clock.advance(timedelta(microseconds=1))
        tx.audit.append(an_entry("second"))
    first, second = rows(database)
    assert (first.seq, first.at, first.entry, first.previous) == (1, NOON, entry, GENESIS)
    assert first.digest == digest(first)
    assert (second.seq, second.previous) == (2, first.digest)
    assert second.at == NOON + timedelta(microseconds=1)
    with database.read() as tx:
        assert tx.audit.head() == Head(2, second.digest)
        assert tx.audit.verify().intact


def test_what_was_rolled_back_leaves_no_gap(database: Database) -> None:
    record(database, "one")
    with pytest.raises(LookupError), database.begin() as tx:
        tx.audit.append(an_entry("lost"))
        raise LookupError
    record(database, "two")
    assert [(row.seq, row.entry.reason) for row in rows(database)] == [(1, "one"), (2, "two")]


def test_a_transaction_finds_what_it_has_just_appended(database: Database) -> None:
    with database.begin() as tx:
        tx.audit.append(an_entry("first", deployment_id="d"))
        assert [row.entry.reason for row in tx.audit.search(deployment_id="d")] == ["first"]
        tx.audit.append(an_entry("second"))
    assert [row.seq for row in rows(database)] == [1, 2]


def test_writers_of_two_replicas_make_one_chain_without_a_gap(
    database_url: str, database: Database, clock: FakeClock
) -> None:
    other = make_engine(database_url)
    replicas = [database, Database(other, clock)]

    def write(number: int) -> None:
        for turn in range(5):
            record(replicas[number % 2], f"{number}-{turn}")

    at_once(8, write)
    other.dispose()
    assert [row.seq for row in rows(database)] == list(range(1, 41))
    with database.read() as tx:
        assert tx.audit.verify().checked == 40


def test_rows_can_be_searched(database: Database) -> None:
    with database.begin() as tx:
        for entry in (
            an_entry("1", action="deploy.requested", deployment_id="backend-staging-1"),
            an_entry("2", action="deploy.approved", actor=BOB),
            an_entry("3", action="rollout.started", actor=SYSTEM, target="frontend/staging"),
            an_entry("4", action="deploy_other", target="backend/production"),
        ):
            tx.audit.append(entry)
    with database.read() as tx:

        def found(limit: int = 20, **filters: str) -> list[str]:
            return [row.entry.reason for row in tx.audit.search(limit, **filters)]

        assert found() == ["4", "3", "2", "1"]
        assert found(2) == ["4", "3"]
        assert found(target="backend/staging") == ["2", "1"]
        assert found(target="backend/") == ["4", "2", "1"]
        assert found(target="/staging") == ["3", "2", "1"]
        assert found(deployment_id="backend-staging-1") == ["1"]
        assert found(actor=ALICE.id, target="backend/staging") == ["1"]
        assert found(action="deploy") == ["4", "2", "1"]
        assert found(action="deploy.") == ["2", "1"]
        assert found(action="deploy_") == ["4"]  # no wildcard
        assert found(action="%") == []
        with pytest.raises(TypeError, match="colour"):
            tx.audit.search(colour="red")


def test_what_a_request_left_is_found_among_its_actors_newest_rows(database: Database) -> None:
    with database.begin() as tx:
        for entry in (
            an_entry("1", request_id="first"),
            an_entry("2", request_id="second"),
            an_entry("3", request_id="first"),
            an_entry("4", request_id="first", actor=BOB),
        ):
            tx.audit.append(entry)

        def found(request: str, among: int) -> list[str]:
            return [row.entry.reason for row in tx.audit.of_request(request, ALICE.id, among)]

        assert found("first", 3) == ["3", "1"]
        assert found("first", 2) == ["3"]
        assert found("third", 3) == []


def test_a_hostile_reason_is_kept_bounded_and_readable(database: Database) -> None:
    hostile = "a\x00b\x1b[31m\r\n\u202eevil\ud800" + "x" * 50_000
    record(database, hostile)
    (row,) = rows(database)
    assert row.entry.reason.startswith("a\\x00b\\x1b[31m\\r\\n\\u202eevil\\ud800xxx")
    assert len(row.entry.reason) == WORDS
    with database.read() as tx:
        assert tx.audit.verify().intact


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit SET reason = 'nothing happened' WHERE seq = 1", REFUSAL),
        ("DELETE FROM audit WHERE seq = 2", REFUSAL),
        ("DELETE FROM audit", REFUSAL),
        ("UPDATE audit_head SET seq = 1", FORWARD),
        ("UPDATE audit_head SET digest = 'other'", FORWARD),
        ("UPDATE audit_head SET id = 2, seq = 9", FORWARD),
        ("DELETE FROM audit_head", FORWARD),
        (APPENDED.format("9, "), "after the newest one"),
    ],
)
def test_the_database_itself_refuses_changes(
    database: Database, engine: sa.Engine, statement: str, said: str
) -> None:
    record(database, "one", "two")
    before = rows(database)
    with pytest.raises(sa.exc.IntegrityError, match=said), engine.begin() as connection:
        connection.exec_driver_sql(statement)
    assert rows(database) == before


@pytest.mark.parametrize("table", ["audit", "audit_head"])
def test_postgresql_refuses_to_truncate(postgres_url: str, table: str) -> None:
    engine = make_engine(postgres_url)
    with pytest.raises(sa.exc.IntegrityError, match="audit trail"), engine.begin() as connection:
        connection.exec_driver_sql(f"TRUNCATE {table}")
    engine.dispose()


def test_sqlite_refuses_to_replace(sqlite_url: str, clock: FakeClock) -> None:
    """INSERT OR REPLACE would delete past a trigger, on a connection that is not ours too."""
    engine = make_engine(sqlite_url)
    record(Database(engine, clock), "one", "two")
    statement = (
        "INSERT OR REPLACE INTO audit SELECT seq, at, actor_id, 'mallory', action, decision, "
        "target, deployment_id, from_digest, to_digest, reason, reason_code, request_id, detail, "
        "previous, digest FROM audit WHERE seq = 1"
    )
    for recursive in ("ON", "OFF"):
        with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
            connection.exec_driver_sql(f"PRAGMA recursive_triggers={recursive}")
            connection.exec_driver_sql(statement)
    assert rows(Database(engine, clock))[0].entry.actor == ALICE
    engine.dispose()
