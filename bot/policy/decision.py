"""What a decision can be. Closed: whoever gets one matches all of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.policy.reasons import ReasonCode


@dataclass(frozen=True, slots=True)
class Reason:
    """Why not. ``text`` is plain; ``what_to_do`` may name who can help, as Slack mentions.

    Neither holds anything a person typed, but neutralised (``model.wording``).
    """

    code: ReasonCode
    text: str
    what_to_do: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth recording that stands in nobody's way."""

    code: ReasonCode
    text: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """Go on. ``remarks`` belong on the card and in the audit trail."""

    remarks: tuple[Note, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """The remarks as sentences."""
        return tuple(remark.text for remark in self.remarks)

    @property
    def overridden_freeze(self) -> str:
        """What was overridden, or an empty string where no freeze was in the way."""
        return _overridden(self.remarks)


@dataclass(frozen=True, slots=True)
class NeedsApproval:
    """Go on once ``approvals`` different people agreed, one of them of ``required_group``."""

    approvals: int
    required_group: str | None
    expires_after: timedelta
    remarks: tuple[Note, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """The remarks as sentences."""
        return tuple(remark.text for remark in self.remarks)

    @property
    def overridden_freeze(self) -> str:
        """What was overridden, or an empty string where no freeze was in the way."""
        return _overridden(self.remarks)


@dataclass(frozen=True, slots=True)
class Denied:
    """No. Every reason there is, the weightiest first; never empty."""

    reasons: tuple[Reason, ...]


Decision = Allowed | NeedsApproval | Denied
Verdict = Allowed | Denied


def _overridden(remarks: tuple[Note, ...]) -> str:
    found = (note.text for note in remarks if note.code is ReasonCode.FREEZE_OVERRIDDEN)
    return " ".join(found)
