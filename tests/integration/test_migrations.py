"""Every migration, up and down, on SQLite and PostgreSQL, also by two replicas at once."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from bot.model.errors import Misconfigured, Unreachable, UserError
from bot.store.database import Database
from bot.store.migrate import current, downgrade, head, upgrade
from bot.store.session import make_engine
from bot.store.tables import metadata
from tests.contracts.store_examples import a_deployment, an_entry, at_once, stored
from tests.fakes.clock import FakeClock

ROOT = Path(__file__).resolve().parents[2]
OURS = set(metadata.tables)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """A database without any table."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/new/quarterdeck.db"
    else:
        url = str(request.getfixturevalue("empty_postgres_url"))
    engine = make_engine(url)
    yield engine
    engine.dispose()


def tables(engine: sa.Engine) -> set[str]:
    return set(sa.inspect(engine).get_table_names())


def guards(engine: sa.Engine) -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    if engine.dialect.name == "postgresql":
        query = (
            "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN "
            "(SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace) "
            "UNION SELECT proname FROM pg_proc WHERE starts_with(proname, 'quarterdeck')"
        )
    with engine.connect() as connection:
        return sorted(connection.exec_driver_sql(query).scalars())


def engine_tables(engine: sa.Engine) -> set[str]:
    if engine.dialect.name == "sqlite":
        return tables(engine)
    return set(sa.inspect(engine).get_table_names("dbos"))


def test_up_makes_our_tables_and_the_workflow_engines(empty: sa.Engine) -> None:
    assert current(empty) is None
    upgrade(empty)
    assert current(empty) == head()
    assert tables(empty) >= OURS
    assert engine_tables(empty) >= {"workflow_status", "notifications", "queues"}


def test_up_again_changes_nothing(empty: sa.Engine) -> None:
    upgrade(empty)
    database = Database(empty, FakeClock())
    stored(database, a_deployment())
    with database.begin() as tx:
        tx.audit.append(an_entry())
    upgrade(empty)
    with database.read() as tx:
        assert tx.deployments.get("backend-staging-1") == a_deployment()
        assert tx.audit.verify().checked == 1


def test_down_and_up_again(empty: sa.Engine) -> None:
    upgrade(empty)
    made, guarded = tables(empty), guards(empty)
    assert guarded
    downgrade(empty, "base")
    assert current(empty) is None
    assert tables(empty).isdisjoint(OURS)
    assert guards(empty) == []
    upgrade(empty)
    assert (tables(empty), guards(empty)) == (made, guarded)


def test_back_to_the_first_release_and_up_again_loses_no_deployment(empty: sa.Engine) -> None:
    upgrade(empty)
    database = Database(empty, FakeClock())
    stored(database, a_deployment(notes=("It drifted.",)))
    downgrade(empty, "0001")
    columns = sa.inspect(empty).get_columns("deployments")
    assert "notes" not in {column["name"] for column in columns}
    with empty.begin() as connection:  # as a replica of that release does it
        connection.exec_driver_sql("UPDATE deployments SET reason = 'of before'")
    upgrade(empty)
    with database.read() as tx:
        assert tx.deployments.get("backend-staging-1") == a_deployment(reason="of before")


def test_the_tables_in_code_are_the_ones_that_are_made(empty: sa.Engine) -> None:
    upgrade(empty)
    with empty.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_name": lambda name, kind, _: kind != "table" or name in OURS,
                "compare_server_default": True,
            },
        )
        assert compare_metadata(context, metadata) == []


def test_two_replicas_may_migrate_at_once(empty_postgres_url: str) -> None:
    engines = [make_engine(empty_postgres_url) for _ in range(3)]
    at_once(3, lambda number: upgrade(engines[number]))
    assert current(engines[0]) == head()
    for engine in engines:
        engine.dispose()


def test_threads_may_migrate_one_file_at_once(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/quarterdeck.db")
    at_once(3, lambda _: upgrade(engine))
    assert current(engine) == head()
    engine.dispose()


def test_a_migration_that_fails_leaves_the_database_as_it_was(empty: sa.Engine) -> None:
    with empty.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE votes (id INTEGER)")  # the last one in its way
    with pytest.raises(Unreachable):
        upgrade(empty)
    assert current(empty) is None
    assert tables(empty) & OURS == {"votes"}


def test_a_database_of_a_newer_release_is_left_alone(empty: sa.Engine) -> None:
    upgrade(empty)
    with empty.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Misconfigured, match="9999"):
        upgrade(empty)


def test_a_revision_that_does_not_exist_is_named(empty: sa.Engine) -> None:
    with pytest.raises(UserError, match="0815") as fault:
        downgrade(empty, "0815")
    assert "0001" in fault.value.hint


def test_a_wheel_brings_its_migrations(tmp_path: Path) -> None:
    """Installed without a checkout, the migrations lie inside the package."""
    wheel = tmp_path / "site.zip"
    with zipfile.ZipFile(wheel, "w") as archive:
        for source, inside in (("bot", "bot"), ("migrations", "bot/_migrations")):
            for path in (ROOT / source).rglob("*"):
                if path.is_file() and "__pycache__" not in path.parts:
                    archive.write(path, f"{inside}/{path.relative_to(ROOT / source)}")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    program = (
        "import bot.store.migrate as m; from bot.store.session import make_engine; "
        f"e = make_engine('sqlite:///{tmp_path}/wheel.db'); m.upgrade(e); "
        "print(m.__file__); assert m.current(e) == m.head()"
    )
    environment = {**os.environ, "PYTHONPATH": str(site)}  # noqa: TID251 - a child's environment
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(site))
