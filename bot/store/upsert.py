"""INSERT ... ON CONFLICT, which both databases have and SQLAlchemy spells once for each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

Insert = postgresql.Insert | sqlite.Insert


def insert(connection: sa.Connection, table: sa.Table) -> Insert:
    """An insert into ``table`` that can say what happens on a conflict."""
    return _insert(connection.dialect.name, table)


def _insert(dialect: str, table: sa.Table) -> Insert:
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


class Prepared:
    """An insert whose values come when it runs: building a statement costs more than running it.

    ``complete`` adds to the bare insert what happens on a conflict, and what is returned.
    """

    def __init__(self, table: sa.Table, complete: Callable[[Insert], sa.Executable]) -> None:
        self._build = cache(lambda dialect: complete(_insert(dialect, table)))

    def run(self, connection: sa.Connection, values: dict[str, Any]) -> sa.CursorResult[Any]:
        """Execute it with these values by name."""
        return connection.execute(self._build(connection.dialect.name), values)


def took(connection: sa.Connection, added: Insert) -> bool:
    """Run an insert; whether it wrote a row. An insert's row count is not told everywhere."""
    return connection.execute(added.returning(sa.literal(1))).first() is not None
