"""The words in which a rollout provider and the workflows talk to each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from typing_extensions import override

from bot.model.deployment import SYSTEM, Image, Person, Progress
from bot.model.errors import QuarterdeckError


@dataclass(frozen=True, slots=True)
class Live:
    """What runs on a target right now.

    ``steady`` is false while any rollout is under way there, ours or somebody else's. ``image``
    is ``None`` where the container's image is not pinned to a digest and none can be read back.
    ``drift`` says how what runs differs from what it was told to run, where there are two places
    to look at (git and the cluster). ``downtime`` is what keeps a rollout from being free of
    downtime, each a clause for people; nothing where a rollout sets it right by itself.
    """

    revision: str
    image: Image | None
    desired: int
    running: int
    steady: bool
    rollout: str = ""
    drift: str = ""
    downtime: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """What one rollout is to achieve. ``deployment_id`` tags everything made for it.

    ``revision`` is set when an existing revision is to run again (a rollback); otherwise
    ``prepare`` makes one from ``base`` (the revision that ran when the order was given). One that
    ``undoes`` brings back what ran before ``base``, which was ours, and nothing but that. Who
    asked, who approved and why are for the provider's own record of it.
    """

    deployment_id: str
    image: Image
    base: str
    revision: str | None = None
    requester: Person = SYSTEM
    approvers: tuple[Person, ...] = ()
    reason: str = ""
    undoes: bool = False


class Told(StrEnum):
    """Whether an earlier ``start`` reached the provider, as far as it can be read back."""

    YES = "yes"
    NO = "no"
    SOMEONE_ELSE = "someone_else"
    CANNOT_KNOW = "cannot_know"


@dataclass(frozen=True, slots=True)
class ReadBack:
    """The answer to "did my earlier call take effect?"; ``handle`` is set when it did."""

    told: Told
    handle: str | None = None
    explanation: str = ""


class End(StrEnum):
    """How a rollout ended, by the provider's own account."""

    SUCCEEDED = "succeeded"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    UNKNOWN = "outcome_unknown"


@dataclass(frozen=True, slots=True)
class Watched:
    """One rollout to observe: the provider's handle and revision, under our deployment's id.

    ``since`` is when the provider was told, by our clock; where it is not known, less can be
    told of a rollout that the provider no longer shows.
    """

    deployment_id: str
    revision: str
    handle: str | None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What one look at a rollout showed. ``end`` is ``None`` while it goes on.

    ``explanation`` is the provider's own reason; ``reason_code`` names an end more closely than its
    state does (DEGRADED, SYNC_FAILED), where the provider tells such ends apart. ``events`` are its
    newest messages and stopped-task reasons, oldest first, each a single line, for the thread.
    """

    progress: Progress
    end: End | None = None
    explanation: str = ""
    events: tuple[str, ...] = ()
    reason_code: str = ""


@dataclass(frozen=True, slots=True)
class Looks(Mapping[str, Observation]):
    """One look at many rollouts, by deployment id: what was seen, and why the others were not."""

    seen: Mapping[str, Observation]
    faults: Mapping[str, QuarterdeckError] = field(default_factory=dict)

    @override
    def __getitem__(self, deployment_id: str) -> Observation:
        return self.seen[deployment_id]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self.seen)

    @override
    def __len__(self) -> int:
        return len(self.seen)


@dataclass(frozen=True, slots=True)
class Plan:
    """A dry run: a unified diff of what would change, and warnings worth a line beside it.

    What ``Live`` tells already (drift, downtime) is not repeated here.
    """

    diff: str
    warnings: tuple[str, ...] = ()


class Grade(StrEnum):
    """How bad a finding of ``doctor`` is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``doctor``'s table: what was looked at, what was found, what to do."""

    subject: str
    grade: Grade
    found: str
    advice: str = field(default="")
