"""What Quarterdeck keeps about one deployment, and the states it may pass through."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from typing_extensions import override


class Kind(StrEnum):
    """Why a rollout happens. A rollback is exempt from gates, but never from the audit trail."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"


class Status(StrEnum):
    """One deployment's state; ``NEXT`` below is the whole state machine."""

    AWAITING_APPROVAL = "awaiting_approval"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    TIMED_OUT = "timed_out"
    OUTCOME_UNKNOWN = "outcome_unknown"
    REJECTED = "rejected"
    EXPIRED = "expired"
    REFUSED = "refused"


#: A state is left only for one of these; everything else is a compare-and-set that loses.
NEXT: dict[Status, frozenset[Status]] = {
    Status.AWAITING_APPROVAL: frozenset(
        {Status.QUEUED, Status.REJECTED, Status.EXPIRED, Status.CANCELLED}
    ),
    Status.QUEUED: frozenset(
        {Status.RUNNING, Status.REFUSED, Status.CANCELLED, Status.FAILED, Status.EXPIRED}
    ),
    Status.RUNNING: frozenset(
        {
            Status.SUCCEEDED,
            Status.ROLLED_BACK,
            Status.FAILED,
            Status.CANCELLED,
            Status.SUPERSEDED,
            Status.TIMED_OUT,
            Status.OUTCOME_UNKNOWN,
            Status.REFUSED,  # it has its turn, and the provider has been told nothing yet
        }
    ),
}
ACTIVE = frozenset(NEXT)
TERMINAL = frozenset(Status) - ACTIVE


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """A service in an environment: the unit that is deployed, locked and queued for."""

    service: str
    environment: str

    @override
    def __str__(self) -> str:
        return f"{self.service}/{self.environment}"


@dataclass(frozen=True, slots=True)
class Person:
    """A Slack user as the audit trail names one: the id decides, the name is for reading."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks, with what Slack vouches for at this moment, and where they ask.

    ``groups`` are Slack user group ids. ``outsider`` is a guest, a Slack Connect user, a
    deactivated user or somebody of another workspace: refused for everything.
    """

    person: Person
    groups: frozenset[str] = frozenset()
    channel: str = ""
    is_bot: bool = False
    outsider: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    """A container image pinned by digest.

    ``repository`` is the registry path without tag (``123.dkr.ecr.eu-west-1.amazonaws.com/app``),
    ``digest`` is ``sha256:...``, ``ref`` is what the person typed (tag, commit sha or ``latest``).
    """

    repository: str
    digest: str
    ref: str

    @property
    def uri(self) -> str:
        """The immutable reference a task definition is given."""
        return f"{self.repository}@{self.digest}"

    @property
    def name(self) -> str:
        """What people call it: the ref, or the start of the digest where nothing else is known."""
        return self.ref.removeprefix("sha256:")[:12] if self.ref.startswith("sha256:") else self.ref


@dataclass(frozen=True, slots=True)
class Release:
    """One version that was seen running well on a target: what a rollback may go back to.

    ``revision`` is the provider's own name of it (for ECS the task definition ARN).
    """

    target: Target
    revision: str
    image: Image
    deployment_id: str | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """Task counts while a rollout runs: of the new revision and of everything else."""

    desired: int = 0
    running: int = 0
    pending: int = 0
    failed: int = 0
    old: int = 0


@dataclass(frozen=True, slots=True)
class Deployment:
    """One request to change what runs on one target. Times are aware and in UTC.

    ``image`` is what was asked for and approved; ``previous`` is what ran when it was asked
    (``None`` on a target that runs nothing we can name). ``revision`` and ``handle`` are the
    provider's names of the new revision and of the rollout, known once they exist. ``version``
    counts writes: every change of state is a compare-and-set on it. ``notes`` are warnings, each
    one line, that were true when it was asked for and, once it has begun, when it began.
    With ``canary`` it takes over by steps, each judged.
    """

    id: str
    kind: Kind
    target: Target
    requester: Person
    requester_is_bot: bool
    channel: str
    image: Image
    previous: Image | None
    previous_revision: str | None
    reason: str
    status: Status
    created_at: datetime
    request_id: str
    version: int = 1
    explanation: str = ""
    reason_code: str = ""
    ended_by: Person | None = None
    approvals_needed: int = 0
    expires_at: datetime | None = None
    revision: str | None = None
    handle: str | None = None
    owner: str | None = None
    attempts: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    progress: Progress = field(default_factory=Progress)
    overridden_freeze: str = ""
    notes: tuple[str, ...] = ()
    canary: bool = False

    @property
    def settled(self) -> bool:
        """Whether this deployment has reached an end it will never leave."""
        return self.status in TERMINAL


class Ballot(StrEnum):
    """What an approver said."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's ballot, bound to the digest that the card showed when it was cast."""

    deployment_id: str
    person: Person
    ballot: Ballot
    digest: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Lock:
    """A hold on a target; ``service`` is ``*`` for a whole environment; no end: until released."""

    service: str
    environment: str
    owner: Person
    reason: str
    since: datetime
    until: datetime | None

    def covers(self, target: Target, now: datetime) -> bool:
        """Whether this lock holds ``target`` at ``now``."""
        alive = self.until is None or now < self.until
        return (
            alive
            and self.environment == target.environment
            and self.service in {"*", target.service}
        )


@dataclass(frozen=True, slots=True)
class Freeze:
    """A freeze somebody declared from chat; those of the catalog are ``catalog.FreezeWindow``."""

    environment: str
    owner: Person
    reason: str
    since: datetime
    until: datetime | None

    def covers(self, environment: str, now: datetime) -> bool:
        """Whether this freeze holds ``environment`` at ``now``."""
        return (
            self.environment == environment
            and self.since <= now
            and (self.until is None or now < self.until)
        )


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing at all starts while one is in force, but rollbacks."""

    owner: Person
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One fact for the audit trail, before the store numbers, times and chains it.

    ``action`` is a dotted verb (``deploy.requested``, ``vote.approved``, ``rollout.started``).
    ``decision`` is ``allowed``, ``denied``, ``intent``, ``done`` or ``failed``: intents are
    written before an outside action, outcomes after it. ``detail`` holds plain strings only.
    """

    actor: Person
    action: str
    decision: str
    target: str = ""
    deployment_id: str = ""
    from_digest: str = ""
    to_digest: str = ""
    reason: str = ""
    reason_code: str = ""
    request_id: str = ""
    detail: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row as it stands in the trail. ``digest`` is hex SHA-256 of ``previous`` and entry."""

    seq: int
    at: datetime
    entry: AuditEntry
    previous: str
    digest: str


#: The actor of what no person asked for at that moment: expiry, takeover, the end of a rollout.
SYSTEM = Person("system", "Quarterdeck")
