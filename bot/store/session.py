"""One engine for our tables and the workflow engine's, and what its faults mean to a caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from sqlalchemy import event, exc

from bot.model.errors import Misconfigured, Unknown, Unreachable
from bot.store.sqlite_writers import TurnTaking

#: Connections that are kept, and how many more a burst may open.
KEPT, BURST = 20, 20
#: Seconds to wait for a connection of the pool: a person waits three for an answer from Slack.
PATIENCE = 5
#: Seconds until a connection attempt is given up.
CONNECT = 5

#: What is told to PostgreSQL when a connection opens; times in milliseconds. A statement is ended
#: well after Slack's budget and well before a lease; nobody holds locks while doing nothing.
LIMITS: Final = {
    "statement_timeout": "15000",
    "lock_timeout": "10000",
    "idle_in_transaction_session_timeout": "60000",
    "timezone": "UTC",
}
#: Notice within seconds that the server behind a connection is gone (a failover).
LIVENESS: Final = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}

#: How often, and with what pause in seconds, the server is asked how an unanswered commit ended.
ASKED, PAUSE = 10, 0.3

#: What a driver raises for a database that is away, busy, not set up or closed to us.
FAULTS: Final = (
    exc.OperationalError,
    exc.InterfaceError,
    exc.InternalError,
    exc.ProgrammingError,
)
#: A server that only reads (a failover half done), and our own limits on waiting.
PASSING: Final = frozenset({"25006", "55P03", "57014"})
#: A full or broken disk, a file that cannot be opened or written to now.
PASSING_SQLITE: Final = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")

SAID = "The database cannot be used, so this cannot be recorded and nothing was done."


def parse(url: str) -> sa.URL:
    """``DATABASE_URL`` as SQLAlchemy reads it, with the drivers we use.

    Raises ``Misconfigured`` for anything but a SQLite file or a PostgreSQL database; the message
    never holds the URL, for it may hold a password.
    """
    try:
        parsed = sa.make_url(url)
    except (exc.ArgumentError, ValueError):  # the latter for a port that is no number
        raise Misconfigured(
            "DATABASE_URL is not a database URL.",
            hint="Use sqlite:///quarterdeck.db or postgresql://user:password@host/database.",
        ) from None
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database not in {None, "", ":memory:"}:
        return parsed.set(drivername="sqlite+pysqlite")
    if backend in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    raise Misconfigured(
        "DATABASE_URL names a database that is not supported.",
        hint="Use a SQLite file (sqlite:///quarterdeck.db) or PostgreSQL (postgresql://...).",
    )


def make_engine(url: str) -> sa.Engine:
    """An engine for ``url``; nothing is connected yet. A SQLite file's folders are made.

    The workflow engine is given the same one. Errors never show parameters. Raises
    ``Misconfigured`` for a URL that cannot work.
    """
    parsed = parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    options = " ".join(f"-c {name}={value}" for name, value in LIMITS.items())
    arguments = {"connect_timeout": CONNECT, "application_name": "quarterdeck", **LIVENESS}
    if "target_session_attrs" not in parsed.query:
        # After a failover, the server at the old address may be one that only reads.
        arguments["target_session_attrs"] = "read-write"
    given = parsed.query.get("options", "")
    arguments["options"] = f"{options} {given if isinstance(given, str) else ' '.join(given)}"
    engine = sa.create_engine(
        parsed.difference_update_query(["options"]),
        connect_args=arguments,
        pool_size=KEPT,
        max_overflow=BURST,
        pool_timeout=PATIENCE,
        pool_pre_ping=True,
        hide_parameters=True,
    )
    event.listen(engine, "handle_error", _lost)
    return engine


def _sqlite(url: sa.URL) -> sa.Engine:
    try:
        Path(str(url.database)).absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(
            f"The folder of the database file {url.database} cannot be made: {error.strerror}.",
            hint="Point DATABASE_URL at a folder that can be written to.",
        ) from error
    engine = sa.create_engine(
        url,
        connect_args={"factory": TurnTaking},
        pool_size=KEPT,
        max_overflow=BURST,
        pool_timeout=PATIENCE,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "handle_error", _lost)
    return engine


def _lost(fault: sa.engine.ExceptionContext) -> None:
    """Call a connection lost after any fault that passes: the workflow engine repeats what it was
    doing then, and gives the workflow up, without a word in the database, after any other one."""
    original = fault.original_exception
    refused = fault.connection is None and isinstance(original, psycopg.OperationalError)
    state = getattr(original, "sqlstate", None) or ""
    name = getattr(original, "sqlite_errorname", None) or ""
    if refused or state in PASSING or name.startswith(PASSING_SQLITE):
        fault.is_disconnect = True


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # IMMEDIATE as the workflow engine has it: a transaction that will write queues up at its
    # start, instead of failing in the middle because another one has written meanwhile.
    connection.isolation_level = "IMMEDIATE"
    connection.execute("PRAGMA busy_timeout=30000")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    # Without it, INSERT OR REPLACE would delete a row of the audit trail past its trigger.
    connection.execute("PRAGMA recursive_triggers=ON")


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that will write; commits at the end, rolls back when the block raises.

    On SQLite it queues up at its very start, so that what it reads first is still so when it
    writes. They must not be nested.

    Raises ``Unknown`` where the connection was lost during the commit, and the server cannot be
    asked how it ended.
    """
    if engine.dialect.name != "sqlite":
        with engine.connect() as connection, connection.begin() as transaction:
            yield connection
            _commit(connection, transaction)
        return
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


