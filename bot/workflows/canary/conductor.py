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

import structlog
from typing_extensions import override

from bot.analysis.foresight import foreseen
from bot.analysis.verdict import Outcome
from bot.model.canary import (
    Act,
    Arms,
    Canary,
    Measured,
    Phase,
    Reading,
    Stand,
)
from bot.model.canary_ports import Canaries, Metrics
from bot.model.catalog import TargetSpec
from bot.model.deployment import Deployment
from bot.model.errors import QuarterdeckError, Terminal, Throttled
from bot.model.ports import CALL, Transaction
from bot.model.rollout import End
from bot.workflows.beginning import held_up
from bot.workflows.canary.bench import Bench, Judged, analysis_plan, per_second
from bot.workflows.canary.course import aim, course
from bot.workflows.canary.measuring import MEASURED, measured, step_of, wanted
from bot.workflows.canary.turn import ON_TRIAL, Seen, Turn, down_since, told
from bot.workflows.deadline import AGAIN, UNLISTED, order_of, target_of
from bot.workflows.ending import Ending, entry, settle
from bot.workflows.parts import Parts
from bot.workflows.patrol import Patrol

log = structlog.get_logger(__name__)

#: Seconds between two looks while something is under way, and while it bakes or cools down.
QUICK, CALM = 1.0, 3.0
#: Longest pause in seconds for one canary whose provider cannot be reached, and where it asks to
#: be left alone.
LONGEST, ASKED = 30.0, 60.0
#: A replica conducts for this long, and extends it in time.
CLAIM, EXTEND = timedelta(seconds=30), timedelta(seconds=20)
#: Canaries that are looked at side by side.
AT_ONCE = 8
UNREADABLE = (
    "Nobody conducts this canary: another version of Quarterdeck has written down how it stands, "
    "and this one cannot read that. Run that version again until it is over, or move the traffic "
    "by hand."
)
#: Phases in which something is brought about, and not only looked at.
ACTIVE = frozenset({Phase.SHIFTING, Phase.PROMOTING, Phase.RETURNING, Phase.CLEANING})


