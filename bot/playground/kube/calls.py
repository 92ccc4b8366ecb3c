"""The record of every call, for tests that count what the API server was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CALLS_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class Call:
    """One call. ``outcome`` is ``ok``, a Status reason, ``lost_before`` or ``lost_after``.

    ``resource`` carries its subresource (``deployments/scale``); it is empty for discovery.
    ``at`` is the wall's time; ``query`` and ``body`` are the request as it came.
    """

    verb: str
    resource: str
    namespace: str
    name: str
    user: str
    user_agent: str
    query: dict[str, str]
    body: Any
    outcome: str
    at: float

    @property
    def took_effect(self) -> bool:
        """Whether it was carried out, answered or not."""
        return self.outcome in {"ok", "lost_after"}
