"""What is owed to Slack: one row per message, with the state that is wanted and the one shown."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.model.deployment import TERMINAL
from bot.model.ports import CHART, Clock, Delivery
from bot.store.session import faults, writing
from bot.store.tables import deployments, outbox
from bot.store.upsert import Prepared

CARD = "card"
#: How long a claimed message is left to its claimant.
CLAIM = timedelta(seconds=30)
#: Longest thread message, in characters; Slack takes more, people do not.
LONGEST = 3000
_SETTLED = deployments.c.status.in_(sorted(status.value for status in TERMINAL))


_CHANNEL = (
    sa.select(deployments.c.channel)
    .where(deployments.c.id == sa.bindparam("whose"))
    .scalar_subquery()
)
_ENDED = sa.exists().where(deployments.c.id == sa.bindparam("whose"), _SETTLED)
_CARD = Prepared(
    outbox,
    lambda row: row.values(channel=_CHANNEL).on_conflict_do_update(
        index_elements=["deployment_id", "key"],
        set_={
            "wanted": outbox.c.wanted + 1,
            "due_at": sa.case(
                (sa.or_(_ENDED, outbox.c.last_fault == ""), sa.null()), else_=outbox.c.due_at
            ),
        },
    ),
)
_THREAD = Prepared(outbox, lambda row: row.values(channel=_CHANNEL).on_conflict_do_nothing())


class OutboxTable:
    """``Outbox`` over one transaction. ``asked`` says whether it owes more than before."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.asked = False

    def card(self, deployment_id: str) -> None:
        """See ``Outbox.card``: asked for many times, it is one row whose wanted state grows.

        What only waits for its turn is due at once, for it may say something new by now; what was
        put off for a fault, only when it has come to its end.
        """
        _CARD.run(self._connection, _new(deployment_id, CARD, "", broadcast=False))
        self.asked = True

    def thread(self, deployment_id: str, key: str, text: str, *, broadcast: bool = False) -> None:
        """See ``Outbox.thread``."""
        row = _new(deployment_id, f"thread:{key}", text[:LONGEST], broadcast=broadcast)
        _THREAD.run(self._connection, row)
        self.asked = True

    def chart(self, deployment_id: str, key: str, text: str, *, broadcast: bool = False) -> None:
        """See ``Outbox.chart``: two states are wanted, the words and the words with the chart."""
        row = _new(deployment_id, f"{CHART}{key}", text[:LONGEST], broadcast=broadcast)
        _THREAD.run(self._connection, row | {"wanted": 2})
        self.asked = True

    def owed(self) -> int:
        """See ``Outbox.owed``."""
        query = sa.select(sa.func.count()).where(outbox.c.wanted > outbox.c.shown)
        return self._connection.execute(query).scalar_one()

    def said(self, deployment_id: str) -> list[str]:
        """See ``Outbox.said``."""
        query = sa.select(outbox.c.text).where(
            outbox.c.deployment_id == deployment_id, outbox.c.key != CARD
        )
        return list(self._connection.execute(query.order_by(outbox.c.id)).scalars())


def _new(deployment_id: str, key: str, text: str, *, broadcast: bool) -> dict[str, Any]:
    return {
        "deployment_id": deployment_id,
        "whose": deployment_id,
        "key": key,
        "text": text,
        "broadcast": broadcast,
        "wanted": 1,
        "shown": 0,
        "attempts": 0,
        "last_fault": "",
    }


