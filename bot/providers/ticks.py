"""When a tick is closed: the one rule of every metrics source.

A tick is handed out once, is stored, and never changes. So it is handed out only when the source
has everything that belongs to it:

- its end is longer ago than the source's ``lag``, after which nothing is added to it;
- where nothing at all was measured in it, a later one has something, or ``LATE`` more has gone by.
  A source that falls behind looks just like silence. The newest ticks of silence are read again
  until then, and what was only late is still counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.model.canary import Reading

#: How much longer a tick without any request is read again.
LATE = timedelta(minutes=3)
#: Ticks that are handed out at once; who was away for longer asks again from there.
MOST = 180


@dataclass(frozen=True, slots=True)
class Closing:
    """Ticks of ``seconds``, aligned to the clock, that are whole ``lag`` after their end."""

    seconds: int
    lag: timedelta

    @property
    def length(self) -> timedelta:
        """How long a tick is."""
        return timedelta(seconds=self.seconds)

    def hour(self, until: datetime) -> tuple[datetime, ...]:
        """The beginnings of the ticks of the last hour that is whole at ``until``."""
        end = self._floor(until - self.lag)
        number = 3600 // self.seconds
        return tuple(end - self.length * (number - each) for each in range(number))

    def whole(self, since: datetime, now: datetime) -> tuple[datetime, ...]:
        """The beginnings of the ticks from ``since`` on that are whole now; ``MOST`` at most."""
        first = self._floor(since)
        first += self.length if first < since else timedelta()
        number = (self._floor(now - self.lag) - first) // self.length
        return tuple(first + self.length * each for each in range(min(number, MOST)))

    def closed(self, readings: Sequence[Reading], now: datetime) -> Sequence[Reading]:
        """Without the newest ones of which the source may only be late; oldest first."""
        number = len(readings)
        while number and self._may_be_late(readings[number - 1], now):
            number -= 1
        return readings[:number]

    def _may_be_late(self, reading: Reading, now: datetime) -> bool:
        silent = not reading.canary.requests and not reading.stable.requests
        return silent and reading.begins + self.length + self.lag + LATE > now

    def _floor(self, moment: datetime) -> datetime:
        seconds = int(moment.timestamp()) // self.seconds * self.seconds
        return datetime.fromtimestamp(seconds, UTC)
