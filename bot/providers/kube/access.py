"""Whether the cluster lets us do what we are about to, by SelfSubjectAccessReview."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bot.model.errors import AccessDenied, Misconfigured, QuarterdeckError
from bot.model.rollout import Finding, Grade
from bot.providers.kube.cluster import Cluster, Resource


@dataclass(frozen=True, slots=True)
class Need:
    """Verbs on a resource of a namespace; ``without`` says what is lost where they are denied."""

    resource: Resource
    namespace: str
    verbs: tuple[str, ...]
    grade: Grade
    without: str


def examine(cluster: Cluster, subject: str, needs: Iterable[Need]) -> Iterator[Finding]:
    """One finding for each need that is not met. Raises where reviews cannot be made."""
    for need in needs:
        resource, namespace = need.resource, need.namespace
        denied = [verb for verb in need.verbs if not cluster.allowed(verb, resource, namespace)]
        if denied:
            found = f"may not {', '.join(denied)} {resource.title} in namespace {namespace}"
            advice = f"{need.without} Add the verbs to its Role; the README has all of it."
            yield Finding(subject, need.grade, found, advice)


def fault(subject: str, fault: QuarterdeckError) -> Finding:
    """A fault as a finding."""
    advice = fault.hint
    if not advice and not isinstance(fault, AccessDenied | Misconfigured):
        advice = "Run doctor again; if it stays, look at the cluster's API server."
    return Finding(subject, Grade.ERROR, fault.message, advice)
