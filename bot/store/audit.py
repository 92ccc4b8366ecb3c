"""The audit chain, pure: what a row's digest is taken over, and what a broken chain tells.

Every row holds the digest of the one before it. A digest is SHA-256, in hex, over that digest and
the row's canonical JSON: sorted keys, no white space, UTF-8, the time in UTC to the microsecond.
So a row that was changed, removed or inserted breaks the chain where it happened; the head (number
and digest of the newest row, kept apart) and anchors that somebody noted elsewhere tell when rows
at the end are missing, or when the whole chain was written anew from some row on.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from bot.model.deployment import AuditEntry, AuditRow, Person

#: What the first row stands on.
GENESIS = "0" * 64
#: Longest texts, in characters: what people write, and everything else.
WORDS, NAMES = 2000, 512
#: Most details of one row.
DETAILS = 50

_MOMENT = "%Y-%m-%dT%H:%M:%S.%fZ"
_DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class Head:
    """The number and digest of the newest row; 0 and ``GENESIS`` before the first."""

    seq: int
    digest: str


class Damage(StrEnum):
    """What was done to a row, as far as the chain can tell."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``checked`` rows are sound. ``damage`` at row ``seq`` is the first, if any.

    ``explanation`` completes "row 7 was changed: ..."; ``head`` is the last row that stood.
    """

    checked: int
    head: Head
    damage: Damage | None = None
    seq: int | None = None
    explanation: str = ""

    @property
    def intact(self) -> bool:
        """Whether nothing was found."""
        return self.damage is None


def moment(at: datetime) -> str:
    """A time as the chain writes it: UTC, ISO 8601, microseconds."""
    return at.astimezone(UTC).strftime(_MOMENT)


def read_moment(text: str) -> datetime:
    """The reverse of ``moment``. Raises ``ValueError`` for any other spelling."""
    at = datetime.strptime(text, _MOMENT).replace(tzinfo=UTC)
    if moment(at) != text:
        raise ValueError("not a canonical time")
    return at


def compact(value: object) -> str:
    """Canonical JSON."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def hashed(row: AuditRow) -> dict[str, Any]:
    """What a digest is taken over: every column but the two digests, by name.

    The one list of them: a column that is stored is hashed, and one that is hashed is exported.
    """
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
    }


def columns(row: AuditRow) -> dict[str, Any]:
    """A whole row, by name; ``detail`` is an object."""
    return {**hashed(row), "previous": row.previous, "digest": row.digest}


def canonical(row: AuditRow) -> str:
    """Every column of a row but the two digests, as canonical JSON."""
    return compact(hashed(row))


def digest(row: AuditRow) -> str:
    """What ``row.digest`` must be."""
    whole = row.previous + canonical(row)
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


def chain(head: Head, entries: Iterable[tuple[datetime, AuditEntry]]) -> list[AuditRow]:
    """The rows that come after ``head``."""
    rows = []
    for at, entry in entries:
        bare = AuditRow(head.seq + 1, at, entry, head.digest, "")
        row = replace(bare, digest=digest(bare))
        rows.append(row)
        head = Head(row.seq, row.digest)
    return rows


