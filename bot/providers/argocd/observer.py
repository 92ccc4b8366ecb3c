"""One look at many rollouts: one watch per namespace of Applications tells all of them.

Beside it, git says how the commits that Argo CD names stand to ours, which never changes and is
asked once for each; Deployments come from a watch of their own where we may read them; pods are
read only for a rollout that is not well. No end is told from a watch alone: it is confirmed by
reading the Application anew.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.model.catalog import TargetSpec
from bot.model.deployment import Image
from bot.model.errors import Misconfigured, QuarterdeckError
from bot.model.places import ArgoCdApplication
from bot.model.rollout import End, Looks, Observation, Order, Watched
from bot.providers.argocd.applications import Applications, source_of
from bot.providers.argocd.desired import Author, DesiredState, Landed, Relation
from bot.providers.argocd.following import Following
from bot.providers.argocd.judge import (
    Mood,
    Reading,
    judge,
    patience_left,
    progress,
    read,
)
from bot.providers.argocd.memory import Memories, Memory
from bot.providers.argocd.nudges import Case, Nudges
from bot.providers.argocd.sources import revision_of
from bot.providers.argocd.sparing import Sparing
from bot.providers.argocd.views import ApplicationView, application_of
from bot.providers.argocd.workloads import find, serving
from bot.providers.kube.cluster import APPLICATIONS, Raw, Resource
from bot.providers.kube.troubles import patience, reasons
from bot.providers.kube.watches import Watches, Where
from bot.providers.kube.workload import Workload, digest_in

#: How a rollback in the history is told apart from a commit, in a handle.
ROLLBACK = "rollback/"
#: Seconds between two questions to GitHub about a pull request, and to git about a commit that it
#: does not have.
_ASK_AGAIN = 15.0
_BAD = frozenset({Mood.DEGRADED, Mood.MISSING, Mood.SYNC_FAILED})

Pair = tuple[TargetSpec, Watched]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a look asks beside git. ``remind`` has the next look made within so many seconds."""

    applications: Applications
    watches: Watches
    remind: Callable[[float], None] = lambda _: None


