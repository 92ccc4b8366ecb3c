"""Who asks, and the ways in which every request is answered alike."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bot.model.deployment import AuditEntry, Deployment, Requester, Target
from bot.model.errors import QuarterdeckError, UserError
from bot.model.ports import Transaction
from bot.model.reply import Accepted, Refused
from bot.policy.decide import Denied

#: Audit rows of one deployment, or of one person, among which a repeated delivery is looked for.
REMEMBERED = 200


@dataclass(frozen=True, slots=True)
class Ask:
    """One delivery of a request. The same ``request_id`` again is the same request."""

    requester: Requester
    request_id: str

    @property
    def actor_id(self) -> str:
        """The Slack id of who asks."""
        return self.requester.person.id


@dataclass(frozen=True, slots=True)
class Subject:
    """What a request is about, for its audit row."""

    action: str
    target: str = ""
    deployment_id: str = ""
    from_digest: str = ""
    to_digest: str = ""
    detail: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, action: str, deployment: Deployment) -> Subject:
        """The subject of an action on a deployment that exists."""
        return cls(
            action,
            str(deployment.target),
            deployment.id,
            deployment.previous.digest if deployment.previous else "",
            deployment.image.digest,
        )

    @classmethod
    def at(cls, action: str, target: Target, **detail: str) -> Subject:
        """The subject of an action on a target."""
        return cls(action, str(target), detail=detail)


def record(
    tx: Transaction, ask: Ask, subject: Subject, decision: str, why: tuple[str, str] = ("", "")
) -> None:
    """Append the audit row of a request and its decision; ``why`` is a text and a reason code."""
    reason, code = why
    tx.audit.append(
        AuditEntry(
            actor=ask.requester.person,
            action=subject.action,
            decision=decision,
            target=subject.target,
            deployment_id=subject.deployment_id,
            from_digest=subject.from_digest,
            to_digest=subject.to_digest,
            reason=reason,
            reason_code=code,
            request_id=ask.request_id,
            detail=subject.detail,
        )
    )


def deny(tx: Transaction, ask: Ask, subject: Subject, refusal: Refused) -> Refused:
    """Record a refusal and hand it on: what was tried is part of the trail too. The row keeps all
    of the answer, for when the request is delivered again."""
    kept = {"advice": refusal.hint, "suggestion": refusal.suggestion}
    detail = {**subject.detail, **{name: text for name, text in kept.items() if text}}
    record(tx, ask, replace(subject, detail=detail), "denied", (refusal.text, refusal.reason_code))
    return refusal


def heard(tx: Transaction, ask: Ask, deployment_id: str) -> bool:
    """Whether this very request was granted already: Slack has delivered it a second time."""
    rows = tx.audit.search(limit=REMEMBERED, deployment_id=deployment_id)
    return any(
        row.entry.request_id == ask.request_id and row.entry.decision == "allowed" for row in rows
    )


def answered(tx: Transaction, ask: Ask, subject: Subject) -> Accepted | Refused | None:
    """What this very request was answered before about this target: Slack has delivered it again.

    A refusal stands, whatever caused it, and though its cause is gone: whoever was told no may
    have asked again since, or for something else. Of what makes no deployment, the row alone
    remembers that it was done: see ``granted``.
    """
    for row in tx.audit.of_request(ask.request_id, ask.actor_id, REMEMBERED):
        entry, detail = row.entry, row.entry.detail
        if entry.target != subject.target:
            continue
        if entry.decision == "denied":
            advice, suggestion = detail.get("advice", ""), detail.get("suggestion", "")
            return Refused(entry.reason_code, entry.reason, advice, suggestion)
        if (entry.action, entry.decision) == (subject.action, "done"):
            return Accepted(detail.get("answer", entry.reason))
    return None


def granted(tx: Transaction, ask: Ask, subject: Subject, text: str, reason: str) -> Accepted:
    """Record that it was done, with the answer for when it is delivered again."""
    kept = replace(subject, detail={**subject.detail, "answer": text})
    record(tx, ask, kept, "done", (reason, ""))
    return Accepted(text)


def refused_by(denied: Denied) -> Refused:
    """A policy's denial as a reply: the first reason leads, the others follow."""
    first = denied.reasons[0]
    text = " ".join(reason.text for reason in denied.reasons)
    hints = dict.fromkeys(reason.what_to_do for reason in denied.reasons)
    return Refused(str(first.code), text, " ".join(hints))


def refused_for(fault: QuarterdeckError) -> Refused:
    """A fault as a reply: nothing was changed."""
    suggestion = fault.suggestion if isinstance(fault, UserError) else ""
    return Refused(fault.reason_code, fault.message, fault.hint, suggestion)


def orphaned(target: Target) -> str:
    """What became of it, for cards: a clause without its full stop."""
    return f"{target} is not in the catalog any more"


def unknown_target(target: Target) -> Refused:
    """The catalog has no such target: it never had, or it does not have it any more."""
    return Refused(
        "UNKNOWN_TARGET",
        f"{target} is not in the catalog.",
        "/deploy status lists what is; quarterdeck.yaml is where it is put back.",
    )
