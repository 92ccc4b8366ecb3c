"""The chain, pure: every single tampering is found, whatever it was."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.deployment import AuditEntry, AuditRow, Person
from bot.store.audit import (
    DETAILS,
    GENESIS,
    NAMES,
    WORDS,
    Damage,
    Head,
    bounded,
    canonical,
    chain,
    compact,
    moment,
    plain,
    read_moment,
    verify,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ENTRY = AuditEntry(
    Person("U1", "alice"), "deploy.requested", "allowed", detail={"b": "2", "a": "ü"}
)


def entries(count: int) -> list[tuple[datetime, AuditEntry]]:
    return [(NOON, replace(ENTRY, reason=str(number))) for number in range(count)]


def head_of(rows: Sequence[AuditRow]) -> Head:
    return Head(rows[-1].seq, rows[-1].digest) if rows else Head(0, GENESIS)


def test_a_digest_can_be_computed_by_anybody() -> None:
    """The format is what an auditor's own program relies on: it never changes."""
    (row,) = chain(Head(0, GENESIS), [(NOON, ENTRY)])
    text = (
        '{"action":"deploy.requested","actor_id":"U1","actor_name":"alice",'
        '"at":"2026-03-02T12:00:00.000000Z","decision":"allowed","deployment_id":"",'
        '"detail":{"a":"ü","b":"2"},"from_digest":"","reason":"","reason_code":"",'
        '"request_id":"","seq":1,"target":"","to_digest":""}'
    )
    assert canonical(row) == text
    assert row.digest == hashlib.sha256(("0" * 64 + text).encode()).hexdigest()
    assert row.digest == "9eb8c23e3d076fc53ac967fb3a78ffd0d5c54209ef3eebfd240666f023d5e250"


def test_every_column_is_hashed() -> None:
    (row,) = chain(Head(0, GENESIS), [(NOON, ENTRY)])
    changed = [replace(row, seq=2), replace(row, at=NOON + timedelta(microseconds=1))]
    for field in fields(AuditEntry):
        others: dict[str, Any] = {"actor": Person("U2", "alice"), "detail": {}}
        value = others.get(field.name, "changed")
        changed.append(replace(row, entry=replace(ENTRY, **{field.name: value})))
    changed.append(replace(row, entry=replace(ENTRY, actor=Person("U1", "bob"))))
    texts = {canonical(one) for one in changed}
    assert len(texts) == len(changed)
    assert canonical(row) not in texts


def test_a_time_is_written_in_utc() -> None:
    berlin = NOON.astimezone(timezone(timedelta(hours=1)))
    assert moment(berlin) == "2026-03-02T12:00:00.000000Z"
    assert read_moment(moment(berlin)) == NOON


@pytest.mark.parametrize("text", ["2026-03-02T12:00:00Z", "2026-3-02T12:00:00.000000Z", "noon"])
def test_a_time_has_one_spelling(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_moment(text)


def test_canonical_json_has_one_spelling() -> None:
    assert compact({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'


@given(st.text())
def test_plain_text_stays_plain(text: str) -> None:
    once = plain(text)
    assert plain(once) == once
    assert len(once) <= NAMES
    once.encode()  # no half of a surrogate pair is left
    assert "\x00" not in once
    assert len(once.splitlines()) <= 1


def test_plain_text_says_that_it_was_cut() -> None:
    assert plain("x" * NAMES) == "x" * NAMES
    assert plain("x" * (NAMES + 1)) == "x" * (NAMES - 1) + "…"
    assert plain("\n" * NAMES).endswith("…")


def test_emoji_and_scripts_are_kept() -> None:
    assert plain("Zoë 数据 🚢 👩‍💻 עברית") == "Zoë 数据 🚢 👩‍💻 עברית"


def test_an_entry_is_bounded() -> None:
    many = {f"key {number:03}": "v" * 10_000 for number in range(DETAILS + 10)}
    kept = bounded(replace(ENTRY, reason="r" * 10_000, action="a" * 10_000, detail=many))
    assert (len(kept.reason), len(kept.action), len(kept.detail)) == (WORDS, NAMES, DETAILS)
    assert {len(value) for value in kept.detail.values()} == {WORDS}


def test_an_empty_trail_is_whole() -> None:
    verdict = verify([], Head(0, GENESIS))
    assert verdict.intact
    assert verdict.checked == 0


def test_rows_are_read_once_and_as_they_come() -> None:
    rows = chain(Head(0, GENESIS), entries(5))
    assert verify(iter(rows), head_of(rows)).checked == 5


@given(st.integers(1, 8), st.data())
def test_one_tampering_anywhere_is_found(count: int, data: st.DataObject) -> None:
    rows = chain(Head(0, GENESIS), entries(count))
    head = head_of(rows)
    at = data.draw(st.integers(0, count - 1))
    what = data.draw(st.sampled_from(["change", "remove", "insert"]))
    tampered = list(rows)
    if what == "change":
        tampered[at] = replace(rows[at], entry=replace(rows[at].entry, reason="changed"))
        expected = (Damage.CHANGED, at + 1)
    elif what == "remove":
        del tampered[at]
        expected = (Damage.REMOVED, at + 1)
    else:
        forged = chain(Head(at, rows[at].previous), [(NOON, replace(ENTRY, reason="forged"))])
        moved = [replace(row, seq=row.seq + 1) for row in rows[at:]]
        tampered = [*rows[:at], *forged, *moved]
        expected = (Damage.INSERTED, at + 1)
    verdict = verify(tampered, head)
    assert (verdict.damage, verdict.seq) == expected
    assert verdict.checked == at


def test_a_row_that_is_there_twice_was_inserted() -> None:
    rows = chain(Head(0, GENESIS), entries(3))
    verdict = verify([rows[0], rows[1], rows[1], rows[2]], head_of(rows))
    assert (verdict.damage, verdict.seq) == (Damage.INSERTED, 2)


def test_a_forged_row_without_a_fitting_digest_was_inserted() -> None:
    rows = chain(Head(0, GENESIS), entries(3))
    forged = replace(rows[1], entry=replace(ENTRY, reason="forged"), digest="f" * 64)
    moved = [replace(row, seq=row.seq + 1) for row in rows[1:]]
    verdict = verify([rows[0], forged, *moved], Head(4, rows[-1].digest))
    assert (verdict.damage, verdict.seq) == (Damage.INSERTED, 2)


def test_an_anchor_before_the_first_row_says_nothing() -> None:
    rows = chain(Head(0, GENESIS), entries(2))
    assert verify(rows, head_of(rows), [Head(0, GENESIS), head_of(rows[:1])]).intact
