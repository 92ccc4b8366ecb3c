"""Reading versions, ids, durations, times, people and numbers. Bad ones raise ``UserError``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

from bot.commands.mistakes import Mistake, mistake
from bot.model.wording import quoted

MAX_REASON = 500
MAX_DURATION = timedelta(days=30)
MAX_AHEAD = timedelta(days=366)

_VERSION = re.compile(r"\w[\w.+/-]{0,127}|sha256:[0-9a-f]{64}", re.ASCII)
_ID = re.compile(r"[a-z][a-z0-9-]{0,90}-[1-9][0-9]{0,9}")
_USER = re.compile(r"(?:<@)?(?P<id>[UW][A-Z0-9]{2,20})(?:\|[^<>]*)?>?")
_ACTION = re.compile(r"[a-z][a-z0-9_.-]{0,59}")
_PART = re.compile(r"(?P<count>[0-9]{1,5})(?P<unit>[a-z]+)")
_CLOCK = re.compile(r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?:z|utc)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAYS = {"today": 0, "tomorrow": 1}
_UNITS = {
    unit: length
    for names, length in (
        ("m min mins minute minutes", timedelta(minutes=1)),
        ("h hr hrs hour hours", timedelta(hours=1)),
        ("d day days", timedelta(days=1)),
    )
    for unit in names.split()
}


def read_version(text: str) -> str:
    """A tag, commit sha or digest, as typed; ``latest`` in any case becomes ``latest``."""
    if text.casefold() in {"latest", "previous"}:
        return text.casefold()
    if _VERSION.fullmatch(text):
        return text
    raise mistake(
        Mistake.BAD_VERSION,
        f"{quoted(text)} cannot be a version.",
        "A version is a tag (v1.4.2), a commit sha (9fceb02), a digest (sha256:… with 64 digits)"
        " or latest: letters, digits, dots, underscores, plus signs, slashes and hyphens only, at"
        " most 128.",
    )


def read_id(text: str) -> str:
    """A deployment id such as ``backend-staging-142``."""
    found = text.casefold()
    if _ID.fullmatch(found):
        return found
    raise mistake(
        Mistake.BAD_ID,
        f"{quoted(text)} is not the id of a deployment.",
        "Ids read like backend-staging-142: they are on every card and in /deploy history.",
    )


def looks_like_id(text: str) -> bool:
    """Whether ``text`` has the form of a deployment id."""
    return _ID.fullmatch(text.casefold()) is not None


def read_reason(text: str) -> str:
    """The reason on one line, at most ``MAX_REASON`` characters."""
    reason = " ".join(text.split())
    if len(reason) > MAX_REASON:
        raise mistake(
            Mistake.TOO_LONG,
            f"The reason has {len(reason)} characters; at most {MAX_REASON} are kept.",
            "Shorten it, or link to where the rest is written.",
        )
    return reason


def read_person(text: str) -> str:
    """The user id in ``<@U024BE7LH|name>`` or alone."""
    found = _USER.fullmatch(text)
    if found:
        return found["id"]
    raise mistake(
        Mistake.UNKNOWN_PERSON,
        f"{quoted(text)} is nobody that Slack named to me.",
        "Type @ and pick the person from the list that Slack shows.",
    )


def read_action(text: str) -> str:
    """The beginning of an audited action's dotted name."""
    found = text.casefold()
    if _ACTION.fullmatch(found):
        return found
    raise mistake(
        Mistake.USAGE,
        f"{quoted(text)} cannot begin an action's name.",
        "Actions read like deploy.requested, vote.approve or target.lock: --action vote",
    )


def read_limit(text: str, most: int) -> int:
    """A whole number from 1 to ``most``."""
    if re.fullmatch(r"[0-9]{1,6}", text) and 1 <= int(text) <= most:
        return int(text)
    raise mistake(
        Mistake.BAD_NUMBER,
        f"{quoted(text)} is not a number from 1 to {most}.",
        f"Write it in digits, for example --limit {min(20, most)}",
    )


def read_duration(text: str) -> timedelta:
    """``30m``, ``2h``, ``1d``, ``1h30m``, ``2 hours``: more than nothing, at most 30 days."""
    compact = text.casefold().replace(" ", "")
    parts = list(_PART.finditer(compact))
    whole = "".join(part[0] for part in parts) == compact
    if parts and whole and all(part["unit"] in _UNITS for part in parts):
        total = sum((int(part["count"]) * _UNITS[part["unit"]] for part in parts), timedelta())
        if timedelta() < total <= MAX_DURATION:
            return total
    raise mistake(
        Mistake.BAD_DURATION,
        f"{quoted(text)} is not a duration of up to 30 days.",
        "Write 30m, 2h or 1d, for example --for 2h",
    )


def read_time(text: str, now: datetime, after: datetime) -> datetime:
    """An ISO time, or a clock time: alone it is its next occurrence after ``after``. In UTC."""
    words = text.casefold().split()
    clock = next((found for word in words if (found := _CLOCK.fullmatch(word))), None)
    days = [_DAYS[word] for word in words if word in _DAYS]
    try:
        if clock is not None and len(words) == 1 + len(days) and not days[1:]:
            return _clock_time(clock, days, now if days else after)
        at = datetime.fromisoformat("T".join(text.upper().split()))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise mistake(
            Mistake.BAD_TIME,
            f"{quoted(text)} is not a time I can read.",
            "Write 2026-12-24T18:00 or 2026-12-24T18:00+01:00, 14:00, or tomorrow 14:00;"
            " without an offset it is UTC.",
        ) from None


def _clock_time(clock: re.Match[str], days: list[int], base: datetime) -> datetime:
    start = base.astimezone(UTC)
    at = time(int(clock["hour"]), int(clock["minute"]), tzinfo=UTC)
    found = datetime.combine(start.date() + timedelta(days=sum(days)), at)
    return found if days or found > start else found + timedelta(days=1)


def continues_duration(word: str, following: str) -> bool:
    """Whether ``2`` is followed by ``hours``."""
    return re.fullmatch(r"[0-9]{1,5}", word) is not None and following.casefold() in _UNITS


def continues_time(word: str, following: str) -> bool:
    """Whether ``tomorrow`` or a date is followed by a clock time, or the other way round."""
    is_clock = [_CLOCK.fullmatch(each.casefold()) is not None for each in (word, following)]
    is_day = [each.casefold() in _DAYS for each in (word, following)]
    begins_day = is_day[0] or _DATE.fullmatch(word) is not None
    return (is_clock[0] and is_day[1]) or (is_clock[1] and begins_day)
