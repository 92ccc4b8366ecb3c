"""A rollout provider in memory, driven by the test.

``place`` puts a service there; ``finish``, ``take_back``, ``break_down``, ``deploy_elsewhere`` and
``lose`` end a rollout in each way there is; ``break_next`` makes a call fail before or after it
took effect; what ``meanwhile`` holds for a verb happens once, as its next call comes in. ``told``
lists every revision the provider was told to roll to, ``orders`` what was wanted of it. ``blind``
says why targets cannot be observed; ``drift`` and ``downtime`` are what ``live`` tells of targets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import RLock

from typing_extensions import override

from bot.model.catalog import TargetSpec
from bot.model.deployment import Image, Progress, Target
from bot.model.errors import Misconfigured, QuarterdeckError, Terminal
from bot.model.ports import Rollouts
from bot.model.rollout import (
    End,
    Finding,
    Grade,
    Live,
    Looks,
    Observation,
    Order,
    Plan,
    ReadBack,
    Told,
    Watched,
)


@dataclass
class _Rollout:
    handle: str
    revision: str
    at: datetime
    observation: Observation


@dataclass
class _Service:
    desired: int
    completed: str
    rollouts: list[_Rollout] = field(default_factory=list)

    @property
    def current(self) -> _Rollout:
        return self.rollouts[-1]


@dataclass
class _Fault:
    verb: str
    fault: QuarterdeckError
    after: bool


class FakeRollouts(Rollouts):
    """Safe to share between threads. With ``at_once`` each rollout succeeds when first observed."""

    def __init__(
        self, clock: Callable[[], datetime] = lambda: datetime.now(UTC), *, at_once: bool = False
    ) -> None:
        self.at_once = at_once
        self.told: list[tuple[Target, str]] = []
        self.orders: list[Order] = []
        self.calls: list[tuple[str, str]] = []
        self.meanwhile: dict[str, Callable[[], object]] = {}
        self.blind: dict[Target, QuarterdeckError] = {}
        self.drift: dict[Target, str] = {}
        self.downtime: dict[Target, tuple[str, ...]] = {}
        self.findings: dict[Target, tuple[Finding, ...]] = {}
        self._clock = clock
        self._lock = RLock()
        self._services: dict[Target, _Service] = {}
        self._images: dict[str, Image | None] = {}
        self._made_for: dict[str, str] = {}
        self._retired: set[str] = set()
        self._faults: list[_Fault] = []
        self._serial = 0

    # --- what a test does to it ---

    def place(self, target: Target, image: Image | None = None, desired: int = 2) -> str:
        """A service that has been running well; returns its revision."""
        with self._lock:
            revision = self._make(target, image)
            service = _Service(desired, revision)
            self._services[target] = service
            self._begin(service, revision)
            self.finish(target)
            return revision

    def finish(self, target: Target) -> None:
        """The rollout under way succeeds."""
        with self._lock:
            service = self._services[target]
            service.completed = service.current.revision
            count = service.desired
            self._end(target, End.SUCCEEDED, "", Progress(desired=count, running=count))

    def take_back(
        self, target: Target, reason: str = "ECS deployment circuit breaker: tasks failed to start."
    ) -> None:
        """The provider undoes the rollout under way by itself."""
        with self._lock:
            service = self._services[target]
            self._end(
                target, End.ROLLED_BACK, reason, Progress(service.desired, old=service.desired)
            )
            self._begin(service, service.completed)
            self.finish(target)

    def break_down(
        self, target: Target, reason: str = "The deployment failed.", code: str = ""
    ) -> None:
        """The rollout under way fails and stays."""
        with self._lock:
            desired = self._services[target].desired
            self._end(target, End.FAILED, reason, Progress(desired, failed=3))
            now = self._services[target].current
            now.observation = replace(now.observation, reason_code=code)

    def lose(self, target: Target, reason: str = "No trace of the deployment is left.") -> None:
        """It can no longer be told what became of it."""
        self._end(target, End.UNKNOWN, reason, Progress(self._services[target].desired))

    def deploy_elsewhere(self, target: Target, image: Image | None = None) -> str:
        """Somebody rolls another revision, past Quarterdeck; it runs well."""
        with self._lock:
            service = self._services[target]
            if service.current.observation.end is None:
                self._end(target, End.SUPERSEDED, "Somebody else deployed to the service.", None)
            self._begin(service, self._make(target, image))
            self.finish(target)
            return service.current.revision

    def forget(self, target: Target) -> None:
        """Nothing can be seen there any more."""
        self._services.pop(target)

    def undo_end(self, target: Target) -> None:
        """What was over is under way again: ECS replaces tasks, or is being changed."""
        with self._lock:
            now = self._services[target].current
            now.observation = replace(now.observation, end=None)

    def show(self, target: Target, progress: Progress, *events: str, waits: str = "") -> None:
        """What the next looks at the rollout under way see; ``waits`` is what holds it up."""
        with self._lock:
            now = self._services[target].current
            now.observation = replace(
                now.observation, progress=progress, events=events, explanation=waits
            )

    def deregister(self, revision: str) -> None:
        """The revision can no longer be run."""
        self._retired.add(revision)

    def break_next(self, verb: str, *faults: QuarterdeckError, after: bool = False) -> None:
        """Raise these from the next calls of ``verb``; ``after``: once they took effect."""
        with self._lock:
            self._faults += [_Fault(verb, fault, after) for fault in faults]

    # --- the port ---

    @override
    def live(self, spec: TargetSpec) -> Live:
        with self._lock:
            self._enter("live", spec)
            service = self._service(spec)
            now = service.current
            return Live(
                revision=now.revision,
                image=self._images[now.revision],
                desired=service.desired,
                running=service.desired,
                steady=now.observation.end is not None,
                rollout=now.handle,
                drift=self.drift.get(spec.key, ""),
                downtime=self.downtime.get(spec.key, ()),
            )

    @override
    def plan(self, spec: TargetSpec, image: Image) -> Plan:
        with self._lock:
            self._enter("plan", spec)
            old = self._images[self._service(spec).current.revision]
            before = f'-      "image": "{old.uri}"\n' if old is not None else ""
            return Plan(f'{before}+      "image": "{image.uri}"')

    @override
    def prepare(self, spec: TargetSpec, order: Order) -> str:
        with self._lock:
            self._enter("prepare", spec)
            self._service(spec)
            made = order.revision or self._made_for.get(order.deployment_id)
            if made is None:
                made = self._make(spec.key, order.image)
                self._made_for[order.deployment_id] = made
            self._leave("prepare")
            return made

    @override
    def start(self, spec: TargetSpec, order: Order, revision: str) -> str | None:
        with self._lock:
            self._enter("start", spec)
            service = self._service(spec)
            if revision not in self._images or revision in self._retired:
                raise Misconfigured(f"The task definition {revision} is not active.")
            if order.revision is None and service.current.revision not in {order.base, revision}:
                raise Terminal("Something else runs by now.", reason_code="STALE_FROM")
            self.told.append((spec.key, revision))
            self.orders.append(order)
            if revision != service.current.revision:
                if service.current.observation.end is None:
                    self._end(
                        spec.key, End.SUPERSEDED, "Somebody else deployed to the service.", None
                    )
                self._begin(service, revision)
            self._leave("start")
            return service.current.handle

    @override
    def read_back(self, spec: TargetSpec, order: Order, revision: str, since: datetime) -> ReadBack:
        with self._lock:
            self._enter("read_back", spec)
            service = self._service(spec)
            if service.current.revision == revision:
                return ReadBack(Told.YES, service.current.handle)
            if any(each.revision == revision and each.at >= since for each in service.rollouts):
                return ReadBack(Told.YES, None, "ECS was told, and the rollout has ended.")
            if service.current.revision == order.base:
                return ReadBack(Told.NO)
            return ReadBack(Told.SOMEONE_ELSE, None, "Another revision was deployed.")

    @override
    def observe(self, watched: Sequence[tuple[TargetSpec, Watched]]) -> Looks:
        with self._lock:
            self.calls.append(("observe", str(len(watched))))
            self.meanwhile.pop("observe", lambda: None)()
            self._raise("observe", after=False)
            looks = {
                each.deployment_id: look
                for spec, each in watched
                if spec.key not in self.blind and (look := self._observe(spec, each)) is not None
            }
            self._leave("observe")
            faults = {
                each.deployment_id: self.blind[spec.key]
                for spec, each in watched
                if spec.key in self.blind
            }
            return Looks(looks, faults)

    @override
    def usable(self, spec: TargetSpec, revision: str) -> str | None:
        with self._lock:
            self._enter("usable", spec)
            if revision not in self._images:
                return f"The task definition {revision} no longer exists."
            if revision in self._retired:
                return f"The task definition {revision} was deregistered."
            return None

    @override
    def examine(self, spec: TargetSpec) -> Sequence[Finding]:
        with self._lock:
            self._enter("examine", spec)
            if spec.key not in self._services:
                return (Finding(str(spec.key), Grade.ERROR, "no such service", "Create it."),)
            ready = (Finding(str(spec.key), Grade.OK, "ready to be rolled"),)
            return self.findings.get(spec.key, ready)

    # --- how it works ---

    def _observe(self, spec: TargetSpec, watched: Watched) -> Observation | None:
        service = self._services.get(spec.key)
        if service is None:
            return None
        found = [
            each
            for each in service.rollouts
            if each.handle == watched.handle
            or (watched.handle is None and each.revision == watched.revision)
        ]
        if not found:
            return None
        if self.at_once and found[-1] is service.current and found[-1].observation.end is None:
            self.finish(spec.key)
        return found[-1].observation

    def _service(self, spec: TargetSpec) -> _Service:
        if spec.key not in self._services:
            raise Misconfigured(f"ECS knows no service {spec.ecs.cluster}/{spec.ecs.service}.")
        return self._services[spec.key]

    def _make(self, target: Target, image: Image | None) -> str:
        self._serial += 1
        revision = f"{target.service}-{target.environment}:{self._serial}"
        self._images[revision] = image
        return revision

    def _begin(self, service: _Service, revision: str) -> None:
        self._serial += 1
        under_way = Observation(Progress(service.desired, old=service.desired))
        service.rollouts.append(
            _Rollout(f"ecs-svc/{self._serial}", revision, self._clock(), under_way)
        )

    def _end(self, target: Target, end: End, why: str, progress: Progress | None) -> None:
        with self._lock:
            now = self._services[target].current
            now.observation = replace(
                now.observation,
                end=end,
                explanation=why,
                progress=progress or now.observation.progress,
            )

    def _enter(self, verb: str, spec: TargetSpec) -> None:
        self.calls.append((verb, str(spec.key)))
        self.meanwhile.pop(verb, lambda: None)()
        self._raise(verb, after=False)

    def _leave(self, verb: str) -> None:
        self._raise(verb, after=True)

    def _raise(self, verb: str, *, after: bool) -> None:
        for each in self._faults:
            if each.verb == verb and each.after is after:
                self._faults.remove(each)
                raise each.fault
