"""One look at many rollouts of Deployments: one watch per namespace tells all of them."""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from bot.model.catalog import TargetSpec
from bot.model.errors import QuarterdeckError
from bot.model.places import KubernetesDeployment
from bot.model.rollout import Looks, Observation, Watched
from bot.providers.kube.cluster import DEPLOYMENTS, Clusters, Raw
from bot.providers.kube.troubles import patience, reasons
from bot.providers.kube.watches import Watches, Where
from bot.providers.kube.workload import Workload, workload_of
from bot.providers.kubernetes.judge import TOO_LATE, judge

_REMEMBERED = 1024
#: Seconds for which a deadline that passed may still be that of the rollout before ours.
STALE = 10.0

Pair = tuple[TargetSpec, Watched]


@dataclass(slots=True)
class _Memory:
    """What earlier looks showed of one rollout; losing it costs calls, never truth."""

    reasons: tuple[str, ...] = ()
    looked_at: float = float("-inf")
    looks: int = 0
    late_since: float | None = None


class Observer:
    """Safe to share between threads; ``ticks`` counts seconds."""

    def __init__(
        self,
        clusters: Clusters,
        watches: Watches,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clusters = clusters
        self._watches = watches
        self._ticks = ticks
        self._lock = Lock()
        self._memories: OrderedDict[str, _Memory] = OrderedDict()

    def observe(self, watched: Sequence[Pair]) -> Looks:
        """As ``Rollouts.observe``."""
        by_watch: dict[Where, list[Pair]] = defaultdict(list)
        for spec, each in watched:
            place = spec.kubernetes
            by_watch[Where(place.cluster, DEPLOYMENTS, place.namespace)].append((spec, each))
        seen: dict[str, Observation] = {}
        faults: dict[str, QuarterdeckError] = {}
        for where, pairs in by_watch.items():
            try:
                names = [spec.kubernetes.deployment for spec, _ in pairs]
                objects = self._watches.look(where, *names).objects
            except QuarterdeckError as fault:
                faults |= {each.deployment_id: fault for _, each in pairs}
                continue
            for spec, each in pairs:
                try:
                    raw = objects.get(spec.kubernetes.deployment)
                    seen[each.deployment_id] = self._look(spec.kubernetes, each, raw)
                except QuarterdeckError as fault:
                    faults[each.deployment_id] = fault
        return Looks(seen, faults)

    def _look(self, place: KubernetesDeployment, watched: Watched, raw: Raw | None) -> Observation:
        workload = workload_of(raw) if raw is not None else None
        if workload is not None and _behind(workload, watched):
            workload = self._now(place)  # the watch has not told of our own patch yet
        observed = self._judge(place, watched, workload)
        if observed.end is not None:
            # No end is told from a watch alone: the object itself has to say the same.
            observed = self._judge(place, watched, self._now(place))
        return self._believed(watched, observed)

    def _believed(self, watched: Watched, observed: Observation) -> Observation:
        """Going back to an earlier template, the controller keeps the condition of the rollout that
        failed until it sees progress: beside the new generation, and for a moment."""
        memory, now = self._memory(watched.deployment_id), self._ticks()
        if observed.reason_code != TOO_LATE:
            memory.late_since = None
            return observed
        memory.late_since = now if memory.late_since is None else memory.late_since
        if now - memory.late_since >= STALE:
            return observed
        return replace(observed, end=None, reason_code="")

    def _now(self, place: KubernetesDeployment) -> Workload | None:
        cluster = self._clusters.at(place.cluster)
        raw = cluster.get(DEPLOYMENTS, place.namespace, place.deployment)
        return workload_of(raw) if raw is not None else None

    def _judge(
        self, place: KubernetesDeployment, watched: Watched, workload: Workload | None
    ) -> Observation:
        why = self._reasons(place, watched, workload) if workload is not None else ()
        return judge(workload, place.container, watched.revision, watched.deployment_id, why)

    def _reasons(
        self, place: KubernetesDeployment, watched: Watched, workload: Workload
    ) -> tuple[str, ...]:
        """Pods are read while new ones are not available: soon, and then ever more seldom."""
        memory, now = self._memory(watched.deployment_id), self._ticks()
        short = workload.progress.running < workload.desired
        if short and now - memory.looked_at >= patience(memory.looks):
            memory.looked_at = now
            memory.looks += 1
            cluster = self._clusters.at(place.cluster)
            memory.reasons = reasons(
                cluster, place.namespace, workload, watched.revision, memory.reasons
            )
        return memory.reasons

    def _memory(self, deployment_id: str) -> _Memory:
        with self._lock:
            memory = self._memories.setdefault(deployment_id, _Memory())
            self._memories.move_to_end(deployment_id)
            while len(self._memories) > _REMEMBERED:
                self._memories.popitem(last=False)
            return memory


def _behind(workload: Workload, watched: Watched) -> bool:
    handle = watched.handle or ""
    return handle.isdigit() and workload.generation < int(handle)
