"""What an operator does with the database from the command line, without a running bot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TextIO

import sqlalchemy as sa

from bot.model.ports import Clock
from bot.store.audit import Head, Verdict
from bot.store.export import Style, write
from bot.store.migrate import current, downgrade, head, upgrade
from bot.store.reach import reaching
from bot.store.session import make_engine, reading
from bot.store.trail import Trail


def migrate_database(url: str, down_to: str | None) -> str:
    """Bring the database to the newest revision, or back to ``down_to``; says where it is now."""
    with _engine(url) as engine:
        if down_to is None:
            upgrade(engine)
        else:
            downgrade(engine, down_to)
        return f"The database is at revision {current(engine) or 'base'}; the newest is {head()}."


def verify_audit(url: str, clock: Clock, anchors: Sequence[Head] = ()) -> Verdict:
    """Recompute the audit trail's chain, row by row. Raises ``Unreachable``."""
    with _engine(url) as engine, reaching(engine), reading(engine) as connection:
        return Trail(connection, clock).verify(anchors)


def export_audit(url: str, clock: Clock, style: Style, stream: TextIO) -> None:
    """Write the whole audit trail to ``stream``, oldest first. Raises ``Unreachable``."""
    with (
        _engine(url) as engine,
        reaching(engine),
        reading(engine) as connection,
        closing(Trail(connection, clock).rows()) as rows,
    ):
        write(rows, style, stream)


@contextmanager
def _engine(url: str) -> Iterator[sa.Engine]:
    engine = make_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()
