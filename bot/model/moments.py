"""Durations, dates, cron expressions and time zones as people write them in the catalog.

Wall-clock time and instants are kept apart: a naive ``datetime`` is what a clock on the wall of
a zone shows, and ``instant`` says when that is.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

LONGEST = timedelta(days=366)
_SHORT = r"^(?=[0-9])([0-9]{1,4}w)?([0-9]{1,4}d)?([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?$"
_ISO = (
    r"^P(?=[0-9T])([0-9]{1,4}W)?([0-9]{1,4}D)?"
    r"(T(?=[0-9])([0-9]{1,5}H)?([0-9]{1,6}M)?([0-9]{1,8}S)?)?$"
)
_DATE = (
    r"^2[0-9]{3}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?)?$"
)
_CRON_FIELDS = 5
_UNITS = {
    "W": timedelta(weeks=1),
    "D": timedelta(days=1),
    "H": timedelta(hours=1),
    "M": timedelta(minutes=1),
    "S": timedelta(seconds=1),
}


def parse_duration(text: str) -> timedelta:
    """Read ``4h``, ``30m``, ``1d12h``, ``2w`` or ISO 8601 such as ``PT4H``.

    Raises ``ValueError`` with a whole sentence for anything else and for more than 366 days.
    """
    written = text.strip()
    if not re.fullmatch(_SHORT, written) and not re.fullmatch(_ISO, written):
        raise ValueError("a duration is written like 30m, 4h or 1d12h")
    units = re.findall(r"(\d+)([WDHMS])", written.upper())
    total = sum((int(count) * _UNITS[unit] for count, unit in units), timedelta())
    if total > LONGEST:
        raise ValueError("a duration may not be longer than 366 days")
    return total


def format_duration(duration: timedelta) -> str:
    """The shortest text that ``parse_duration`` reads back: ``1d12h``; ``0s`` for none."""
    seconds = int(duration.total_seconds())
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    try:
        return parse_duration(value if isinstance(value, str) else "")
    except ValueError as wrong:
        raise PydanticCustomError("duration", "{text}", {"text": str(wrong)}) from None


def _lasting(value: timedelta) -> timedelta:
    if not timedelta() < value < LONGEST:
        raise PydanticCustomError("duration", "it must be longer than 0 and shorter than 366 days")
    return value


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str) and re.fullmatch(_DATE, value):
        try:
            return datetime.fromisoformat(value)
        except ValueError as wrong:
            raise PydanticCustomError(
                "moment", "there is no such date: {text}", {"text": str(wrong)}
            ) from None
    raise PydanticCustomError(
        "moment", "a date is written like 2026-12-24, 2026-12-24T18:00 or 2026-12-24T18:00+01:00"
    )


def _cron(value: str) -> str:
    if len(value.split()) != _CRON_FIELDS:
        # The library would take a sixth for seconds.
        raise PydanticCustomError(
            "cron", "a cron expression has five fields: minute hour day-of-month month day-of-week"
        )
    try:
        never = next(CronSim(value, datetime(2024, 1, 1)), None) is None  # noqa: DTZ001 - wall clock
    except CronSimError as wrong:
        text = f"not a cron expression: {str(wrong)[:1].lower()}{str(wrong)[1:]}"
        raise PydanticCustomError("cron", "{text}", {"text": text}) from None
    if never:
        raise PydanticCustomError("cron", "this cron expression never comes true")
    return value


@lru_cache(maxsize=1)
def time_zones() -> frozenset[str]:
    """The IANA names this machine knows; the ``tzdata`` package fills in where it has none."""
    return frozenset(available_timezones())


def _time_zone(value: str) -> str:
    if value not in time_zones():
        raise PydanticCustomError("time_zone", "there is no such IANA time zone")
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"{_SHORT}|{_ISO}",
            "examples": ["30m", "4h", "1d12h", "PT4H"],
        }
    ),
]
#: More than nothing, less than a (leap) year.
Lasting = Annotated[Duration, AfterValidator(_lasting)]
Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": _DATE,
            "examples": ["2026-12-24", "2026-12-24T18:00", "2026-12-24T18:00+01:00"],
        }
    ),
]
CronExpression = Annotated[str, Field(max_length=100), AfterValidator(_cron)]
TimeZone = Annotated[str, Field(max_length=64), AfterValidator(_time_zone)]


def instant(moment: datetime, time_zone: str, *, last: bool = False) -> datetime:
    """When the clocks of a zone show ``moment``, in UTC; an aware ``moment`` is only converted.

    Where clocks are set back, that is twice: the first time, or the ``last``. Where clocks are
    set forward over it, it is the moment of the jump. So it never decreases as clocks go on.
    """
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    zone = ZoneInfo(time_zone)
    first = moment.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = moment.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if second < first:  # PEP 495: only in a gap
        return _jump(second, first, zone)
    return second if last else first


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The second between two instants in which the zone's offset changes, by bisection."""
    old = before.astimezone(zone).utcoffset()
    low, high = before, after
    while (gap := int((high - low).total_seconds())) > 1:
        middle = low + timedelta(seconds=gap // 2)
        if middle.astimezone(zone).utcoffset() == old:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
