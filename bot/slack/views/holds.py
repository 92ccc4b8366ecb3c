"""Locks, freezes and the pause: everything that is in the way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from bot.model.reply import HoldsReport
from bot.slack.views.message import Message, message, paragraphs, section
from bot.slack.views.status import paused
from bot.slack.views.text import escaped, moment, person


def holds(report: HoldsReport, now: datetime) -> Message:
    """One line per hold: where, who, why, from and until when."""
    lines = list(_lines(report, now))
    count = len(lines)
    said = f"{count} hold{'' if count == 1 else 's'} in force." if lines else "Nothing is held."
    return message(said, paragraphs(lines) or [section(said)])


def _lines(report: HoldsReport, now: datetime) -> Iterator[str]:
    if report.paused:
        yield paused(report.paused)
    for lock in report.locks:
        where = f"{escaped(lock.service, 60)}/{escaped(lock.environment, 60)}"
        until = f"until {moment(lock.until)}" if lock.until else "until released"
        why = escaped(lock.reason, 200) or "no reason given"
        yield f"🔒 *{where}* {until}, by {person(lock.owner)}: {why}"
    for freeze in report.freezes:
        until = f"until {moment(freeze.until)}" if freeze.until else "until lifted"
        why = escaped(freeze.reason, 200) or "no reason given"
        where = escaped(freeze.environment, 60)
        begins = "" if freeze.since <= now else f"from {moment(freeze.since)} "
        yield f"🧊 *{where}* frozen {begins}{until}, by {person(freeze.owner)}: {why}"
    for environment, name, ends in report.windows:
        where = escaped(environment, 60)
        yield f"🧊 *{where}* freeze window {escaped(name, 80)}, until {moment(ends)}"
