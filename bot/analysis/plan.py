"""What a canary is judged by: tolerances, limits and steps, fixed before it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import sqrt

from bot.analysis.history import History
from bot.model.counts import Thresholds

#: Nothing faster than this is told from noise in response times, whatever the replicas are like.
LEAST_SLOWER = 0.15
#: So many deviations between replicas may a healthy one be away from the others, where it is not
#: known of how many replicas the deviation was measured.
DEVIATIONS = 3.0
#: Else one more replica is within this quantile (.995) of what others like it predict.
Z995 = 2.5758
#: Of fewer replicas no deviation is worth predicting from.
FEWEST_REPLICAS = 4
#: So many times the .95 quantile is gross.
GROSS = 5.0


@dataclass(frozen=True, slots=True)
class Step:
    """``share`` of the traffic for ``bake`` ticks with traffic.

    It passes when an increase of the error rate by more than ``increase`` (a share of requests:
    0.01 is one percentage point) can be excluded, and after ``requests`` of the canary at least.
    """

    share: float
    bake: int
    increase: float = 0.01
    requests: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or not 0 < self.increase < 1:
            raise ValueError("A share and an increase lie between 0 and 1.")
        if self.bake < 1 or self.requests < 0:
            raise ValueError("A step bakes for one tick at least.")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a user never accepts: a share of failed requests, a .95 quantile in seconds.

    Nobody accepts that most requests fail, whatever errors were like before.
    """

    error_rate: float = 0.5
    p95: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.error_rate < 1:
            raise ValueError("A limit of the error rate lies between 0 and 1.")
        if self.p95 is not None and self.p95 <= 0:
            raise ValueError("A limit of the response time is above 0.")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What an operator puts up with: ``ratio`` times the stable error rate plus ``floor``.

    ``warm_up`` is added to it in the first ticks of a step, as new tasks start cold;
    ``slow_warm_up`` is by how many times more requests may be slow then, ``None`` where nothing
    is said of them yet.
    """

    ratio: float = 1.5
    floor: float = 0.0005
    warm_up: tuple[float, ...] = (0.02, 0.01, 0.005)
    slow_warm_up: tuple[float | None, ...] = (None, None, None, 1.6, 1.3)

    def __post_init__(self) -> None:
        if self.ratio < 1 or self.floor < 0 or any(each < 0 for each in self.warm_up):
            raise ValueError("A tolerance cannot ask for a canary that is better than the stable.")
        if any(each is not None and each < 1 for each in self.slow_warm_up):
            raise ValueError("A tolerance cannot ask for a canary that is faster than the stable.")


def warming_for(ticks: int) -> Tolerance:
    """For a service whose new tasks are warm after so many ticks; three are the default.

    What is put up with begins alike and halves with every tick; of slowness nothing is said
    meanwhile, and little in the two ticks after it.
    """
    if ticks < 1:
        return Tolerance(warm_up=(), slow_warm_up=())
    usual = Tolerance()
    first, after = usual.warm_up[0], usual.slow_warm_up[len(usual.warm_up) :]
    errors = tuple(first / 2**tick for tick in range(ticks))
    return Tolerance(warm_up=errors, slow_warm_up=(None,) * ticks + after)


@dataclass(frozen=True, slots=True)
class Plan:
    """``alpha`` is the nominal chance of a false abort, for errors and for slowness each.

    ``extension`` is how many ticks more a step may bake while it is inconclusive.
    """

    steps: tuple[Step, ...] = (Step(0.1, 30),)
    history: History = field(default_factory=History)
    tolerance: Tolerance = field(default_factory=Tolerance)
    limits: Limits = field(default_factory=Limits)
    alpha: float = 0.04
    extension: int = 0

    def __post_init__(self) -> None:
        if not self.steps or any(a.share >= b.share for a, b in pairwise(self.steps)):
            raise ValueError("Shares increase from step to step.")
        if not 0 < self.alpha < 1 or self.extension < 0:
            raise ValueError("Alpha lies between 0 and 1, an extension is at least 0.")

    @property
    def horizon(self) -> int:
        """Ticks over which a regression may begin and still be bet on."""
        return sum(step.bake for step in self.steps) + self.extension

    @property
    def slower(self) -> float:
        """By what share of its time the canary may be slower: one replica is one draw."""
        return max(LEAST_SLOWER, _deviations(self.history.replicas) * self.history.pod_deviation)

    def thresholds(self, *, canary: bool) -> Thresholds | None:
        """What to count for either arm; ``None`` where response times are not measured."""
        if self.history.quantiles is None:
            return None
        first, second, third = self.history.quantiles
        by, gross = (1 + self.slower, GROSS) if canary else (1.0, 1.0)
        return Thresholds((by * first, by * second, by * third), gross * second, self.limits.p95)


def _deviations(replicas: int) -> float:
    """How many measured deviations one more replica may be away from the mean of ``replicas``.

    The prediction interval of the normal law: a deviation of few replicas is itself uncertain.
    Student's quantile by Cornish-Fisher (Abramowitz and Stegun 26.7.5).
    """
    if replicas < FEWEST_REPLICAS:
        return DEVIATIONS
    z, free = Z995, replicas - 1
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    student = z + first / free + second / free**2 + third / free**3
    return float(student * sqrt(1 + 1 / replicas))
