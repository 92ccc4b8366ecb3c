"""INSERT ... ON CONFLICT, which both databases have and SQLAlchemy spells once for each."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def insert(connection: sa.Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """An insert into ``table`` that can say what happens on a conflict."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def took(connection: sa.Connection, added: postgresql.Insert | sqlite.Insert) -> bool:
    """Run an insert; whether it wrote a row. An insert's row count is not told everywhere."""
    return connection.execute(added.returning(sa.literal(1))).first() is not None
