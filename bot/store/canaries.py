"""Canaries and their ticks. What is searched by has a column; all else is one JSON text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError

from bot.model.canary import Canary, Measured, Phase
from bot.model.deployment import Target
from bot.model.errors import Terminal
from bot.store.tables import canaries, canary_ticks, deployments
from bot.store.upsert import insert, took

_CANARY, _MEASURED = TypeAdapter(Canary), TypeAdapter(Measured)
_IS_OPEN = canaries.c.phase != Phase.OVER.value


class CanariesTable:
    """``CanaryTable`` over one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, canary: Canary) -> None:
        """See ``CanaryTable.add``."""
        row = {"deployment_id": canary.deployment_id, "begun_at": canary.since} | _columns(canary)
        self._connection.execute(sa.insert(canaries).values(row))

    def get(self, deployment_id: str) -> Canary | None:
        """See ``CanaryTable.get``."""
        return next(iter(self._read(canaries.c.deployment_id == deployment_id)), None)

    def get_for_update(self, deployment_id: str) -> Canary | None:
        """See ``CanaryTable.get_for_update``. On SQLite a writing transaction is alone anyway."""
        query = sa.select(canaries.c.body).where(canaries.c.deployment_id == deployment_id)
        body = self._connection.execute(query.with_for_update()).scalar_one_or_none()
        return None if body is None else _canary(deployment_id, body)

    def of(self, target: Target) -> Canary | None:
        """See ``CanaryTable.of``."""
        here = sa.select(deployments.c.id).where(
            deployments.c.service == target.service,
            deployments.c.environment == target.environment,
        )
        return next(iter(self._read(_IS_OPEN, canaries.c.deployment_id.in_(here))), None)

    def open(self) -> Sequence[Canary]:
        """See ``CanaryTable.open``."""
        return [each for _, each in self._opened() if each is not None]

    def unreadable(self) -> Sequence[str]:
        """See ``CanaryTable.unreadable``."""
        return [name for name, each in self._opened() if each is None]

    def _opened(self) -> Iterator[tuple[str, Canary | None]]:
        query = sa.select(canaries.c.deployment_id, canaries.c.body).where(_IS_OPEN)
        for name, body in self._connection.execute(query.order_by(canaries.c.begun_at)):
            try:
                yield name, _canary(name, body)
            except Terminal:
                yield name, None

    def change(self, canary: Canary, /, **changes: Any) -> Canary | None:
        """See ``CanaryTable.change``."""
        changed = replace(canary, **changes, version=canary.version + 1)
        update = (
            sa.update(canaries)
            .where(
                canaries.c.deployment_id == canary.deployment_id,
                canaries.c.version == canary.version,
            )
            .values(_columns(changed))
        )
        return changed if self._connection.execute(update).rowcount == 1 else None

    def claim(self, deployment_id: str, replica: str, now: datetime, until: datetime) -> bool:
        """See ``CanaryTable.claim``."""
        free = sa.or_(
            canaries.c.claimed_by.is_(None),
            canaries.c.claimed_by == replica,
            canaries.c.claimed_until < now,
        )
        update = (
            sa.update(canaries)
            .where(canaries.c.deployment_id == deployment_id, _IS_OPEN, free)
            .values(claimed_by=replica, claimed_until=until)
        )
        return self._connection.execute(update).rowcount == 1

    def tick(self, deployment_id: str, number: int, tick: Measured) -> bool:
        """See ``CanaryTable.tick``."""
        row = {
            "deployment_id": deployment_id,
            "number": number,
            "begins_at": tick.reading.begins,
            "body": _MEASURED.dump_json(tick).decode(),
        }
        added = insert(self._connection, canary_ticks).values(row).on_conflict_do_nothing()
        return took(self._connection, added)

    def ticks(self, deployment_id: str) -> Sequence[Measured]:
        """See ``CanaryTable.ticks``."""
        query = (
            sa.select(canary_ticks.c.body)
            .where(canary_ticks.c.deployment_id == deployment_id)
            .order_by(canary_ticks.c.number)
        )
        return [_MEASURED.validate_json(body) for body in self._connection.scalars(query)]

    def _read(self, *conditions: sa.ColumnElement[bool]) -> list[Canary]:
        query = sa.select(canaries.c.deployment_id, canaries.c.body).where(*conditions)
        rows = self._connection.execute(query.order_by(canaries.c.begun_at))
        return [_canary(name, body) for name, body in rows]


def _canary(name: str, body: str) -> Canary:
    try:
        return _CANARY.validate_json(body)
    except ValidationError:
        raise Terminal(
            f"How {name}'s canary stands was written by another version of Quarterdeck, which this "
            "one cannot read.",
            hint="Run that version again until the canary is over.",
        ) from None


def _columns(canary: Canary) -> dict[str, Any]:
    # By alias, as the catalog's file has its parts: so they are read back.
    body = _CANARY.dump_json(canary, exclude_none=True, by_alias=True).decode()
    return {"phase": canary.phase.value, "version": canary.version, "body": body}
