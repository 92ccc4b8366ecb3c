"""One look at many rollouts, in as few calls as ECS's API allows.

A look costs one DescribeServices per ten services of a cluster. Service deployments are read only
for rollouts that are not plainly under way, twenty at a time, and once a minute for the others.
"""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from bot.model.catalog import TargetSpec
from bot.model.errors import QuarterdeckError, Throttled
from bot.model.rollout import End, Looks, Observation, Watched
from bot.providers.ecs.history import History, Wanted, batches
from bot.providers.ecs.judge import Watch, judge, ours, plain
from bot.providers.ecs.reads import SERVICES_PER_CALL, Account, EcsReads, account_of
from bot.providers.ecs.stopped_tasks import reasons
from bot.providers.ecs.views import ServiceDeploymentView, ServiceView

#: Seconds between two questions about the service deployment of a rollout that goes well, and
#: between two listings for one whose service deployment is not known.
_ASK_EVERY = 60.0
_LIST_EVERY = 15.0
_REMEMBERED = 1024
#: How often one rollout's stopped tasks are looked at, at most.
_MAX_STOPPED_LOOKS = 5
_ROLLING = frozenset({"PENDING", "IN_PROGRESS"})
_BAD = frozenset({End.ROLLED_BACK, End.FAILED})
#: What stands for a service that ECS no longer lists.
_GONE = ServiceView("", "", "INACTIVE", 0, 0, ())

Pair = tuple[TargetSpec, Watched]


@dataclass(slots=True)
class _Memory:
    """What earlier looks showed of one rollout; losing it costs calls and time, never truth."""

    seen: bool = False
    odd_since: float | None = None
    asked_at: float = float("-inf")
    listed_at: float = float("-inf")
    arn: str | None = None
    failed: int = 0
    stopped_looks: int = 0
    reasons: tuple[str, ...] = ()


class Observer:
    """Looks at rollouts. Safe to share between threads; ``ticks`` counts seconds."""

    def __init__(
        self, reads: EcsReads, history: History, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._reads = reads
        self._history = history
        self._ticks = ticks
        self._lock = Lock()
        self._memories: OrderedDict[str, _Memory] = OrderedDict()

    def observe(self, watched: Sequence[Pair]) -> Looks:
        """As ``Rollouts.observe``."""
        by_account: dict[Account, list[Pair]] = defaultdict(list)
        for spec, each in watched:
            by_account[account_of(spec.ecs)].append((spec, each))
        observed: dict[str, Observation] = {}
        faults: dict[str, QuarterdeckError] = {}
        for account, pairs in by_account.items():
            services = self._services(account, pairs, faults)
            observed |= self._account(account, services)
        return Looks(observed, faults)

    def _services(
        self, account: Account, pairs: Sequence[Pair], faults: dict[str, QuarterdeckError]
    ) -> list[tuple[Pair, ServiceView]]:
        """Each rollout with its service; for those that cannot be read, ``faults`` says why."""
        by_cluster: dict[str, dict[str, list[Pair]]] = defaultdict(lambda: defaultdict(list))
        for pair in pairs:
            by_cluster[pair[0].ecs.cluster][pair[0].ecs.service].append(pair)
        read: list[tuple[Pair, ServiceView]] = []
        throttled: Throttled | None = None
        for cluster, services in by_cluster.items():
            for names in batches(sorted(services), SERVICES_PER_CALL):
                here = [(name, pair) for name in names for pair in services[name]]
                try:
                    if throttled is not None:
                        raise throttled  # the account is asked again at the next look
                    views = self._reads.services(account, cluster, names)
                except QuarterdeckError as fault:
                    throttled = fault if isinstance(fault, Throttled) else None
                    faults |= {watched.deployment_id: fault for _, (_, watched) in here}
                    continue
                read += [(pair, views.get(name, _GONE)) for name, pair in here]
        return read

    def _account(
        self, account: Account, services: Sequence[tuple[Pair, ServiceView]]
    ) -> dict[str, Observation]:
        looks = [self._look(pair, view) for pair, view in services]
        told = self._history.of(account, [w for each in looks if (w := self._wanted(each))])
        return {
            look.id: self._judge(
                look,
                told.found.get(look.id),
                readable=told.readable or look.id in told.found,
            )
            for look in looks
        }

    def _look(self, pair: Pair, service: ServiceView) -> _Look:
        spec, watched = pair
        watch = Watch(watched.revision, watched.handle, since=watched.since)
        memory = self._memory(watched.deployment_id)
        mine = ours(service, watch)
        memory.seen = memory.seen or mine is not None
        look = _Look(spec, watched.deployment_id, service, watch, memory)
        if mine is not None and mine.failed > memory.failed:
            look.failing = True
        memory.failed = mine.failed if mine is not None else memory.failed
        return look

    def _wanted(self, look: _Look) -> Wanted | None:
        """What to ask about the service deployment, if anything."""
        memory, now = look.memory, self._ticks()
        rolling = plain(look.service, look.watch)
        if rolling and now - memory.asked_at < _ASK_EVERY:
            return None
        memory.asked_at, look.asked = now, True
        may_list = not rolling and memory.arn is None and now - memory.listed_at >= _LIST_EVERY
        if may_list:
            memory.listed_at = now
        mine = ours(look.service, look.watch)
        return Wanted(
            look.id,
            look.spec.ecs,
            look.watch.revision,
            arn=memory.arn,
            current=look.service.current,
            started=mine.created_at if mine is not None else None,
            since=look.watch.since,
            may_list=may_list,
        )

    def _judge(
        self, look: _Look, deployment: ServiceDeploymentView | None, *, readable: bool
    ) -> Observation:
        memory, now = look.memory, self._ticks()
        if deployment is not None:
            memory.arn = deployment.arn
        elif look.asked and readable:
            memory.arn = None  # what was taken for it is not: look for it again
        rolling = plain(look.service, look.watch)
        if rolling and (deployment is None or deployment.status in _ROLLING):
            memory.odd_since = None
        elif memory.odd_since is None:
            memory.odd_since = now
        watch = replace(
            look.watch,
            seen=memory.seen,
            odd_for=now - memory.odd_since if memory.odd_since is not None else 0.0,
            reasons=self._stopped(look),
        )
        observation = judge(look.service, deployment, watch)
        if observation.end in _BAD and not watch.reasons:
            # It failed between two looks, so that no count of failures was ever seen to grow.
            look.failing = True
            watch = replace(watch, reasons=self._stopped(look))
            observation = judge(look.service, deployment, watch)
        if not readable and look.service is not _GONE:
            # ECS may know better: ask again, and claim nothing meanwhile.
            return replace(observation, end=None, explanation="")
        return observation

    def _stopped(self, look: _Look) -> tuple[str, ...]:
        """Why tasks of our revision stopped; read again only when more of them have failed."""
        memory = look.memory
        if look.failing and memory.stopped_looks < _MAX_STOPPED_LOOKS:
            memory.stopped_looks += 1
            memory.reasons = reasons(
                self._reads, look.spec.ecs, look.watch.revision, memory.reasons
            )
        return memory.reasons

    def _memory(self, deployment_id: str) -> _Memory:
        with self._lock:
            memory = self._memories.setdefault(deployment_id, _Memory())
            self._memories.move_to_end(deployment_id)
            while len(self._memories) > _REMEMBERED:
                self._memories.popitem(last=False)
            return memory


@dataclass(slots=True)
class _Look:
    """One rollout within one look."""

    spec: TargetSpec
    id: str
    service: ServiceView
    watch: Watch
    memory: _Memory
    failing: bool = False
    asked: bool = False
