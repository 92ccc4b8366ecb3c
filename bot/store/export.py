"""The audit trail as a file: JSON Lines for programs, CSV for spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from enum import StrEnum
from typing import TextIO

from bot.model.deployment import AuditRow
from bot.store.audit import compact, moment


class Style(StrEnum):
    """How rows are written."""

    JSON_LINES = "jsonl"
    CSV = "csv"


COLUMNS = (
    "seq",
    "at",
    "actor_id",
    "actor_name",
    "action",
    "decision",
    "target",
    "deployment_id",
    "from_digest",
    "to_digest",
    "reason",
    "reason_code",
    "request_id",
    "detail",
    "previous",
    "digest",
)
#: A cell that begins like this is a formula to a spreadsheet (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(rows: Iterable[AuditRow], style: Style, stream: TextIO) -> None:
    """Write ``rows`` to ``stream`` as they come, so that a trail of any length needs no memory.

    JSON Lines keep every value as it was hashed. In CSV a cell that a spreadsheet would run gets
    an apostrophe in front.
    """
    match style:
        case Style.JSON_LINES:
            stream.writelines(compact(record(row)) + "\n" for row in rows)
        case Style.CSV:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            for row in rows:
                cells = record(row) | {"detail": compact(row.entry.detail)}
                writer.writerow([_harmless(cells[name]) for name in COLUMNS])


def record(row: AuditRow) -> dict[str, object]:
    """A row with every column under its name; ``detail`` is an object."""
    entry = row.entry
    return {
        "seq": row.seq,
        "at": moment(row.at),
        "actor_id": entry.actor.id,
        "actor_name": entry.actor.name,
        "action": entry.action,
        "decision": entry.decision,
        "target": entry.target,
        "deployment_id": entry.deployment_id,
        "from_digest": entry.from_digest,
        "to_digest": entry.to_digest,
        "reason": entry.reason,
        "reason_code": entry.reason_code,
        "request_id": entry.request_id,
        "detail": entry.detail,
        "previous": row.previous,
        "digest": row.digest,
    }


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
