"""The words in which a canary's conductor, what shifts its traffic, and what measures it talk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.model.canary_plan import CanaryPlan
from bot.model.catalog import TargetSpec
from bot.model.counts import Arm, Thresholds
from bot.model.deployment import SYSTEM, Person, Status
from bot.model.errors import QuarterdeckError
from bot.model.rollout import End


class Goal(StrEnum):
    """What is aimed at, from the first task to the last trace."""

    SHARE = "share"
    EVERYTHING = "everything"
    NOTHING = "nothing"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Aim:
    """Where a canary is to be brought.

    - ``SHARE``: ``tasks`` healthy tasks (``None``: as many as the share takes) that get ``share``
      of the traffic, at the plan's ``step``, counted from 0;
    - ``EVERYTHING``: the new version is the only one that serves, rolled out as any other is;
    - ``NOTHING``: no request reaches the canary any more;
    - ``GONE``: nothing of the canary is left.

    ``before`` is the share that was read back last: weights that are neither that nor the aim's
    were changed by somebody else. ``since`` is when it was aimed at first.
    """

    goal: Goal
    since: datetime
    step: int = 0
    share: float = 0.0
    tasks: int | None = None
    before: float = 0.0


@dataclass(frozen=True, slots=True)
class Crew:
    """Tasks (or pods) of one version: how many are wanted, run, and pass their health checks."""

    desired: int = 0
    running: int = 0
    healthy: int = 0


@dataclass(frozen=True, slots=True)
class Arms:
    """The names by which a metrics source tells the two versions apart.

    For CloudWatch they are the ARNs of target groups, for Prometheus what is put in place of
    ``{{version}}``. ``load_balancer`` is CloudWatch's dimension (``app/web/50dc6c495c0c9188``).
    """

    stable: str
    canary: str
    load_balancer: str = ""


@dataclass(frozen=True, slots=True)
class Stand:
    """How a canary stands, as it was read back.

    ``reached`` says that the aim is true now. ``share`` is the canary's share of the traffic,
    from 0 to 1, ``None`` where it cannot be told. ``doing`` is what is under way, one clause.
    ``blocked`` is why nothing more may be done without a person (the stable version is unhealthy,
    somebody else changed the weights), a sentence; ``foreign`` says that it is the latter. ``end``
    is how it ended by itself or by somebody else's hand. ``arms`` are set once both versions can
    be measured. ``expires_at`` is when a provider that waits for our answer stops waiting.
    """

    reached: bool
    share: float | None
    canary: Crew = field(default_factory=Crew)
    stable: Crew = field(default_factory=Crew)
    doing: str = ""
    blocked: str = ""
    foreign: bool = False
    end: End | None = None
    explanation: str = ""
    reason_code: str = ""
    events: tuple[str, ...] = ()
    arms: Arms | None = None
    expires_at: datetime | None = None


class Phase(StrEnum):
    """Where a canary is in its life. The traffic is off it from ``CLEANING`` on."""

    SHIFTING = "shifting"
    BAKING = "baking"
    ASKING = "asking"
    PROMOTING = "promoting"
    RETURNING = "returning"
    CLEANING = "cleaning"
    OVER = "over"


class Act(StrEnum):
    """What a person may ask of a running canary. ``GO_ON`` ends a ``HOLD``."""

    PROMOTE = "promote"
    PROMOTE_FULLY = "promote_fully"
    HOLD = "hold"
    GO_ON = "go_on"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked of a canary and is not carried out yet."""

    act: Act
    by: Person
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The judge's newest words: outcome and reason as in ``analysis.verdict``, odds to 1.

    ``canary`` and ``stable`` are counts of all ticks, in the columns of ``analysis.tick``.
    """

    outcome: str
    because: str
    text: str
    odds: float
    canary: tuple[int, ...]
    stable: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """What a source knows of the stable version over the hour before; see ``analysis.history``.

    ``ticks`` are closed ones, oldest first, counted beyond the hour's own ``quantiles`` (seconds,
    at .75, .95, .99; ``None`` where response times are not measured). ``pods`` are the deviation
    between replicas of their median response time, as a share of it, and of how many replicas.
    """

    ticks: tuple[Arm, ...]
    tick_seconds: int
    quantiles: tuple[float, float, float] | None = None
    pods: tuple[float, int] = (0.0, 0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Ticks that are asked for: closed ones of both versions that begin at ``since`` or later.

    ``canary`` and ``stable`` are what to count; ``None`` where response times are not measured.
    """

    deployment_id: str
    spec: TargetSpec
    arms: Arms
    since: datetime
    canary: Thresholds | None
    stable: Thresholds | None


@dataclass(frozen=True, slots=True)
class Reading:
    """One closed tick of both versions over the same seconds; it never changes any more."""

    begins: datetime
    seconds: int
    canary: Arm
    stable: Arm


@dataclass(frozen=True, slots=True)
class Measured:
    """A reading as it is kept: at which step of the plan it was taken, counted from 0."""

    reading: Reading
    step: int


@dataclass(frozen=True, slots=True)
class Readings:
    """One question for many canaries: what was measured, oldest first, and why others were not."""

    seen: Mapping[str, Sequence[Reading]]
    faults: Mapping[str, QuarterdeckError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a canary's deployment ends once no traffic reaches it: decided, not yet done."""

    status: Status
    reason_code: str
    explanation: str
    by: Person = SYSTEM


@dataclass(frozen=True, slots=True)
class Canary:
    """What Quarterdeck keeps about one canary, beside its deployment. Times are aware, in UTC.

    ``plan`` is the catalog's of the moment it began. ``step`` is where it is, or is on its way to,
    counted from 0; ``share`` is what was read back last. ``since`` is when ``phase`` began,
    ``calm_since`` when the judge last had something to go by. ``shifts`` are when the share of each
    step was read back first. ``measured_until`` is the end of the newest tick.
    ``down_since`` is since when its traffic meets no healthy task. ``held_by`` keeps it at its
    step; ``wish`` is what a person asked for last. ``extended`` says that the step bakes once more.
    ``foreseen`` says what its traffic can show in the plan's time.
    ``trouble`` is why nothing more is done for now, a sentence. ``spec`` is its target's entry in
    the catalog of the moment it began: whatever is edited since, it is taken back from there.
    ``ending`` is how its deployment ends once the traffic is off it, as status, reason code and
    explanation. ``version`` counts writes: each change is a compare-and-set on it.
    """

    deployment_id: str
    plan: CanaryPlan
    phase: Phase
    since: datetime
    step: int = 0
    share: float = 0.0
    past: Past | None = None
    arms: Arms | None = None
    shifts: tuple[datetime, ...] = ()
    measured_until: datetime | None = None
    calm_since: datetime | None = None
    canary: Crew = field(default_factory=Crew)
    stable: Crew = field(default_factory=Crew)
    doing: str = ""
    trouble: str = ""
    expires_at: datetime | None = None
    judgement: Judgement | None = None
    held_by: Person | None = None
    wish: Wish | None = None
    extended: bool = False
    ending: Ended | None = None
    version: int = 1
    down_since: datetime | None = None
    spec: TargetSpec | None = None
    foreseen: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing of it is left to do."""
        return self.phase is Phase.OVER

    @property
    def off(self) -> bool:
        """Whether no traffic reaches it any more, as it was read back."""
        return self.phase in {Phase.CLEANING, Phase.OVER}
