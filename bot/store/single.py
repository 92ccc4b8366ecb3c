"""SQLite serves one process: a second one on the same file is turned away, and told what to do."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import sqlalchemy as sa

from bot.model.errors import Misconfigured


@contextmanager
def only_process(engine: sa.Engine) -> Iterator[None]:
    """Hold the database file for this process; the system lets go when it ends, however it ends.

    Raises ``Misconfigured`` where another process holds it, or the file cannot be locked at all.
    """
    with ExitStack() as stack:
        try:
            handle = stack.enter_context(Path(f"{engine.url.database}.lock").open("a"))
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Misconfigured(
                f"Another Quarterdeck runs on {engine.url.database} already.",
                hint="Stop it, or set DATABASE_URL to PostgreSQL to run more than one.",
            ) from error
        except OSError as error:
            raise Misconfigured(
                f"{engine.url.database}.lock cannot be locked: {error.strerror}.",
                hint="Put the database on a local disk, in a folder that can be written to.",
            ) from error
        yield
