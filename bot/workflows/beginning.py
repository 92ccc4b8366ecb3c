"""The moment before anything is touched: every gate once more, on facts of now.

Approved on Friday at 17:59 and frozen at 18:00 means refused: between the request and its turn a
branch may have moved, an approver may have left, somebody may have deployed by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.model.catalog import Catalog, TargetSpec
from bot.model.deployment import (
    SYSTEM,
    AuditEntry,
    Deployment,
    Kind,
    Release,
    Requester,
    Status,
    Vote,
)
from bot.model.errors import Misconfigured, Transient
from bot.model.ports import Transaction
from bot.model.rollout import Live
from bot.policy.decide import Denied, approvals_needed, decide
from bot.policy.votes import tally
from bot.workflows.ending import Ending, settle
from bot.workflows.facts import Asked, gather
from bot.workflows.parts import Parts

#: How many of a target's newest deployments are searched for the one that was taken back.
RECENT = 20


@dataclass(frozen=True, slots=True)
class Fresh:
    """What was read outside the database for this decision: nothing here is cached."""

    spec: TargetSpec
    live: Live
    image_there: bool
    members: dict[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a deployment that had its turn does not start."""

    code: str
    text: str


class Beginning:
    """QUEUED to RUNNING, or to the refusal."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def begin(self, deployment: Deployment) -> float:
        """Returns 0 when decided; a fault of what has to be read is raised to be tried again."""
        fresh = self._read(deployment)
        now = self._parts.clock.now()
        with self._parts.store.begin() as tx:
            refusal = self._refusal(tx, deployment, fresh, now)
            if refusal is not None:
                settle(tx, deployment, Ending(Status.REFUSED, refusal.text, refusal.code), now)
                return 0.0
            self._baseline(tx, deployment, fresh.live, now)
            running = self._move(tx, deployment, fresh.live, now)
            if running is None:
                raise Transient("Another rollout of this target has not ended yet.")
            tx.audit.append(intent(running))
            self._show(tx, running)
        return 0.0

    def _read(self, deployment: Deployment) -> Fresh:
        catalog = self._parts.catalog()
        spec = catalog.spec(deployment.target)
        if spec is None:
            raise Misconfigured(
                f"{deployment.target} is not in the catalog any more.",
                hint="Put it back, or deploy to a target that is.",
            )
        live = self._parts.rollouts.live(spec)
        if deployment.kind is Kind.ROLLBACK:
            # Checked when it was asked for; from here on nothing may stand in its way.
            return Fresh(spec, live, image_there=True, members={})
        ecr = catalog.services[deployment.target.service].ecr
        there = self._parts.registry.exists(ecr, deployment.image.digest)
        with self._parts.store.read() as tx:
            votes = tx.votes.on(deployment.id)
        return Fresh(spec, live, there, self._members(deployment, votes))

    def _members(self, deployment: Deployment, votes: Sequence[Vote]) -> dict[str, frozenset[str]]:
        """The groups of the requester and of who voted, without those who are barred by now."""
        groups = self._parts.groups
        people = {vote.person.id for vote in votes} | {deployment.requester.id}
        groups.of(deployment.requester.id, fresh=True)  # one reading serves for everybody below
        return {person: groups.of(person) for person in sorted(people) if not groups.barred(person)}

    def _refusal(
        self, tx: Transaction, deployment: Deployment, fresh: Fresh, now: datetime
    ) -> Refusal | None:
        if deployment.kind is Kind.ROLLBACK:
            return None
        if not fresh.image_there:
            image = deployment.image
            said = f"{image.name} ({image.digest[:19]}) is gone from the registry."
            return Refusal("IMAGE_NOT_FOUND", said)
        return (
            self._by_policy(tx, deployment, fresh, now)
            or self._by_votes(tx, deployment, fresh)
            or stale(tx, deployment, fresh.live)
        )

    def _by_policy(
        self, tx: Transaction, deployment: Deployment, fresh: Fresh, now: datetime
    ) -> Refusal | None:
        requester = Requester(
            deployment.requester,
            fresh.members.get(deployment.requester.id, frozenset()),
            deployment.channel,
            deployment.requester_is_bot,
            outsider=deployment.requester.id not in fresh.members,
        )
        asked = Asked(
            deployment.kind,
            deployment.target,
            requester,
            deployment.reason,
            override_freeze=bool(deployment.overridden_freeze),
        )
        facts = gather(tx, self._parts.catalog(), asked, now)
        decision = decide(replace(facts, at_start=True))
        if isinstance(decision, Denied):
            first = decision.reasons[0]
            return Refusal(str(first.code), f"{first.text} {first.what_to_do}")
        return None

    def _by_votes(self, tx: Transaction, deployment: Deployment, fresh: Fresh) -> Refusal | None:
        """The approvals again: only those of people who are approvers now."""
        catalog: Catalog = self._parts.catalog()
        policy = catalog.policy_of(deployment.target)
        asker = Requester(deployment.requester, is_bot=deployment.requester_is_bot)
        needed = max(approvals_needed(policy, asker), deployment.approvals_needed)
        if needed == 0:
            return None
        subject = replace(deployment, approvals_needed=needed)
        count = tally(tx.votes.on(deployment.id), policy, subject, fresh.members)
        if count.approved:
            return None
        return Refusal("APPROVAL_LAPSED", f"Its approvals no longer suffice. {count.missing}")

    def _baseline(self, tx: Transaction, deployment: Deployment, live: Live, now: datetime) -> None:
        """Before the first change of a target, remember what ran there: it is the way back."""
        if (
            live.steady
            and live.image is not None
            and not tx.releases.known_good(deployment.target, 1)
        ):
            tx.releases.add(Release(deployment.target, live.revision, live.image, None, now))

    def _move(
        self, tx: Transaction, deployment: Deployment, live: Live, now: datetime
    ) -> Deployment | None:
        return tx.deployments.move(
            deployment,
            Status.RUNNING,
            owner=self._parts.replica,
            started_at=now,
            previous=live.image or deployment.previous,
            previous_revision=live.revision,
            explanation="",
        )

    def _show(self, tx: Transaction, running: Deployment) -> None:
        """Its card, and those of what waits behind it: everybody has moved up."""
        for waiting in tx.deployments.active(running.target):
            tx.outbox.card(waiting.id)


def stale(tx: Transaction, deployment: Deployment, live: Live) -> Refusal | None:
    """Somebody changed the target outside Quarterdeck since this was asked for.

    What Quarterdeck itself released in between (the queue) is no surprise to anybody.
    """
    if deployment.previous_revision in {None, live.revision}:
        return None
    if any(
        release.revision == live.revision
        for release in tx.releases.known_good(deployment.target, 2)
    ):
        return None
    if taken_back(tx, deployment, live):
        return None
    running = live.image.digest[:19] if live.image else live.revision
    was = deployment.previous.name if deployment.previous else deployment.previous_revision
    return Refusal(
        "STALE_FROM",
        f"{deployment.target} ran {was} when this was asked for, and now runs {running}, which "
        "Quarterdeck did not deploy. If that is fine, go on from it with "
        f"/deploy retry {deployment.id}.",
    )


def taken_back(tx: Transaction, deployment: Deployment, live: Live) -> bool:
    """Whether what rolled when this was asked for was ours, and what ran before it is back."""
    return any(
        earlier.revision == deployment.previous_revision
        and earlier.previous_revision == live.revision
        for earlier in tx.deployments.history(deployment.target, RECENT)
    )


def intent(running: Deployment) -> AuditEntry:
    """The audit row of a start, written before anything outside is touched."""
    verb = "rollback" if running.kind is Kind.ROLLBACK else "deploy"
    return AuditEntry(
        actor=SYSTEM,
        action=f"{verb}.started",
        decision="intent",
        target=str(running.target),
        deployment_id=running.id,
        from_digest=running.previous.digest if running.previous else "",
        to_digest=running.image.digest,
        reason=running.reason,
        request_id=running.request_id,
        detail={"freeze_override": running.overridden_freeze} if running.overridden_freeze else {},
    )
