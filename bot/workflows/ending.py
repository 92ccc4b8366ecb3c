"""How a deployment ends: one transaction moves it, records it, shows it and frees its turn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from bot.model.contract import CONTROL
from bot.model.deployment import (
    SYSTEM,
    AuditEntry,
    Deployment,
    Kind,
    Person,
    Release,
    Status,
    Target,
)
from bot.model.ports import Transaction
from bot.model.rollout import End

log = structlog.get_logger(__name__)

#: The provider's word for an end, in ours.
STATUS_OF = {
    End.SUCCEEDED: Status.SUCCEEDED,
    End.ROLLED_BACK: Status.ROLLED_BACK,
    End.FAILED: Status.FAILED,
    End.SUPERSEDED: Status.SUPERSEDED,
    End.UNKNOWN: Status.OUTCOME_UNKNOWN,
}

#: What ``why`` explains where an end came without a reason code of its own.
CODE_OF = {
    Status.ROLLED_BACK: "ROLLED_BACK",
    Status.FAILED: "FAILED",
    Status.SUPERSEDED: "SUPERSEDED",
    Status.TIMED_OUT: "TIMED_OUT",
    Status.OUTCOME_UNKNOWN: "OUTCOME_UNKNOWN",
}

#: Ends that somebody should look at: told to the channel, not only to the thread.
ALARMING = frozenset(
    {Status.ROLLED_BACK, Status.FAILED, Status.TIMED_OUT, Status.OUTCOME_UNKNOWN, Status.SUPERSEDED}
)


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a deployment goes for good, why, and who decided it (nobody: the system)."""

    status: Status
    explanation: str = ""
    reason_code: str = ""
    by: Person = SYSTEM


def settle(
    tx: Transaction, deployment: Deployment, ending: Ending, now: datetime
) -> Deployment | None:
    """Move to a final state; ``None`` where another end was recorded first, which then stands."""
    ending = replace(ending, reason_code=ending.reason_code or CODE_OF.get(ending.status, ""))
    ended = tx.deployments.move(
        deployment,
        ending.status,
        explanation=ending.explanation,
        reason_code=ending.reason_code,
        ended_by=None if ending.by == SYSTEM else ending.by,
        finished_at=now,
    )
    if ended is None:
        return None
    log.info(
        "deployment ended",
        deployment_id=ended.id,
        status=ended.status.value,
        reason_code=ended.reason_code,
        request_id=ended.request_id,
    )
    if ended.status is Status.SUCCEEDED and ended.revision is not None:
        _take_over(tx, ended, Release(ended.target, ended.revision, ended.image, ended.id, now))
    tx.audit.append(outcome(ended, ending))
    tx.outbox.thread(ended.id, "ended", sentence(ended), broadcast=ended.status in ALARMING)
    tx.outbox.card(ended.id)
    if deployment.status is Status.QUEUED:
        move_up(tx, ended.target)
    if deployment.status is not Status.AWAITING_APPROVAL:  # before that it has no workflow
        tx.engine.tell(ended.id, CONTROL, {"settled": ended.status.value}, f"{ended.id}:settled")
    return ended


def _take_over(tx: Transaction, ended: Deployment, release: Release) -> None:
    """It is what runs now: the next way back is another, and what ran before offers none."""
    before = tx.releases.known_good(ended.target, 1)
    tx.releases.add(release)
    left = ended.previous if ended.kind is Kind.ROLLBACK else None
    if left is not None and left.digest != ended.image.digest:
        # A team goes back from what is bad: the next rollback must not offer it.
        tx.releases.disown(ended.target, left.digest)
    for older in before:
        if older.deployment_id is not None:
            tx.outbox.card(older.deployment_id)


def move_up(tx: Transaction, target: Target) -> None:
    """One of a queue is gone: the cards of the others show their new places."""
    for waiting in tx.deployments.active(target):
        if waiting.status is Status.QUEUED:
            tx.outbox.card(waiting.id)


def lapsed(deployment: Deployment) -> Ending:
    """The end of a request that nobody approved in time."""
    by = f" by {deployment.expires_at:%Y-%m-%d %H:%M} UTC" if deployment.expires_at else ""
    return Ending(Status.EXPIRED, f"Not approved{by}. Ask again to go on.", "EXPIRED")


def entry(
    deployment: Deployment, action: str, decision: str, reason: str = "", reason_code: str = ""
) -> AuditEntry:
    """An audit row about a deployment by the system itself."""
    return AuditEntry(
        actor=SYSTEM,
        action=action,
        decision=decision,
        target=str(deployment.target),
        deployment_id=deployment.id,
        from_digest=deployment.previous.digest if deployment.previous else "",
        to_digest=deployment.image.digest,
        reason=reason,
        reason_code=reason_code,
        request_id=deployment.request_id,
    )


def outcome(ended: Deployment, ending: Ending) -> AuditEntry:
    """The audit row of an end."""
    verb = "rollback" if ended.kind is Kind.ROLLBACK else "deploy"
    return AuditEntry(
        actor=ending.by,
        action=f"{verb}.{ended.status.value}",
        decision="done" if ended.status is Status.SUCCEEDED else "failed",
        target=str(ended.target),
        deployment_id=ended.id,
        from_digest=ended.previous.digest if ended.previous else "",
        to_digest=ended.image.digest,
        reason=ending.explanation,
        reason_code=ending.reason_code,
        request_id=ended.request_id,
    )


#: Nobody told the provider to: its circuit breaker, or an alarm, did.
_BY_ITSELF = "was taken back by the provider from"


def sentence(ended: Deployment) -> str:
    """The end as one sentence for the thread."""
    what = {
        Status.SUCCEEDED: "is the only version running on",
        Status.ROLLED_BACK: "was taken back from" if ended.canary else _BY_ITSELF,
        Status.FAILED: "failed on",
        Status.CANCELLED: "was cancelled on",
        Status.SUPERSEDED: "was superseded on",
        Status.TIMED_OUT: "did not finish in time on",
        Status.OUTCOME_UNKNOWN: "has an unknown outcome on",
        Status.REJECTED: "was rejected for",
        Status.EXPIRED: "was not approved in time for",
        Status.REFUSED: "was refused at the start on",
    }.get(ended.status, "is on")
    text = f"{ended.image.name} {what} {ended.target.service} {ended.target.environment}"
    return f"{text}: {ended.explanation}" if ended.explanation else f"{text}."
