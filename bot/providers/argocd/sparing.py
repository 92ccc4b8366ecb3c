"""A git host that does not answer is left alone for a while.

One look follows many rollouts, and each question to a host that is silent may wait for a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

from bot.model.errors import AccessDenied, QuarterdeckError, Throttled, Transient

Answer = TypeVar("Answer")

#: Seconds for which it is left alone at first, doubled each time, and at most.
_FIRST, _LONGEST = 3.0, 120.0


@dataclass(frozen=True, slots=True)
class _Silence:
    until: float
    lasts: float
    fault: QuarterdeckError


class Sparing:
    """Safe to share between threads; ``ticks`` counts seconds."""

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks = ticks
        self._lock = Lock()
        self._silent: dict[str, _Silence] = {}

    def ask(self, host: str, question: Callable[[], Answer]) -> Answer:
        """Its answer; the fault of the last question where that came a moment ago."""
        with self._lock:
            silence = self._silent.get(host)
        if silence is not None and self._ticks() < silence.until:
            fault = silence.fault
            raise type(fault)(fault.message, reason_code=fault.reason_code, hint=fault.hint)
        try:
            answer = question()
        except (Transient, AccessDenied) as fault:
            self._keep(host, fault, silence)
            raise
        with self._lock:
            self._silent.pop(host, None)
        return answer

    def _keep(self, host: str, fault: QuarterdeckError, before: _Silence | None) -> None:
        lasts = min(_LONGEST, 2 * before.lasts) if before is not None else _FIRST
        asked = fault.retry_after if isinstance(fault, Throttled) else 0.0
        with self._lock:
            self._silent[host] = _Silence(self._ticks() + max(lasts, asked), lasts, fault)
