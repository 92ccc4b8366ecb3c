"""The audit trail as a file: JSON Lines for programs, CSV for spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from enum import StrEnum
from typing import TextIO

from bot.model.deployment import AuditRow
from bot.store.audit import columns, compact
from bot.store.tables import audit


class Style(StrEnum):
    """How rows are written."""

    JSON_LINES = "jsonl"
    CSV = "csv"


COLUMNS = tuple(audit.columns.keys())
#: A cell that begins like this is a formula to a spreadsheet (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(rows: Iterable[AuditRow], style: Style, stream: TextIO) -> None:
    """Write ``rows`` to ``stream`` as they come, so that a trail of any length needs no memory.

    JSON Lines keep every value as it was hashed. In CSV a cell that a spreadsheet would run gets
    an apostrophe in front.
    """
    match style:
        case Style.JSON_LINES:
            stream.writelines(compact(columns(row)) + "\n" for row in rows)
        case Style.CSV:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            for row in rows:
                cells = columns(row) | {"detail": compact(row.entry.detail)}
                writer.writerow([_harmless(cells[name]) for name in COLUMNS])


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
