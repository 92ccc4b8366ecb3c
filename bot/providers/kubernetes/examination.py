"""What ``doctor`` says about a Deployment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bot.model.catalog import TargetSpec
from bot.model.errors import QuarterdeckError
from bot.model.rollout import Finding, Grade
from bot.providers.kube import access
from bot.providers.kube.access import Need
from bot.providers.kube.cluster import DEPLOYMENTS, EVENTS, PODS, REPLICA_SETS, Clusters
from bot.providers.kube.workload import Workload, digest_in


def examine(
    clusters: Clusters,
    spec: TargetSpec,
    look: Callable[[], tuple[Workload, tuple[str, ...]]],
) -> Sequence[Finding]:
    """Everything about one target; ``look`` reads the Deployment and what keeps it from being
    rolled without downtime. A fault becomes a finding."""
    name, place = str(spec.key), spec.kubernetes
    findings: list[Finding] = []
    try:
        findings += access.examine(clusters.at(place.cluster), name, _needs(place.namespace))
        workload, obstacles = look()
        findings += _deployment(name, workload, place.container)
        advice = "Mend it, or say in the catalog why downtime is accepted."
        findings += [Finding(name, Grade.WARNING, each, advice) for each in obstacles]
    except QuarterdeckError as fault:
        findings.append(access.fault(name, fault))
    ready = Finding(name, Grade.OK, f"Deployment {place.deployment}, ready to be rolled")
    return findings or [ready]


def _needs(namespace: str) -> list[Need]:
    why = "Why a pod fails cannot be said."
    undo = "A rollback puts the image back, and nothing else of the earlier template."
    all_of_it = ("get", "list", "watch", "patch")
    return [
        Need(DEPLOYMENTS, namespace, all_of_it, Grade.ERROR, "Nothing can be rolled."),
        Need(REPLICA_SETS, namespace, ("list",), Grade.WARNING, undo),
        Need(PODS, namespace, ("list",), Grade.WARNING, why),
        Need(EVENTS, namespace, ("list",), Grade.WARNING, why),
    ]


def _deployment(name: str, workload: Workload, container: str) -> Iterator[Finding]:
    if workload.paused:
        advice = "kubectl rollout resume lets it be rolled."
        yield Finding(name, Grade.ERROR, "the Deployment is paused", advice)
    found = workload.container(container)
    if found is not None and not digest_in(found.image):
        said = "the running image is not pinned by digest"
        yield Finding(name, Grade.WARNING, said, "The first deployment by Quarterdeck pins it.")
