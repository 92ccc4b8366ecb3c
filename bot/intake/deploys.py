"""``/deploy``: resolve, decide, record and enqueue, all before Slack is answered."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.commands.model import Deploy, Retry
from bot.intake.ask import Ask, Subject, answered, deny, record, refused_by, refused_for
from bot.intake.ids import deny_unknown
from bot.model.catalog import Catalog, TargetSpec
from bot.model.deployment import Deployment, Image, Kind, Requester, Status, Target
from bot.model.errors import QuarterdeckError, Transient, Unknown, UserError
from bot.model.ports import Store, Transaction
from bot.model.reply import Accepted, DryRun, Refused
from bot.model.rollout import Live
from bot.policy.decide import Allowed, Denied, NeedsApproval, decide
from bot.policy.facts import Facts
from bot.workflows.canary.opening import plan_of, supersede
from bot.workflows.drift import warnings
from bot.workflows.facts import Asked, gather
from bot.workflows.parts import Parts


@dataclass(frozen=True, slots=True)
class Candidate:
    """A deployment about to be asked for: what it would put where, and what runs there now."""

    spec: TargetSpec
    image: Image
    live: Live
    reason: str
    override_freeze: bool
    canary: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def target(self) -> Target:
        """The target's key."""
        return self.spec.key


