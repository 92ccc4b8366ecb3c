"""What people said: ballots, locks, freezes and the pause."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.model.deployment import Ballot, Freeze, Lock, Pause, Person, Vote
from bot.model.ports import Clock
from bot.store.tables import deployments, freezes, locks, pauses, votes
from bot.store.upsert import insert, took


def _lasting(table: sa.Table) -> sa.Select[Any]:
    lasts = sa.or_(table.c.until.is_(None), table.c.until > sa.bindparam("now"))
    return sa.select(table).where(lasts).order_by(table.c.since)


_LOCKS, _FREEZES, _PAUSES = _lasting(locks), _lasting(freezes), sa.select(pauses)


class VotesTable:
    """``Votes`` over one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def cast(self, vote: Vote) -> bool:
        """See ``Votes.cast``.

        Locks the deployment first: of two people who vote in the same instant, the second then
        counts the first one's ballot too, so that the last of N approvals is never missed by both.
        """
        one = sa.select(deployments.c.id).where(deployments.c.id == vote.deployment_id)
        self._connection.execute(one.with_for_update())
        row = {
            "deployment_id": vote.deployment_id,
            "person_id": vote.person.id,
            "person_name": vote.person.name,
            "ballot": vote.ballot.value,
            "digest": vote.digest,
            "at": vote.at,
            "reason": vote.reason,
        }
        added = insert(self._connection, votes).values(row).on_conflict_do_nothing()
        return took(self._connection, added)

    def on(self, deployment_id: str) -> Sequence[Vote]:
        """See ``Votes.on``: oldest first."""
        query = sa.select(votes).where(votes.c.deployment_id == deployment_id)
        rows = self._connection.execute(query.order_by(votes.c.at, votes.c.person_id))
        return [
            Vote(
                row.deployment_id,
                Person(row.person_id, row.person_name),
                Ballot(row.ballot),
                row.digest,
                row.at,
                row.reason,
            )
            for row in rows
        ]


class HoldsTables:
    """``Holds`` over one transaction. What has run out is replaced as if it were not there."""

    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def lock(self, lock: Lock) -> bool:
        """See ``Holds.lock``."""
        row = {"service": lock.service, "environment": lock.environment} | _hold(lock)
        return self._put(locks, row, ["service", "environment"])

    def unlock(self, service: str, environment: str) -> Lock | None:
        """See ``Holds.unlock``."""
        gone = (
            sa.delete(locks)
            .where(locks.c.service == service, locks.c.environment == environment)
            .returning(locks)
        )
        row = self._connection.execute(gone).one_or_none()
        return None if row is None else _lock(row)

    def release(self, lock: Lock) -> bool:
        """See ``Holds.release``. One's owner and beginning tell it from all others at its place."""
        this = (
            (locks.c.service == lock.service)
            & (locks.c.environment == lock.environment)
            & (locks.c.owner_id == lock.owner.id)
            & (locks.c.since == lock.since)
        )
        gone = sa.delete(locks).where(this).returning(locks.c.since)
        return self._connection.execute(gone).first() is not None

    def locks(self, now: datetime) -> Sequence[Lock]:
        """See ``Holds.locks``."""
        return [_lock(row) for row in self._connection.execute(_LOCKS, {"now": now})]

    def freeze(self, freeze: Freeze) -> bool:
        """See ``Holds.freeze``."""
        row = {"environment": freeze.environment} | _hold(freeze)
        return self._put(freezes, row, ["environment"])

    def unfreeze(self, environment: str) -> Freeze | None:
        """See ``Holds.unfreeze``."""
        gone = sa.delete(freezes).where(freezes.c.environment == environment).returning(freezes)
        row = self._connection.execute(gone).one_or_none()
        return None if row is None else _freeze(row)

    def freezes(self, now: datetime) -> Sequence[Freeze]:
        """See ``Holds.freezes``; those that are still to come are among them."""
        return [_freeze(row) for row in self._connection.execute(_FREEZES, {"now": now})]

    def pause(self, pause: Pause) -> bool:
        """See ``Holds.pause``."""
        row = {
            "id": 1,
            "owner_id": pause.owner.id,
            "owner_name": pause.owner.name,
            "reason": pause.reason,
            "since": pause.since,
        }
        added = insert(self._connection, pauses).values(row).on_conflict_do_nothing()
        return took(self._connection, added)

    def resume(self) -> Pause | None:
        """See ``Holds.resume``."""
        row = self._connection.execute(sa.delete(pauses).returning(pauses)).one_or_none()
        return None if row is None else _pause(row)

    def paused(self) -> Pause | None:
        """See ``Holds.paused``."""
        row = self._connection.execute(_PAUSES).one_or_none()
        return None if row is None else _pause(row)

    def _put(self, table: sa.Table, row: dict[str, Any], key: list[str]) -> bool:
        added = (
            insert(self._connection, table)
            .values(row)
            .on_conflict_do_update(
                index_elements=key,
                set_={name: value for name, value in row.items() if name not in key},
                where=table.c.until <= self._clock.now(),
            )
        )
        return took(self._connection, added)


def _hold(hold: Lock | Freeze) -> dict[str, Any]:
    return {
        "owner_id": hold.owner.id,
        "owner_name": hold.owner.name,
        "reason": hold.reason,
        "since": hold.since,
        "until": hold.until,
    }


def _lock(row: sa.Row[Any]) -> Lock:
    owner = Person(row.owner_id, row.owner_name)
    return Lock(row.service, row.environment, owner, row.reason, row.since, row.until)


def _freeze(row: sa.Row[Any]) -> Freeze:
    owner = Person(row.owner_id, row.owner_name)
    return Freeze(row.environment, owner, row.reason, row.since, row.until)


def _pause(row: sa.Row[Any]) -> Pause:
    return Pause(Person(row.owner_id, row.owner_name), row.reason, row.since)
