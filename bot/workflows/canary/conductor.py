"""Brings every open canary on, from its first task to its last trace.

One per process. A canary is a row: whoever holds its claim reads how things stand, does at most one
thing toward its aim, measures, judges, and writes down what follows in one transaction. So it goes
on after a crash where it was, and its leftovers are removed by whichever replica is alive, also
when its deployment has long ended.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import structlog
from typing_extensions import override

from bot.analysis.foresight import foreseen
from bot.analysis.verdict import Outcome
from bot.model.canary import (
    Act,
    Arms,
    Canary,
    Measured,
    Past,
    Phase,
    Reading,
    Stand,
    Wanted,
)
from bot.model.canary_ports import Canaries, Metrics
from bot.model.catalog import TargetSpec
from bot.model.counts import Thresholds
from bot.model.deployment import SYSTEM, AuditEntry, Deployment
from bot.model.errors import QuarterdeckError, Terminal, Throttled
from bot.model.ports import Transaction
from bot.model.rollout import End
from bot.workflows.canary.bench import Bench, Judged, analysis_plan, judgement, per_second
from bot.workflows.canary.course import ON_TRIAL, Entry, Seen, Turn, aim, course
from bot.workflows.deadline import AGAIN, UNLISTED, order_of, target_of
from bot.workflows.ending import Ending, settle
from bot.workflows.parts import Parts
from bot.workflows.patrol import Patrol

log = structlog.get_logger(__name__)

#: Seconds between two looks while something is under way, and while it bakes or cools down.
QUICK, CALM = 1.0, 3.0
#: Longest pause in seconds for one canary whose provider throttles us or cannot be reached.
LONGEST = 30.0
#: Seconds between two questions about metrics.
MEASURED = 10.0
#: A replica conducts for this long, and extends it in time.
CLAIM, EXTEND = timedelta(seconds=30), timedelta(seconds=20)
#: Canaries that are looked at side by side.
AT_ONCE = 8
#: Phases in which something is brought about, and not only looked at.
ACTIVE = frozenset({Phase.SHIFTING, Phase.PROMOTING, Phase.RETURNING, Phase.CLEANING})


@dataclass(slots=True)
class _Memory:
    """What this process knows of a canary beside its row; lost without harm."""

    claimed_until: datetime
    ticks: list[Measured]
    due: datetime
    measured_at: datetime | None = None
    blind: str = ""
    faults: int = 0


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at one canary found."""

    stand: Stand
    judged: Judged | None
    now: datetime