class Deploys:
    """Requests to bring a version onto targets."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def deploy(self, command: Deploy, ask: Ask) -> Accepted | Refused | DryRun:
        """One result per target: some may be accepted while others are refused."""
        if command.dry_run:
            return self._dry_run(command, ask)
        results: list[Accepted | Refused] = []
        for target in command.targets:
            try:
                results.append(self._one(target, command, ask))
            except (Transient, Unknown) as fault:
                if not any(isinstance(result, Accepted) for result in results):
                    raise
                # The database went away in between: what was recorded before goes on.
                results.append(replace(refused_for(fault), text=f"{target}: {fault.message}"))
        return merged(results)

    def retry(self, command: Retry, ask: Ask) -> Accepted | Refused:
        """Ask again for the image of an earlier deployment; what was approved is not inherited."""
        if again := repeated(self._parts.store, ask):
            return again
        with self._parts.store.read() as tx:
            earlier = tx.deployments.get(command.id)
        if earlier is None:
            with self._parts.store.begin() as tx:
                catalog = self._parts.catalog()
                return deny_unknown(tx, catalog, ask, "deploy.retry", command.id)
        if (refused := cannot_retry(earlier)) is not None:
            subject = Subject.of("deploy.retry", earlier)
            return refuse(self._parts.store, ask, subject, refused)
        anew = Deploy(
            (earlier.target,),
            earlier.image.digest,
            command.reason or earlier.reason,
            canary=earlier.canary,
        )
        return merged([self._one(earlier.target, anew, ask, ref=earlier.image.ref)])

    def _one(self, target: Target, command: Deploy, ask: Ask, ref: str = "") -> Accepted | Refused:
        subject = Subject.at("deploy.requested", target, version=command.version)
        try:
            candidate = self._candidate(target, command, ref)
        except QuarterdeckError as fault:
            return refuse(self._parts.store, ask, subject, refused_for(fault))
        subject = replace(
            subject,
            from_digest=candidate.live.image.digest if candidate.live.image else "",
            to_digest=candidate.image.digest,
        )
        try:
            with self._parts.store.begin() as tx:
                return before(tx, ask, subject) or self._decide(tx, ask, candidate, subject)
        except UserError as duplicate:
            return refuse(self._parts.store, ask, subject, refused_for(duplicate))

    def _candidate(self, target: Target, command: Deploy, ref: str = "") -> Candidate:
        catalog = self._parts.catalog()
        spec = catalog.spec(target)
        if spec is None:
            raise UserError(
                f"{target.service} does not run in {target.environment}.",
                reason_code="UNKNOWN_TARGET",
                hint="/deploy status lists what runs where.",
            )
        image = self._parts.registry.resolve(catalog.services[target.service].ecr, command.version)
        if ref:
            image = replace(image, ref=ref)
        canary = plan_of(spec, asked=command.canary)
        live = self._parts.rollouts.live(spec)
        minded = self._minded(spec) if canary else ()
        return Candidate(spec, image, live, command.reason, command.override_freeze, canary, minded)

    def _minded(self, spec: TargetSpec) -> tuple[str, ...]:
        """What its canary would be warned of. Raises where there can be none.

        While another one has its weights and its service there, that is for the moment in which
        this one has its turn: the other makes way first.
        """
        with self._parts.store.read() as tx:
            other = tx.canaries.of(spec.key)
        if other is not None or self._parts.canaries is None:
            return ()
        return tuple(self._parts.canaries.check(spec))

    def _facts(self, tx: Transaction, ask: Ask, candidate: Candidate) -> Facts:
        asked = Asked(
            Kind.DEPLOY,
            candidate.target,
            ask.requester,
            candidate.reason,
            candidate.override_freeze,
            candidate.live.downtime,
        )
        return gather(tx, self._parts.catalog(), asked, self._parts.clock.now())

    def _decide(
        self, tx: Transaction, ask: Ask, candidate: Candidate, subject: Subject
    ) -> Accepted | Refused:
        facts = self._facts(tx, ask, candidate)
        decision = decide(facts)
        if isinstance(decision, Denied):
            return deny(tx, ask, subject, refused_by(decision))
        warned = (*warnings(tx, facts, candidate.live), *candidate.warnings)
        deployment = self._create(tx, ask, replace(candidate, warnings=warned), decision)
        notes = " ".join(decision.notes)
        record(
            tx,
            ask,
            replace(subject, deployment_id=deployment.id),
            "allowed",
            (" ".join(filter(None, (candidate.reason, notes))), ""),
        )
        tx.outbox.card(deployment.id)
        return Accepted(said(deployment), (deployment,))

    def _create(
        self, tx: Transaction, ask: Ask, candidate: Candidate, decision: Allowed | NeedsApproval
    ) -> Deployment:
        now = self._parts.clock.now()
        waits = decision if isinstance(decision, NeedsApproval) else None
        deployment = Deployment(
            id=tx.deployments.next_id(candidate.target),
            kind=Kind.DEPLOY,
            target=candidate.target,
            requester=ask.requester.person,
            requester_is_bot=ask.requester.is_bot,
            channel=card_channel(self._parts.catalog(), ask.requester),
            image=candidate.image,
            previous=candidate.live.image,
            previous_revision=candidate.live.revision,
            reason=candidate.reason,
            status=Status.AWAITING_APPROVAL if waits else Status.QUEUED,
            created_at=now,
            request_id=ask.request_id,
            approvals_needed=waits.approvals if waits else 0,
            expires_at=now + waits.expires_after if waits else None,
            overridden_freeze=decision.overridden_freeze,
            notes=candidate.warnings,
            canary=candidate.canary,
        )
        tx.deployments.add(deployment)
        if deployment.expires_at is not None:
            tx.engine.expire_at(deployment.id, deployment.expires_at)
        else:
            tx.engine.enqueue_rollout(deployment)
            supersede(tx, deployment, now)
        return deployment

    def _dry_run(self, command: Deploy, ask: Ask) -> DryRun | Refused:
        """Changes nothing, so that neither it nor its refusal is put on record."""
        if len(command.targets) != 1:
            return Refused(
                "USAGE",
                "A dry run shows one service at a time.",
                f"Try /deploy {command.targets[0].service} {command.targets[0].environment} "
                "--dry-run.",
            )
        try:
            candidate = self._candidate(command.targets[0], command)
            plan = self._parts.rollouts.plan(candidate.spec, candidate.image)
        except QuarterdeckError as fault:
            return refused_for(fault)
        with self._parts.store.read() as tx:
            facts = self._facts(tx, ask, candidate)
            warned = warnings(tx, facts, candidate.live)
        return DryRun(
            candidate.target,
            candidate.image,
            candidate.live.image,
            in_words(decide(facts)),
            plan.diff,
            tuple(dict.fromkeys((*warned, *candidate.warnings, *plan.warnings))),
        )


def cannot_retry(earlier: Deployment) -> Refused | None:
    """Why it is not asked for again as a deployment; ``None`` where it may be."""
    if not earlier.settled:
        return Refused(
            "DUPLICATE",
            f"{earlier.id} has not ended yet: it is {earlier.status.value.replace('_', ' ')}.",
            f"/deploy show {earlier.id} shows it.",
        )
    return instead(earlier) if earlier.kind is Kind.ROLLBACK else None


def instead(rollback: Deployment) -> Refused:
    """As a deployment it would meet the gates, and the hold that the rollback itself has taken."""
    target, image = rollback.target, rollback.image
    again = f"/rollback {target.service} {target.environment} {image.digest}"
    return Refused(
        "USAGE",
        f"{rollback.id} is a rollback: it is asked for again as one.",
        f"Type /rollback {target.service} {target.environment} {image.name}.",
        again,
    )


def card_channel(catalog: Catalog, requester: Requester) -> str:
    """Where the card goes: a direct message would hide it from those who are to approve it."""
    direct = requester.channel.startswith("D")
    return catalog.announce_in if direct and catalog.announce_in else requester.channel


def repeated(store: Store, ask: Ask) -> Accepted | None:
    """What this very request made before, when Slack delivers it once more."""
    with store.read() as tx:
        return made(tx, ask)


def made(tx: Transaction, ask: Ask, target: str = "") -> Accepted | None:
    """See ``repeated``; of one target, where it is named."""
    earlier = tuple(
        d for d in tx.deployments.by_request(ask.request_id) if target in {"", str(d.target)}
    )
    return Accepted(" ".join(map(said, earlier)), earlier) if earlier else None


def before(tx: Transaction, ask: Ask, subject: Subject) -> Accepted | Refused | None:
    """How this very request was answered before, yes or no; asked in the transaction that would
    answer it, so that nothing comes between."""
    return made(tx, ask, subject.target) or answered(tx, ask, subject)


def refuse(store: Store, ask: Ask, subject: Subject, refusal: Refused) -> Accepted | Refused:
    """Refuse what has not been answered before."""
    with store.begin() as tx:
        return before(tx, ask, subject) or deny(tx, ask, subject, refusal)


def in_words(decision: Allowed | NeedsApproval | Denied) -> str:
    """A decision as one sentence, for a dry run."""
    match decision:
        case Allowed():
            return "It would start at once."
        case NeedsApproval():
            return f"It would wait for {decision.approvals} approval(s)."
        case Denied():
            refused = refused_by(decision)
            return f"It would be refused ({refused.reason_code}): {refused.text}"


def said(deployment: Deployment) -> str:
    """What was just done about a deployment, in one sentence."""
    what = f"{deployment.id}: {deployment.image.name} to {deployment.target.environment}"
    mind = "".join(f" Mind: {note.rstrip('.')}." for note in deployment.notes)
    if deployment.kind is Kind.ROLLBACK:
        return f"{what} is on its way back; its card follows it.{mind}"
    if deployment.status is Status.AWAITING_APPROVAL:
        return f"{what} waits for {deployment.approvals_needed} approval(s); see its card.{mind}"
    return f"{what} is queued; its card follows it.{mind}"


def merged(results: list[Accepted | Refused]) -> Accepted | Refused:
    """The results for several targets as one reply; refused only if every one of them was."""
    accepted = [result for result in results if isinstance(result, Accepted)]
    refused = [result for result in results if isinstance(result, Refused)]
    if not accepted:
        first = refused[0]
        others = " ".join(other.text for other in refused[1:])
        return replace(first, text=f"{first.text} {others}".strip())
    return Accepted(
        " ".join(result.text for result in accepted),
        tuple(made for result in accepted for made in result.deployments),
        tuple(refused),
    )
