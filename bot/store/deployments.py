"""The deployments table. A state is left only by compare-and-set on version and state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from bot.model.deployment import ACTIVE, NEXT, Deployment, Kind, Status, Target
from bot.model.errors import UserError
from bot.store.rows import changes, columns_of, deployment_of
from bot.store.tables import counters, deployments
from bot.store.upsert import Prepared

_ALIVE = sorted(status.value for status in ACTIVE)
#: What never changes, or only by ``move`` itself.
_FIXED = frozenset({"id", "kind", "target", "created_at", "request_id", "status", "version"})
#: Ids of one target count up; of two requests in one instant the smaller number came first.
_AGE = (deployments.c.created_at, sa.func.length(deployments.c.id), deployments.c.id)
#: Running first, then rollbacks, then what waits for its turn, then what waits for people.
_TURNS = (
    sa.case(
        (deployments.c.status == Status.RUNNING.value, 0),
        (deployments.c.status == Status.AWAITING_APPROVAL.value, 3),
        (deployments.c.kind == Kind.ROLLBACK.value, 1),
        else_=2,
    ),
    *_AGE,
)


_COUNT = Prepared(
    counters,
    lambda row: row.on_conflict_do_update(
        index_elements=["prefix"], set_={"last": counters.c.last + 1}
    ).returning(counters.c.last),
)
_ADD = Prepared(
    deployments, lambda row: row.on_conflict_do_nothing().returning(deployments.c.version)
)
_BY_REQUEST = (
    sa.select(deployments)
    .where(deployments.c.request_id == sa.bindparam("request"))
    .order_by(*_AGE)
)


class DeploymentsTable:
    """``Deployments`` over one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def next_id(self, target: Target) -> str:
        """See ``Deployments.next_id``.

        Counted by what the id begins with: a-b in c and a in b-c share their numbers.
        """
        prefix = f"{target.service}-{target.environment}"
        counted = _COUNT.run(self._connection, {"prefix": prefix, "last": 1})
        return f"{prefix}-{counted.scalar_one()}"

    def add(self, deployment: Deployment) -> None:
        """See ``Deployments.add``."""
        if _ADD.run(self._connection, columns_of(deployment)).first() is None:
            if self.get(deployment.id) is not None:
                raise RuntimeError(f"The number of {deployment.id} was given out twice.")
            raise self._duplicate(deployment)

    def _duplicate(self, deployment: Deployment) -> UserError:
        same = self._read(
            _at(deployment.target),
            deployments.c.kind == deployment.kind.value,
            sa.or_(
                deployments.c.request_id == deployment.request_id,
                sa.and_(
                    deployments.c.image_digest == deployment.image.digest,
                    deployments.c.status.in_(_ALIVE),
                ),
            ),
        )
        if not same:
            return UserError(
                f"{deployment.image.name} was on its way to {deployment.target} until just now.",
                reason_code="DUPLICATE",
                hint="Ask again.",
            )
        known = f"{same[0].id} is {same[0].status.value.replace('_', ' ')}"
        return UserError(
            f"{same[0].image.ref} for {deployment.target} was asked for already: {known}.",
            reason_code="DUPLICATE",
            hint=f"/deploy show {same[0].id} follows it.",
        )

    def get(self, deployment_id: str) -> Deployment | None:
        """See ``Deployments.get``."""
        found = self._read(deployments.c.id == deployment_id)
        return found[0] if found else None

    def get_for_update(self, deployment_id: str) -> Deployment | None:
        """See ``Deployments.get_for_update``. On SQLite a writing transaction is alone anyway."""
        query = sa.select(deployments).where(deployments.c.id == deployment_id).with_for_update()
        row = self._connection.execute(query).one_or_none()
        return None if row is None else deployment_of(row)

    def by_request(self, request_id: str) -> Sequence[Deployment]:
        """See ``Deployments.by_request``."""
        rows = self._connection.execute(_BY_REQUEST, {"request": request_id})
        return [deployment_of(row) for row in rows]

    def move(self, deployment: Deployment, to: Status, /, **changed: Any) -> Deployment | None:
        """See ``Deployments.move``."""
        sources = [status.value for status, targets in NEXT.items() if to in targets]
        update = (
            sa.update(deployments)
            .where(
                deployments.c.id == deployment.id,
                deployments.c.version == deployment.version,
                deployments.c.status == deployment.status.value,
                deployments.c.status.in_(sources),
            )
            .values(**_free(changed), status=to.value, version=deployments.c.version + 1)
            .returning(deployments)
        )
        if to is not Status.RUNNING:
            return self._one(update)
        try:
            with self._connection.begin_nested():
                return self._one(update)
        except exc.IntegrityError:
            return None  # another one runs on this target

    def _one(self, update: sa.Executable) -> Deployment | None:
        row = self._connection.execute(update).one_or_none()
        return None if row is None else deployment_of(row)

    def note(self, deployment_id: str, owner: str | None, /, **changed: Any) -> bool:
        """See ``Deployments.note``.

        A new owner counts as a change of state: what the old one decided on an older version then
        loses its compare-and-set.
        """
        flat = _free(changed)
        if "owner" in flat:
            passed_on = deployments.c.owner.is_distinct_from(flat["owner"])
            flat["version"] = deployments.c.version + sa.case((passed_on, 1), else_=0)
        update = sa.update(deployments).where(
            deployments.c.id == deployment_id, deployments.c.status.in_(_ALIVE)
        )
        if owner is not None:
            update = update.where(
                deployments.c.owner == owner, deployments.c.status == Status.RUNNING.value
            )
        return self._connection.execute(update.values(**flat)).rowcount == 1

    def active(
        self, target: Target | None = None, kind: Kind | None = None
    ) -> Sequence[Deployment]:
        """See ``Deployments.active``."""
        of_kind = deployments.c.kind == kind.value if kind else sa.true()
        return self._read(deployments.c.status.in_(_ALIVE), _at(target), of_kind, order=_TURNS)

    def running(self, owner: str) -> Sequence[Deployment]:
        """See ``Deployments.running``."""
        return self._read(
            deployments.c.status == Status.RUNNING.value, deployments.c.owner == owner
        )

    def history(
        self,
        target: Target | None,
        limit: int,
        service: str | None = None,
        environment: str | None = None,
    ) -> Sequence[Deployment]:
        """See ``Deployments.history``."""
        newest = tuple(part.desc() for part in _AGE)
        of_service = deployments.c.service == service if service else sa.true()
        there = deployments.c.environment == environment if environment else sa.true()
        return self._read(_at(target), of_service, there, order=newest, limit=limit)

    def counts(self) -> dict[tuple[str, Kind, Status], int]:
        """See ``Deployments.counts``."""
        grouped = (deployments.c.environment, deployments.c.kind, deployments.c.status)
        query = sa.select(*grouped, sa.func.count()).group_by(*grouped)
        return {
            (environment, Kind(kind), Status(status)): count
            for environment, kind, status, count in self._connection.execute(query)
        }

    def _read(
        self,
        *conditions: sa.ColumnElement[bool],
        order: tuple[sa.ColumnElement[Any], ...] = _AGE,
        limit: int | None = None,
    ) -> list[Deployment]:
        query = sa.select(deployments).where(*conditions).order_by(*order).limit(limit)
        return [deployment_of(row) for row in self._connection.execute(query)]


def _free(changed: Mapping[str, Any]) -> dict[str, Any]:
    fixed = changed.keys() & _FIXED
    if fixed:
        raise TypeError(f"These are not changed like this: {', '.join(sorted(fixed))}.")
    return changes(changed)


def _at(target: Target | None) -> sa.ColumnElement[bool]:
    if target is None:
        return sa.true()
    return sa.and_(
        deployments.c.service == target.service, deployments.c.environment == target.environment
    )
