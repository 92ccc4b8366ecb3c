"""Freeze windows: whether one is in force, and when it ends. Pure; no clock is read here.

A window that repeats starts whenever the clocks of its zone show a time that its cron expression
names (fields as in Debian's cron: day of month and day of week must both match where either
begins with ``*``, else one is enough), and ends when they show that time plus the duration. So
"Friday 18:00 for 62 hours" ends on Monday at 08:00 also when the clocks change in between.
Where the clocks show a time twice, the first is the start and the last is the end: what is
ambiguous is frozen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from bot.model.catalog import FreezeWindow
from bot.model.moments import instant

#: Occurrences that touch are one freeze; over how many of them that is followed.
LINKS = 400


@dataclass(frozen=True, slots=True)
class _Span:
    """From ``begins`` until before ``ends``, both in UTC."""

    begins: datetime
    ends: datetime


def frozen_by(windows: Sequence[FreezeWindow], now: datetime) -> FreezeWindow | None:
    """The window in force at ``now`` (aware) that ends last, or ``None``."""
    in_force = [window for window in windows if _span(window, now) is not None]
    return max(in_force, key=lambda window: until(window, now), default=None)


def until(window: FreezeWindow, now: datetime) -> datetime:
    """When the freeze in force at ``now`` is over, in UTC; ``now`` itself if there is none.

    Occurrences that touch or overlap count as one, over at most ``LINKS`` of them: a window that
    is never open has no end, and the answer is then the last one found.
    """
    end = now.astimezone(UTC)
    for _ in range(LINKS):
        span = _span(window, end)
        if span is None:
            break
        end = span.ends
    return end


def _span(window: FreezeWindow, now: datetime) -> _Span | None:
    """The occurrence that ``now`` lies in; of several the one that ends last."""
    if window.cron is not None and window.duration is not None:
        return _occurrence(window.cron, window.duration, window.time_zone, now)
    if window.begins is None or window.ends is None:
        return None
    span = _Span(
        instant(window.begins, window.time_zone),
        instant(window.ends, window.time_zone, last=True),
    )
    return span if span.begins <= now < span.ends else None


def _occurrence(cron: str, duration: timedelta, zone: str, now: datetime) -> _Span | None:
    # A later start never ends earlier, so the latest start that has happened decides alone.
    latest = _latest_clock(zone, now)
    # Reversed, cronsim steps back before it looks: one second more includes ``latest`` itself.
    for start in CronSim(cron, latest + timedelta(seconds=1), reverse=True):
        if start + duration <= latest - timedelta(days=1):
            return None
        begins = instant(start, zone)
        if begins <= now:
            ends = instant(start + duration, zone, last=True)
            return _Span(begins, ends) if now < ends else None
    return None


def _latest_clock(zone: str, now: datetime) -> datetime:
    """The latest time the zone's clocks have shown up to ``now``, without fraction of a second.

    That is later than what they show in the hour after they were set back.
    """
    local = now.astimezone(ZoneInfo(zone))
    first, second = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
    clock = local.replace(tzinfo=None, microsecond=0, fold=0)
    if local.fold and first is not None and second is not None and first > second:
        clock += first - second
    return clock
