"""``Rollouts`` under Argo CD: change what git says, and follow Argo CD until the cluster runs it.

A revision is the text of our value in git. Every call is made once; retries and waiting belong to
the workflow engine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from typing_extensions import override

from bot.model.catalog import TargetSpec
from bot.model.deployment import Image
from bot.model.errors import Misconfigured, QuarterdeckError
from bot.model.places import ArgoCdApplication
from bot.model.ports import Rollouts
from bot.model.rollout import Finding, Live, Looks, Order, Plan, ReadBack, Told, Watched
from bot.providers.argocd.applications import Applications, source_of
from bot.providers.argocd.back import Back
from bot.providers.argocd.desired import DesiredState
from bot.providers.argocd.examination import examine
from bot.providers.argocd.observer import Observer, Surroundings
from bot.providers.argocd.sources import follows, revision_of
from bot.providers.argocd.standing import Standing, live
from bot.providers.argocd.views import ApplicationView
from bot.providers.argocd.workloads import find
from bot.providers.kube.cluster import Clusters, Raw, Resource
from bot.providers.kube.watches import Watches
from bot.providers.kube.workload import Workload


class ArgoCdRollouts(Rollouts):
    """Safe to share between threads. ``remind`` asks for a look within so many seconds; ``ticks``
    counts seconds; another one is for tests."""

    def __init__(
        self,
        desired: DesiredState,
        clusters: Clusters,
        watches: Watches,
        remind: Callable[[float], None] = lambda _: None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desired = desired
        self._applications = Applications(clusters, ticks)
        self._back = Back(desired, self._applications)
        around = Surroundings(self._applications, watches, remind)
        self._observer = Observer(desired, around, ticks)

    @override
    def live(self, spec: TargetSpec) -> Live:
        place = spec.argocd
        view = self._applications.read(place)
        ours = source_of(place, view)
        commit = revision_of(view.revisions, ours)
        written = self._desired.head(place.manifests)
        compared = self._desired.at(place.manifests, commit) if commit else None
        workload = self._workload(place, view, written.value)
        last = "" if view.automated else revision_of(view.synced_last, ours)
        synced = self._desired.at(place.manifests, last) if last else None
        return live(Standing(written, compared, view, workload, synced), place, commit)

    @override
    def plan(self, spec: TargetSpec, image: Image) -> Plan:
        place = spec.argocd
        view = self._applications.read(place)
        edit = self._desired.edit(place.manifests, image)
        return Plan(edit.diff, tuple(_warnings(place, view)))

    @override
    def prepare(self, spec: TargetSpec, order: Order) -> str:
        if order.revision is not None:
            return order.revision
        return self._desired.edit(spec.argocd.manifests, order.image).value

    @override
    def start(self, spec: TargetSpec, order: Order, revision: str) -> str | None:
        place = spec.argocd
        if _by_history(place, order):
            return self._back.start(place, order, revision)
        # Nothing is committed for an Application that would never see it.
        source = source_of(place, self._applications.read(place)).source
        if not follows(source, place.manifests):
            raise Misconfigured(
                f"The Application {place.application} follows {source.revision}, not branch "
                f"{place.manifests.branch}.",
                hint="Correct the branch in the catalog, or the Application's targetRevision.",
            )
        return self._desired.send(place.manifests, order, revision)

    @override
    def read_back(self, spec: TargetSpec, order: Order, revision: str, since: datetime) -> ReadBack:
        place = spec.argocd
        if _by_history(place, order):
            return self._back.read_back(place, order, since)
        handle = self._desired.sent(place.manifests, order, since)
        if handle is not None:
            return ReadBack(Told.YES, handle)
        written = self._desired.head(place.manifests)
        if not order.base or written.value in {order.base, revision}:
            return ReadBack(Told.NO)
        author = self._desired.changed_by(place.manifests, written.commit)
        who = f"{author.name} wrote it in {author.commit[:7]}" if author else "somebody wrote it"
        said = f"Git says {written.value} by now: {who}."
        return ReadBack(Told.SOMEONE_ELSE, None, said)

    @override
    def observe(self, watched: Sequence[tuple[TargetSpec, Watched]]) -> Looks:
        return self._observer.observe(watched)

    @override
    def usable(self, spec: TargetSpec, revision: str) -> str | None:
        place = spec.argocd
        if place.rollback == "history":
            return self._back.usable(place, revision)
        try:
            self._desired.head(place.manifests)
        except Misconfigured as fault:
            return f"It cannot be written in git any more: {fault.message}"
        return None

    @override
    def examine(self, spec: TargetSpec) -> Sequence[Finding]:
        return examine(self._applications, self._desired, self._workload, spec)

    def _workload(
        self, place: ArgoCdApplication, view: ApplicationView, value: str
    ) -> Workload | QuarterdeckError:
        """The workload as it is now, or why it cannot be read."""

        def read(resource: Resource, namespace: str, name: str) -> Raw | None:
            return self._applications.cluster(place).get(resource, namespace, name)

        try:
            return find(view, place, value, read)
        except QuarterdeckError as fault:
            return fault


def _by_history(place: ArgoCdApplication, order: Order) -> bool:
    return place.rollback == "history" and order.revision is not None


def _warnings(place: ArgoCdApplication, view: ApplicationView) -> tuple[str, ...]:
    """What a person should know before a rollout, as whole sentences."""
    told = [f"{kind}: {message}" for kind, message in view.conditions]
    if not follows(source_of(place, view).source, place.manifests):
        told.append(f"The Application does not follow branch {place.manifests.branch}.")
    if not view.automated:
        told.append("Auto-sync is off: Quarterdeck asks for the sync.")
    if place.manifests.delivery == "pull_request":
        told.append("A pull request is opened; the rollout begins when somebody merges it.")
    return tuple(told)
