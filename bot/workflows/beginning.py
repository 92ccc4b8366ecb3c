"""The moment before anything is touched: every gate once more, on facts of now.

Approved on Friday at 17:59 and frozen at 18:00 means refused: between the request and its turn a
branch may have moved, an approver may have left, somebody may have deployed by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.model.catalog import Catalog
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
from bot.model.errors import Terminal, Transient
from bot.model.ports import Transaction
from bot.model.rollout import Live
from bot.policy.decide import Denied, approvals_needed, decide, held
from bot.policy.votes import tally
from bot.workflows.deadline import target_of
from bot.workflows.drift import warnings
from bot.workflows.ending import Ending, settle
from bot.workflows.facts import Asked, gather
from bot.workflows.parts import Parts

#: How many of a target's newest deployments are searched for the one that was taken back.
RECENT = 20


@dataclass(frozen=True, slots=True)
class Fresh:
    """What was read outside the database for this decision: nothing here is cached."""

    catalog: Catalog
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
        if deployment.kind is Kind.ROLLBACK:
            # Checked when it was asked for; from here on nothing may stand in its way.
            live = self._live_or_unknown(deployment)
            with self._parts.store.begin() as tx:
                self._run(tx, deployment, live, self._parts.clock.now())
            return 0.0
        if not self._gives_way(deployment):
            self._decide(deployment, self._read(deployment))
        return 0.0

    def _gives_way(self, deployment: Deployment) -> bool:
        """Refused before anything outside is asked: a rollback must not wait for its answers."""
        with self._parts.store.begin() as tx:
            return self._refused(tx, deployment, overtaken(tx, deployment))

    def _decide(self, deployment: Deployment, fresh: Fresh) -> None:
        now = self._parts.clock.now()
        with self._parts.store.begin() as tx:
            # Locked before anything is read here: a rollback that is asked for in this instant
            # either sees it running, and cancels it, or is seen here.
            current = tx.deployments.get_for_update(deployment.id)
            if current is None or current.status is not Status.QUEUED:
                return
            refusal = overtaken(tx, current) or self._refusal(tx, current, fresh, now)
            if not self._refused(tx, current, refusal):
                self._run(tx, current, fresh.live, now)

    def _refused(self, tx: Transaction, deployment: Deployment, refusal: Refusal | None) -> bool:
        if refusal is not None:
            ending = Ending(Status.REFUSED, refusal.text, refusal.code)
            settle(tx, deployment, ending, self._parts.clock.now())
        return refusal is not None

    def _run(
        self, tx: Transaction, deployment: Deployment, live: Live | None, now: datetime
    ) -> None:
        if live is not None:
            self._baseline(tx, deployment, live, now)
        running = self._move(tx, deployment, live, now)
        if running is None:
            raise Transient("Another rollout of this target has not ended yet.")
        tx.audit.append(intent(running))
        self._show(tx, running)

    def _live_or_unknown(self, deployment: Deployment) -> Live | None:
        """What a rollback leaves; it also leaves what surely cannot be read, broken as it is."""
        spec = target_of(self._parts, deployment)
        try:
            return self._parts.rollouts.live(spec)
        except Terminal:
            return None

    def _read(self, deployment: Deployment) -> Fresh:
        catalog = self._parts.catalog()
        spec = target_of(self._parts, deployment)
        live = self._parts.rollouts.live(spec)
        ecr = catalog.services[deployment.target.service].ecr
        there = self._parts.registry.exists(ecr, deployment.image.digest)
        with self._parts.store.read() as tx:
            votes = tx.votes.on(deployment.id)
        return Fresh(catalog, live, there, self._members(deployment, votes))

    def _members(self, deployment: Deployment, votes: Sequence[Vote]) -> dict[str, frozenset[str]]:
        """The groups of the requester and of who voted, without those who are barred by now."""
        groups = self._parts.groups
        people = {vote.person.id for vote in votes} | {deployment.requester.id}
        groups.of(deployment.requester.id, fresh=True)  # one reading serves for everybody below
        return {person: groups.of(person) for person in sorted(people) if not groups.barred(person)}

    def _refusal(
        self, tx: Transaction, deployment: Deployment, fresh: Fresh, now: datetime
    ) -> Refusal | None:
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
            downtime=fresh.live.downtime,
        )
        facts = gather(tx, fresh.catalog, asked, now)
        decision = decide(replace(facts, at_start=True))
        if isinstance(decision, Denied):
            first = decision.reasons[0]
            return Refusal(str(first.code), f"{first.text} {first.what_to_do}")
        if decision.overridden_freeze not in deployment.overridden_freeze:
            # Somebody answered for the freeze of that moment, and not for one that came since.
            again = f"/deploy retry {deployment.id} asks again."
            return Refusal(
                "FROZEN", f"{decision.overridden_freeze} It began after this was asked for. {again}"
            )
        return None

    def _by_votes(self, tx: Transaction, deployment: Deployment, fresh: Fresh) -> Refusal | None:
        """The approvals again: only those of people who are approvers now."""
        policy = fresh.catalog.policy_of(deployment.target)
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
            # Else its revision and its image may be of two versions.
            and (not live.drift or live.image.digest in live.revision)
            and not tx.releases.known_good(deployment.target, 1)
        ):
            tx.releases.add(Release(deployment.target, live.revision, live.image, None, now))

    def _move(
        self, tx: Transaction, deployment: Deployment, live: Live | None, now: datetime
    ) -> Deployment | None:
        return tx.deployments.move(
            deployment,
            Status.RUNNING,
            owner=self._parts.replica,
            started_at=now,
            previous=(live.image if live else None) or deployment.previous,
            previous_revision=live.revision if live else deployment.previous_revision,
            explanation="",
            notes=self._notes(tx, deployment, live, now),
        )

    def _notes(
        self, tx: Transaction, deployment: Deployment, live: Live | None, now: datetime
    ) -> tuple[str, ...]:
        """The warnings of this moment, in place of those of when it was asked for."""
        if live is None:
            return deployment.notes
        asker = Requester(deployment.requester, is_bot=deployment.requester_is_bot)
        asked = Asked(deployment.kind, deployment.target, asker, downtime=live.downtime)
        return warnings(tx, gather(tx, self._parts.catalog(), asked, now), live)

    def _show(self, tx: Transaction, running: Deployment) -> None:
        """Its card, and those of what waits behind it: everybody has moved up."""
        for waiting in tx.deployments.active(running.target):
            tx.outbox.card(waiting.id)


def held_up(
    tx: Transaction, catalog: Catalog, deployment: Deployment, now: datetime
) -> Refusal | None:
    """What was put in the way of a deployment that has its turn, while it was being prepared."""
    if deployment.kind is Kind.ROLLBACK:
        return None
    asker = Requester(deployment.requester, is_bot=deployment.requester_is_bot)
    facts = gather(tx, catalog, Asked(deployment.kind, deployment.target, asker), now)
    if deployment.overridden_freeze:
        # Who may override it was judged when it began, a moment ago.
        facts = replace(facts, freezes=(), policy=facts.policy.model_copy(update={"freezes": ()}))
    reason = next(iter(held(replace(facts, at_start=True))), None)
    return Refusal(str(reason.code), f"{reason.text} {reason.what_to_do}") if reason else None


def overtaken(tx: Transaction, deployment: Deployment) -> Refusal | None:
    """A rollback waits for this target: nothing that was asked for before it may start any more."""
    for other in tx.deployments.active(deployment.target):
        if other.kind is Kind.ROLLBACK:
            said = f"{other.id} takes {deployment.target} back, so nothing else starts there now. "
            retry = f"/deploy retry {deployment.id} asks again when it has ended."
            return Refusal("ROLLED_BACK_BY_HAND", said + retry)
    return None


def stale(tx: Transaction, deployment: Deployment, live: Live) -> Refusal | None:
    """Somebody changed the target outside Quarterdeck since this was asked for.

    What Quarterdeck itself put or left there in between (the queue) is no surprise to anybody.
    """
    if deployment.previous_revision in {None, live.revision}:
        return None
    recent = tx.deployments.history(deployment.target, RECENT)
    if any(ours(deployment, other, live) for other in recent):
        return None
    running = live.image.digest[:19] if live.image else live.revision
    was = deployment.previous.name if deployment.previous else deployment.previous_revision
    return Refusal(
        "STALE_FROM",
        f"{deployment.target} ran {was} when this was asked for, and now runs {running}, which "
        "Quarterdeck did not deploy. If that is fine, go on from it with "
        f"/deploy retry {deployment.id}.",
    )


def ours(deployment: Deployment, other: Deployment, live: Live) -> bool:
    """Whether what runs is the doing of ``other``: it ended since, or it was taken back since."""
    since_asked = other.finished_at is not None and other.finished_at >= deployment.created_at
    left = since_asked and live.revision in {other.revision, other.previous_revision}
    failing = (
        other.revision == deployment.previous_revision and other.status is not Status.SUCCEEDED
    )
    return left or (failing and other.previous_revision == live.revision)


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
