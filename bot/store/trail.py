"""The audit trail in the database: entries wait, and are chained when their transaction commits."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from bot.model.deployment import AuditEntry, AuditRow, Person
from bot.model.errors import Terminal, Unreachable
from bot.model.ports import Clock
from bot.store.audit import (
    Head,
    Verdict,
    bounded,
    chain,
    columns,
    compact,
    read_moment,
    verify,
)
from bot.store.session import SAID
from bot.store.tables import audit, audit_head

#: Rows that are fetched at once while the whole trail is read.
BATCH = 500

_WRITE = sa.insert(audit)
_LOCK_HEAD = sa.select(audit_head.c.seq, audit_head.c.digest).with_for_update()
_MOVE_HEAD = sa.update(audit_head).values(
    seq=sa.bindparam("to_seq"), digest=sa.bindparam("to_digest")
)


class Trail:
    """``AuditTrail`` over one transaction.

    The head's row is locked as the last thing before the commit, so that writers queue up for a
    moment only, and can never wait for one another in a circle. ``before_chaining`` is called
    before each time.
    """

    def __init__(self, connection: sa.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._waiting: list[tuple[datetime, AuditEntry]] = []
        self.before_chaining: Callable[[], None] = lambda: None

    def append(self, entry: AuditEntry) -> None:
        """See ``AuditTrail.append``."""
        self._waiting.append((self._clock.now(), bounded(entry)))

    def flush(self) -> None:
        """Number, chain and write what waits. Called right before the commit."""
        if not self._waiting:
            return
        self.before_chaining()
        rows = chain(self._lock_head(), self._waiting)
        try:
            self._connection.execute(_WRITE, [_values(row) for row in rows])
        except exc.IntegrityError as error:
            # The database will not take the rows, whatever the reason: nothing else may stand.
            raise Unreachable(SAID, hint="Run `quarterdeck audit verify`.") from error
        last = rows[-1]
        self._connection.execute(_MOVE_HEAD, {"to_seq": last.seq, "to_digest": last.digest})
        self._waiting.clear()

    def forbid(self) -> None:
        """Called at the end of a read: an entry that nobody would write must not get lost."""
        if self._waiting:
            raise RuntimeError("An audit entry was appended in a transaction that only reads.")

    def _lock_head(self) -> Head:
        row = self._connection.execute(_LOCK_HEAD).one_or_none()
        if row is None:
            raise Terminal(
                "The audit trail has lost its head, so nothing can be recorded.",
                reason_code="AUDIT_DAMAGED",
                hint="Run `quarterdeck audit verify`.",
            )
        return Head(row.seq, row.digest)

    def head(self) -> Head | None:
        """The stored head; ``None`` where somebody removed it."""
        row = self._connection.execute(sa.select(audit_head)).one_or_none()
        return None if row is None else Head(row.seq, row.digest)

    def search(self, limit: int = 20, **filters: str) -> Sequence[AuditRow]:
        """See ``AuditTrail.search``. Raises ``TypeError`` for an unknown filter."""
        self.flush()
        query = sa.select(audit).order_by(audit.c.seq.desc()).limit(limit)
        for name, wanted in filters.items():
            query = query.where(_condition(name, wanted))
        return [read(row) for row in self._connection.execute(query)]

    def of_request(self, request_id: str, actor: str, among: int) -> Sequence[AuditRow]:
        """See ``AuditTrail.of_request``."""
        self.flush()
        by_actor = sa.select(audit).where(audit.c.actor_id == actor)
        newest = by_actor.order_by(audit.c.seq.desc()).limit(among).subquery()
        query = sa.select(newest).where(newest.c.request_id == request_id)
        return [read(row) for row in self._connection.execute(query.order_by(newest.c.seq.desc()))]

    def rows(self) -> Generator[AuditRow]:
        """See ``AuditTrail.rows``."""
        self.flush()
        query = sa.select(audit).order_by(audit.c.seq)
        options = {"yield_per": BATCH}
        with self._connection.execute(query, execution_options=options) as result:
            for row in result:
                yield read(row)

    def verify(self, anchors: Sequence[Head] = ()) -> Verdict:
        """Whether the trail is whole; see ``audit.verify``. Use it in a ``read``."""
        return verify(self.rows(), self.head(), anchors)


def _condition(name: str, wanted: str) -> sa.ColumnElement[bool]:
    match name:
        case "target":
            return _either(wanted)
        case "deployment_id":
            return audit.c.deployment_id == wanted
        case "actor":
            return audit.c.actor_id == wanted
        case "action":
            return audit.c.action.startswith(wanted, autoescape=True)
        case _:
            raise TypeError(f"The audit trail cannot be filtered by {name!r}.")


def _either(wanted: str) -> sa.ColumnElement[bool]:
    """``service/environment``, or ``service/`` or ``/environment`` alone."""
    service, _, environment = wanted.partition("/")
    if service and environment:
        return audit.c.target == wanted
    if service:
        return audit.c.target.startswith(f"{service}/", autoescape=True)
    return audit.c.target.endswith(f"/{environment}", autoescape=True)


def _values(row: AuditRow) -> dict[str, object]:
    return columns(row) | {"detail": compact(row.entry.detail)}


def read(row: sa.Row[Any]) -> AuditRow:
    """A stored row. One that was turned into nonsense reads as something that is not sound."""
    return AuditRow(
        row.seq,
        _moment(row.at),
        AuditEntry(
            actor=Person(row.actor_id, row.actor_name),
            action=row.action,
            decision=row.decision,
            target=row.target,
            deployment_id=row.deployment_id,
            from_digest=row.from_digest,
            to_digest=row.to_digest,
            reason=row.reason,
            reason_code=row.reason_code,
            request_id=row.request_id,
            detail=_detail(row.detail),
        ),
        row.previous,
        row.digest,
    )


def _moment(text: str) -> datetime:
    try:
        return read_moment(text)
    except (TypeError, ValueError):
        return datetime.min.replace(tzinfo=UTC)


def _detail(text: str) -> dict[str, str]:
    try:
        detail = json.loads(text)
    except (TypeError, ValueError):
        return {"unreadable": str(text)}
    whole = isinstance(detail, dict) and compact(detail) == text
    return detail if whole else {"unreadable": str(text)}
