"""The audit trail as a table, and whether its chain verifies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError

from bot.model.deployment import AuditEntry, AuditRow
from bot.model.errors import QuarterdeckError
from bot.playground.page.templating import template
from bot.store.audit import Head, Verdict
from bot.store.database import Database, DatabaseTransaction

#: Most rows that are shown; all of them are verified.
ROWS = 100

_TONES: Final = {"allowed": "good", "done": "good", "denied": "bad", "failed": "bad"}
_AWAY = "The audit trail cannot be read now: the database does not answer."


@dataclass(slots=True)
class Verified:
    """What was found last, so that rows that are the same are not verified at every draw."""

    _lock: Lock = field(default_factory=Lock)
    _seen: tuple[Head | None, Sequence[AuditRow]] | None = None
    _verdict: Verdict | None = None

    def verdict(self, read: DatabaseTransaction, rows: Sequence[AuditRow]) -> Verdict:
        """On the whole chain, of which ``rows`` are the newest."""
        seen = (read.audit.head(), rows)
        with self._lock:
            if self._verdict is None or seen != self._seen:
                self._verdict, self._seen = read.audit.verify(), seen
            return self._verdict


def draw_trail(database: Database, verified: Verified | None = None) -> Markup:
    """The newest rows, newest first. A caller that draws often gives the same ``verified``."""
    try:
        with database.read() as read:
            rows = read.audit.search(limit=ROWS)
            verdict = (verified or Verified()).verdict(read, rows)
    except (QuarterdeckError, SQLAlchemyError):
        return _drawn(rows=[], line=_AWAY, tone="warn", broken=None)
    tone = "good" if verdict.intact else "bad"
    return _drawn(rows=rows, line=said(verdict), tone=tone, broken=verdict.seq)


def said(verdict: Verdict) -> str:
    """A verdict as a sentence."""
    if verdict.damage is None:
        count = verdict.checked
        return f"The chain of {count} {'row' if count == 1 else 'rows'} is intact."
    found = f"Row {verdict.seq} was {verdict.damage.value}: {verdict.explanation}."
    return f"{found} The {verdict.checked} rows before it are sound."


def _drawn(*, rows: Sequence[AuditRow], line: str, tone: str, broken: int | None) -> Markup:
    drawn = template("trail.html").render(
        rows=rows, most=ROWS, line=line, tone=tone, broken=broken, tones=_TONES, why=why
    )
    return Markup(drawn)  # noqa: S704 - an autoescaped template made it


def why(entry: AuditEntry) -> str:
    """A row's reason: what somebody wrote, with the code of a refusal."""
    return " · ".join(each for each in (entry.reason_code, entry.reason) if each)
