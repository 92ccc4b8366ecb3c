"""The port ``Store`` on SQLite and PostgreSQL: everything in one transaction, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from dbos import DBOSClient

from bot.model.ports import Clock
from bot.store.canaries import CanariesTable
from bot.store.deployments import DeploymentsTable
from bot.store.engine import TransactionalEngine, engine_client
from bot.store.holds import HoldsTables, VotesTable
from bot.store.outbox import OutboxTable
from bot.store.releases import ReleasesTable
from bot.store.session import faults, reading, writing
from bot.store.trail import Trail
from bot.store.turnstile import Turn, Turnstile

#: Seconds for which one lines up to chain audit rows before asking the database all the same.
PATIENCE = 5.0


class DatabaseTransaction:
    """The port ``Transaction``."""

    def __init__(self, connection: sa.Connection, client: DBOSClient, clock: Clock) -> None:
        self.deployments = DeploymentsTable(connection)
        self.canaries = CanariesTable(connection)
        self.votes = VotesTable(connection)
        self.holds = HoldsTables(connection, clock)
        self.releases = ReleasesTable(connection)
        self.audit = Trail(connection, clock)
        self.outbox = OutboxTable(connection)
        self.engine = TransactionalEngine(client, connection, clock)


class Database:
    """Safe to share between threads; each transaction has a connection of its own.

    ``owed`` is called after each transaction that left something in the outbox.
    """

    def __init__(
        self, engine: sa.Engine, clock: Clock, owed: Callable[[], object] = lambda: None
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._owed = owed
        self._client = engine_client(engine)
        self._chaining = Turnstile()

    @contextmanager
    def begin(self) -> Iterator[DatabaseTransaction]:
        """See ``Store.begin``. The audit rows are chained last: their lock is held for a moment.

        Whoever chains lines up in this process first: PostgreSQL lets the waiting overtake.
        """
        turn = Turn(self._chaining, PATIENCE)
        try:
            with faults(), writing(self._engine) as connection:
                transaction = DatabaseTransaction(connection, self._client, self._clock)
                transaction.audit.before_chaining = turn.take
                yield transaction
                transaction.audit.flush()
        finally:
            turn.give()
        if transaction.outbox.asked:
            self._owed()

    @contextmanager
    def read(self) -> Iterator[DatabaseTransaction]:
        """See ``Store.read``."""
        with faults(), reading(self._engine) as connection:
            transaction = DatabaseTransaction(connection, self._client, self._clock)
            yield transaction
            transaction.audit.forbid()
