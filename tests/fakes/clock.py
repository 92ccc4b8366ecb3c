"""Clocks for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class MachineClock:
    """The machine's own clock: freezegun may stop it."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime | None = None) -> None:
        self._now = now or datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by
