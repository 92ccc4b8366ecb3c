"""What the judge can say. Closed: whoever gets one matches all of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.analysis.tick import ERRORS, REQUESTS

#: Fewer errors in one tick are no incident that is worth a word.
INCIDENT = 10


class Outcome(StrEnum):
    """What to do with the canary now."""

    PASS = "pass"  # noqa: S105 - an outcome, no password
    HOLD = "hold"
    ABORT = "abort"
    INCONCLUSIVE = "inconclusive"


class Because(StrEnum):
    """Why. Codes are a contract: people search for them and dashboards count them."""

    INCREASE_EXCLUDED = "increase_excluded"
    BAKING = "baking"
    NO_TRAFFIC = "no_traffic"
    SHARED_INCIDENT = "shared_incident"
    ERRORS = "errors"
    ERRORS_AGAINST_HISTORY = "errors_against_history"
    SLOWNESS = "slowness"
    ERROR_LIMIT = "error_limit"
    TIME_LIMIT = "time_limit"
    NOT_EXCLUDED = "not_excluded"
    SUSPICION = "suspicion"
    TOO_FEW_REQUESTS = "too_few_requests"


#: Which outcome each reason is one of.
OUTCOMES = {
    Because.INCREASE_EXCLUDED: Outcome.PASS,
    Because.BAKING: Outcome.HOLD,
    Because.NO_TRAFFIC: Outcome.HOLD,
    Because.SHARED_INCIDENT: Outcome.HOLD,
    Because.ERRORS: Outcome.ABORT,
    Because.ERRORS_AGAINST_HISTORY: Outcome.ABORT,
    Because.SLOWNESS: Outcome.ABORT,
    Because.ERROR_LIMIT: Outcome.ABORT,
    Because.TIME_LIMIT: Outcome.ABORT,
    Because.NOT_EXCLUDED: Outcome.INCONCLUSIVE,
    Because.SUSPICION: Outcome.INCONCLUSIVE,
    Because.TOO_FEW_REQUESTS: Outcome.INCONCLUSIVE,
}


@dataclass(frozen=True, slots=True)
class Figures:
    """What a verdict rests on, up to its tick.

    ``ticks`` are those with traffic, ``silent`` those without since the last of them; ``canary``
    and ``stable`` are counts of all ticks, in the columns of ``analysis.tick``. The odds against
    chance are to 1: 1 says nothing, ``1 / alpha`` aborts.
    """

    step: int
    ticks: int
    silent: int
    canary: tuple[int, ...]
    stable: tuple[int, ...]
    error_odds: float
    history_odds: float
    slow_odds: float
    spared: int = 0

    @property
    def incident(self) -> bool:
        """Whether most of the stable version's errors are those of an incident."""
        return self.spared >= INCIDENT and 2 * self.spared > self.stable[ERRORS]

    @property
    def alone(self) -> bool:
        """Whether there was no stable version beside it to compare with."""
        return bool(self.canary[REQUESTS]) and not self.stable[REQUESTS]

    @property
    def odds(self) -> float:
        """Against chance, of whatever speaks most against it."""
        return max(self.history_odds if self.alone else self.error_odds, self.slow_odds)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``text`` is one or two plain sentences that hold nothing a person typed."""

    because: Because
    text: str
    figures: Figures

    @property
    def outcome(self) -> Outcome:
        """What to do now."""
        return OUTCOMES[self.because]
