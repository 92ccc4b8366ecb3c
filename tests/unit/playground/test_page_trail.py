from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.model.deployment import AuditEntry, AuditRow, Person
from bot.playground.page.trail import ROWS, Verified, draw_trail
from bot.store.database import Database
from bot.store.session import make_engine
from bot.store.trail import Trail
from tests.fakes.clock import FakeClock

ALICE = Person("U1", "alice")
TRIGGER = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'"


@pytest.fixture
def trail(sqlite_url: str, clock: FakeClock) -> Iterator[Database]:
    engine = make_engine(sqlite_url)
    yield Database(engine, clock)
    engine.dispose()


def write(database: Database, *reasons: str) -> None:
    with database.begin() as it:
        for reason in reasons:
            it.audit.append(
                AuditEntry(
                    actor=ALICE,
                    action="deploy.requested",
                    decision="denied",
                    target="backend/staging",
                    deployment_id="backend-staging-1",
                    reason=reason,
                    reason_code="FROZEN",
                )
            )


def tamper(sqlite_url: str, statement: str) -> None:
    """As somebody would who has the file: without the triggers that forbid it."""
    connection = sqlite3.connect(str(sa.make_url(sqlite_url).database))
    try:
        for (name,) in connection.execute(TRIGGER).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)
        connection.commit()
    finally:
        connection.close()


def test_a_trail_without_rows_is_whole(trail: Database) -> None:
    html = draw_trail(trail)
    assert "The chain of 0 rows is intact." in html
    assert "Nothing has been recorded yet." in html


def test_every_column_is_there_newest_first(trail: Database) -> None:
    write(trail, "first", "second")
    html = str(draw_trail(trail))
    assert "The chain of 2 rows is intact." in html
    words = ("12:00:00", "alice", "deploy.requested", "denied", "backend/staging", "FROZEN · first")
    for word in words:
        assert word in html
    assert html.index("second") < html.index("first")


def test_one_row_is_one_row(trail: Database) -> None:
    write(trail, "only")
    assert "The chain of 1 row is intact." in draw_trail(trail)


def test_what_people_wrote_is_escaped(trail: Database) -> None:
    write(trail, "<img src=x onerror=alert(1)>")
    html = draw_trail(trail)
    assert "<img" not in html
    assert "&lt;img" in html


def test_the_newest_rows_are_shown_and_all_are_verified(trail: Database) -> None:
    write(trail, *(f"reason {number}" for number in range(ROWS + 5)))
    html = str(draw_trail(trail))
    assert html.count('class="w-row"') == ROWS
    assert f"The chain of {ROWS + 5} rows is intact." in html
    assert f"The newest {ROWS} rows are shown." in html


def test_the_first_bad_row_is_named_and_marked(trail: Database, sqlite_url: str) -> None:
    write(trail, "a", "b", "c")
    tamper(sqlite_url, "UPDATE audit SET reason = 'forged' WHERE seq = 2")
    html = str(draw_trail(trail))
    assert "Row 2 was changed: it is not what its digest was taken over." in html
    assert "The 1 rows before it are sound." in html
    assert html.count("w-broken") == 1
    assert "is intact" not in html


def test_a_visible_row_that_was_forged_is_noticed_although_the_head_is_the_same(
    trail: Database, sqlite_url: str
) -> None:
    write(trail, "a", "b")
    verified = Verified()
    assert "is intact" in draw_trail(trail, verified)
    tamper(sqlite_url, "UPDATE audit SET actor_name = 'mallory' WHERE seq = 1")
    assert "Row 1 was changed" in draw_trail(trail, verified)


def test_rows_that_are_the_same_are_verified_once(
    trail: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks: list[int] = []
    rows = Trail.rows

    def counted(self: Trail) -> Generator[AuditRow]:
        walks.append(1)
        return rows(self)

    monkeypatch.setattr(Trail, "rows", counted)
    verified = Verified()
    write(trail, "a")
    first = draw_trail(trail, verified)
    assert draw_trail(trail, verified) == first
    assert len(walks) == 1
    write(trail, "b")
    assert "The chain of 2 rows is intact." in draw_trail(trail, verified)
    assert len(walks) == 2


def test_a_database_without_tables_is_said_and_does_not_fail(
    tmp_path: Path, clock: FakeClock
) -> None:
    empty = Database(make_engine(f"sqlite:///{tmp_path / 'empty.db'}"), clock)
    assert "The audit trail cannot be read now" in draw_trail(empty)


def test_a_file_that_is_no_database_is_said_and_does_not_fail(
    tmp_path: Path, clock: FakeClock
) -> None:
    path = tmp_path / "broken.db"
    path.write_bytes(b"no database at all " * 100)
    assert "cannot be read now" in draw_trail(Database(make_engine(f"sqlite:///{path}"), clock))


def test_rows_are_not_changed_by_looking(trail: Database) -> None:
    write(trail, "a")
    with trail.read() as it:
        before = it.audit.head()
    draw_trail(trail)
    with trail.read() as it:
        assert it.audit.head() == before
