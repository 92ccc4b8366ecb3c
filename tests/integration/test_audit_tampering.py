"""What a database superuser did to the audit trail is found, and the first row of it is named."""

# ruff: noqa: S608 - statements are made of constants

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.model.errors import Terminal
from bot.store.audit import Damage, Head, chain, digest
from bot.store.database import Database
from bot.store.tables import audit
from bot.store.trail import _values, read
from tests.contracts.store_examples import NOON, an_entry

ROWS = 6


@pytest.fixture
def trail(database: Database) -> Database:
    """A database with six audit rows."""
    with database.begin() as tx:
        for number in range(1, ROWS + 1):
            tx.audit.append(an_entry(f"reason {number}", detail={"number": str(number)}))
    return database


@contextmanager
def superuser(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Past the triggers, which are back in place afterwards."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            for table in ("audit", "audit_head"):
                connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
            yield connection
            for table in ("audit", "audit_head"):
                connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
            return
        triggers = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).all()
        for name, _ in triggers:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        yield connection
        for _, statement in triggers:
            connection.exec_driver_sql(statement)


def run(*statements: str) -> Callable[[sa.Connection], None]:
    def tamper(connection: sa.Connection) -> None:
        for statement in statements:
            connection.exec_driver_sql(statement)

    return tamper


def insert_and_renumber(connection: sa.Connection) -> None:
    """A forged row 4 with a digest that fits, everything after it moved up by one."""
    for seq in range(ROWS, 3, -1):
        connection.exec_driver_sql(f"UPDATE audit SET seq = {seq + 1} WHERE seq = {seq}")
    forge(connection, 4)
    connection.exec_driver_sql(f"UPDATE audit_head SET seq = {ROWS + 1}")


def forge(connection: sa.Connection, seq: int) -> None:
    before = read(connection.execute(sa.select(audit).where(audit.c.seq == seq - 1)).one())
    (forged,) = chain(Head(before.seq, before.digest), [(NOON, an_entry("forged"))])
    connection.execute(sa.insert(audit).values(_values(forged)))


def change_and_hash_again(connection: sa.Connection) -> None:
    """Row 3 says something else, with a digest of its own that fits."""
    row = read(connection.execute(sa.select(audit).where(audit.c.seq == 3)).one())
    row = replace(row, entry=an_entry("harmless"))
    values = _values(replace(row, digest=digest(row)))
    connection.execute(sa.update(audit).where(audit.c.seq == 3).values(values))


def swap(connection: sa.Connection) -> None:
    for before, after in ((2, 99), (3, 2), (99, 3)):
        connection.exec_driver_sql(f"UPDATE audit SET seq = {after} WHERE seq = {before}")


def remove_and_renumber(connection: sa.Connection) -> None:
    connection.exec_driver_sql("DELETE FROM audit WHERE seq = 3")
    for seq in range(4, ROWS + 1):
        connection.exec_driver_sql(f"UPDATE audit SET seq = {seq - 1} WHERE seq = {seq}")


CASES = {
    "a reason": (run("UPDATE audit SET reason = 'x' WHERE seq = 3"), Damage.CHANGED, 3),
    "the newest row": (run(f"UPDATE audit SET reason = 'x' WHERE seq = {ROWS}"), Damage.CHANGED, 6),
    "the first row": (run("UPDATE audit SET actor_id = 'U' WHERE seq = 1"), Damage.CHANGED, 1),
    "a time by a microsecond": (
        run("UPDATE audit SET at = '2026-03-02T12:00:00.000001Z' WHERE seq = 2"),
        Damage.CHANGED,
        2,
    ),
    "the spelling of a time": (
        run("UPDATE audit SET at = '2026-03-02 12:00:00+00:00' WHERE seq = 2"),
        Damage.CHANGED,
        2,
    ),
    "a detail": (
        run("UPDATE audit SET detail = '{\"number\":\"9\"}' WHERE seq = 4"),
        Damage.CHANGED,
        4,
    ),
    "a detail into nonsense": (
        run("UPDATE audit SET detail = 'not JSON' WHERE seq = 4"),
        Damage.CHANGED,
        4,
    ),
    "the spelling of a detail": (
        run("UPDATE audit SET detail = '{\"number\": \"4\"}' WHERE seq = 4"),
        Damage.CHANGED,
        4,
    ),
    "a digest": (run("UPDATE audit SET digest = 'x' WHERE seq = 3"), Damage.CHANGED, 3),
    "what it stands on": (run("UPDATE audit SET previous = 'x' WHERE seq = 3"), Damage.CHANGED, 3),
    "a row and its digest": (change_and_hash_again, Damage.CHANGED, 3),
    "two rows swapped": (swap, Damage.CHANGED, 2),
    "a row removed": (run("DELETE FROM audit WHERE seq = 3"), Damage.REMOVED, 3),
    "the first row removed": (run("DELETE FROM audit WHERE seq = 1"), Damage.REMOVED, 1),
    "a row removed, the others moved up": (remove_and_renumber, Damage.REMOVED, 3),
    "the newest row removed": (run("DELETE FROM audit WHERE seq = 6"), Damage.REMOVED, 6),
    "the newest rows removed": (run("DELETE FROM audit WHERE seq > 3"), Damage.REMOVED, 4),
    "every row removed": (run("DELETE FROM audit"), Damage.REMOVED, 1),
    "the head removed": (run("DELETE FROM audit_head"), Damage.REMOVED, 7),
    "the head turned back": (run("UPDATE audit_head SET seq = 4"), Damage.INSERTED, 5),
    "the head's digest": (run("UPDATE audit_head SET digest = 'x'"), Damage.CHANGED, 6),
    "a row added at the end": (lambda connection: forge(connection, 7), Damage.INSERTED, 7),
    "a row inserted, the others moved down": (insert_and_renumber, Damage.INSERTED, 4),
}  # fmt: skip


