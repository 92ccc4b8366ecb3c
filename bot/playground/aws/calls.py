"""The record of every call, for tests that count what AWS was told."""

from __future__ import annotations

from dataclasses import dataclass

from bot.playground.aws.records import Json

CALLS_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class Call:
    """One call. ``outcome`` is ``ok``, an error code, ``lost_before`` or ``lost_after``.

    ``at`` is the wall's time; ``parameters`` is the request as it came.
    """

    service: str
    operation: str
    parameters: Json
    outcome: str
    at: float
    caller: str

    @property
    def took_effect(self) -> bool:
        """Whether the operation was carried out, answered or not."""
        return self.outcome in {"ok", "lost_after"}
