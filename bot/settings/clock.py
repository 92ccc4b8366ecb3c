"""The machine's clock, behind the port ``Clock``."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """Tells the machine's time."""

    def now(self) -> datetime:
        """The current time in UTC."""
        return datetime.now(UTC)
