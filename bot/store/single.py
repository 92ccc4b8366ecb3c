"""SQLite serves one process: a second one on the same file is turned away, and told what to do."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from bot.model.errors import Misconfigured


@contextmanager
def only_process(engine: sa.Engine) -> Iterator[None]:
    """Hold the database file for this process; the system lets go when it ends, however it ends.

    Raises ``Misconfigured`` where another process holds it.
    """
    path = Path(f"{engine.url.database}.lock")
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Misconfigured(
                f"Another Quarterdeck runs on {engine.url.database} already.",
                hint="Stop it, or set DATABASE_URL to PostgreSQL to run more than one.",
            ) from error
        yield