@dataclass(slots=True)
class _Memory:
    """What this process knows of a canary beside its row; lost without harm.

    ``rests_until`` is set after a fault.
    """

    claimed_until: datetime
    ticks: list[Measured]
    rests_until: datetime | None = None
    measured_at: datetime | None = None
    blind: str = ""
    faults: int = 0


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at one canary found. ``unseen`` is why it could not be read how it stands."""

    stand: Stand
    unseen: str
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
        self._told: set[str] = set()

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
            opened, unreadable = tx.canaries.open(), tx.canaries.unreadable()
            # New to this process: its ticks are read once, and appended to from then on.
            fresh = {
                each.deployment_id: list(tx.canaries.ticks(each.deployment_id))
                for each in opened
                if each.deployment_id not in self._memory
            }
        self._tell_of(unreadable)
        for name, ticks in fresh.items():
            self._memory[name] = _Memory(now - CLAIM, ticks)
        names = {each.deployment_id for each in opened}
        self._memory = {name: kept for name, kept in self._memory.items() if name in names}
        self._bench.forget(names)
        mine = [each for each in opened if self._claimed(each, now)]
        due = [each for each in mine if each.wish or not self._rests(each, now)]
        if due:
            due = self._measure(due, now)
            with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="conductor") as pool:
                looks = [(each, pool.submit(self._conduct, each, now)) for each in due]
            for canary, looked in looks:
                self._after(canary, looked.exception(), now)
        busy = any(each.phase in ACTIVE for each in mine)
        return (QUICK if busy else CALM) * random.uniform(0.8, 1.0)  # noqa: S311 - jitter, no secret

    def _tell_of(self, unreadable: Sequence[str]) -> None:
        """Others are conducted all the same; of these a person has to know."""
        for name in unreadable:
            if name in self._told:
                continue
            log.error("cannot read this canary, which another version wrote", deployment_id=name)
            with self._parts.store.begin() as tx:
                tx.outbox.thread(name, f"{CALL}unreadable", UNREADABLE, broadcast=True)
            self._told.add(name)

    @override
    def stop(self) -> None:
        """Hand over: what this replica has claimed may be conducted by another one at once."""
        super().stop()
        now = self._parts.clock.now()
        try:
            with self._parts.store.begin() as tx:
                for name in self._memory:
                    tx.canaries.claim(name, self._parts.replica, now, now - CLAIM)
        except QuarterdeckError as fault:
            log.warning("cannot give up the claims; they will run out", error=fault.message)

    def _rests(self, canary: Canary, now: datetime) -> bool:
        until = self._memory[canary.deployment_id].rests_until
        # A clock that was set back would make a pause of seconds one of hours.
        return until is not None and now < until <= now + timedelta(seconds=ASKED)

    def _claimed(self, canary: Canary, now: datetime) -> bool:
        memory = self._memory[canary.deployment_id]
        if EXTEND < memory.claimed_until - now <= CLAIM:
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
            memory.rests_until = None
            return
        memory.faults += 1
        pause = min(LONGEST, 2.0 ** min(memory.faults, 10))
        if isinstance(fault, Throttled):
            pause = max(pause, min(ASKED, fault.retry_after))
        memory.rests_until = now + timedelta(seconds=pause)
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
        asked = {
            each.deployment_id: want
            for each in canaries
            if self._is_due(each, now) and (want := wanted(each)) is not None
        }
        if not asked:
            return list(canaries)
        readings = measured(self._metrics, list(asked.values()), now)
        for name in asked:
            memory, fault = self._memory[name], readings.faults.get(name)
            memory.measured_at = now
            memory.blind = fault.message if fault is not None else ""
        return [self._kept(each, readings.seen.get(each.deployment_id, ())) for each in canaries]

    def _is_due(self, canary: Canary, now: datetime) -> bool:
        at = self._memory[canary.deployment_id].measured_at
        return at is None or abs((now - at).total_seconds()) >= MEASURED

    def _kept(self, canary: Canary, readings: Sequence[Reading]) -> Canary:
        """Append what is new; a tick is taken once, whoever measures it."""
        since = canary.measured_until or canary.shifts[0] if canary.shifts else None
        news = [each for each in readings if since is not None and each.begins >= since]
        if not news:
            return canary
        memory = self._memory[canary.deployment_id]
        ticks = [Measured(each, step_of(canary, each)) for each in news]
        until = news[-1].begins + timedelta(seconds=news[-1].seconds)
        with self._parts.store.begin() as tx:
            changed = tx.canaries.change(canary, measured_until=until)
            if changed is None:
                return canary
            # Numbered by what is stored, whatever this process remembers of it.
            stored = list(tx.canaries.ticks(canary.deployment_id))
            for number, each in enumerate(ticks, start=len(stored)):
                tx.canaries.tick(canary.deployment_id, number, each)
        memory.ticks = [*stored, *ticks]
        return changed

    # --- one canary ----------------------------------------------------------------------------

    def _conduct(self, canary: Canary, now: datetime) -> None:
        with self._parts.store.read() as tx:
            deployment = tx.deployments.get(canary.deployment_id)
            current = tx.canaries.get(canary.deployment_id)
        if deployment is None or deployment.revision is None:
            return
        if current is None or current.version != canary.version:
            return  # measuring took long, and somebody has gone on meanwhile: look again
        ticks = self._memory[canary.deployment_id].ticks
        judged = self._bench.judge(canary, ticks)
        acts = _acts(canary, deployment, judged, now)
        stand, unseen = self._stand(canary, deployment, acts=acts)
        if _is_unknown(canary) and stand.arms is not None and self._is_due(canary, now):
            canary = self._know(canary, deployment, stand.arms, now) or canary
        self._write(canary, deployment, _Look(stand, unseen, judged, now))

    def _stand(self, canary: Canary, deployment: Deployment, *, acts: bool) -> tuple[Stand, str]:
        """Look, and where its phase asks for it, act; and why nothing could be seen, or nothing.

        What surely cannot be done ends a trial, but one that only has to be watched goes on.
        """
        try:
            spec, order = self._spec(canary, deployment), order_of(deployment)
            does = self._canaries.toward if acts else self._canaries.look
            stand = does(spec, order, deployment.revision or "", aim(canary))
        except Terminal as fault:
            said = f"{fault.message} {fault.hint}".strip()
            as_it_was = Stand(reached=False, share=None, canary=canary.canary, stable=canary.stable)
            if canary.phase not in ON_TRIAL:
                return replace(as_it_was, blocked=said), ""
            if canary.phase is not Phase.SHIFTING:
                return as_it_was, said
            code = fault.reason_code
            return replace(as_it_was, end=End.FAILED, explanation=said, reason_code=code), ""
        # What is only looked at may look finished, but is not yet meant to be.
        return replace(stand, reached=stand.reached and (acts or canary.phase not in ACTIVE)), ""

    def _spec(self, canary: Canary, deployment: Deployment) -> TargetSpec:
        """As the catalog was when it began: what was shifted is taken back from there."""
        return canary.spec or target_of(self._parts, deployment)

    def _know(
        self, canary: Canary, deployment: Deployment, arms: Arms, now: datetime
    ) -> Canary | None:
        """Before the first shift: what the stable version is like, and what this can show."""
        memory = self._memory[canary.deployment_id]
        memory.measured_at = now
        try:
            past = self._metrics.past(self._spec(canary, deployment), arms, now)
        except QuarterdeckError as fault:
            memory.blind = fault.message
            return None
        memory.blind, memory.measured_at = "", None
        shown = foreseen(analysis_plan(canary, past), 0, per_second(past), past.tick_seconds)
        with self._parts.store.begin() as tx:
            known = tx.canaries.change(canary, past=past, arms=arms, foreseen=shown)
            if known is not None:
                tx.outbox.thread(canary.deployment_id, "foreseen", shown)
                tx.outbox.card(canary.deployment_id)
        return known

    def _write(self, canary: Canary, deployment: Deployment, look: _Look) -> None:
        paused = self._paused(canary, deployment, look)
        blind = self._memory[canary.deployment_id].blind if _is_unknown(canary) else ""
        waits = f"it waits: {paused}" if paused else blind and f"it waits for its metrics. {blind}"
        stand = replace(look.stand, doing=waits) if waits else look.stand
        turn = course(
            Seen(
                replace(canary, down_since=down_since(canary, stand, look.now)),
                stand,
                look.judged,
                look.unseen or self._memory[canary.deployment_id].blind,
                deployment.settled,
                canary.spec.timeout if canary.spec is not None else UNLISTED,
                look.now,
                self._parts.catalog().spec(deployment.target) is not None,
                paused,
            )
        )
        at = replace(canary, step=turn.changes.get("step", canary.step))
        changes = {**told(at, stand, look.judged, look.now), **turn.changes}
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

    def _paused(self, canary: Canary, deployment: Deployment, look: _Look) -> str:
        """Why it may not go on by itself though the judge would let it: what keeps everything else
        from starting there (a pause, a lock, a freeze) keeps it at its share."""
        passes = look.judged is not None and look.judged.outcome is Outcome.PASS
        if not passes or canary.phase not in {Phase.BAKING, Phase.ASKING}:
            return ""
        with self._parts.store.read() as tx:
            refusal = held_up(tx, self._parts.catalog(), deployment, look.now)
        return refusal.text if refusal is not None else ""

    def _say(self, tx: Transaction, deployment: Deployment, turn: Turn, now: datetime) -> None:
        for each in turn.entries:
            tx.audit.append(
                entry(deployment, each.action, each.decision, each.reason, each.reason_code)
            )
        for note in turn.notes:
            put = tx.outbox.chart if note.chart else tx.outbox.thread
            key = f"{CALL}{note.key}" if note.broadcast else note.key
            put(deployment.id, key, note.text, broadcast=note.broadcast)
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
        # Requests have to end where it got some, unless it serves on or nothing of it runs.
        drained = canary.share > 0 or not canary.canary.running
        return drained or now - canary.since >= canary.plan.clean_up_after
    leaves = (
        deployment.settled
        or (canary.wish is not None and canary.wish.act is Act.ABORT)
        or (judged is not None and judged.outcome is Outcome.ABORT)
    )
    return canary.phase is Phase.RETURNING or not leaves