class Observer:
    """Looks at rollouts. Safe to share between threads; ``ticks`` counts seconds."""

    def __init__(
        self,
        desired: DesiredState,
        around: Surroundings,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desired = desired
        self._applications = around.applications
        self._watches = around.watches
        self._remind = around.remind
        self._ticks = ticks
        self._nudges = Nudges(around.applications)
        self._memories = Memories()
        self._sparing = Sparing(ticks)

    def observe(self, watched: Sequence[Pair]) -> Looks:
        """As ``Rollouts.observe``."""
        by_watch: dict[Where, list[Pair]] = defaultdict(list)
        faults: dict[str, QuarterdeckError] = {}
        for spec, each in watched:
            place = spec.argocd
            by_watch[Where(place.cluster, APPLICATIONS, place.namespace)].append((spec, each))
        seen: dict[str, Observation] = {}
        for where, pairs in by_watch.items():
            try:
                names = [spec.argocd.application for spec, _ in pairs]
                objects = self._watches.look(where, *names).objects
            except QuarterdeckError as fault:
                faults |= {each.deployment_id: fault for _, each in pairs}
                continue
            for spec, each in pairs:
                try:
                    raw = objects.get(spec.argocd.application)
                    seen[each.deployment_id] = self._look(spec.argocd, each, raw)
                except QuarterdeckError as fault:
                    faults[each.deployment_id] = fault
        return Looks(seen, faults)

    def _look(self, place: ArgoCdApplication, watched: Watched, raw: Raw | None) -> Observation:
        memory = self._memories.of(watched.deployment_id)
        view = application_of(raw) if raw is not None else None
        landed = self._landed(place, watched, memory)
        if landed.lost:
            said = f"The pull request was closed: {landed.lost}"
            return Observation(progress(view, None), End.FAILED, said, (), "PULL_REQUEST_CLOSED")
        if not landed.commit:
            return Observation(progress(view, None), explanation=landed.waits)
        look = _Look(place, watched, landed.commit, memory)
        reading, following = self._read(look, view)
        observed, left = self._judge(look, view, reading, following)
        if observed.end is not None:
            return self._confirmed(look, observed)
        if left is not None:
            self._remind(left)
        if view is not None:
            case = Case(watched.deployment_id, place, view, following, memory)
            self._nudges.give(case, self._ticks())
        return observed

    def _confirmed(self, look: _Look, observed: Observation) -> Observation:
        """The end, if the Application itself says the same at this moment."""
        view = self._applications.find(look.place)
        reading, following = self._read(look, view)
        again, _ = self._judge(look, view, reading, following)
        return again if again.end is observed.end else replace(again, end=None, reason_code="")

    def _read(self, look: _Look, view: ApplicationView | None) -> tuple[Reading, Following]:
        if view is None or view.deleting:
            following = Following(look.commit, look.watched.revision)
            return read(view, following), following
        following = self._following(look, view)
        reading = read(view, following)
        if reading.mood in _BAD and look.memory.mood not in _BAD:
            look.memory.reason_looks = min(1, look.memory.reason_looks)  # it is news: why, now?
        if reading.mood in _BAD or view.health == "Progressing":
            following = replace(following, reasons=self._reasons(look, view, following.workload))
            reading = read(view, following)
        return reading, following

    def _judge(
        self, look: _Look, view: ApplicationView | None, reading: Reading, following: Following
    ) -> tuple[Observation, float | None]:
        """The observation, and in how many seconds the same look would be an end."""
        settle = look.place.settle.total_seconds()
        operation = view.operation if view is not None else None
        key = (view and view.health_since, operation and operation.finished_at)
        lasted = look.memory.lasted(reading.mood, key, self._ticks())
        observed = judge(view, following, reading, lasted, settle)
        return observed, patience_left(reading, lasted, settle)

    def _following(self, look: _Look, view: ApplicationView) -> Following:
        place, memory, watched = look.place, look.memory, look.watched
        _at_home(memory, view)
        if memory.automated is None:
            memory.automated = view.automated
        workload = self._workload(place, view, watched.revision)
        if look.commit.startswith(ROLLBACK):
            following = Following(
                look.commit,
                watched.revision,
                attempted=Relation.OURS,
                rollback_id=watched.deployment_id,
                workload=workload,
            )
        else:
            following = self._by_commit(look, view, workload)
        said = view.operation.message if view.operation is not None else ""
        if (view.synced == "OutOfSync" and view.under_way is None) or "sync window" in said:
            closed = self._applications.closed(place, view, manual=not view.automated)
            following = replace(following, closed=closed)
        return following

    def _by_commit(
        self, look: _Look, view: ApplicationView, workload: Workload | None
    ) -> Following:
        ours = source_of(look.place, view)
        operation = view.under_way or view.operation
        attempted = revision_of(operation.revisions, ours) if operation is not None else ""
        synced = self._relation(look, revision_of(view.revisions, ours))
        author = None
        if synced is Relation.CHANGED:
            author = self._author(look.place, revision_of(view.revisions, ours))
        mine = operation is not None and operation.id == look.watched.deployment_id
        return Following(
            look.commit,
            look.watched.revision,
            synced=synced,
            attempted=Relation.OURS if mine else self._relation(look, attempted),
            author=author,
            workload=workload,
            turned_off=bool(look.memory.automated) and not view.automated,
            may_not=look.memory.may_not,
        )

    def _relation(self, look: _Look, commit: str) -> Relation:
        """How a commit that Argo CD names stands to ours; one git does not know waits a while."""
        memory, now = look.memory, self._ticks()
        if not commit:
            return Relation.WITHOUT
        if commit == look.watched.handle:
            return Relation.OURS  # we wrote it; a pull request may have been changed by people
        if commit in memory.relations:
            return memory.relations[commit]
        if commit == memory.unknown and now - memory.related_at < _ASK_AGAIN:
            return Relation.UNKNOWN
        manifests, value = look.place.manifests, look.watched.revision
        found = self._sparing.ask(
            manifests.repository,
            lambda: self._desired.relation(manifests, look.commit, commit, value),
        )
        if found is Relation.UNKNOWN:
            memory.unknown, memory.related_at = commit, now
        return memory.relate(commit, found)

    def _author(self, place: ArgoCdApplication, commit: str) -> Author | None:
        """Who wrote what stands there now. It only explains: no fault may hide that end."""
        manifests = place.manifests
        try:
            return self._sparing.ask(
                manifests.repository, lambda: self._desired.changed_by(manifests, commit)
            )
        except QuarterdeckError:
            return None

    def _landed(self, place: ArgoCdApplication, watched: Watched, memory: Memory) -> Landed:
        handle = watched.handle
        if handle is None:
            handle = self._sent(place, watched)
        if handle is None or handle.startswith(ROLLBACK):
            return Landed(handle or "", "Git shows no commit of this deployment (yet).")
        now = self._ticks()
        landed = memory.landed
        if landed is None or (not landed.commit and now - memory.landed_at >= _ASK_AGAIN):
            manifests, sent = place.manifests, handle
            landed = self._sparing.ask(
                manifests.repository, lambda: self._desired.landed(manifests, sent)
            )
            memory.landed, memory.landed_at = landed, now
        if not landed.commit:
            self._remind(_ASK_AGAIN)
        return landed

    def _sent(self, place: ArgoCdApplication, watched: Watched) -> str | None:
        """By the commit's trailer, where nobody wrote down what ``start`` answered."""
        if watched.since is None:
            return None
        order = Order(watched.deployment_id, Image("", "", ""), "", watched.revision)
        return self._desired.sent(place.manifests, order, watched.since)

    def _workload(
        self, place: ArgoCdApplication, view: ApplicationView, value: str
    ) -> Workload | None:
        def watched(resource: Resource, namespace: str, name: str) -> Raw | None:
            where = Where(place.cluster, resource, namespace)
            return self._watches.look(where, name).objects.get(name)

        try:
            return find(view, place, value, watched)
        except QuarterdeckError:
            return None  # Argo CD's own account has to do

    def _reasons(
        self, look: _Look, view: ApplicationView, workload: Workload | None
    ) -> tuple[str, ...]:
        memory, now = look.memory, self._ticks()
        if workload is not None and now - memory.reasons_at >= patience(memory.reason_looks):
            memory.reasons_at = now
            memory.reason_looks += 1
            value = look.watched.revision
            image = digest_in(value) or serving(workload, value)
            cluster = self._applications.cluster(look.place)
            namespace = workload.namespace or view.namespace
            memory.reasons = reasons(cluster, namespace, workload, image, memory.reasons)
        return memory.reasons


@dataclass(frozen=True, slots=True)
class _Look:
    """One rollout within one look; ``commit`` is ours, or the handle of a rollback's operation."""

    place: ArgoCdApplication
    watched: Watched
    commit: str
    memory: Memory


def _at_home(memory: Memory, view: ApplicationView) -> None:
    """Raises ``Misconfigured`` where the Application is another one by now, in all but its name."""
    home = (view.project, view.server, view.cluster_name, view.namespace)
    memory.home = memory.home or home
    if home != memory.home:
        raise Misconfigured(
            f"The Application {view.name} was moved to another project or destination while its "
            "rollout ran.",
            hint="Look at it in Argo CD; Quarterdeck asks nothing more of it.",
        )
