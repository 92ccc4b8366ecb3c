"""Leases of replicas, by the database's clock where it has one of its own."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.model.deployment import SYSTEM, AuditEntry
from bot.model.ports import Clock
from bot.store.session import faults, reading, writing
from bot.store.tables import Moment, outbox, replicas
from bot.store.trail import Trail
from bot.store.upsert import insert, took

#: How long a dead replica is kept from coming back to life.
REMEMBERED = timedelta(days=7)


class ReplicaLeases:
    """``Replicas``: each call is a transaction of its own."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def _now(self, connection: sa.Connection) -> datetime:
        if connection.dialect.name == "sqlite":
            return self._clock.now()
        now: datetime = connection.execute(
            sa.select(sa.type_coerce(sa.func.now(), Moment))
        ).scalar_one()
        return now

    def beat(self, replica_id: str, lease: timedelta, host: str = "") -> bool:
        """See ``Replicas.beat``."""
        with faults(), writing(self._engine) as connection:
            now = self._now(connection)
            alive = {"heartbeat_at": now, "lease_until": now + lease}
            joined = (
                insert(connection, replicas)
                .values(
                    id=replica_id,
                    host=host,
                    started_at=now,
                    released=False,
                    epoch=1,
                    **alive,
                )
                .on_conflict_do_update(
                    index_elements=["id"],
                    set_=alive,
                    where=sa.and_(replicas.c.claimed_by.is_(None), ~replicas.c.released),
                )
            )
            return took(connection, joined)

    def release(self, replica_id: str) -> None:
        """See ``Replicas.release``."""
        with faults(), writing(self._engine) as connection:
            connection.execute(
                sa.update(replicas).where(replicas.c.id == replica_id).values(released=True)
            )

    def dead(self, now: datetime) -> list[str]:
        """See ``Replicas.dead``."""
        del now  # ours is the database's, or on SQLite the same clock
        with faults(), reading(self._engine) as connection:
            query = sa.select(replicas.c.id).where(self._is_dead(connection))
            return list(connection.execute(query.order_by(replicas.c.id)).scalars())

    def claim_dead(self, replica_id: str, by: str) -> bool:
        """See ``Replicas.claim_dead``."""
        with faults(), writing(self._engine) as connection:
            # Locked before anything is asked of it: PostgreSQL does not look again at a subquery
            # when an update had to wait for another one's, and two would win.
            one = sa.select(replicas.c.id).where(replicas.c.id == replica_id)
            connection.execute(one.with_for_update())
            living = replicas.alias("living")
            is_alive = sa.exists().where(
                living.c.id == by, self._lives(living, self._now(connection))
            )
            claimed = (
                sa.update(replicas)
                .where(replicas.c.id == replica_id, self._is_dead(connection), is_alive)
                .values(claimed_by=by, epoch=replicas.c.epoch + 1)
            )
            won = connection.execute(claimed).rowcount == 1
            trail = Trail(connection, self._clock)
            if won:
                detail = {"replica": by, "dead": replica_id}
                trail.append(AuditEntry(SYSTEM, "replica.taken_over", "done", detail=detail))
                in_hand = sa.update(outbox).where(outbox.c.claimed_by == replica_id)
                connection.execute(in_hand.values(claimed_by=None, claimed_until=None))
            forgotten = self._now(connection) - REMEMBERED
            long_ago = (replicas.c.lease_until < forgotten, replicas.c.claimed_by.is_not(None))
            connection.execute(sa.delete(replicas).where(*long_ago))
            trail.flush()
            return won

    def _is_dead(self, connection: sa.Connection) -> sa.ColumnElement[bool]:
        """Its lease is over, and whoever took it over, if anybody did, lives no more either."""
        now = self._now(connection)
        taker = replicas.alias("taker")
        taken = sa.exists().where(taker.c.id == replicas.c.claimed_by, self._lives(taker, now))
        return sa.and_(~self._lives(replicas, now), ~taken)

    def _lives(self, table: Any, now: datetime) -> sa.ColumnElement[bool]:
        return sa.and_(table.c.lease_until > now, ~table.c.released, table.c.claimed_by.is_(None))
