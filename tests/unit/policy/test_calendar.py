"""Freeze windows across midnight, month ends, leap days and every kind of clock change."""

# ruff: noqa: DTZ001 - hypothesis takes naive bounds, and a clock on a wall is naive

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.model.catalog import FreezeWindow
from bot.policy.calendar import LINKS, frozen_by, until


def repeating(cron: str, duration: str, zone: str = "UTC", name: str = "repeating") -> FreezeWindow:
    return FreezeWindow.model_validate(
        {"name": name, "cron": cron, "duration": duration, "time_zone": zone}
    )


def dated(begins: str, ends: str, zone: str = "UTC", name: str = "dated") -> FreezeWindow:
    return FreezeWindow.model_validate(
        {"name": name, "from": begins, "until": ends, "time_zone": zone}
    )


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


WEEKEND_BERLIN = repeating("0 18 * * FRI", "62h", "Europe/Berlin")
NIGHT_BERLIN = repeating("0 22 * * *", "6h", "Europe/Berlin")
NIGHT_NEW_YORK = repeating("0 22 * * *", "6h", "America/New_York")
NIGHT_KOLKATA = repeating("0 22 * * *", "6h", "Asia/Kolkata")
NIGHT_LORD_HOWE = repeating("0 1 * * *", "2h", "Australia/Lord_Howe")
MONTH_END = repeating("0 20 L * *", "12h", "Europe/Berlin")
LEAP_DAY = repeating("0 0 29 2 *", "1d", "Asia/Kolkata")

# (window, its first moment, the first moment after it), in UTC.
EDGES = [
    # An ordinary weekend in winter: 18:00 CET to Monday 08:00 CET.
    (WEEKEND_BERLIN, "2026-01-09T17:00", "2026-01-12T07:00"),
    # Spring forward on Sunday 29 March: still Monday 08:00 on the wall, one hour less.
    (WEEKEND_BERLIN, "2026-03-27T17:00", "2026-03-30T06:00"),
    # Fall back on Sunday 25 October: one hour more.
    (WEEKEND_BERLIN, "2026-10-23T16:00", "2026-10-26T07:00"),
    (NIGHT_BERLIN, "2026-03-28T21:00", "2026-03-29T02:00"),
    (NIGHT_BERLIN, "2026-10-24T20:00", "2026-10-25T03:00"),
    (NIGHT_BERLIN, "2026-12-31T21:00", "2027-01-01T03:00"),
    (NIGHT_NEW_YORK, "2026-03-08T03:00", "2026-03-08T08:00"),
    (NIGHT_NEW_YORK, "2026-11-01T02:00", "2026-11-01T09:00"),
    (NIGHT_KOLKATA, "2026-06-30T16:30", "2026-06-30T22:30"),
    # Lord Howe moves by 30 minutes, at 02:00: back in April, forward in October.
    (NIGHT_LORD_HOWE, "2026-04-04T14:00", "2026-04-04T16:30"),
    (NIGHT_LORD_HOWE, "2026-10-03T14:30", "2026-10-03T16:00"),
    (MONTH_END, "2026-02-28T19:00", "2026-03-01T07:00"),
    (MONTH_END, "2028-02-29T19:00", "2028-03-01T07:00"),
    (MONTH_END, "2026-04-30T18:00", "2026-05-01T06:00"),
    (LEAP_DAY, "2028-02-28T18:30", "2028-02-29T18:30"),
    # A start that the clocks skip is the moment of the jump; the end stays where it was.
    (repeating("30 2 * * *", "2h", "Europe/Berlin"), "2026-03-29T01:00", "2026-03-29T02:30"),
    # A start and an end that the clocks show twice: the first, and the last.
    (repeating("30 2 * * *", "15m", "Europe/Berlin"), "2026-10-25T00:30", "2026-10-25T01:45"),
    (repeating("45 2 * * *", "2h", "Europe/Berlin"), "2026-10-25T00:45", "2026-10-25T03:45"),
    # An end that the clocks skip.
    (repeating("0 1 * * *", "90m", "Europe/Berlin"), "2026-03-29T00:00", "2026-03-29T01:00"),
    # Samoa had no 30 December 2011 at all.
    (repeating("0 12 29 12 *", "24h", "Pacific/Apia"), "2011-12-29T22:00", "2011-12-30T10:00"),
    (dated("2026-12-24T18:00", "2026-12-27T08:00", "Europe/Berlin"), "2026-12-24T17:00",
     "2026-12-27T07:00"),
    (dated("2026-12-24", "2026-12-27", "America/New_York"), "2026-12-24T05:00",
     "2026-12-27T05:00"),
    # What has an offset is not read in the zone.
    (dated("2026-12-24T18:00+05:30", "2026-12-27T08:00Z", "Europe/Berlin"), "2026-12-24T12:30",
     "2026-12-27T08:00"),
    (dated("2026-03-29T02:30", "2026-03-29T04:00", "Europe/Berlin"), "2026-03-29T01:00",
     "2026-03-29T02:00"),
    (dated("2026-10-25T02:30", "2026-10-25T02:45", "Europe/Berlin"), "2026-10-25T00:30",
     "2026-10-25T01:45"),
]  # fmt: skip


@pytest.mark.parametrize(("window", "begins", "ends"), EDGES)
def test_a_window_holds_from_its_first_moment_until_its_last(
    window: FreezeWindow, begins: str, ends: str
) -> None:
    first, after = utc(begins), utc(ends)
    tick = timedelta(microseconds=1)

    assert frozen_by([window], first - tick) is None
    assert frozen_by([window], first) is window
    assert frozen_by([window], first + (after - first) / 2) is window
    assert frozen_by([window], after - tick) is window
    assert frozen_by([window], after) is None
    assert until(window, first) == after
    assert until(window, after - tick) == after


