"""All or nothing, reads that only read, and what a database that fails looks like to a caller."""

# ruff: noqa: PT012 - it is the end of a transaction's block that raises
# ruff: noqa: S608 - statements are made of constants

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from bot.model.contract import CONTROL
from bot.model.deployment import Status
from bot.model.errors import Transient, Unknown, Unreachable
from bot.model.ports import Store
from bot.store.database import Database
from bot.store.session import make_engine
from tests.contracts.store_examples import STAGING, a_deployment, an_entry, at_once, stored
from tests.fakes.clock import FakeClock


def test_the_database_is_a_store(database: Database) -> None:
    store: Store = database
    with store.begin() as tx:
        assert tx.deployments.get("backend-staging-1") is None


def test_what_raises_leaves_nothing_behind(database: Database, engine: sa.Engine) -> None:
    deployment = a_deployment()
    with pytest.raises(LookupError), database.begin() as tx:
        tx.deployments.add(deployment)
        tx.audit.append(an_entry())
        tx.outbox.card(deployment.id)
        tx.engine.enqueue_rollout(deployment)
        raise LookupError
    with database.read() as tx:
        assert tx.deployments.get(deployment.id) is None
        assert list(tx.audit.rows()) == []
    assert workflows(engine) == []


def test_without_its_audit_row_nothing_is_done(database: Database, engine: sa.Engine) -> None:
    deployment = a_deployment()
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE audit"))
    with pytest.raises(Unreachable, match="nothing was done"), database.begin() as tx:
        tx.deployments.add(deployment)
        tx.engine.enqueue_rollout(deployment)
        tx.audit.append(an_entry())
    with database.read() as tx:
        assert tx.deployments.get(deployment.id) is None
    assert workflows(engine) == []


def workflows(engine: sa.Engine) -> list[str]:
    schema = "" if engine.dialect.name == "sqlite" else "dbos."
    query = sa.text(f"SELECT workflow_uuid FROM {schema}workflow_status")
    with engine.connect() as connection:
        return list(connection.execute(query).scalars())


def test_a_read_refuses_to_write(database: Database) -> None:
    with pytest.raises(Transient, match="nothing was done"), database.read() as tx:
        tx.deployments.add(a_deployment())
    with pytest.raises(RuntimeError, match="only reads"), database.read() as tx:
        tx.audit.append(an_entry())
    stored(database, a_deployment())  # the same connection can write again
    with database.read() as tx:
        assert list(tx.audit.rows()) == []


def test_a_read_sees_one_moment(database: Database) -> None:
    stored(database, a_deployment(1))
    with database.read() as tx:
        assert len(tx.deployments.active()) == 1
        at_once(1, lambda _: stored(database, a_deployment(2)))
        assert len(tx.deployments.active()) == 1


def test_a_write_sees_what_was_committed_before_it_began(database: Database) -> None:
    """On SQLite a transaction that reads first must not fail when it writes."""

    def count_up(_: int) -> None:
        with database.begin() as tx:
            deployment = tx.deployments.get("backend-staging-1")
            assert deployment is not None
            assert tx.deployments.note(deployment.id, None, attempts=deployment.attempts + 1)

    stored(database, a_deployment(status=Status.RUNNING))
    if database_is_sqlite(database):
        at_once(8, count_up)
        expected = 8
    else:
        count_up(0)
        expected = 1
    with database.read() as tx:
        found = tx.deployments.get("backend-staging-1")
        assert found is not None
        assert found.attempts == expected


def database_is_sqlite(database: Database) -> bool:
    return database._engine.dialect.name == "sqlite"


def test_an_unknown_deployment_is_told_nothing_and_nothing_breaks(database: Database) -> None:
    with database.begin() as tx:
        tx.engine.tell("backend-staging-7", CONTROL, {"settled": "failed"}, "key")
        tx.deployments.add(a_deployment())
    with database.read() as tx:
        assert tx.deployments.get("backend-staging-1") is not None


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://quarterdeck:s3cret@127.0.0.1:1/quarterdeck",
        "sqlite:////dev/null/quarterdeck.db",
    ],
)
def test_a_database_that_is_not_there_is_unreachable_and_keeps_its_secret(
    url: str, clock: FakeClock, tmp_path: object
) -> None:
    if url.startswith("sqlite"):
        url = f"sqlite:///{tmp_path}"  # a folder is no database
    engine = make_engine(url)
    database = Database(engine, clock)
    for opening in (database.begin, database.read):
        with pytest.raises(Unreachable) as fault, opening() as tx:
            tx.holds.paused()
        assert "cannot be recorded" in fault.value.message
        assert "s3cret" not in f"{fault.value.message} {fault.value.hint} {fault.value.__cause__}"
    engine.dispose()