class Conductor(Patrol):
    """``look`` is one pass over all canaries that this replica conducts."""

    def __init__(
        self,
        parts: Parts,
        canaries: Canaries,
        metrics: Metrics,
        stirred: Event | None = None,
    ) -> None:
        super().__init__("conductor", QUICK, stirred)
        self._parts = parts
        self._canaries = canaries
        self._metrics = metrics
        self._bench = Bench()
        self._memory: dict[str, _Memory] = {}

    @override
    def _round(self) -> float:
        with ThreadPoolExecutor(1, thread_name_prefix="conducting") as passing:
            pause = passing.submit(self.look)
        fault = pause.exception()
        if fault is None:
            return pause.result()
        known = isinstance(fault, QuarterdeckError)
        log.error("cannot conduct", error=str(fault) if known else "", exc_info=not known and fault)
        return CALM

    def look(self) -> float:
        """One pass. Returns the seconds until the next one."""
        now = self._parts.clock.now()
        with self._parts.store.read() as tx:
            opened = tx.canaries.open()
            # New to this process: its ticks are read once, and appended to from then on.
            fresh = {
                each.deployment_id: list(tx.canaries.ticks(each.deployment_id))
                for each in opened
                if each.deployment_id not in self._memory
            }
        for name, ticks in fresh.items():
            self._memory[name] = _Memory(now - CLAIM, ticks, now)
        names = {each.deployment_id for each in opened}
        self._memory = {name: kept for name, kept in self._memory.items() if name in names}
        self._bench.forget(names)
        mine = [each for each in opened if self._claimed(each, now)]
        due = [each for each in mine if self._memory[each.deployment_id].due <= now or each.wish]
        if due:
            due = self._measure(due, now)
            with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="conductor") as pool:
                looks = [(each, pool.submit(self._conduct, each, now)) for each in due]
            for canary, looked in looks:
                self._after(canary, looked.exception(), now)
        busy = any(each.phase in ACTIVE for each in mine)
        return (QUICK if busy else CALM) * random.uniform(0.8, 1.0)  # noqa: S311 - jitter, no secret

    def _claimed(self, canary: Canary, now: datetime) -> bool:
        memory = self._memory[canary.deployment_id]
        if memory.claimed_until - now > EXTEND:
            return True
        with self._parts.store.begin() as tx:
            taken = tx.canaries.claim(canary.deployment_id, self._parts.replica, now, now + CLAIM)
        if taken and memory.claimed_until < now:
            # Somebody else may have conducted it meanwhile: what they have measured is read anew.
            with self._parts.store.read() as tx:
                memory.ticks = list(tx.canaries.ticks(canary.deployment_id))
        if taken:
            memory.claimed_until = now + CLAIM
        return taken

    def _after(self, canary: Canary, fault: BaseException | None, now: datetime) -> None:
        memory = self._memory[canary.deployment_id]
        if fault is None:
            memory.faults = 0
            memory.due = now
            return
        memory.faults += 1
        pause = min(LONGEST, 2.0 ** min(memory.faults, 10))
        if isinstance(fault, Throttled):
            pause = max(pause, fault.retry_after)
        memory.due = now + timedelta(seconds=pause)
        name = canary.deployment_id
        if not isinstance(fault, QuarterdeckError):
            log.error("cannot conduct", deployment_id=name, exc_info=fault)
            return
        log.warning("cannot conduct", deployment_id=name, reason_code=fault.reason_code)
        self._show(canary, fault)

    def _show(self, canary: Canary, fault: QuarterdeckError) -> None:
        """Say on the card what is in the way, if it lasts."""
        if self._memory[canary.deployment_id].faults < 2:  # noqa: PLR2004 - one may pass unseen
            return
        with self._parts.store.begin() as tx:
            if tx.canaries.change(canary, doing=f"{AGAIN}{fault.message}") is not None:
                tx.outbox.card(canary.deployment_id)

    # --- measuring ---------------------------------------------------------------------------

    def _measure(self, canaries: Sequence[Canary], now: datetime) -> list[Canary]:
        """Ask for the newest ticks of all that have traffic, in one question."""
        wanted = {
            each.deployment_id: want
            for each in canaries
            if self._is_due(each, now) and (want := self._wanted(each)) is not None
        }
        if not wanted:
            return list(canaries)
        try:
            readings = self._metrics.readings(list(wanted.values()), now)
            seen, faults = readings.seen, readings.faults
        except QuarterdeckError as fault:
            seen, faults = {}, dict.fromkeys(wanted, fault)
        for name in wanted:
            memory = self._memory[name]
            memory.measured_at = now
            memory.blind = faults[name].message if name in faults else ""
        return [self._kept(each, seen.get(each.deployment_id, ())) for each in canaries]

    def _is_due(self, canary: Canary, now: datetime) -> bool:
        at = self._memory[canary.deployment_id].measured_at
        return at is None or (now - at).total_seconds() >= MEASURED

    def _wanted(self, canary: Canary) -> Wanted | None:
        if canary.phase not in ON_TRIAL or canary.past is None or not canary.shifts:
            return None
        spec = self._spec(canary)
        if spec is None or canary.arms is None:
            return None
        canary_slow, stable_slow = _thresholds(canary, canary.past)
        since = canary.measured_until or canary.shifts[0]
        return Wanted(canary.deployment_id, spec, canary.arms, since, canary_slow, stable_slow)

    def _spec(self, canary: Canary) -> TargetSpec | None:
        with self._parts.store.read() as tx:
            deployment = tx.deployments.get(canary.deployment_id)
        return self._parts.catalog().spec(deployment.target) if deployment else None

    def _kept(self, canary: Canary, readings: Sequence[Reading]) -> Canary:
        """Append what is new; a tick is taken once, whoever measures it."""
        since = canary.measured_until or canary.shifts[0] if canary.shifts else None
        news = [each for each in readings if since is not None and each.begins >= since]
        if not news:
            return canary
        memory = self._memory[canary.deployment_id]
        measured = [Measured(each, _step_of(canary, each)) for each in news]
        until = news[-1].begins + timedelta(seconds=news[-1].seconds)
        with self._parts.store.begin() as tx:
            changed = tx.canaries.change(canary, measured_until=until)
            if changed is None:
                return canary
            for number, each in enumerate(measured, start=len(memory.ticks)):
                tx.canaries.tick(canary.deployment_id, number, each)
        memory.ticks += measured
        return changed

    # --- one canary ----------------------------------------------------------------------------

    def _conduct(self, canary: Canary, now: datetime) -> None:
        with self._parts.store.read() as tx:
            deployment = tx.deployments.get(canary.deployment_id)
        if deployment is None or deployment.revision is None:
            return
        ticks = self._memory[canary.deployment_id].ticks
        judged = self._bench.judge(canary, ticks)
        acts = _acts(canary, deployment, judged, now)
        stand = self._stand(canary, deployment, acts=acts)
        if _is_unknown(canary) and stand.arms is not None:
            canary = self._know(canary, deployment, stand.arms, now) or canary
        self._write(canary, deployment, _Look(stand, judged, now))

    def _stand(self, canary: Canary, deployment: Deployment, *, acts: bool) -> Stand:
        """Look, and where its phase asks for it, act. What surely cannot be done ends a trial."""
        try:
            spec, order = target_of(self._parts, deployment), order_of(deployment)
            does = self._canaries.toward if acts else self._canaries.look
            stand = does(spec, order, deployment.revision or "", aim(canary))
        except Terminal as fault:
            said = f"{fault.message} {fault.hint}".strip()
            if canary.phase not in ON_TRIAL:
                return Stand(reached=False, share=canary.share, blocked=said)
            code = fault.reason_code
            return Stand(
                reached=False, share=None, end=End.FAILED, explanation=said, reason_code=code
            )
        # What is only looked at may look finished, but is not yet meant to be.
        return replace(stand, reached=stand.reached and (acts or canary.phase not in ACTIVE))

    def _know(
        self, canary: Canary, deployment: Deployment, arms: Arms, now: datetime
    ) -> Canary | None:
        """Before the first shift: what the stable version is like, and what this can show."""
        memory = self._memory[canary.deployment_id]
        try:
            past = self._metrics.past(target_of(self._parts, deployment), arms, now)
        except QuarterdeckError as fault:
            memory.blind = fault.message
            return None
        memory.blind = ""
        told = foreseen(analysis_plan(canary, past), 0, per_second(past), past.tick_seconds)
        with self._parts.store.begin() as tx:
            known = tx.canaries.change(canary, past=past, arms=arms)
            if known is not None:
                tx.outbox.thread(canary.deployment_id, "foreseen", told)
                tx.deployments.note(deployment.id, None, notes=(*deployment.notes, told))
                tx.outbox.card(canary.deployment_id)
        return known

    def _write(self, canary: Canary, deployment: Deployment, look: _Look) -> None:
        spec = self._parts.catalog().spec(deployment.target)
        seen = Seen(
            canary,
            look.stand,
            look.judged,
            self._memory[canary.deployment_id].blind,
            deployment.settled,
            spec.timeout if spec is not None else UNLISTED,
            look.now,
        )
        turn = course(seen)
        at = replace(canary, step=turn.changes.get("step", canary.step))
        changes = {**_told(at, look.stand, look.judged), **turn.changes}
        if not changes and not turn.notes:
            return
        with self._parts.store.begin() as tx:
            changed = tx.canaries.change(canary, **changes)
            if changed is None:
                return  # a person's word, or another replica, came first: look again
            self._say(tx, deployment, turn, look.now)
            tx.outbox.card(deployment.id)
        if changed.phase is not canary.phase:
            log.info("canary", deployment_id=deployment.id, phase=changed.phase.value)
            self._woken.set()

    def _say(self, tx: Transaction, deployment: Deployment, turn: Turn, now: datetime) -> None:
        for each in turn.entries:
            tx.audit.append(_row(deployment, each))
        for note in turn.notes:
            put = tx.outbox.chart if note.chart else tx.outbox.thread
            put(deployment.id, note.key, note.text, broadcast=note.broadcast)
        if turn.ended is not None:
            current = tx.deployments.get_for_update(deployment.id)
            if current is not None and not current.settled:
                ended = turn.ended
                ending = Ending(ended.status, ended.explanation, ended.reason_code, ended.by)
                settle(tx, current, ending, now)


