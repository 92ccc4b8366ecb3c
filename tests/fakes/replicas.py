"""Leases in memory: ``others`` are dead until somebody claims them; ``fenced`` cannot beat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from typing_extensions import override

from bot.model.errors import QuarterdeckError
from bot.model.ports import Replicas


class FakeReplicas(Replicas):
    def __init__(self) -> None:
        self.others: set[str] = set()
        self.fenced: set[str] = set()
        self.beats: list[tuple[str, timedelta]] = []
        self.released: list[str] = []
        self.claims: list[tuple[str, str]] = []
        self._faults: list[QuarterdeckError] = []

    def break_next(self, *faults: QuarterdeckError) -> None:
        """Raise these, one per call, before answering again."""
        self._faults += faults

    @override
    def beat(self, replica_id: str, lease: timedelta, host: str = "") -> bool:
        self._fail()
        self.beats.append((replica_id, lease))
        return replica_id not in self.fenced

    @override
    def release(self, replica_id: str) -> None:
        self._fail()
        self.released.append(replica_id)

    @override
    def dead(self, now: datetime) -> Sequence[str]:
        self._fail()
        return sorted(self.others)

    @override
    def claim_dead(self, replica_id: str, by: str) -> bool:
        self._fail()
        if replica_id not in self.others:
            return False
        self.others.remove(replica_id)
        self.claims.append((replica_id, by))
        return True

    def _fail(self) -> None:
        if self._faults:
            raise self._faults.pop(0)
