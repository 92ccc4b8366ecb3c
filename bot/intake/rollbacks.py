"""``/rollback``, and the cancellation of what runs: back to a version that is known to be good.

A rollback asks no gate for permission, waits behind nothing that is under way on its target, and
leaves the target held, so that nothing ships the bad version again.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.commands.model import OpenRollbackForm, Rollback
from bot.intake.ask import (
    Ask,
    Subject,
    answered,
    deny,
    record,
    refused_by,
    refused_for,
    unknown_target,
)
from bot.intake.deploys import card_channel, refuse, repeated, said
from bot.model.catalog import TargetSpec
from bot.model.contract import CONTROL
from bot.model.deployment import (
    SYSTEM,
    Deployment,
    Image,
    Kind,
    Lock,
    Person,
    Release,
    Status,
    Target,
)
from bot.model.errors import QuarterdeckError, UserError
from bot.model.ports import Transaction
from bot.model.reply import Accepted, Refused, RollbackForm
from bot.model.rollout import Live
from bot.policy.decide import Denied, decide
from bot.workflows.drift import is_left, last_told, warnings
from bot.workflows.ending import Ending, settle
from bot.workflows.facts import Asked, gather
from bot.workflows.parts import Parts

#: How many earlier versions are offered.
OFFERED = 5


@dataclass(frozen=True, slots=True)
class Way:
    """The way back: to which release, from what (``None`` where it could not be read).

    ``passed`` are the gates that would have stopped a deployment, in words. ``warnings`` are for
    its card.
    """

    spec: TargetSpec
    release: Release
    live: Live | None
    reason: str
    passed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Rollbacks:
    """Requests to go back."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def roll_back(self, command: Rollback, ask: Ask) -> Accepted | Refused:
        """Find the release, check that it can still run, then record and enqueue."""
        if again := repeated(self._parts.store, ask):
            return again
        subject = Subject.at("rollback.requested", command.target, to=command.to)
        spec = self._parts.catalog().spec(command.target)
        if spec is None:
            refused = unknown_target(command.target)
        elif command.to == "previous" and (other := self._under_way(command.target)) is not None:
            refused = is_under_way(other)
        else:
            live = self._live(spec)
            found = self._find(spec, command.to, live)
            if isinstance(found, Release):
                return self._go(Way(spec, found, live, command.reason), ask, subject)
            refused = found
        return refuse(self._parts.store, ask, subject, refused)

    def take_back(self, deployment: Deployment, reason: str, ask: Ask) -> Accepted | Refused:
        """Cancel what runs by rolling its target back to what ran before it."""
        if again := repeated(self._parts.store, ask):
            return again
        subject = Subject.of("rollback.requested", deployment)
        spec = self._parts.catalog().spec(deployment.target)
        if spec is None or deployment.previous is None or not deployment.previous_revision:
            refused = Refused(
                "NO_KNOWN_GOOD",
                f"What ran before {deployment.id} is not known, so there is no way back to it.",
                "/rollback offers the versions that are known to be good.",
            )
            return refuse(self._parts.store, ask, subject, refused)
        release = Release(
            deployment.target,
            deployment.previous_revision,
            deployment.previous,
            None,
            deployment.created_at,
        )
        if (why := self._unusable(spec, release)) is not None:
            return refuse(self._parts.store, ask, subject, cannot_run(release, why))
        reason = reason or f"{deployment.id} was cancelled"
        return self._go(Way(spec, release, self._live(spec), reason), ask, subject)

    def form(self, command: OpenRollbackForm, _ask: Ask) -> RollbackForm:
        """What the modal offers: the last known-good versions, each checked before it is shown."""
        targets = tuple(spec.key for spec in self._parts.catalog().targets)
        spec = self._parts.catalog().spec(command.target) if command.target else None
        if spec is None:
            return RollbackForm(targets)
        candidates = self._candidates(spec, self._live(spec))[:OFFERED]
        with ThreadPoolExecutor(OFFERED) as pool:
            faults = list(pool.map(lambda release: self._unusable(spec, release), candidates))
        pairs = list(zip(candidates, faults, strict=True))
        return RollbackForm(
            targets,
            spec.key,
            tuple(release for release, fault in pairs if fault is None),
            tuple(f"{release.image.name}: {fault}" for release, fault in pairs if fault),
            self._warnings(spec.key),
        )

    def _warnings(self, target: Target) -> tuple[str, ...]:
        with self._parts.store.read() as tx:
            active = tx.deployments.active(target)
        return tuple(
            f"{one.id} is {one.status.value} and will be cancelled."
            for one in active
            if one.status is Status.RUNNING or one.kind is Kind.ROLLBACK
        )

    def _under_way(self, target: Target) -> Deployment | None:
        """A rollback that has not ended. Two people who type the same at once mean one: seen from
        the version it goes to, "previous" would be the bad one, or one too far back."""
        with self._parts.store.read() as tx:
            active = tx.deployments.active(target)
        return next((one for one in active if one.kind is Kind.ROLLBACK), None)

    def _live(self, spec: TargetSpec) -> Live | None:
        """What runs now; a rollback does not fail because that cannot be read."""
        try:
            return self._parts.rollouts.live(spec)
        except QuarterdeckError:
            return None

    def _candidates(self, spec: TargetSpec, live: Live | None) -> list[Release]:
        """Known-good releases, newest first, without what is being rolled out now, or runs.

        While something is being rolled out, what still runs is the way back from it; so it is after
        a rollout that failed and that nobody has taken back. But what a rollback is just leaving
        comes last, for nobody should choose it without meaning it.
        """
        with self._parts.store.read() as tx:
            good = list(tx.releases.known_good(spec.key, OFFERED + 2))
            active = tx.deployments.active(spec.key)
            last = last_told(tx, spec.key)
        running = {d.image.digest for d in active if d.status is Status.RUNNING}
        left = {d.previous.digest for d in active if d.kind is Kind.ROLLBACK and d.previous}
        if not running and live is not None and live.image is not None:
            running = {live.image.digest}
        elif not running and live is None and last is not None and is_left(last):
            running = {last.image.digest}
        elif not running and good and (live is None or live.revision == good[0].revision):
            running = {good[0].image.digest}
        kept = [release for release in good if release.image.digest not in running]
        return sorted(kept, key=lambda release: release.image.digest in left)

    def _find(self, spec: TargetSpec, wanted: str, live: Live | None) -> Release | Refused:
        candidates = self._candidates(spec, live)
        if not candidates:
            return Refused(
                "NO_KNOWN_GOOD",
                f"No earlier version of {spec.key} is known to have run well.",
                "Deploy a version that you trust: /deploy "
                f"{spec.service} {spec.environment} <version>.",
            )
        with self._parts.store.read() as tx:
            named = tx.deployments.get(wanted)
            good = tx.releases.known_good(spec.key, OFFERED)
        # A release that ran again belongs to its newest deployment; an older id means its image.
        digest = named.image.digest if named is not None else wanted
        chosen = [r for r in candidates if wanted == "previous" or names(r, wanted, digest)]
        if not chosen:
            offered = ", ".join(release.image.name for release in candidates[:OFFERED])
            is_live = live is not None and any(
                release.revision == live.revision and names(release, wanted, digest)
                for release in good
            )
            what = "what runs there now" if is_live else "not a known-good version"
            return Refused(
                "UNKNOWN_VERSION",
                f"{wanted[:80]} is {what}: {spec.key} cannot go back to it.",
                f"Known good, newest first: {offered}.",
            )
        why = self._unusable(spec, chosen[0])
        return chosen[0] if why is None else cannot_run(chosen[0], why)

    def _unusable(self, spec: TargetSpec, release: Release) -> str | None:
        """Why a release surely cannot run again. What cannot be checked now is let through:
        at this hour a throttled registry must not stand between a team and its way back."""
        ecr = self._parts.catalog().services[spec.service].ecr
        try:
            if (why := self._parts.rollouts.usable(spec, release.revision)) is not None:
                return why
            from_there = release.image.repository.endswith(f"/{ecr.repository}")
            if from_there and not self._parts.registry.exists(ecr, release.image.digest):
                return "its image is gone from the registry"
        except QuarterdeckError:
            return None
        return None

    def _go(self, way: Way, ask: Ask, subject: Subject) -> Accepted | Refused:
        downtime = way.live.downtime if way.live else ()
        asked = Asked(Kind.ROLLBACK, way.spec.key, ask.requester, way.reason, downtime=downtime)
        try:
            with self._parts.store.begin() as tx:
                if (told := answered(tx, ask, subject)) is not None:
                    return told
                now = self._parts.clock.now()
                facts = gather(tx, self._parts.catalog(), asked, now)
                decision = decide(facts)
                if isinstance(decision, Denied):
                    return deny(tx, ask, subject, refused_by(decision))
                warned = warnings(tx, facts, way.live)
                way = replace(way, passed=decision.notes, warnings=warned)
                return self._record(tx, way, ask, subject)
        except UserError as duplicate:
            return refuse(self._parts.store, ask, subject, refused_for(duplicate))

    def _record(self, tx: Transaction, way: Way, ask: Ask, subject: Subject) -> Accepted:
        rollback = self._rollback(tx, way, ask)
        tx.deployments.add(rollback)
        why = " ".join(filter(None, (way.reason, *way.passed)))
        record(tx, ask, Subject.of(subject.action, rollback), "allowed", (why, ""))
        self._clear(tx, rollback, ask)
        self._hold(tx, rollback, ask)
        tx.engine.enqueue_rollout(rollback)
        tx.outbox.card(rollback.id)
        return Accepted(said(rollback), (rollback,))

    def _clear(self, tx: Transaction, rollback: Deployment, ask: Ask) -> None:
        """End what runs and an earlier rollback that has not begun: the last word counts. Wake
        what else has its turn but could not begin yet: it gives way."""
        now = self._parts.clock.now()
        for active in tx.deployments.active(rollback.target):
            # Locked before it is judged: what begins in this instant is seen running here, or
            # sees the rollback itself.
            one = tx.deployments.get_for_update(active.id)
            if one is None or one.id == rollback.id or one.settled:
                continue
            if one.status is Status.RUNNING or one.kind is Kind.ROLLBACK:
                settle(tx, one, replaced(one, rollback, ask.requester.person), now)
            elif one.status is Status.QUEUED:
                key = f"{one.id}:{rollback.id}"
                tx.engine.tell(one.id, CONTROL, {"overtaken": rollback.id}, key)

    def _rollback(self, tx: Transaction, way: Way, ask: Ask) -> Deployment:
        return Deployment(
            id=tx.deployments.next_id(way.spec.key),
            kind=Kind.ROLLBACK,
            target=way.spec.key,
            requester=ask.requester.person,
            requester_is_bot=ask.requester.is_bot,
            channel=card_channel(self._parts.catalog(), ask.requester),
            image=way.release.image,
            previous=way.live.image if way.live else self._last(tx, way.spec.key),
            previous_revision=way.live.revision if way.live else None,
            reason=way.reason,
            status=Status.QUEUED,
            created_at=self._parts.clock.now(),
            request_id=ask.request_id,
            revision=way.release.revision,
            notes=way.warnings,
        )

    def _last(self, tx: Transaction, target: Target) -> Image | None:
        good = tx.releases.known_good(target, 1)
        return good[0].image if good else None

    def _hold(self, tx: Transaction, rollback: Deployment, ask: Ask) -> None:
        """Lock the target in the same transaction: what waits behind must not ship the bad version
        again. The hold is the system's own, so nobody passes it as its owner."""
        now = self._parts.clock.now()
        policy = self._parts.catalog().policy_of(rollback.target)
        reason = f"held after {rollback.id} by {ask.requester.person.name}"
        lock = Lock(
            rollback.target.service,
            rollback.target.environment,
            SYSTEM,
            f"{reason}: {rollback.reason}" if rollback.reason else reason,
            now,
            now + policy.hold_after_rollback,
        )
        if policy.hold_after_rollback <= timedelta():
            return
        if not tx.holds.lock(lock):
            earlier = tx.holds.unlock(lock.service, lock.environment)
            lock = over(earlier, lock)
            tx.holds.lock(lock)
        record(tx, ask, Subject.at("target.locked", rollback.target), "done", (lock.reason, ""))