def _commit(connection: sa.Connection, transaction: sa.RootTransaction) -> None:
    """Commit on PostgreSQL. An answer that was lost in a failover is asked for once more."""
    number = connection.exec_driver_sql("SELECT pg_current_xact_id_if_assigned()::text").scalar()
    try:
        transaction.commit()
    except exc.DBAPIError as error:
        if not error.connection_invalidated or number is None:
            raise
        if not _took_effect(connection.engine, number, error):
            raise


def _took_effect(engine: sa.Engine, number: str, error: exc.DBAPIError) -> bool:
    said = sa.text("SELECT pg_xact_status(CAST(:number AS xid8))").bindparams(number=number)
    for _ in range(ASKED):
        try:
            with engine.connect() as connection:
                status = connection.scalar(said)
        except exc.DBAPIError:
            status = "in progress"
        if status != "in progress":
            return bool(status == "committed")
        Event().wait(PAUSE)
    raise Unknown(
        "The database went away while this was being recorded.",
        hint="Look whether it was, with /deploy queue, before asking again.",
    ) from error


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One consistent view of the database, in which the database refuses to write."""
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            yield connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            return
        connection.exec_driver_sql("PRAGMA query_only=ON")
        connection.exec_driver_sql("BEGIN")
        try:
            yield connection
        finally:
            connection.rollback()
            connection.exec_driver_sql("PRAGMA query_only=OFF")


@contextmanager
def faults() -> Iterator[None]:
    """Turn the driver's faults into ``Unreachable``; what was being written is rolled back."""
    try:
        yield
    except FAULTS as error:
        raise Unreachable(SAID, hint=advice(error)) from error
    except exc.TimeoutError as error:
        raise Unreachable(SAID, hint="All database connections are busy. Try again.") from error


def advice(error: exc.DBAPIError) -> str:
    """What to do about a fault. The driver's own words stay in the log: they may name hosts."""
    words = str(error.orig).lower()
    if "no such" in words or ("relation" in words and "does not exist" in words):
        return "The database is not set up for this release: run `quarterdeck migrate`."
    if "readonly" in words or "read-only" in words:
        return "The database can only be read from."
    if "locked" in words or "deadlock" in words or "timeout" in words:
        return "The database is busy. Try again."
    return "Try again when the database is back."