def plain(text: str, limit: int = NAMES) -> str:
    """One bounded line: characters that control a terminal or reorder text become escapes.

    Deterministic, and what comes out stays as it is when it goes in again.
    """
    shown = "".join(_shown(character) for character in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _shown(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Cc", "Cs", "Zl", "Zp"} or character in _DIRECTIONS:
        return character.encode("unicode_escape").decode("ascii")
    return character


def bounded(entry: AuditEntry) -> AuditEntry:
    """An entry as it is written."""
    detail = {
        plain(key, 64): plain(value, WORDS) for key, value in sorted(entry.detail.items())[:DETAILS]
    }
    return AuditEntry(
        actor=Person(plain(entry.actor.id), plain(entry.actor.name)),
        action=plain(entry.action),
        decision=plain(entry.decision),
        target=plain(entry.target),
        deployment_id=plain(entry.deployment_id),
        from_digest=plain(entry.from_digest),
        to_digest=plain(entry.to_digest),
        reason=plain(entry.reason, WORDS),
        reason_code=plain(entry.reason_code),
        request_id=plain(entry.request_id),
        detail=detail,
    )


def verify(rows: Iterable[AuditRow], head: Head | None, anchors: Sequence[Head] = ()) -> Verdict:
    """Walk the chain from its first row and name the first row that was tampered with.

    ``rows`` come by number, oldest first, and are read once. ``head`` is the stored one (``None``
    where it is gone). ``anchors`` are heads that somebody kept outside of the database: with them
    even one who rewrites everything is found out.
    """
    known = {anchor.seq: anchor.digest for anchor in anchors if anchor.seq > 0}
    walk = _Walk()
    ahead = iter(rows)
    row = next(ahead, None)
    while row is not None:
        following = next(ahead, None)
        damage = walk.examine(row, following)
        if damage is not None:
            return damage
        if known.pop(row.seq, row.digest) != row.digest:
            said = "its digest is not the one that was kept outside of the database"
            return walk.found(Damage.CHANGED, row.seq, said)
        walk.accept(row)
        row = following
    return _end(walk, head, max(known, default=0))


def _end(walk: _Walk, head: Head | None, anchored: int) -> Verdict:
    last = walk.head.seq
    if head is None:
        return walk.found(Damage.REMOVED, last + 1, "the stored head of the trail is gone")
    if max(head.seq, anchored) > last:
        said = f"the trail once reached row {max(head.seq, anchored)}"
        return walk.found(Damage.REMOVED, last + 1, said)
    if head.seq < last:
        said = f"the stored head says that row {head.seq} is the newest"
        return walk.found(Damage.INSERTED, head.seq + 1, said)
    if head.digest != walk.head.digest:
        return walk.found(Damage.CHANGED, last, "its digest is not the one of the stored head")
    return Verdict(last, walk.head)


class _Walk:
    """Where the walk stands: ``head`` is the last sound row, ``before`` the digest it stood on."""

    def __init__(self) -> None:
        self.head = Head(0, GENESIS)
        self.before: str | None = None

    def accept(self, row: AuditRow) -> None:
        self.before = self.head.digest
        self.head = Head(row.seq, row.digest)

    def found(self, damage: Damage, seq: int, explanation: str) -> Verdict:
        return Verdict(min(self.head.seq, seq - 1), self.head, damage, seq, explanation)

    def examine(self, row: AuditRow, following: AuditRow | None) -> Verdict | None:
        """``None`` where the row stands where it belongs."""
        due = self.head.seq + 1
        if row.seq > due:
            return self.found(Damage.REMOVED, due, f"the next row that exists is {row.seq}")
        if row.seq < due:
            return self.found(Damage.INSERTED, row.seq, "there is another row of this number")
        own = digest(row) == row.digest
        if row.previous == self.head.digest:
            return None if own else self._unlike(row, following)
        return self._elsewhere(row, following, own=own)

    def _unlike(self, row: AuditRow, following: AuditRow | None) -> Verdict:
        """The row is chained to the one before it, but is not what was hashed."""
        if following is not None and following.previous == row.previous:
            return self.found(Damage.INSERTED, row.seq, "the next row stands on the one before it")
        return self.found(Damage.CHANGED, row.seq, "it is not what its digest was taken over")

    def _elsewhere(self, row: AuditRow, following: AuditRow | None, *, own: bool) -> Verdict:
        """The row is chained to something else than the row before it."""
        if self.before is not None and row.previous == self.before:
            said = f"row {row.seq} stands on the one before it"
            return self.found(Damage.INSERTED, row.seq - 1, said)
        if digest(replace(row, seq=row.seq + 1)) == row.digest:
            if following is not None and following.previous == self.head.digest:
                return self.found(Damage.CHANGED, row.seq, "it changed places with the next row")
            said = "what stands there now was numbered one higher"
            return self.found(Damage.REMOVED, row.seq, said)
        if own and self.before is not None:
            said = f"row {row.seq} is sound, but stands on another digest than this row has"
            return self.found(Damage.CHANGED, row.seq - 1, said)
        return self.found(Damage.CHANGED, row.seq, "it does not stand on the row before it")
