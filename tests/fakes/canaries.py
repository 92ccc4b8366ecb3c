"""What shifts traffic, and what counts it, in memory and driven by the test.

``FakeCanaries``: one service; a test makes its tasks healthy or not, changes weights behind the
bot's back, lets the rollout of the whole service finish or fail, and makes a call fail before or
after it took effect. Nothing can be read while it is ``unreadable``. ``writes`` lists what was
changed, in order, ``asked_of`` the target's entry at each look. ``stuck`` is how it is put that the
stable version is not healthy, ``meanwhile`` what happens while it is checked. While it is ``slow``
whatever it is told takes no effect.

``FakeMetrics``: ``rates`` are requests a second of the whole service and the share that fails of
either version; ``fault`` keeps everybody from measuring, as does what is ``broken``, which no
source may raise. ``asked`` and ``pasts`` count questions; ``meanwhile`` happens while it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from typing_extensions import override

from bot.model.canary import (
    Aim,
    Arms,
    Crew,
    Goal,
    Past,
    Reading,
    Readings,
    Stand,
    Wanted,
)
from bot.model.canary_ports import Canaries, Metrics
from bot.model.catalog import TargetSpec
from bot.model.counts import Arm
from bot.model.errors import QuarterdeckError
from bot.model.rollout import End, Order

ARMS = Arms("stable-group", "canary-group", "app/web/1")
MINUTE = 60


@dataclass
class FakeCanaries(Canaries):
    """See the module. ``share`` is the canary's, from 0 to 1. ``in_place``: the canary becomes the
    service, as where ECS shifts the traffic; nothing is rolled or removed then.
    """

    share: float = 0.0
    exists: bool = False
    healthy: bool = True
    stable_healthy: bool = True
    stable: str = "v1"
    rolled: bool = False
    in_place: bool = False
    failed: str = ""
    told: str = ""
    refuses: QuarterdeckError | None = None
    end: End | None = None
    unreadable: QuarterdeckError | None = None
    stuck: str = ""
    slow: bool = False
    meanwhile: Callable[[], object] | None = None
    asked_of: list[TargetSpec] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    faults: list[tuple[QuarterdeckError, bool]] = field(default_factory=list)

    def break_next(self, fault: QuarterdeckError, *, after: bool = False) -> None:
        """The next change fails; ``after`` it took effect, or before."""
        self.faults.append((fault, after))

    @override
    def check(self, spec: TargetSpec) -> Sequence[str]:
        if self.refuses is not None:
            raise self.refuses
        if self.meanwhile is not None:
            self.meanwhile()
        return ()

    @override
    def look(self, spec: TargetSpec, order: Order, revision: str, aim: Aim) -> Stand:
        del order
        self.asked_of.append(spec)
        if self.unreadable is not None:
            raise self.unreadable
        foreign = aim.goal is Goal.SHARE and self.share not in {aim.before, aim.share}
        blocked = "Somebody else changed the weights." if foreign else ""
        if not self.stable_healthy and aim.goal in {Goal.NOTHING, Goal.EVERYTHING}:
            blocked = self.stuck or "The stable version is not healthy."
        crew = Crew(1, 1, int(self.healthy)) if self.exists else Crew()
        return Stand(
            reached=not blocked and self._reached(aim, revision),
            share=self.share,
            canary=crew,
            stable=Crew(4, 4, 4 if self.stable_healthy else 0),
            doing="something is under way" if self.slow else "",
            blocked=blocked,
            foreign=foreign,
            end=End.FAILED if self.failed else self.end,
            explanation=self.failed or self.told,
            arms=ARMS,
        )

    def _reached(self, aim: Aim, revision: str) -> bool:
        match aim.goal:
            case Goal.SHARE:
                return self.exists and self.healthy and self.share == aim.share
            case Goal.EVERYTHING if self.in_place:
                return self.share == 1
            case Goal.EVERYTHING:
                return self.stable == revision and self.rolled and self.share == 0
            case Goal.NOTHING:
                return self.share == 0
            case Goal.GONE:
                return not self.exists

    @override
    def toward(self, spec: TargetSpec, order: Order, revision: str, aim: Aim) -> Stand:
        stand = self.look(spec, order, revision, aim)
        change = self._change(aim, revision)
        if stand.reached or stand.blocked or self.slow or not change:
            return stand
        fault, after = self.faults.pop(0) if self.faults else (None, False)
        if fault is not None and not after:
            raise fault
        self._make(change, aim, revision)
        self.writes.append(change)
        if fault is not None:
            raise fault
        return stand

    def _change(self, aim: Aim, revision: str) -> str:
        changes = {
            Goal.SHARE: ("create", not self.exists),
            Goal.EVERYTHING: ("roll", self.stable != revision),
            Goal.GONE: ("remove", True),
            Goal.NOTHING: ("weight 0", True),
        }
        if self.in_place and aim.goal is Goal.EVERYTHING:
            return "weight 1"
        change, is_next = changes[aim.goal]
        if is_next:
            return change
        if aim.goal is Goal.SHARE:
            return f"weight {aim.share:g}" if self.healthy else ""
        return "weight 0" if self.rolled else ""

    def _make(self, change: str, aim: Aim, revision: str) -> None:
        if change == "create":
            self.exists = True
        elif change == "roll":
            self.stable = revision
        elif change == "remove":
            self.exists = False
        else:
            self.share = 1.0 if change == "weight 1" else aim.share


@dataclass
class FakeMetrics(Metrics):
    """See the module. Minutes are closed as soon as they are over."""

    canaries: FakeCanaries
    per_second: float = 100.0
    canary_fails: float = 0.001
    stable_fails: float = 0.001
    fault: QuarterdeckError | None = None
    broken: Exception | None = None
    meanwhile: Callable[[], object] | None = None
    asked: int = 0
    pasts: int = 0

    @override
    def past(self, spec: TargetSpec, arms: Arms, until: datetime) -> Past:
        self.pasts += 1
        if self.fault is not None:
            raise self.fault
        minute = _arm(self.per_second * MINUTE, 0.001)
        return Past((minute,) * 60, MINUTE)

    @override
    def readings(self, wanted: Sequence[Wanted], now: datetime) -> Readings:
        self.asked += 1
        if self.meanwhile is not None:
            self.meanwhile()
        if self.broken is not None:
            raise self.broken
        if self.fault is not None:
            return Readings({}, {each.deployment_id: self.fault for each in wanted})
        return Readings({each.deployment_id: self._minutes(each, now) for each in wanted})

    def _minutes(self, want: Wanted, now: datetime) -> list[Reading]:
        begins = want.since.replace(second=0, microsecond=0)
        if begins < want.since:
            begins += timedelta(minutes=1)
        found = []
        while begins + timedelta(minutes=1) <= now:
            all_of_it = self.per_second * MINUTE
            canary = _arm(all_of_it * self.canaries.share, self.canary_fails)
            stable = _arm(all_of_it * (1 - self.canaries.share), self.stable_fails)
            found.append(Reading(begins, MINUTE, canary, stable))
            begins += timedelta(minutes=1)
        return found


def _arm(requests: float, fails: float) -> Arm:
    return Arm(round(requests), round(requests * fails))