def over(earlier: Lock | None, hold: Lock) -> Lock:
    """The hold in place of a lock that stood there: its owner would pass that one, and it may end
    too soon. It lasts as long as either of them would."""
    if earlier is None:
        return hold
    ends = None
    if earlier.until is not None and hold.until is not None:
        ends = max(earlier.until, hold.until)
    before = f" (locked before by {earlier.owner.name}: {earlier.reason})"
    said = "" if earlier.owner == SYSTEM else before
    return replace(hold, until=ends, reason=f"{hold.reason}{said}")


def replaced(one: Deployment, rollback: Deployment, person: Person) -> Ending:
    """The end of what a rollback takes the place of."""
    why = f"Cancelled by {person.name}: {rollback.id} takes it back."
    if one.status is Status.QUEUED:
        why = (
            f"Replaced by {person.name} before it began, so it changed nothing: {rollback.id} goes "
            f"back to {rollback.image.name} instead."
        )
    return Ending(Status.CANCELLED, why, "ROLLED_BACK_BY_HAND", person)


def is_under_way(other: Deployment) -> Refused:
    """Somebody was faster, and meant the same."""
    return Refused(
        "DUPLICATE",
        f"{other.id} takes {other.target} back to {other.image.name} already; its card follows it.",
        f"/rollback {other.target.service} {other.target.environment} <version> goes to another "
        "version instead.",
    )


def names(release: Release, wanted: str, digest: str) -> bool:
    """Whether what was typed names this release: by its version, or by the start of its digest."""
    short = digest.removeprefix("sha256:")
    by_digest = len(short) >= 7 and release.image.digest.removeprefix("sha256:").startswith(short)  # noqa: PLR2004 - as git does
    return wanted == release.image.ref or by_digest


def cannot_run(release: Release, why: str) -> Refused:
    """A release that is known good but cannot be started any more."""
    return Refused(
        "RELEASE_UNUSABLE",
        f"{release.image.name} cannot run again: {why}.",
        "/rollback alone offers the versions that can.",
    )
