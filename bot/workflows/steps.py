"""The steps of a rollout. Each one may run again; none does anything twice.

A step returns how many seconds to wait before it is tried again, 0 when it is done. "Done"
includes "there is nothing to do any more": a deployment that somebody else has settled in the
meantime (cancelled, taken back, superseded) passes through the remaining steps untouched.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

import structlog

from bot.model.deployment import Deployment, Status, Target
from bot.model.errors import (
    Fenced,
    QuarterdeckError,
    Terminal,
    Throttled,
    Transient,
    Unknown,
)
from bot.model.rollout import ReadBack, Told
from bot.workflows.beginning import Beginning, held_up
from bot.workflows.canary.opening import Opening
from bot.workflows.deadline import AGAIN, Deadline, order_of, target_of
from bot.workflows.drift import is_left, last_told
from bot.workflows.ending import Ending, entry, lapsed, settle
from bot.workflows.parts import Parts
from bot.workflows.rollbacks import Rollbacks
from bot.workflows.telling import told

log = structlog.get_logger(__name__)

#: Seconds between tries of a step whose fault may pass: doubled each time, never longer than this.
LONGEST_PAUSE = 30.0
#: What has its turn but cannot begin is given up after this time, with the last fault as reason.
PATIENCE = timedelta(minutes=10)
#: Seconds between looks at a database that is away, where nothing can be given up.
AWAY = 2.0
#: Deployments of which the target is remembered: more are not under way.
REMEMBERED = 4096


class Steps:
    """The durable steps, over the ports."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._beginning = Beginning(parts)
        self._deadline = Deadline(parts)
        self._tries: dict[str, tuple[int, datetime]] = {}
        self._target = lru_cache(REMEMBERED)(self._target_of)
        self._rollbacks = Rollbacks(parts)
        self._opening = Opening(parts)

    def adopt(self, deployment_id: str) -> float:
        """Make this replica the owner. Not checkpointed: it is true of every execution anew.

        It is tried until the database is back: without an owner the steps below would do nothing,
        and a fault raised here would end the workflow while its rollout goes on.
        """
        try:
            with self._parts.store.begin() as tx:
                tx.deployments.note(deployment_id, None, owner=self._parts.replica)
        except (Transient, Unknown) as fault:
            log.warning("cannot adopt", deployment_id=deployment_id, reason_code=fault.reason_code)
            return AWAY
        return 0.0

    def urgent(self, deployment_id: str) -> bool:
        """Whether its steps go first: where a rollback waits for the target, its own and those of
        what is in its way."""
        try:
            return self._target(deployment_id) in self._rollbacks.targets()
        except (QuarterdeckError, LookupError):
            return False

    def _target_of(self, deployment_id: str) -> Target:
        deployment = self._read(deployment_id)
        if deployment is None:
            raise LookupError(deployment_id)
        return deployment.target

    def make_way(self, patience: float) -> bool:
        """Let people who wait for an answer go first."""
        return self._parts.courtesy.make_way(patience)

    def begin(self, deployment_id: str) -> float:
        """Decide again on fresh facts; go from QUEUED to RUNNING, or to the refusal."""
        return self._attempt(deployment_id, Status.QUEUED, self._beginning.begin)

    def prepare(self, deployment_id: str) -> float:
        """Make the revision that is to run. The provider reuses one it made for us before."""
        return self._attempt(deployment_id, Status.RUNNING, self._prepare)

    def start(self, deployment_id: str) -> float:
        """Tell the provider, once: an earlier call whose answer is missing is read back first."""
        return self._attempt(deployment_id, Status.RUNNING, self._start)

    def remaining(self, deployment_id: str) -> float:
        """Seconds until the deadline of a running deployment; 0 when it is settled or late."""
        try:
            deployment = self._read(deployment_id)
        except QuarterdeckError as fault:
            # The rollout goes on without us; what becomes of it is recorded afterwards.
            log.warning("cannot look", deployment_id=deployment_id, reason_code=fault.reason_code)
            return AWAY
        if deployment is None or deployment.status is not Status.RUNNING:
            return 0.0
        return self._deadline.left(deployment)

    def time_out(self, deployment_id: str) -> float:
        """At the deadline: one more look, then say what is known and what is not."""
        return self._attempt(deployment_id, Status.RUNNING, self._time_out)

    def expire(self, deployment_id: str) -> float:
        """End a request that nobody approved in time."""
        return self._attempt(deployment_id, Status.AWAITING_APPROVAL, self._expire)

    def _attempt(
        self, deployment_id: str, when: Status, step: Callable[[Deployment], float]
    ) -> float:
        try:
            deployment = self._read(deployment_id)
            if deployment is None or deployment.status is not when:
                return 0.0
            if when is Status.RUNNING and deployment.owner != self._parts.replica:
                log.warning("fenced", deployment_id=deployment_id, owner=deployment.owner)
                return 0.0
            wait = step(deployment)
        except (Transient, Unknown) as fault:
            return self._again(deployment_id, when, fault)
        except Fenced:
            return 0.0
        except QuarterdeckError as fault:
            return self._give_up(deployment_id, when, fault)
        if wait == 0:
            self._tries.pop(deployment_id, None)
        return wait

    def _again(self, deployment_id: str, when: Status, fault: QuarterdeckError) -> float:
        now = self._parts.clock.now()
        count, since = self._tries.get(deployment_id, (0, now))
        self._tries[deployment_id] = (count + 1, since)
        log.warning(
            "step failed", deployment_id=deployment_id, reason_code=fault.reason_code, tries=count
        )
        if when is Status.QUEUED and now - since > PATIENCE:
            return self._give_up(deployment_id, when, fault)
        self._show(deployment_id, fault)
        backoff = min(LONGEST_PAUSE, 2.0 ** min(count, 10)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        asked = fault.retry_after if isinstance(fault, Throttled) else 0.0
        return max(backoff, asked)

    def _give_up(self, deployment_id: str, when: Status, fault: QuarterdeckError) -> float:
        explanation = f"{fault.message} {fault.hint}".strip()
        ending = Ending(Status.FAILED, explanation, fault.reason_code)
        if when is Status.AWAITING_APPROVAL:
            return LONGEST_PAUSE
        try:
            with self._parts.store.begin() as tx:
                deployment = tx.deployments.get(deployment_id)
                if deployment is not None and deployment.status is when:
                    settle(tx, deployment, ending, self._parts.clock.now())
        except QuarterdeckError as away:
            log.warning("cannot end", deployment_id=deployment_id, reason_code=away.reason_code)
            return LONGEST_PAUSE
        self._tries.pop(deployment_id, None)
        return 0.0

    def _show(self, deployment_id: str, fault: QuarterdeckError) -> None:
        """Say on the card what is in the way, where the database can be reached at all."""
        try:
            with self._parts.store.begin() as tx:
                said = f"{AGAIN}{fault.message}"
                if tx.deployments.note(deployment_id, None, explanation=said):
                    tx.outbox.card(deployment_id)
        except QuarterdeckError:
            log.warning("cannot record a fault", deployment_id=deployment_id)

    def _prepare(self, deployment: Deployment) -> float:
        if deployment.revision is not None or self._deadline.left(deployment) == 0:
            return 0.0
        revision = self._parts.rollouts.prepare(
            target_of(self._parts, deployment), order_of(deployment)
        )
        self._note(deployment, revision=revision)
        return 0.0

    def _start(self, deployment: Deployment) -> float:
        if deployment.handle is not None or deployment.revision is None:
            return 0.0
        if self._deadline.left(deployment) == 0:
            return 0.0  # nothing is begun any more: ``time_out`` says what is known
        if (wait := self._opening.waits(deployment)) > 0:
            return wait
        if deployment.canary:
            return self._opening.open(deployment)
        return self._tell(deployment, deployment.revision)

    def _tell(self, deployment: Deployment, revision: str) -> float:
        if deployment.attempts > 0:
            back = self._read_back(deployment, revision)
            if back.told is Told.YES:
                self._told(deployment, back.handle, "read back after an answer was lost")
                return 0.0
            if back.told is not Told.NO:
                self._end_after_read_back(deployment, back.told, back.explanation)
                return 0.0
        spec = target_of(self._parts, deployment)
        with self._parts.store.read() as tx:
            order = order_of(deployment, tx.votes.on(deployment.id))
        if not self._intend(deployment):
            return 0.0
        handle = self._parts.rollouts.start(spec, order, revision)
        self._told(deployment, handle, "")
        return 0.0

    def _read_back(self, deployment: Deployment, revision: str) -> ReadBack:
        """Until it is known whether the provider was told, no fault ends this: an end would claim
        that nothing was changed."""
        since = deployment.started_at or deployment.created_at
        try:
            spec = target_of(self._parts, deployment)
            return self._parts.rollouts.read_back(spec, order_of(deployment), revision, since)
        except Terminal as fault:
            raise Transient(
                fault.message, reason_code=fault.reason_code, hint=fault.hint
            ) from fault

    def _intend(self, deployment: Deployment) -> bool:
        """Write down that the provider is about to be told; the fence is checked by the write.

        Returns whether it is to be told: somebody may have paused or locked meanwhile.
        """
        with self._parts.store.begin() as tx:
            now = self._parts.clock.now()
            refusal = held_up(tx, self._parts.catalog(), deployment, now)
            if refusal is not None:
                settle(tx, deployment, Ending(Status.REFUSED, refusal.text, refusal.code), now)
                return False
            fence = self._parts.replica
            if not tx.deployments.note(
                deployment.id, fence, attempts=deployment.attempts + 1, explanation=""
            ):
                raise Fenced("Another replica owns this rollout, or it has been settled.")
            tx.audit.append(entry(deployment, "rollout.tell", "intent"))
            return True

    def _told(self, deployment: Deployment, handle: str | None, how: str) -> None:
        with self._parts.store.begin() as tx:
            before = last_told(tx, deployment.target)
            # No owner asked for: what has happened is recorded, whoever owns the rollout now.
            tx.deployments.note(deployment.id, None, handle=handle or "", explanation="")
            done = entry(deployment, "rollout.tell", "done", how)
            tx.audit.append(replace(done, detail={"handle": handle} if handle else {}))
            spec = self._parts.catalog().spec(deployment.target)
            tx.outbox.thread(deployment.id, "told", told(spec, handle))
            tx.outbox.card(deployment.id)
            if before is not None and is_left(before):
                tx.outbox.card(before.id)  # there is nothing left of it to go back from
        log.info("provider told", deployment_id=deployment.id, handle=handle, how=how)

    def _end_after_read_back(self, deployment: Deployment, told: Told, explanation: str) -> None:
        if told is Told.SOMEONE_ELSE:
            ending = Ending(Status.SUPERSEDED, explanation, "SUPERSEDED")
        else:
            ending = Ending(
                Status.OUTCOME_UNKNOWN,
                f"{explanation} Look at the service before deploying to it again.".strip(),
                "OUTCOME_UNKNOWN",
            )
        with self._parts.store.begin() as tx:
            settle(tx, deployment, ending, self._parts.clock.now())

    def _time_out(self, deployment: Deployment) -> float:
        if (early := self._deadline.left(deployment)) > 0:
            # The catalog's limit was raised, or another replica's clock was ahead of this one.
            return early
        ending = self._deadline.last_look(deployment)
        with self._parts.store.begin() as tx:
            settle(tx, deployment, ending, self._parts.clock.now())
        return 0.0

    def _expire(self, deployment: Deployment) -> float:
        now = self._parts.clock.now()
        if deployment.expires_at is None:
            return 0.0
        if now < deployment.expires_at:
            return (deployment.expires_at - now).total_seconds()
        with self._parts.store.begin() as tx:
            settle(tx, deployment, lapsed(deployment), now)
        return 0.0

    def _note(self, deployment: Deployment, **changes: object) -> None:
        with self._parts.store.begin() as tx:
            if not tx.deployments.note(deployment.id, self._parts.replica, **changes):
                raise Fenced("Another replica owns this rollout, or it has been settled.")

    def _read(self, deployment_id: str) -> Deployment | None:
        with self._parts.store.read() as tx:
            return tx.deployments.get(deployment_id)