def test_a_database_without_tables_says_what_to_do(tmp_path: object, clock: FakeClock) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(Unreachable) as fault, Database(engine, clock).read() as tx:
        tx.deployments.active()
    engine.dispose()
    assert "quarterdeck migrate" in fault.value.hint


def test_when_the_database_is_lost_in_the_middle_nothing_is_done_and_it_comes_back(
    postgres_url: str, clock: FakeClock
) -> None:
    engine = make_engine(postgres_url)
    database = Database(engine, clock)
    with pytest.raises(Unreachable), database.begin() as tx:
        tx.deployments.add(a_deployment(1))
        end_sessions(postgres_url)
        tx.audit.append(an_entry())
    stored(database, a_deployment(2))
    with database.read() as tx:
        assert [d.id for d in tx.deployments.active()] == ["backend-staging-2"]
    engine.dispose()


def end_sessions(url: str) -> None:
    """What a failover does to every connection."""
    engine = make_engine(url)
    with engine.connect() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    engine.dispose()


def on_commit(engine: sa.Engine, act: Callable[[sa.Connection], None]) -> None:
    """Do something right when a transaction is about to be committed, once."""
    happened = Event()

    def listener(connection: sa.Connection) -> None:
        if not happened.is_set():
            happened.set()
            act(connection)

    event.listen(engine, "commit", listener)


def test_a_commit_that_surely_failed_was_not_recorded(postgres_url: str, clock: FakeClock) -> None:
    engine = make_engine(postgres_url)
    database = Database(engine, clock)
    on_commit(engine, lambda _: end_sessions(postgres_url))
    with pytest.raises(Unreachable):
        stored(database, a_deployment())
    with database.read() as tx:
        assert tx.deployments.get("backend-staging-1") is None
    engine.dispose()


def commit_and_lose_the_answer(connection: sa.Connection) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.commit()
    driver.close()


def test_a_commit_whose_answer_was_lost_is_found_out(postgres_url: str, clock: FakeClock) -> None:
    engine = make_engine(postgres_url)
    database = Database(engine, clock)
    on_commit(engine, commit_and_lose_the_answer)
    stored(database, a_deployment())
    with database.read() as tx:
        assert tx.deployments.get("backend-staging-1") is not None
    engine.dispose()


def test_a_commit_that_nobody_can_be_asked_about_is_not_known(
    postgres_url: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.session.PAUSE", 0.0)
    engine = make_engine(postgres_url)
    database = Database(engine, clock)
    refused = Event()

    def lose_everything(connection: sa.Connection) -> None:
        commit_and_lose_the_answer(connection)
        refused.set()

    def refuse(*_: object) -> None:
        if refused.is_set():
            raise sa.exc.OperationalError("connect", None, OSError("no route to host"))

    on_commit(engine, lose_everything)
    event.listen(engine, "do_connect", refuse)
    with pytest.raises(Unknown) as fault:
        stored(database, a_deployment())
    assert "/deploy queue" in fault.value.hint
    engine.dispose()


def test_writers_of_two_replicas_do_not_wait_for_one_another_in_a_circle(
    postgres_url: str, clock: FakeClock
) -> None:
    """Both append to the trail first and change the other's deployment then."""
    engines = [make_engine(postgres_url) for _ in range(2)]
    replicas = [Database(engine, clock) for engine in engines]
    first = a_deployment(1, status=Status.RUNNING)
    second = a_deployment(2)
    stored(replicas[0], first, second)

    def both(number: int) -> None:
        for _ in range(10):
            with replicas[number % 2].begin() as tx:
                tx.audit.append(an_entry())
                assert tx.deployments.note(f"backend-staging-{number % 2 + 1}", None, attempts=1)
                tx.deployments.active(STAGING)
                tx.audit.append(an_entry())

    at_once(4, both)
    with replicas[0].read() as tx:
        assert tx.audit.verify().checked == 80
    for engine in engines:
        engine.dispose()