def test_a_trail_that_nobody_touched_is_whole(trail: Database) -> None:
    with trail.read() as tx:
        verdict = tx.audit.verify()
        assert verdict.intact
        assert verdict.checked == ROWS
        assert verdict.head == tx.audit.head()


@pytest.mark.parametrize("case", CASES)
def test_what_was_done_is_named(trail: Database, engine: sa.Engine, case: str) -> None:
    tamper, damage, seq = CASES[case]
    with superuser(engine) as connection:
        tamper(connection)
    with trail.read() as tx:
        verdict = tx.audit.verify()
    assert (verdict.damage, verdict.seq) == (damage, seq)
    assert verdict.checked == seq - 1
    assert verdict.explanation


@pytest.mark.usefixtures("trail")
def test_the_triggers_are_back_after_tampering(engine: sa.Engine) -> None:
    with superuser(engine) as connection:
        connection.exec_driver_sql("UPDATE audit SET reason = 'x' WHERE seq = 3")
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), engine.begin() as connection:
        connection.exec_driver_sql("UPDATE audit SET reason = 'y' WHERE seq = 3")


def rewrite(connection: sa.Connection, start: int, reasons: Sequence[str]) -> None:
    """Everything from a row on anew, digests and head too: what only an anchor can tell."""
    kept = read(connection.execute(sa.select(audit).where(audit.c.seq == start - 1)).one())
    connection.exec_driver_sql(f"DELETE FROM audit WHERE seq >= {start}")
    moments = [NOON + timedelta(seconds=number) for number in range(len(reasons))]
    entries = [(at, an_entry(reason)) for at, reason in zip(moments, reasons, strict=True)]
    rows = chain(Head(kept.seq, kept.digest), entries)
    connection.execute(sa.insert(audit), [_values(row) for row in rows])
    connection.exec_driver_sql(
        f"UPDATE audit_head SET seq = {rows[-1].seq}, digest = '{rows[-1].digest}'"
    )


@pytest.mark.parametrize(
    ("reasons", "damage", "seq"),
    [(["a", "b", "c"], Damage.CHANGED, 6), (["a"], Damage.REMOVED, 5)],
)
def test_a_chain_written_anew_is_found_by_a_head_kept_elsewhere(
    trail: Database, engine: sa.Engine, reasons: list[str], damage: Damage, seq: int
) -> None:
    with trail.read() as tx:
        anchor = tx.audit.verify().head
    with superuser(engine) as connection:
        rewrite(connection, 4, reasons)
    with trail.read() as tx:
        assert tx.audit.verify().intact  # the database alone cannot know
        verdict = tx.audit.verify([anchor])
    assert (verdict.damage, verdict.seq) == (damage, seq)


def test_after_a_lost_head_nothing_is_recorded_and_nothing_done(
    trail: Database, engine: sa.Engine
) -> None:
    with superuser(engine) as connection:
        connection.exec_driver_sql("DELETE FROM audit_head")
    with pytest.raises(Terminal, match="lost its head") as fault, trail.begin() as tx:
        tx.audit.append(an_entry())
    assert fault.value.reason_code == "AUDIT_DAMAGED"
