"""What a person can ask for, as typed values. ``parse`` makes them; ``intake`` carries them out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.model.canary import Act
from bot.model.deployment import Target


@dataclass(frozen=True, slots=True)
class Deploy:
    """``version`` is a tag, a commit sha, a digest or ``latest``.

    ``canary`` says whether it takes over by steps; ``None`` leaves that to the catalog.
    """

    targets: tuple[Target, ...]
    version: str = "latest"
    reason: str = ""
    dry_run: bool = False
    override_freeze: bool = False
    canary: bool | None = None


@dataclass(frozen=True, slots=True)
class Conduct:
    """Something asked of a running canary: that of the target, or, by its card, of one deployment.

    ``step`` is what the card showed, counted from 0; ``None`` where it was typed.
    """

    act: Act
    target: Target | None = None
    id: str = ""
    step: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ShowCanary:
    """How the target's canary stands."""

    target: Target


@dataclass(frozen=True, slots=True)
class Rollback:
    """``to`` is a deployment id, a version of an earlier release, or ``previous``."""

    target: Target
    to: str = "previous"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OpenDeployForm:
    """``/deploy`` alone."""


@dataclass(frozen=True, slots=True)
class OpenRollbackForm:
    """``/rollback`` alone, or with the target already named in the form."""

    target: Target | None = None


@dataclass(frozen=True, slots=True)
class ShowStatus:
    """Either may be missing: then all of them."""

    service: str | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class ShowQueue:
    """Everything awaiting, queued or running."""


@dataclass(frozen=True, slots=True)
class ShowHistory:
    """Newest first."""

    service: str | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class ShowDeployment:
    """One deployment in full."""

    id: str


@dataclass(frozen=True, slots=True)
class ExplainDeployment:
    """``why <id>``."""

    id: str


@dataclass(frozen=True, slots=True)
class ExplainTarget:
    """``why <service> <environment>``: what a deployment would meet right now."""

    target: Target


@dataclass(frozen=True, slots=True)
class Cancel:
    """A running deployment is only cancelled together with a rollback."""

    id: str
    roll_back: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """Ask again for the same image."""

    id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Approve:
    """``digest`` is what the card showed; empty when typed, where the stored one is meant."""

    id: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Reject:
    """One rejection ends the request."""

    id: str
    reason: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class LockTarget:
    """``service`` may be ``*``; without ``duration`` it holds until released."""

    service: str
    environment: str
    duration: timedelta | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class UnlockTarget:
    """Release a lock."""

    service: str
    environment: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ShowLocks:
    """Locks, freezes and the pause."""


@dataclass(frozen=True, slots=True)
class DeclareFreeze:
    """Times are aware; without ``since`` it begins now, without ``until`` it lasts until lifted."""

    environment: str
    since: datetime | None = None
    until: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LiftFreeze:
    """Ends a freeze that was declared from chat; the catalog's windows end by themselves."""

    environment: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PauseAll:
    """Nothing starts any more, but rollbacks."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class ResumeAll:
    """Ends the pause."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class ShowAudit:
    """Filters that are empty do not filter."""

    service: str | None = None
    environment: str | None = None
    person_id: str | None = None
    deployment_id: str | None = None
    action: str | None = None
    limit: int = 10


@dataclass(frozen=True, slots=True)
class ShowWhoAmI:
    """What Quarterdeck knows about me."""


@dataclass(frozen=True, slots=True)
class ShowHelp:
    """Without a topic: everything, one line each."""

    topic: str = ""


Command = (
    Deploy
    | Rollback
    | Conduct
    | ShowCanary
    | OpenDeployForm
    | OpenRollbackForm
    | ShowStatus
    | ShowQueue
    | ShowHistory
    | ShowDeployment
    | ExplainDeployment
    | ExplainTarget
    | Cancel
    | Retry
    | Approve
    | Reject
    | LockTarget
    | UnlockTarget
    | ShowLocks
    | DeclareFreeze
    | LiftFreeze
    | PauseAll
    | ResumeAll
    | ShowAudit
    | ShowWhoAmI
    | ShowHelp
)
