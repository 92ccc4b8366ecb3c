"""Watches every running rollout of this replica in a few shared calls, and settles what ended.

So outside calls and database writes grow with what changes, not with rollouts times time: a
workflow that waits costs nothing but its turn.

A provider that has a watch open says when something has changed: it is looked at at once, while
those that have to be asked are asked at the same pace as ever.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import structlog
from typing_extensions import override

from bot.model.catalog import TargetSpec
from bot.model.deployment import Deployment
from bot.model.errors import QuarterdeckError, Throttled, Transient
from bot.model.rollout import Looks, Observation, Watched
from bot.workflows.ending import STATUS_OF, Ending, settle
from bot.workflows.parts import Parts
from bot.workflows.patrol import Patrol

log = structlog.get_logger(__name__)

#: Seconds between looks: the first while something changes, the second when nothing has for long.
QUICK, SLOW = 3.0, 8.0
#: Looks without any change after which the pace begins to fall.
CALM = 30
#: Longest pause, in seconds, while the provider throttles us or cannot be reached.
LONGEST = 60.0
#: Seconds from one look to the next at least, however many changes are told in between.
BREATH = 0.3


class Observer(Patrol):
    """One per process. ``look`` is one pass; setting ``stirred`` makes one at once of what tells
    its changes by itself. ``ticks`` counts seconds; another one is for tests.
    """

    def __init__(
        self,
        parts: Parts,
        quick: float = QUICK,
        stirred: Event | None = None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("observer", quick, stirred)
        self._parts = parts
        self._quick = quick
        self._ticks = ticks
        self._due = self._quiet = float("-inf")
        self._calm = 0
        self._faults = 0
        self._shown: dict[str, set[str]] = {}
        self._unseen: set[str] = set()

    @override
    def _round(self) -> float:
        now = self._ticks()
        again = self._due
        if now >= self._due:
            again = self._due = self._everything() + self._ticks()
        elif now >= self._quiet:
            again = self._due if self._at_once() else min(self._due, self._quiet)
        else:
            return min(self._due, self._quiet) - now
        after = self._ticks()
        self._quiet = max(self._quiet, after + BREATH)
        return max(0.0, again - after)

    def _everything(self) -> float:
        """The look that is due. Returns the seconds until the next one."""
        looked = self._apart(None)
        if isinstance(looked, BaseException):
            return self._endure(looked) + self._pause()
        self._faults = 0
        self._calm = 0 if looked else self._calm + 1
        return self._pause()

    def _at_once(self) -> bool:
        """A look in between. One that fails is made again after a while, changes or not."""
        looked = self._apart(lambda spec: spec.tells_changes)
        if not isinstance(looked, BaseException):
            return True
        self._quiet = self._ticks() + self._quick
        error = looked.message if isinstance(looked, QuarterdeckError) else ""
        log.warning("cannot look at once", error=error, exc_info=None if error else looked)
        return False

    def _apart(self, which: Callable[[TargetSpec], bool] | None) -> bool | BaseException:
        """On a thread of the pool, which keeps whatever fault there is."""
        with ThreadPoolExecutor(1, thread_name_prefix="observing") as looking:
            look = looking.submit(self.look, which)
        return look.exception() or look.result()

    def _endure(self, fault: BaseException) -> float:
        """Whatever went wrong, the next look is due: nothing else would ever end these rollouts.

        Returns the seconds for which the provider asked to be left alone.
        """
        self._faults += 1
        if not isinstance(fault, QuarterdeckError):
            log.error("cannot observe", exc_info=fault)
            return 0.0
        log.warning("cannot observe", reason_code=fault.reason_code, error=fault.message)
        return min(LONGEST, fault.retry_after) if isinstance(fault, Throttled) else 0.0

    def _pause(self) -> float:
        if self._faults:
            pause = min(LONGEST, self._quick * 2.0 ** min(self._faults, 10))
        else:
            pause = min(SLOW, self._quick * (1 + max(0, self._calm - CALM) / CALM))
        return pause * random.uniform(0.8, 1.0)  # noqa: S311 - jitter, not a secret

    def look(self, which: Callable[[TargetSpec], bool] | None = None) -> bool:
        """Look once at everything that runs on such targets; returns whether anything was new."""
        with self._parts.store.read() as tx:
            running = [
                d
                for d in tx.deployments.running(self._parts.replica)
                if d.handle is not None and not d.canary
            ]
            # A rollout that is new to this process may have been told about by another one.
            self._shown = {
                d.id: self._shown.get(d.id) or lines(tx.outbox.said(d.id)) for d in running
            }
        pairs = [pair for d in running if (pair := self._watched(d)) is not None]
        watched = [pair for pair in pairs if which is None or which(pair[0])]
        if not watched:
            return False
        looks = self._observe(watched)
        changes = [self._record(d, looks[d.id]) for d in running if d.id in looks]
        self._unseen = {d.id for d in running if d.id in self._unseen} - looks.keys()
        self._blind(running, looks.faults)
        if looks.faults and not looks:
            # Nobody answers: look less often, and above all where we are asked to.
            raise max(looks.faults.values(), key=lambda fault: isinstance(fault, Throttled))
        return any(changes)

    def _observe(self, watched: Sequence[tuple[TargetSpec, Watched]]) -> Looks:
        try:
            return self._parts.rollouts.observe(watched)
        except QuarterdeckError as fault:
            return Looks({}, {each.deployment_id: fault for _, each in watched})

    def _blind(self, running: Iterable[Deployment], faults: Mapping[str, QuarterdeckError]) -> None:
        """Say on the cards what is in the way; what passes by itself, only when it does not."""
        lasting = {
            name: fault
            for name, fault in faults.items()
            if name in self._unseen or not isinstance(fault, Transient)
        }
        self._unseen |= set(faults)
        said = {
            name: f"It cannot be watched for now, and goes on: {fault.message}"
            for name, fault in lasting.items()
        }
        news = [d for d in running if said.get(d.id, d.explanation) != d.explanation]
        if not news:
            return
        with self._parts.store.begin() as tx:
            for each in news:
                if tx.deployments.note(each.id, self._parts.replica, explanation=said[each.id]):
                    tx.outbox.card(each.id)
        for each in news:
            fault = lasting[each.id]
            code, error = fault.reason_code, fault.message
            log.warning("cannot watch", deployment_id=each.id, reason_code=code, error=error)

    def _watched(self, deployment: Deployment) -> tuple[TargetSpec, Watched] | None:
        spec = self._parts.catalog().spec(deployment.target)
        if spec is None or deployment.revision is None:
            return None
        watched = Watched(
            deployment.id, deployment.revision, deployment.handle or None, deployment.started_at
        )
        return spec, watched

    def _record(self, before: Deployment, seen: Observation) -> bool:
        """Write what is new; the fence keeps a replica that lost its lease from writing."""
        # What it waits for, if anything; why it ended is written by the end itself.
        waits = seen.explanation if seen.end is None else ""
        fresh = (seen.progress, waits) != (before.progress, before.explanation)
        news = [line for line in seen.events if line not in self._shown[before.id]]
        if not fresh and not seen.end and not news:
            return False
        now = self._parts.clock.now()
        with self._parts.store.begin() as tx:
            if fresh and not tx.deployments.note(
                before.id, self._parts.replica, progress=seen.progress, explanation=waits
            ):
                return False
            if news:
                told = "\n".join(news)
                tx.outbox.thread(before.id, f"events:{fingerprint(told)}", told)
            if fresh:
                tx.outbox.card(before.id)
            if seen.end is not None:
                current = tx.deployments.get(before.id)
                if current is not None and current.owner == self._parts.replica:
                    ending = Ending(STATUS_OF[seen.end], seen.explanation, seen.reason_code)
                    settle(tx, current, ending, now)
        self._shown[before.id].update(news)
        return True


def lines(texts: Iterable[str]) -> set[str]:
    """Every line that was told already."""
    return {line for text in texts for line in text.split("\n")}


def fingerprint(text: str) -> str:
    """A short stable name of a message, so that it is shown once."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
