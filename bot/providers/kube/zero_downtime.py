"""What keeps a workload from being rolled without downtime. Pure: clauses for people.

Old pods stay until new ones are ready only where the strategy replaces none too early, where
somebody looks whether a new pod is ready, and where there is more than one to begin with.
Percentages of maxUnavailable are rounded down:
https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-unavailable
"""

from __future__ import annotations

import re

from bot.model.errors import QuarterdeckError
from bot.providers.kube.workload import Container, Strategy, Workload

_ENOUGH = 2


def obstacles(workload: Workload, containers: tuple[Container, ...]) -> tuple[str, ...]:
    """Nothing where it can be; ``containers`` are those that serve, and so need a probe."""
    return (*_by_strategy(workload), *_by_probe(containers), *_by_count(workload))


def unread(fault: QuarterdeckError) -> tuple[str, ...]:
    """What is not known is no safety."""
    return (f"whether it can be rolled without downtime cannot be read: {fault.message}",)


def unavailable(strategy: Strategy, desired: int) -> int:
    """How many pods may be missing while it is rolled."""
    if desired == 0:
        return 0
    share = _percent(strategy.unavailable)
    missing = desired * share // 100 if share is not None else _number(strategy.unavailable)
    # Where neither may differ, one pod may be missing: nothing could be replaced otherwise.
    return missing or int(not _surge(strategy, desired))


def _surge(strategy: Strategy, desired: int) -> int:
    share = _percent(strategy.surge)
    return -(-desired * share // 100) if share is not None else _number(strategy.surge)


def _percent(value: int | str) -> int | None:
    found = re.fullmatch(r"(\d+)%", value) if isinstance(value, str) else None
    return int(found[1]) if found else None


def _number(value: int | str) -> int:
    return int(value) if str(value).isdigit() else 1


def _by_strategy(workload: Workload) -> tuple[str, ...]:
    strategy = workload.strategy
    if strategy.kind == "blueGreen":
        return ()  # Argo Rollouts keeps all old pods until the new ones have taken over
    if strategy.kind not in {"RollingUpdate", "canary"}:
        return (f"its strategy is {strategy.kind}: old pods stop before new ones start",)
    missing = unavailable(strategy, workload.desired)
    if missing == 0:
        return ()
    said = f"maxUnavailable {strategy.unavailable}"
    return (f"{missing} of {workload.desired} pods may be missing while it is rolled ({said})",)


def _by_probe(containers: tuple[Container, ...]) -> tuple[str, ...]:
    return tuple(
        f"container {each.name} has no readiness probe: nobody knows when a new pod serves"
        for each in containers
        if not each.probed
    )


def _by_count(workload: Workload) -> tuple[str, ...]:
    if workload.desired >= _ENOUGH:
        return ()
    pods = "1 pod runs" if workload.desired == 1 else f"{workload.desired} pods run"
    return (f"only {pods}, where at least {_ENOUGH} are needed",)
