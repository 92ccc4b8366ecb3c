"""E15: freeze windows across midnight and DST, where argo-cd#5590 opened and closed too early.

A team freezes every night from 22:00 to 04:00 and every weekend from Friday 18:00 to Monday
08:00, in its own time zone. Each quarter of an hour of the two weekends in which the clocks
change is compared with what a person reads off the clock on the wall.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time

from bot.model.catalog import FreezeWindow
from bot.policy.calendar import frozen_by, until

QUARTER = timedelta(minutes=15)


def windows(zone: str) -> list[FreezeWindow]:
    return [
        FreezeWindow.model_validate({"time_zone": zone, **window})
        for window in (
            {"name": "night", "cron": "0 22 * * *", "duration": "6h"},
            {"name": "weekend", "cron": "0 18 * * FRI", "duration": "62h"},
        )
    ]


def frozen_on_the_wall(shown: datetime) -> bool:
    """What the two sentences above mean to a person who looks at the clock."""
    night = shown.hour >= 22 or shown.hour < 4
    weekday = shown.isoweekday()
    weekend = (
        (weekday == 5 and shown.hour >= 18)
        or weekday in (6, 7)
        or (weekday == 1 and shown.hour < 8)
    )
    return night or weekend


@pytest.mark.parametrize(
    ("zone", "monday_before"),
    [
        ("Europe/Berlin", "2026-03-23"),
        ("Europe/Berlin", "2026-10-19"),
        ("America/New_York", "2026-03-02"),
        ("America/New_York", "2026-10-26"),
        ("Australia/Lord_Howe", "2026-03-30"),
        ("Australia/Lord_Howe", "2026-09-28"),
        ("Asia/Kolkata", "2026-12-28"),
    ],
)
def test_e15_a_fortnight_around_a_clock_change_is_frozen_as_the_wall_clock_says(
    zone: str, monday_before: str
) -> None:
    frozen = windows(zone)
    with freeze_time(monday_before) as clock:
        for _ in range(14 * 24 * 4):
            now = datetime.now(UTC)
            shown = now.astimezone(ZoneInfo(zone))
            assert (frozen_by(frozen, now) is not None) == frozen_on_the_wall(shown), shown
            clock.tick(QUARTER)


@pytest.mark.parametrize(
    ("friday", "monday"),
    [
        ("2026-03-27T17:59:59+01:00", "2026-03-30T08:00:00+02:00"),
        ("2026-10-23T17:59:59+02:00", "2026-10-26T08:00:00+01:00"),
        ("2026-06-05T17:59:59+02:00", "2026-06-08T08:00:00+02:00"),
    ],
)
def test_e15_approved_a_second_before_the_freeze_and_told_the_hour_it_ends(
    friday: str, monday: str
) -> None:
    _, weekend = windows("Europe/Berlin")
    with freeze_time(friday) as clock:
        assert frozen_by([weekend], datetime.now(UTC)) is None
        clock.tick(timedelta(seconds=1))
        assert frozen_by([weekend], datetime.now(UTC)) is weekend
        assert until(weekend, datetime.now(UTC)) == datetime.fromisoformat(monday)
