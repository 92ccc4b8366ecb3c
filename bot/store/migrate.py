"""Brings the database to a revision: our tables by Alembic, the workflow engine's by itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from dbos import DBOS

from bot.model.errors import Misconfigured, UserError
from bot.store.reach import reaching

#: The lock that replicas starting together queue up for; any number that is always the same.
LOCK = 7_315_268_001


def upgrade(engine: sa.Engine) -> None:
    """To the newest revision; safe when several replicas do it at once.

    Raises ``Unreachable``, and ``Misconfigured`` for a database of a newer release.
    """
    logging.getLogger("dbos").setLevel(logging.WARNING)
    with reaching(engine), _alone(engine) as connection:
        found = MigrationContext.configure(connection).get_current_revision()
        if found is not None and found not in _known():
            raise Misconfigured(
                f"The database is at revision {found}, which this release does not know.",
                hint="A newer release has migrated it: run that one, or restore a backup.",
            )
        command.upgrade(_config(connection), "head")
    with reaching(engine):
        DBOS.migrate(engine.url.render_as_string(hide_password=False))


def downgrade(engine: sa.Engine, revision: str) -> None:
    """Back to ``revision`` (``base`` removes our tables). The engine's own tables stay.

    Raises ``Unreachable``, and ``UserError`` for a revision that does not exist.
    """
    if revision != "base" and revision not in _known():
        raise UserError(
            f"There is no revision {revision}.", hint=f"There are: base, {', '.join(_known())}."
        )
    with reaching(engine), _alone(engine) as connection:
        command.downgrade(_config(connection), revision)


def current(engine: sa.Engine) -> str | None:
    """The revision the database is at; ``None`` before the first. Raises ``Unreachable``."""
    with reaching(engine), engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The newest revision there is."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise Misconfigured("This installation has no migrations.")
    return revision


def _known() -> list[str]:
    script = ScriptDirectory.from_config(_config())
    return sorted(found.revision for found in script.walk_revisions())


@contextmanager
def _alone(engine: sa.Engine) -> Iterator[sa.Connection]:
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            # Waiting for another replica's migration, and a long one of ours, may take its time.
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.commit()


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_scripts()))
    config.attributes["connection"] = connection
    return config


def _scripts() -> Path:
    """In a checkout beside the package, in a wheel inside it."""
    package = Path(__file__).resolve().parents[1]
    for place in (package / "_migrations", package.parent / "migrations"):
        if (place / "env.py").is_file():
            return place
    raise Misconfigured("The migrations are missing from this installation.")