class OutboxDeliveries:
    """``Deliveries``: each call is a transaction of its own."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def claim(self, claimant: str, limit: int, now: datetime) -> list[Delivery]:
        """See ``Deliveries.claim``. A look at an empty outbox takes no write lock."""
        with faults(), self._engine.connect() as connection:
            if connection.execute(_due(now).limit(1)).first() is None:
                return []
        with faults(), writing(self._engine) as connection:
            query = _due(now).limit(limit)
            if connection.dialect.name == "postgresql":
                query = query.with_for_update(skip_locked=True, of=outbox)
            rows = connection.execute(query).all()
            connection.execute(
                sa.update(outbox)
                .where(outbox.c.id.in_([row.id for row in rows]))
                .values(claimed_by=claimant, claimed_until=now + CLAIM)
            )
            return [_delivery(row) for row in rows]

    def free(self, claimant: str) -> None:
        """Let others, or a restarted self, have what ``claimant`` had claimed when it died."""
        with faults(), writing(self._engine) as connection:
            connection.execute(
                sa.update(outbox)
                .where(outbox.c.claimed_by == claimant)
                .values(claimed_by=None, claimed_until=None)
            )

    def attempting(self, delivery: Delivery, now: datetime) -> None:
        """See ``Deliveries.attempting``."""
        self._change(delivery, attempted_at=now, attempts=outbox.c.attempts + 1)

    def delivered(self, delivery: Delivery, channel: str, ts: str) -> None:
        """See ``Deliveries.delivered``."""
        self._change(
            delivery,
            channel=channel,
            ts=ts,
            shown=sa.case(
                (outbox.c.shown > delivery.wanted, outbox.c.shown), else_=delivery.wanted
            ),
            attempted_at=None,
            attempts=0,
            due_at=None,
            claimed_by=None,
            claimed_until=None,
            last_fault="",
        )

    def postpone(self, delivery: Delivery, until: datetime, why: str, *, untried: bool) -> None:
        """See ``Deliveries.postpone``."""
        changes: dict[str, Any] = {"attempted_at": None} if untried else {}
        # What was asked for in the meantime is looked at anew: it may be the end.
        unchanged = outbox.c.wanted == delivery.wanted
        self._change(
            delivery,
            due_at=sa.case((unchanged, sa.literal(until, outbox.c.due_at.type)), else_=sa.null()),
            claimed_by=None,
            claimed_until=None,
            last_fault=why[:500],
            attempts=delivery.attempts + 1,
            **changes,
        )

    def move(self, delivery: Delivery, channel: str) -> None:
        """See ``Deliveries.move``: the thread of a moved card goes with it."""
        with faults(), writing(self._engine) as connection:
            where = outbox.c.id == delivery.id
            if delivery.key == CARD:
                unsent = sa.and_(
                    outbox.c.deployment_id == delivery.deployment_id, outbox.c.ts.is_(None)
                )
                where = sa.or_(where, unsent)
            connection.execute(
                sa.update(outbox)
                .where(where)
                .values(
                    channel=channel,
                    ts=None,
                    attempted_at=None,
                    due_at=None,
                    claimed_by=None,
                    claimed_until=None,
                )
            )

    def _change(self, delivery: Delivery, **changes: Any) -> None:
        with faults(), writing(self._engine) as connection:
            connection.execute(
                sa.update(outbox).where(outbox.c.id == delivery.id).values(**changes)
            )


_card = outbox.alias("card")


def _due(now: datetime) -> sa.Select[Any]:
    """What is owed, free and due: cards of settled deployments, other cards, threads, charts.

    A chart takes several calls, and nobody is to wait for it who waits for words.
    """
    is_card = outbox.c.key == CARD
    lacks_chart = sa.and_(outbox.c.key.startswith(CHART), outbox.c.ts.is_not(None))
    return (
        sa.select(outbox, _card.c.ts.label("card_ts"), _card.c.channel.label("card_channel"))
        .join(deployments, deployments.c.id == outbox.c.deployment_id)
        .join(
            _card,
            sa.and_(_card.c.deployment_id == outbox.c.deployment_id, _card.c.key == CARD),
            isouter=True,
        )
        .where(
            outbox.c.wanted > outbox.c.shown,
            sa.or_(outbox.c.due_at.is_(None), outbox.c.due_at <= now),
            sa.or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until <= now),
            sa.or_(is_card, _card.c.ts.is_not(None)),
        )
        .order_by(
            sa.case((sa.and_(is_card, _SETTLED), 0), (is_card, 1), (lacks_chart, 3), else_=2),
            outbox.c.id,
        )
    )


def _delivery(row: sa.Row[Any]) -> Delivery:
    in_thread = row.key != CARD
    # What is posted stays where it is, wherever its card was moved since.
    with_card = in_thread and row.ts is None
    return Delivery(
        id=row.id,
        deployment_id=row.deployment_id,
        key=row.key,
        channel=row.card_channel if with_card else row.channel,
        text=row.text,
        broadcast=row.broadcast,
        wanted=row.wanted,
        ts=row.ts,
        thread_ts=row.card_ts if in_thread else None,
        attempted_at=row.attempted_at,
        attempts=row.attempts,
    )
