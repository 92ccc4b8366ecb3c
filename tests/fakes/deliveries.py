"""The outbox's other end, in memory, with the rules that the table keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.model.ports import CHART, Delivery


@dataclass
class FakeDeliveries:
    """``owe`` puts a message in; ``settled`` names deployments whose cards go first."""

    rows: dict[int, Delivery] = field(default_factory=dict)
    shown: dict[int, int] = field(default_factory=dict)
    due_at: dict[int, datetime] = field(default_factory=dict)
    why: dict[int, str] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    fault: Exception | None = None

    def owe(
        self, deployment_id: str, key: str = "card", channel: str = "C1", text: str = ""
    ) -> int:
        """As the outbox' ``card``, ``thread`` and ``chart`` do, by the key."""
        for delivery in self.rows.values():
            if (delivery.deployment_id, delivery.key) == (deployment_id, key):
                self.rows[delivery.id] = replace(delivery, wanted=delivery.wanted + 1)
                if deployment_id in self.settled or not self.why.get(delivery.id):
                    self.due_at.pop(delivery.id, None)
                return delivery.id
        number = len(self.rows) + 1
        self.rows[number] = Delivery(
            id=number,
            deployment_id=deployment_id,
            key=key,
            channel=channel,
            text=text,
            broadcast=False,
            wanted=2 if key.startswith(CHART) else 1,
            ts=None,
            thread_ts=None,
            attempted_at=None,
            attempts=0,
        )
        return number

    def claim(self, claimant: str, limit: int, now: datetime) -> Sequence[Delivery]:
        assert claimant
        if self.fault is not None:
            raise self.fault
        due = [one for one in self.rows.values() if self._due(one, now)]
        due.sort(key=lambda one: (one.lacks_chart, one.deployment_id not in self.settled, one.id))
        return [self._in_thread(one) for one in due[:limit]]

    def attempting(self, delivery: Delivery, now: datetime) -> None:
        row = self.rows[delivery.id]
        self.rows[delivery.id] = replace(row, attempted_at=now, attempts=row.attempts + 1)

    def delivered(self, delivery: Delivery, channel: str, ts: str) -> None:
        row = self.rows[delivery.id]
        self.rows[delivery.id] = replace(row, channel=channel, ts=ts, attempted_at=None, attempts=0)
        self.shown[delivery.id] = delivery.wanted
        self.due_at.pop(delivery.id, None)
        self.why.pop(delivery.id, None)

    def postpone(self, delivery: Delivery, until: datetime, why: str, *, untried: bool) -> None:
        tried = None if untried else self.rows[delivery.id].attempted_at
        self.rows[delivery.id] = replace(
            self.rows[delivery.id], attempted_at=tried, attempts=delivery.attempts + 1
        )
        if self.rows[delivery.id].wanted == delivery.wanted:
            self.due_at[delivery.id] = until
        self.why[delivery.id] = why

    def move(self, delivery: Delivery, channel: str) -> None:
        row = self.rows[delivery.id]
        self.rows[delivery.id] = replace(row, channel=channel, ts=None, attempted_at=None)
        self.due_at.pop(delivery.id, None)

    def _in_thread(self, one: Delivery) -> Delivery:
        """A message in a thread goes where the card is."""
        if one.key == "card":
            return one
        if one.ts is not None:
            return replace(one, thread_ts=self._card_ts(one))
        return replace(one, thread_ts=self._card_ts(one), channel=self._card(one).channel)

    def _due(self, one: Delivery, now: datetime) -> bool:
        waits = one.key != "card" and self._card_ts(one) is None
        behind = self.shown.get(one.id, 0) < one.wanted
        return behind and not waits and self.due_at.get(one.id, now) <= now

    def _card_ts(self, one: Delivery) -> str | None:
        return None if one.key == "card" else self._card(one).ts

    def _card(self, one: Delivery) -> Delivery:
        cards = (row for row in self.rows.values() if row.key == "card")
        return next(row for row in cards if row.deployment_id == one.deployment_id)
