"""The audit trail as a file."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from bot.model.deployment import AuditEntry, AuditRow, Person
from bot.store.audit import GENESIS, Head, chain
from bot.store.export import COLUMNS, Style, write

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def rows(*reasons: str) -> list[AuditRow]:
    alice = Person("U1", "alice")
    entries = [
        AuditEntry(alice, "deploy.requested", "allowed", reason=reason, detail={"a": "b"})
        for reason in reasons
    ]
    return chain(Head(0, GENESIS), [(NOON, entry) for entry in entries])


def written(style: Style, *reasons: str) -> str:
    stream = io.StringIO()
    write(rows(*reasons), style, stream)
    return stream.getvalue()


def test_json_lines_hold_every_column() -> None:
    lines = written(Style.JSON_LINES, "ünïcödé", 'a "quote"').splitlines()
    first, second = (json.loads(line) for line in lines)
    assert set(first) == set(COLUMNS)
    assert (first["seq"], first["reason"], first["detail"]) == (1, "ünïcödé", {"a": "b"})
    assert first["at"] == "2026-03-02T12:00:00.000000Z"
    assert second["previous"] == first["digest"]


def test_csv_holds_every_column_and_survives_a_round_trip() -> None:
    reason = 'a, "quote"; and ünïcödé'
    (first,) = csv.DictReader(io.StringIO(written(Style.CSV, reason)))
    assert tuple(first) == COLUMNS
    assert (first["seq"], first["reason"], first["detail"]) == ("1", reason, '{"a":"b"}')


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://evil","x")']
)
def test_a_spreadsheet_runs_nothing(cell: str) -> None:
    (first,) = csv.DictReader(io.StringIO(written(Style.CSV, cell), newline=""))
    assert first["reason"] == f"'{cell}"
    assert json.loads(written(Style.JSON_LINES, cell))["reason"] == cell


def test_an_empty_trail_is_a_header() -> None:
    assert written(Style.CSV) == ",".join(COLUMNS) + "\r\n"
    assert written(Style.JSON_LINES) == ""
