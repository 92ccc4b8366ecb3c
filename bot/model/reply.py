"""What intake answers: closed values that the Slack edge draws and the tests read.

``Accepted`` and ``Refused`` answer what changes something; the reports answer what only asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.model.canary import Canary, Measured
from bot.model.deployment import (
    AuditRow,
    Deployment,
    Freeze,
    Image,
    Lock,
    Pause,
    Person,
    Release,
    Target,
    Vote,
)


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was changed. ``reason_code`` is stable; ``hint`` says what to do and who can help.

    ``suggestion`` is a whole command that was probably meant, for a button, or empty.
    """

    reason_code: str
    text: str
    hint: str = ""
    suggestion: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Something was done and recorded; ``text`` says what, as one or more whole sentences."""

    text: str
    deployments: tuple[Deployment, ...] = ()
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a deployment would do: nothing was written anywhere."""

    target: Target
    image: Image
    previous: Image | None
    decision: str
    diff: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """One target of ``status``; ``drift`` says how what is live differs from our last release and
    from git, a clause for each. ``canary`` is the target's that is not over.
    """

    target: Target
    running: Image | None
    revision: str
    since: datetime | None
    by: Person | None
    active: tuple[Deployment, ...]
    locks: tuple[Lock, ...]
    frozen: str
    drift: tuple[str, ...] = ()
    unreadable: str = ""
    canary: Canary | None = None


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What runs where."""

    targets: tuple[TargetStatus, ...]
    paused: Pause | None


@dataclass(frozen=True, slots=True)
class DeploymentList:
    """``queue`` and ``history``: ``title`` names which. ``canaries`` are those under way."""

    title: str
    deployments: tuple[Deployment, ...]
    canaries: tuple[Canary, ...] = ()

    def canary_of(self, deployment_id: str) -> Canary | None:
        """The canary of one of them."""
        return next((one for one in self.canaries if one.deployment_id == deployment_id), None)


@dataclass(frozen=True, slots=True)
class CardFacts:
    """Everything a deployment's card shows. ``position`` counts from 1 for the next to start.

    ``usual`` is the median duration of earlier rollouts of this target. ``current`` says whether
    this deployment is the newest that is known to have run well on its target; ``stays``, whether
    it ended badly and nothing has replaced it since. ``promoters`` are mentions of who may tell a
    canary what to do, empty where nobody is named; ``called`` are those who are called when one
    needs people.
    """

    deployment: Deployment
    votes: tuple[Vote, ...] = ()
    position: int | None = None
    required_group: str | None = None
    usual: timedelta | None = None
    current: bool = False
    stays: bool = False
    lock: Lock | None = None
    warnings: tuple[str, ...] = ()
    canary: Canary | None = None
    promoters: str = ""
    called: str = ""


@dataclass(frozen=True, slots=True)
class ChartFacts:
    """What a canary's chart is drawn from; ``ticks`` are all so far, oldest first."""

    deployment: Deployment
    canary: Canary
    ticks: tuple[Measured, ...]


@dataclass(frozen=True, slots=True)
class Details:
    """``show``: the card's facts again, with the audit rows behind them."""

    facts: CardFacts
    rows: tuple[AuditRow, ...]


@dataclass(frozen=True, slots=True)
class Why:
    """``why``: each rule that spoke about a deployment or a target, and what it said."""

    subject: str
    lines: tuple[tuple[str, str, str], ...]  # reason code, what it means, what to do


@dataclass(frozen=True, slots=True)
class HoldsReport:
    """``locks``: everything that is in the way of a deployment."""

    locks: tuple[Lock, ...]
    freezes: tuple[Freeze, ...]
    windows: tuple[tuple[str, str, datetime], ...]  # environment, name, until
    paused: Pause | None


@dataclass(frozen=True, slots=True)
class AuditReport:
    """``audit``: rows, newest first, and what they were filtered by."""

    rows: tuple[AuditRow, ...]
    filters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """What Quarterdeck knows about the person asking, and what they may do where."""

    person: Person
    groups: tuple[str, ...]
    may: tuple[tuple[str, str], ...]  # environment, "deploy, approve, override freezes"


@dataclass(frozen=True, slots=True)
class Help:
    """Help text in Slack's mrkdwn; it comes from the grammar alone."""

    text: str


@dataclass(frozen=True, slots=True)
class DeployForm:
    """Open the modal in which a deployment is put together; ``last`` is offered as default."""

    services: tuple[str, ...]
    environments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RollbackForm:
    """Open the modal of known-good versions; ``choices`` are validated, newest first, at most five.

    Without ``target`` the modal asks for one first. ``unusable`` says which releases were left
    out and why. ``warnings`` are what the person should know before choosing.
    """

    targets: tuple[Target, ...]
    target: Target | None = None
    choices: tuple[Release, ...] = ()
    unusable: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


Reply = (
    Accepted
    | Refused
    | DryRun
    | StatusReport
    | DeploymentList
    | Details
    | Why
    | HoldsReport
    | AuditReport
    | WhoAmI
    | Help
    | DeployForm
    | RollbackForm
)
