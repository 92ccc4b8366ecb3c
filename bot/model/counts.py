"""What is counted of one version in one closed tick, and beyond which times it is counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arm:
    """Counts of one version in one tick, in requests.

    ``slow`` are those slower than the threshold of each of ``analysis.tick.QUANTILES``, ``gross``
    those slower than the threshold for gross slowness, ``over`` those slower than the limit a user
    set. For the stable version and for the canary the thresholds differ (``plan.thresholds``).
    Where response times are not measured, all three stay 0.

    Raises ``ValueError`` where more requests failed or were slow than were served.
    """

    requests: int
    errors: int = 0
    slow: tuple[int, int, int] = (0, 0, 0)
    gross: int = 0
    over: int = 0

    def __post_init__(self) -> None:
        parts = (self.errors, *self.slow, self.gross, self.over)
        if min(parts) < 0 or max(parts) > self.requests:
            raise ValueError(f"Of {self.requests} requests there cannot be {parts}.")

    @property
    def counts(self) -> tuple[int, ...]:
        """The columns, in the order of ``analysis.tick``."""
        return (self.requests, self.errors, *self.slow, self.gross, self.over)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Response times in seconds beyond which requests are counted for one arm of a tick."""

    slow: tuple[float, float, float]
    gross: float
    over: float | None
