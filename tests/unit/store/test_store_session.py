"""Engines: which URLs work, how connections are set up, and who waits for whom."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Event, Lock, Thread

import pytest
import sqlalchemy as sa

from bot.model.errors import Misconfigured, Unreachable
from bot.store.session import faults, make_engine, parse, reading, writing
from bot.store.single import only_process
from bot.store.sqlite_writers import _WRITER
from bot.store.turnstile import Turnstile

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:///quarterdeck.db", "sqlite+pysqlite"),
        ("sqlite:////var/lib/quarterdeck/quarterdeck.db", "sqlite+pysqlite"),
        ("postgresql://u:p@db/quarterdeck", "postgresql+psycopg"),
        ("postgresql+psycopg2://u:p@db/quarterdeck", "postgresql+psycopg"),
        ("postgres://u:p@db/quarterdeck", "postgresql+psycopg"),
    ],
)
def test_urls_as_people_write_them_work(url: str, driver: str) -> None:
    assert parse(url).drivername == driver


@pytest.mark.parametrize(
    "url", ["", "quarterdeck.db", "sqlite://", "sqlite:///:memory:", "mysql://root:s3cret@db/x"]
)
def test_other_urls_are_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(Misconfigured) as fault:
        make_engine(url)
    assert "DATABASE_URL" in fault.value.message
    assert "sqlite:///" in fault.value.hint
    assert "s3cret" not in f"{fault.value.message}{fault.value.hint}"


def test_a_files_folders_are_made(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/a/b/quarterdeck.db")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000
    engine.dispose()
    assert (tmp_path / "a" / "b" / "quarterdeck.db").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="cannot be made"):
        make_engine(f"sqlite:///{tmp_path}/file/quarterdeck.db")


def test_postgresql_limits_are_set_and_a_users_own_options_kept(postgres_url: str) -> None:
    separator = "&" if "?" in postgres_url else "?"
    engine = make_engine(f"{postgres_url}{separator}options=-c%20work_mem%3D8MB")
    with engine.connect() as connection:
        shown = [
            connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("statement_timeout", "lock_timeout", "timezone", "work_mem")
        ]
    engine.dispose()
    assert shown == ["15s", "10s", "UTC", "8MB"]


def test_errors_never_show_what_was_written(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/quarterdeck.db")
    with pytest.raises(Unreachable) as fault, faults(), writing(engine) as connection:
        connection.execute(sa.text("INSERT INTO nowhere VALUES (:secret)"), {"secret": "s3cret"})
    engine.dispose()
    assert "s3cret" not in f"{fault.value} {fault.value.hint} {fault.value.__cause__}"


def test_whoever_came_first_is_served_first() -> None:
    turnstile, order, guard = Turnstile(), [], Lock()
    assert turnstile.enter(1)

    def pass_through(number: int, waits: Event) -> None:
        waits.set()
        assert turnstile.enter(30)
        with guard:
            order.append(number)
        turnstile.leave()

    threads = []
    for number in range(6):
        waits = Event()
        thread = Thread(target=pass_through, args=(number, waits))
        thread.start()
        waits.wait(5)
        while len(turnstile._line) <= number:
            Event().wait(0.001)
        threads.append(thread)
    turnstile.leave()
    for thread in threads:
        thread.join(30)
    assert order == list(range(6))
    assert turnstile.enter(0)


def test_who_gives_up_waiting_leaves_the_line() -> None:
    turnstile = Turnstile()
    assert turnstile.enter(0)
    assert not turnstile.enter(0.01)
    turnstile.leave()
    assert turnstile.enter(0)


def test_nobody_is_ever_let_in_together() -> None:
    turnstile, inside, worst, start = Turnstile(), [0], [0], Barrier(8)

    def work() -> None:
        start.wait(30)
        for _ in range(200):
            # Some give up at once: the turn must not get lost with them.
            if not turnstile.enter(0.0 if _ % 3 == 0 else 30):
                continue
            inside[0] += 1
            worst[0] = max(worst[0], inside[0])
            inside[0] -= 1
            turnstile.leave()

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert worst == [1]
    assert turnstile.enter(1)


def test_a_second_process_on_a_sqlite_file_is_turned_away_until_the_first_is_gone(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/quarterdeck.db"
    program = textwrap.dedent(
        f"""
        import sys
        from bot.store.session import make_engine
        from bot.store.single import only_process
        with only_process(make_engine({url!r})):
            print("holding", flush=True)
            sys.stdin.read()
        """
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holding\n"
        engine = make_engine(url)
        with pytest.raises(Misconfigured, match="Another Quarterdeck") as fault:
            only_process(engine).__enter__()
        assert "PostgreSQL" in fault.value.hint
        holder.kill()
        holder.wait(30)
        with only_process(engine):
            pass
        engine.dispose()


def test_a_file_that_cannot_be_locked_is_named(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/quarterdeck.db")
    (tmp_path / "quarterdeck.db.lock").mkdir()
    with pytest.raises(Misconfigured, match="cannot be locked"):
        only_process(engine).__enter__()
    engine.dispose()


def test_writers_of_one_file_line_up_whichever_way_they_begin(tmp_path: Path) -> None:
    """As ours begin, and as the workflow engine's do: with a statement that changes something."""
    engine = make_engine(f"sqlite:///{tmp_path / 'q.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")
    written, begun = [], Event()

    def later() -> None:
        begun.set()
        with engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES (2)")
        written.append(2)

    other = Thread(target=later)
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        other.start()
        assert begun.wait(20)
        while not _WRITER._line:
            Event().wait(0.005)
        written.append(1)
    other.join(20)
    assert written == [1, 2]
    engine.dispose()


@pytest.mark.parametrize(
    "ending",
    [
        lambda connection: connection.commit(),
        lambda connection: connection.rollback(),
        lambda connection: connection.exec_driver_sql("COMMIT"),
        lambda connection: connection.close(),
        lambda connection: connection.invalidate(),
    ],
    ids=["commit", "rollback", "a statement", "close", "invalidate"],
)
def test_a_turn_is_over_with_its_transaction(
    tmp_path: Path, ending: Callable[[sa.Connection], object]
) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'q.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    with engine.connect() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        assert not _WRITER.enter(0)
        ending(connection)
        assert _WRITER.enter(0)
        _WRITER.leave()
    engine.dispose()


def test_a_write_that_fails_at_once_keeps_nobody_waiting(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'q.db'}")
    with pytest.raises(sa.exc.OperationalError), engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO missing VALUES (1)")
    assert _WRITER.enter(0)
    _WRITER.leave()
    engine.dispose()


def test_reading_waits_for_nobody(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'q.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")
    with writing(engine), reading(engine) as other:
        assert other.exec_driver_sql("SELECT count(*) FROM t").scalar() == 0
    engine.dispose()
