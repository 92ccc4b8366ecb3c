"""What ``doctor`` says about a target under Argo CD."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bot.model.catalog import TargetSpec
from bot.model.errors import QuarterdeckError
from bot.model.places import ArgoCdApplication
from bot.model.rollout import Finding, Grade
from bot.providers.argocd.applications import Applications, source_of
from bot.providers.argocd.desired import DesiredState
from bot.providers.argocd.sources import Ours, follows
from bot.providers.argocd.standing import downtime
from bot.providers.argocd.views import ApplicationView
from bot.providers.kube import access
from bot.providers.kube.access import Need
from bot.providers.kube.cluster import (
    APPLICATIONS,
    DEPLOYMENTS,
    EVENTS,
    HTTP_ROUTES,
    PODS,
    PROJECTS,
    REPLICA_SETS,
    ROLLOUT_STATUS,
    ROLLOUTS,
)
from bot.providers.kube.workload import Workload

_WRONG = frozenset({"ComparisonError", "InvalidSpecError", "SyncError"})

Find = Callable[[ArgoCdApplication, ApplicationView, str], Workload | QuarterdeckError]


def examine(
    applications: Applications, desired: DesiredState, find: Find, spec: TargetSpec
) -> Sequence[Finding]:
    """Everything about one target; a fault becomes a finding."""
    name, place = str(spec.key), spec.argocd
    findings = list(_in_cluster(applications, name, spec))
    try:
        findings += desired.examine(place.manifests, name)
        value = desired.head(place.manifests).value
        view = applications.find(place)
        if view is not None:
            findings += _workload(name, place, find(place, view, value), value)
    except QuarterdeckError as fault:
        told = {each.found.rstrip(".") for each in findings}
        found = access.fault(name, fault)
        findings += [] if found.found.rstrip(".") in told else [found]
    if any(each.grade is not Grade.OK for each in findings):
        return findings
    ready = f"Application {place.application}, ready to be rolled"
    return [*findings, Finding(name, Grade.OK, ready)]


def _in_cluster(applications: Applications, name: str, spec: TargetSpec) -> Iterator[Finding]:
    place = spec.argocd
    try:
        view = applications.read(place)
        yield from _application(name, place, view, source_of(place, view))
        needs = [*_needs(place, view), *_canary_needs(spec, view)]
        yield from access.examine(applications.cluster(place), name, needs)
    except QuarterdeckError as fault:
        yield access.fault(name, fault)


def _application(
    name: str, place: ArgoCdApplication, view: ApplicationView, ours: Ours
) -> Iterator[Finding]:
    for wrong, grade, found, advice in _table(place, view, ours):
        if wrong:
            yield Finding(name, grade, found, advice)
    for kind, message in view.conditions:
        if kind in _WRONG:
            yield Finding(name, Grade.WARNING, f"{kind}: {message}", "Look at it in Argo CD.")


def _table(
    place: ArgoCdApplication, view: ApplicationView, ours: Ours
) -> Sequence[tuple[bool, Grade, str, str]]:
    branch, path = place.manifests.branch, place.manifests.path
    mode = "auto-sync" + (" with self-heal" if view.self_heal else "")
    return (
        (
            not follows(ours.source, place.manifests),
            Grade.ERROR,
            f"the Application follows {ours.source.revision}, not branch {branch}",
            "Correct the branch in the catalog, or the Application's targetRevision.",
        ),
        (
            ours.source.path.strip("/") not in {path.strip("/"), ""} and path != ".",
            Grade.WARNING,
            f"the Application is made from {ours.source.path}, and the image stands in {path}",
            "That is fine where the former takes it from the latter.",
        ),
        (
            place.rollback == "history" and view.automated,
            Grade.ERROR,
            f"rollbacks go by the history, which {mode} undoes",
            "Let them go by git, or turn auto-sync off.",
        ),
        (
            not view.automated,
            Grade.OK,
            "auto-sync is off: Quarterdeck asks for each sync",
            "",
        ),
    )


def _needs(place: ArgoCdApplication, view: ApplicationView) -> list[Need]:
    home, there = place.namespace, view.namespace
    patching = Grade.WARNING if view.automated else Grade.ERROR
    unpatched = (
        "Without it Argo CD sees a commit only when it looks by itself."
        if view.automated
        else "Without it no sync can be started."
    )
    needs = [
        Need(APPLICATIONS, home, ("get", "list", "watch"), Grade.ERROR, "Nothing can be followed."),
        Need(APPLICATIONS, home, ("patch",), patching, unpatched),
        Need(PROJECTS, home, ("get",), Grade.WARNING, "Closed sync windows cannot be named."),
    ]
    if not view.at_home:
        return needs
    pods = "Pods cannot be counted, nor zero downtime be checked."
    why = "Why a pod fails cannot be said."
    rollouts = [ROLLOUTS] if any(each.kind == ROLLOUTS.kind for each in view.resources) else []
    return [
        *needs,
        *(
            Need(each, there, ("get", "list", "watch"), Grade.WARNING, pods)
            for each in (DEPLOYMENTS, *rollouts)
        ),
        Need(PODS, there, ("list",), Grade.WARNING, why),
        Need(EVENTS, there, ("list",), Grade.WARNING, why),
    ]


def _canary_needs(spec: TargetSpec, view: ApplicationView) -> list[Need]:
    plan, without = spec.canary, "Without it no canary can begin."
    if plan is None:
        return []
    needs = []
    if plan.rollout is not None:
        where, steers = (
            plan.rollout.namespace,
            "Without it no canary can begin, nor pass its steps.",
        )
        needs += [
            Need(ROLLOUT_STATUS, where, ("patch",), Grade.ERROR, steers),
            Need(REPLICA_SETS, where, ("list",), Grade.ERROR, without),
        ]
    if plan.route is not None:
        needs.append(Need(HTTP_ROUTES, view.namespace, ("get",), Grade.ERROR, without))
    return needs


def _workload(
    name: str, place: ArgoCdApplication, found: Workload | QuarterdeckError, value: str
) -> Iterator[Finding]:
    for each in downtime(found, place, value):
        advice = "Mend it, or say in the catalog why downtime is accepted."
        yield Finding(name, Grade.WARNING, each.rstrip("."), advice)