@pytest.mark.parametrize(("window", "begins", "ends"), EDGES)
def test_it_does_not_matter_in_which_zone_now_is_given(
    window: FreezeWindow, begins: str, ends: str
) -> None:
    for zone in ("Asia/Tokyo", "America/St_Johns", "Europe/Berlin"):
        now = utc(begins).astimezone(ZoneInfo(zone))
        assert until(window, now) == utc(ends)
        assert until(window, now).tzinfo is UTC


def test_the_hour_that_happens_twice_is_frozen_twice() -> None:
    window = repeating("0 2 * * *", "1h", "Europe/Berlin")
    with freeze_time("2026-10-25T00:00:00") as clock:
        for _ in range(2 * 60):
            assert frozen_by([window], datetime.now(UTC)) is window
            clock.tick(timedelta(minutes=1))
        assert frozen_by([window], datetime.now(UTC)) is None


def test_an_hour_that_is_skipped_is_never_frozen() -> None:
    window = repeating("0 2 * * *", "1h", "Europe/Berlin")
    with freeze_time("2026-03-28T22:00:00") as clock:
        for _ in range(24):
            now = datetime.now(UTC)
            assert frozen_by([window], now) is None or now >= utc("2026-03-30T00:00")
            clock.tick(timedelta(hours=1))


def test_friday_and_weekend_windows_that_touch_end_together() -> None:
    weekend = repeating("0 0 * * SAT,SUN", "1d", "Europe/Berlin")
    assert until(weekend, utc("2026-03-28T12:00")) == utc("2026-03-29T22:00")


def test_of_several_windows_the_one_that_ends_last_is_named() -> None:
    short = dated("2026-05-01", "2026-05-02", name="short")
    long = dated("2026-05-01", "2026-05-05", name="long")
    later = dated("2026-06-01", "2026-06-02", name="later")
    assert frozen_by([short, long, later], utc("2026-05-01T12:00")) is long
    assert frozen_by([long, short, later], utc("2026-05-01T12:00")) is long


def test_no_window_freezes_nothing() -> None:
    now = utc("2026-05-01T12:00")
    assert frozen_by([], now) is None
    assert until(WEEKEND_BERLIN, utc("2026-05-05T12:00")) == utc("2026-05-05T12:00")


@pytest.mark.parametrize(
    ("cron", "duration"),
    [
        ("* * * * *", "1m"),
        ("* * * * *", "365d"),
        ("0 0 * 2 MON#5", "2d"),
        ("0 0 29 2 *", "1d"),
        ("59 23 31 12 *", "1m"),
    ],
)
def test_occurrences_are_followed_within_bounds(cron: str, duration: str) -> None:
    window = repeating(cron, duration, "Europe/Berlin")
    now = utc("2027-01-15T12:00")
    assert window.duration is not None
    assert until(window, now) <= now + LINKS * window.duration + timedelta(hours=1)


def test_a_window_that_never_opens_is_told_to_last_as_far_as_was_followed() -> None:
    assert until(repeating("* * * * *", "1m"), utc("2027-01-15T12:00")) == utc("2027-01-15T18:40")


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]


def _shown(zone: str, now: datetime) -> datetime:
    return now.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


@settings(max_examples=300, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    length=st.integers(1, 23 * 60),
    now=st.datetimes(datetime(2025, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC)),
)
def test_a_daily_window_is_in_force_when_the_wall_clock_says_so(
    zone: str, hour: int, minute: int, length: int, now: datetime
) -> None:
    window = repeating(f"{minute} {hour} * * *", f"{length}m", zone)
    before, after = now - timedelta(hours=30), now + timedelta(hours=30)
    offsets = {at.astimezone(ZoneInfo(zone)).utcoffset() for at in (before, now, after)}
    shown = _shown(zone, now)
    today = shown.replace(hour=hour, minute=minute, second=0, microsecond=0)
    expected = any(
        start <= shown < start + timedelta(minutes=length)
        for start in (today, today - timedelta(days=1))
    )
    if len(offsets) == 1:  # the days of the change are told one by one above
        assert (frozen_by([window], now) is window) == expected
    if frozen_by([window], now) is not None:
        assert until(window, now) > now
        assert frozen_by([window], until(window, now)) is None


@settings(max_examples=200, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    begins=st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)),
    length=st.timedeltas(timedelta(hours=2), timedelta(days=300)),
    now=st.datetimes(datetime(2024, 6, 1), datetime(2029, 1, 1), timezones=st.just(UTC)),
)
def test_a_dated_window_is_one_interval(
    zone: str, begins: datetime, length: timedelta, now: datetime
) -> None:
    window = FreezeWindow.model_validate(
        {"name": "x", "from": begins, "until": begins + length, "time_zone": zone}
    )
    in_force = frozen_by([window], now) is window
    shown = _shown(zone, now)
    slack = timedelta(hours=1)
    if begins + slack <= shown < begins + length - slack:
        assert in_force
    if not begins - slack <= shown < begins + length + slack:
        assert not in_force


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    change=st.sampled_from(["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-04"]),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    length=st.integers(1, 12 * 60),
    offset=st.integers(-24 * 60, 48 * 60),
)
def test_around_a_change_a_window_is_still_one_interval(
    zone: str, change: str, hour: int, minute: int, length: int, offset: int
) -> None:
    window = repeating(f"{minute} {hour} * * *", f"{length}m", zone)
    now = utc(change) + timedelta(minutes=offset)
    end = until(window, now)
    steps = int((end - now) / timedelta(minutes=1))
    assert all(frozen_by([window], now + timedelta(minutes=n)) for n in range(steps))
    assert frozen_by([window], end) is None
