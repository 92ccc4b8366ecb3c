"""Approvals, rejections and cancellations: what people say about a deployment that was asked for.

Every path (button, typed command, modal) comes through here, so every path meets the same checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.commands.model import Approve, Cancel, Reject
from bot.intake.ask import (
    Ask,
    Subject,
    answered,
    deny,
    heard,
    orphaned,
    record,
    refused_by,
    unknown_target,
)
from bot.intake.deploys import before
from bot.intake.ids import deny_unknown
from bot.intake.rollbacks import Rollbacks
from bot.model.deployment import Ballot, Deployment, Kind, Status, Vote
from bot.model.ports import Transaction
from bot.model.reply import Accepted, Refused
from bot.policy.decide import Denied
from bot.policy.votes import Tally, may_cancel, may_vote, tally
from bot.workflows.canary.opening import supersede
from bot.workflows.canary.turn import ON_TRIAL
from bot.workflows.ending import Ending, settle
from bot.workflows.facts import Asked, gather, groups_of
from bot.workflows.parts import Parts


@dataclass(frozen=True, slots=True)
class Said:
    """A ballot as it came in: ``digest`` is what the card showed, empty when it was typed."""

    ballot: Ballot
    digest: str
    reason: str


@dataclass(frozen=True, slots=True)
class Voter:
    """Who votes, and the user groups of everybody who has voted on the same deployment."""

    ask: Ask
    members: Mapping[str, frozenset[str]]


class Ballots:
    """What may be said about a deployment, and what follows from it."""

    def __init__(self, parts: Parts, rollbacks: Rollbacks) -> None:
        self._parts = parts
        self._rollbacks = rollbacks

    def approve(self, command: Approve, ask: Ask) -> Accepted | Refused:
        """Count one approval; the one that completes them queues the rollout."""
        return self._vote(command.id, Said(Ballot.APPROVE, command.digest, ""), ask)

    def reject(self, command: Reject, ask: Ask) -> Accepted | Refused:
        """One rejection ends the request."""
        return self._vote(command.id, Said(Ballot.REJECT, command.digest, command.reason), ask)

    def _vote(self, deployment_id: str, said: Said, ask: Ask) -> Accepted | Refused:
        with self._parts.store.read() as tx:
            votes = tx.votes.on(deployment_id)
        members = groups_of(self._parts.groups, votes)
        while True:
            members[ask.actor_id] = ask.requester.groups
            with self._parts.store.begin() as tx:
                deployment = tx.deployments.get_for_update(deployment_id)
                if deployment is None:
                    catalog, action = self._parts.catalog(), f"vote.{said.ballot.value}"
                    return deny_unknown(tx, catalog, ask, action, deployment_id)
                strangers = [
                    vote for vote in tx.votes.on(deployment_id) if vote.person.id not in members
                ]
                if not strangers:
                    return self._cast(tx, deployment, said, Voter(ask, members))
            # Somebody voted since: Slack is asked about them too, outside of any transaction.
            members |= groups_of(self._parts.groups, strangers)

    def _cast(
        self, tx: Transaction, deployment: Deployment, said: Said, voter: Voter
    ) -> Accepted | Refused:
        ask = voter.ask
        subject = Subject.of(f"vote.{said.ballot.value}", deployment)
        if (told := answered(tx, ask, subject)) is not None:
            return told
        refused = self._refusal(tx, deployment, said, ask)
        tx.outbox.card(deployment.id)
        if refused is not None and heard(tx, ask, deployment.id):
            return Accepted(f"Your vote on {deployment.id} counts.", (deployment,))
        if refused is not None:
            return deny(tx, ask, subject, refused)
        record(tx, ask, subject, "allowed", (said.reason, ""))
        if said.ballot is Ballot.REJECT:
            ending = Ending(Status.REJECTED, said.reason, "REJECTED", ask.requester.person)
            return self._end(tx, deployment, ending)
        policy = self._parts.catalog().policy_of(deployment.target)
        count = tally(tx.votes.on(deployment.id), policy, deployment, voter.members)
        return self._counted(tx, deployment, count, ask)

    def _refusal(
        self, tx: Transaction, deployment: Deployment, said: Said, ask: Ask
    ) -> Refused | None:
        """Why this ballot does not count; ``None`` when it has been cast."""
        now = self._parts.clock.now()
        asked = Asked(deployment.kind, deployment.target, ask.requester, said.reason)
        facts = gather(tx, self._parts.catalog(), asked, now)
        digest = said.digest or deployment.image.digest
        verdict = may_vote(facts, deployment, said.ballot, digest)
        if isinstance(verdict, Denied):
            return refused_by(verdict)
        if facts.orphaned and said.ballot is Ballot.APPROVE:
            return only_cleared_away(deployment)
        vote = Vote(deployment.id, ask.requester.person, said.ballot, digest, now, said.reason)
        if not tx.votes.cast(vote):
            return Refused(
                "ALREADY_VOTED",
                f"You have voted on {deployment.id} already.",
                "Its card shows who is still missing.",
            )
        return None

    def _counted(
        self, tx: Transaction, deployment: Deployment, count: Tally, ask: Ask
    ) -> Accepted | Refused:
        tx.outbox.thread(
            deployment.id, f"vote:{ask.actor_id}", f"{ask.requester.person.name} approved."
        )
        if not count.approved:
            return Accepted(
                f"Your approval of {deployment.id} counts. {count.missing}", (deployment,)
            )
        queued = tx.deployments.move(deployment, Status.QUEUED)
        if queued is None:
            return too_late(deployment)
        tx.engine.enqueue_rollout(queued)
        supersede(tx, queued, self._parts.clock.now())
        record(tx, ask, Subject.of("deploy.approved", queued), "done")
        return Accepted(f"{deployment.id} is approved and takes its turn.", (queued,))

    def cancel(self, command: Cancel, ask: Ask) -> Accepted | Refused:
        """End what has not started; take back what has, if that was asked for."""
        with self._parts.store.begin() as tx:
            deployment = tx.deployments.get_for_update(command.id)
            if deployment is None:
                catalog = self._parts.catalog()
                return deny_unknown(tx, catalog, ask, "deploy.cancel", command.id)
            subject = Subject.of("deploy.cancel", deployment)
            if (told := before(tx, ask, subject)) is not None:
                return told
            refused = self._cannot_cancel(tx, deployment, command, ask)
            if refused is not None:
                tx.outbox.card(deployment.id)
                if heard(tx, ask, deployment.id):
                    return Accepted(f"{deployment.id} is cancelled.", (deployment,))
                return deny(tx, ask, subject, refused)
            if deployment.status is not Status.RUNNING:
                record(tx, ask, subject, "allowed", (command.reason, ""))
                person = ask.requester.person
                ending = Ending(Status.CANCELLED, command.reason, "CANCELLED", person)
                return self._end(tx, deployment, ending)
        return self._rollbacks.take_back(deployment, command.reason, ask)

    def _cannot_cancel(
        self, tx: Transaction, deployment: Deployment, command: Cancel, ask: Ask
    ) -> Refused | None:
        asked = Asked(deployment.kind, deployment.target, ask.requester, command.reason)
        facts = gather(tx, self._parts.catalog(), asked, self._parts.clock.now())
        verdict = may_cancel(facts, deployment)
        if isinstance(verdict, Denied):
            return refused_by(verdict)
        if deployment.status is not Status.RUNNING:
            return None
        if facts.orphaned:
            return unknown_target(deployment.target)
        if deployment.kind is Kind.ROLLBACK:
            return Refused(
                "ALREADY_RUNNING",
                f"{deployment.id} is a rollback that is running already.",
                "/rollback to another version replaces it.",
            )
        return None if command.roll_back else going_on(tx, deployment)

    def _end(self, tx: Transaction, deployment: Deployment, ending: Ending) -> Accepted | Refused:
        """End it as somebody chose, for the reason they gave, if any."""
        gone = self._parts.catalog().spec(deployment.target) is None
        orphan = f"{orphaned(deployment.target)}." if gone else ""
        because = "; ".join(filter(None, (ending.explanation, orphan)))
        what = f"{ending.status.value.capitalize()} by {ending.by.name}"
        why = f"{what}: {because}" if because else f"{what}."
        ended = settle(tx, deployment, replace(ending, explanation=why), self._parts.clock.now())
        if ended is None:
            return too_late(deployment)
        return Accepted(f"{ended.id} is {ended.status.value}.", (ended,))


def going_on(tx: Transaction, deployment: Deployment) -> Refused:
    """There is no half-way; but a canary is taken back without a rollback, which would hold the
    target."""
    canary = tx.canaries.get(deployment.id)
    if canary is not None and canary.phase in ON_TRIAL:
        word = f"/canary {deployment.target.service} {deployment.target.environment} abort"
        said = f"{deployment.id} is a canary that is running."
        way_back = f"{word} sends all traffic to the stable version."
        return Refused("ALREADY_RUNNING", said, way_back, word)
    return Refused(
        "ALREADY_RUNNING",
        f"{deployment.id} is running: stopping half-way would leave both versions up.",
        f"/deploy cancel {deployment.id} --roll-back goes back to what ran before.",
        f"/deploy cancel {deployment.id} --roll-back",
    )


def only_cleared_away(deployment: Deployment) -> Refused:
    """There is nothing left to roll out to."""
    return Refused(
        "UNKNOWN_TARGET",
        f"{deployment.id} cannot be approved: {orphaned(deployment.target)}.",
        f"Put it back in quarterdeck.yaml, or end the request: /deploy cancel {deployment.id}",
        f"/deploy cancel {deployment.id}",
    )


def too_late(deployment: Deployment) -> Refused:
    """Somebody else was faster; their decision stands."""
    return Refused(
        "ALREADY_DECIDED",
        f"{deployment.id} was decided by somebody else in the same moment.",
        "Its card shows who and how.",
    )
