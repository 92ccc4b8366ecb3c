"""Rows of the audit trail."""

from __future__ import annotations

from bot.model.deployment import AuditRow
from bot.model.reply import AuditReport
from bot.slack.views.message import Message, context, message, paragraphs, section
from bot.slack.views.text import escaped, moment, person, short_digest


def audit(report: AuditReport) -> Message:
    """The rows, newest first, and what they were filtered by."""
    count = len(report.rows)
    said = f"Audit trail: {count} row{'' if count == 1 else 's'}."
    filters = ", ".join(
        f"{escaped(name, 40)} is {escaped(value, 80)}" for name, value in report.filters.items()
    )
    body = paragraphs(map(row_line, report.rows)) or [section("No row matches.")]
    return message(said, [*body, context(f"Filtered: {filters}." if filters else "Not filtered.")])


def row_line(row: AuditRow) -> str:
    """One row in one line: number, time, who, what, and with what outcome."""
    entry = row.entry
    parts = [
        f"`#{row.seq}` {moment(row.at)}",
        f"{person(entry.actor)} *{escaped(entry.action, 60)}* {escaped(entry.decision, 20)}",
        escaped(entry.deployment_id or entry.target, 90),
    ]
    if entry.to_digest:
        before = short_digest(entry.from_digest) or "unknown"
        parts.append(f"{before} → {short_digest(entry.to_digest)}")
    if entry.reason_code:
        parts.append(escaped(entry.reason_code, 60))
    if entry.reason:
        parts.append(escaped(entry.reason, 120))
    return ", ".join(part for part in parts if part)