def _is_unknown(canary: Canary) -> bool:
    """Whether it has to be measured first what the stable version is like."""
    return canary.past is None and canary.phase is Phase.SHIFTING


def _acts(canary: Canary, deployment: Deployment, judged: Judged | None, now: datetime) -> bool:
    """Whether something is to be brought about now. Nothing goes on that is about to go back."""
    if canary.phase not in ACTIVE or _is_unknown(canary):
        return False
    if canary.phase is Phase.CLEANING:
        return now - canary.since >= canary.plan.clean_up_after
    leaves = (
        deployment.settled
        or (canary.wish is not None and canary.wish.act is Act.ABORT)
        or (judged is not None and judged.outcome is Outcome.ABORT)
    )
    return canary.phase is Phase.RETURNING or not leaves


def _thresholds(canary: Canary, past: Past) -> tuple[Thresholds | None, Thresholds | None]:
    plan = analysis_plan(canary, past)
    return plan.thresholds(canary=True), plan.thresholds(canary=False)


def _step_of(canary: Canary, reading: Reading) -> int:
    """The step whose share it was measured under; a tick in which it changed is the earlier's."""
    return max(0, sum(at <= reading.begins for at in canary.shifts) - 1)


def _told(canary: Canary, stand: Stand, judged: Judged | None) -> dict[str, Any]:
    """What the card shows that has changed. A share that cannot be told stays what it was."""
    now: dict[str, Any] = {
        "canary": stand.canary,
        "stable": stand.stable,
        "doing": stand.doing,
        "expires_at": stand.expires_at,
    }
    if canary.arms is None or (stand.arms is not None and canary.arms != stand.arms):
        now["arms"] = stand.arms
    # Before the first tick "no traffic" would be said of what was only not measured yet.
    if judged is not None and judged.verdict.figures.ticks + judged.verdict.figures.silent:
        now["judgement"] = judgement(judged, canary.step)
    return {name: value for name, value in now.items() if value != getattr(canary, name)}


def _row(deployment: Deployment, each: Entry) -> AuditEntry:
    return AuditEntry(
        actor=SYSTEM,
        action=each.action,
        decision=each.decision,
        target=str(deployment.target),
        deployment_id=deployment.id,
        from_digest=deployment.previous.digest if deployment.previous else "",
        to_digest=deployment.image.digest,
        reason=each.reason,
        reason_code=each.reason_code,
        request_id=deployment.request_id,
    )
