"""The application controller: when an Application is compared, and what its status says then.

Follows ``processAppRefreshQueueItem``, ``needRefreshAppStatus`` and ``autoSync`` of Argo CD.
"""

from __future__ import annotations

from enum import IntEnum
from functools import partial

from bot.playground.kube.argocd import autosync, windows
from bot.playground.kube.argocd.comparing import MANAGED, Comparison, Comparisons, owner_name
from bot.playground.kube.argocd.conditions import set_conditions
from bot.playground.kube.argocd.git import RepositoryError
from bot.playground.kube.argocd.projects import sources_of, spec_errors
from bot.playground.kube.argocd.syncing import COMPONENT, Operations
from bot.playground.kube.events import Recorder
from bot.playground.kube.objects import Objects
from bot.playground.kube.replica_sets import owner_of
from bot.playground.kube.resources import (
    APP_PROJECTS,
    APPLICATIONS,
    DEPLOYMENTS,
    PODS,
    REPLICA_SETS,
    ROLLOUTS,
    Json,
    cloned,
)
from bot.playground.kube.store import Change, Key
from bot.playground.kube.workqueue import Workqueue
from bot.playground.timeline import Timeline

REFRESH = "argocd.argoproj.io/refresh"
FINALIZER = "resources-finalizer.argocd.argoproj.io"
OWNERS = {"Deployment": DEPLOYMENTS, "Rollout": ROLLOUTS}


class Level(IntEnum):
    """How much a refresh looks at, as Argo CD's ``CompareWith``."""

    NOTHING = 0  # only the tree of resources
    RECENT = 1  # the commit that is known already
    LATEST = 2  # the commit that the branch has now
    FORCED = 3  # the same, and no patience with errors


class Applications:
    """Looks at an Application when it is asked to, when its objects change, and now and then.

    ``inline_health`` is ``controller.resource.health.persist``: without it, as by default since
    Argo CD 3, the resources in the status have no health of their own.
    """

    def __init__(
        self,
        timeline: Timeline,
        objects: Objects,
        recorder: Recorder,
        comparisons: Comparisons,
    ) -> None:
        self._timeline = timeline
        self._objects = objects
        self._recorder = recorder
        self.comparisons = comparisons
        self.operations = Operations(timeline, objects, recorder, comparisons)
        self.operations.refresh = partial(self.request, level=Level.FORCED)
        self.inline_health = True
        self._asked: dict[Key, Level] = {}
        self._reconciled: dict[str, float] = {}
        self._at_rest: dict[str, list[str]] = {}
        self._broken_since: dict[str, float] = {}
        pace = self.operations.pace
        self.queue: Workqueue[Key] = Workqueue(timeline, self._refresh, pace.compare)
        objects.store.listeners.append(self._hear)

    def request(self, key: Key, level: Level) -> None:
        """Ask for a refresh soon."""
        self._asked[key] = max(level, self._asked.get(key, Level.NOTHING))
        self.queue.add(key)

    def is_awaited(self, key: Key) -> bool:
        """Whether something is about to happen to that Application."""
        return self.queue.awaits(key) or self.operations.queue.awaits(key)

    def _hear(self, change: Change) -> None:
        if change.resource == APPLICATIONS:
            self._hear_of_application(change)
        elif change.resource in MANAGED:
            for found in filter(None, (change.object, change.before)):
                self._request_of(owner_name(found), Level.RECENT)
        elif change.resource == PODS:
            owner = owner_of(change.object, "ReplicaSet")
            above = owner and self._objects.store.find(REPLICA_SETS, change.key[1], owner["name"])
            self._hear_of_child(above)

    def _hear_of_application(self, change: Change) -> None:
        if change.kind == "DELETED":
            return
        if change.before is not None and autosync.turned_on(change.before, change.object):
            self.request(change.key, Level.LATEST)
        self.queue.add(change.key)
        self.operations.queue.add(change.key)

    def _hear_of_child(self, found: Json | None) -> None:
        for kind, resource in OWNERS.items():
            owner = owner_of(found, kind) if found else None
            if owner and found:
                namespace = found["metadata"]["namespace"]
                workload = self._objects.store.find(resource, namespace, owner["name"])
                self._request_of(owner_name(workload) if workload else "", Level.NOTHING)

    def _request_of(self, name: str, level: Level) -> None:
        for each in self._objects.store.all(APPLICATIONS) if name else ():
            if each["metadata"]["name"] == name:
                self.request((APPLICATIONS, each["metadata"]["namespace"], name), level)

    def _refresh(self, key: Key) -> None:
        app = self._objects.store.find(*key)
        asked = self._asked.pop(key, None)
        if app is None:
            return
        if "deletionTimestamp" in app["metadata"]:
            self._delete(key, app)
            return
        level = self._needed(app, asked)
        if level is Level.LATEST and asked is None and self._stands_still(app):
            self._note_poll(key)
        elif level is Level.NOTHING:
            self._summarize(key)
        elif level is not None:
            self._reconcile(key, app, level)

    def _needed(self, app: Json, asked: Level | None) -> Level | None:
        status = app.get("status", {})
        compared = status.get("sync", {}).get("comparedTo", {})
        if REFRESH in (app["metadata"].get("annotations") or {}):
            return Level.FORCED
        spec = app["spec"]
        if sources_of(compared) != sources_of(spec):
            return Level.FORCED
        since = self._reconciled.get(app["metadata"]["uid"])
        if since is None or since + self.operations.pace.poll <= self._timeline.now:
            return Level.LATEST if asked is None else max(asked, Level.LATEST)
        if compared.get("destination") != spec["destination"]:
            return Level.LATEST
        return asked

    def _reconcile(self, key: Key, app: Json, level: Level) -> None:
        project = self._objects.store.find(APP_PROJECTS, key[1], app["spec"]["project"])
        errors = spec_errors(app, project)
        status = cloned(app.get("status", {}))
        now = self._objects.now()
        told = [{"type": "InvalidSpecError", "message": each} for each in errors]
        set_conditions(status, told, ("InvalidSpecError", "UnknownError"), now)
        if project is None or errors:
            self._at_rest.pop(app["metadata"]["uid"], None)
            status["sync"] = {**status.get("sync", {}), "status": "Unknown"}
            self._persist(key, app, status, "Unknown")
            return
        found = self._compared(app, level)
        if found is None:
            self.queue.add_after(key, self.operations.pace.grace)
            return
        errors = [found.error] if found.error else []
        told = [{"type": "ComparisonError", "message": each} for each in errors]
        told += self._orphans(app, project)
        set_conditions(status, told, ("ComparisonError", "OrphanedResourceWarning"), now)
        if windows.can_sync(project, app, self._timeline.stamp(), manual=False):
            self._auto_sync(key, status, found)
        if level >= Level.LATEST or "reconciledAt" not in status:
            status["reconciledAt"] = now
            self._reconciled[app["metadata"]["uid"]] = self._timeline.now
            self.queue.add_after(key, self.operations.pace.poll)
        at_rest = (found.status, found.health) == ("Synced", "Healthy")
        self._at_rest[app["metadata"]["uid"]] = found.commits if at_rest else []
        self._tell(app, status, found)
        self._persist(key, app, status, found.health)

    def _stands_still(self, app: Json) -> bool:
        # What lives in the cluster has its own way to be heard of; a poll is for the branch.
        commits = self._at_rest.get(app["metadata"]["uid"])
        try:
            return commits is not None and commits == self.comparisons.tips(sources_of(app["spec"]))
        except RepositoryError:
            return False

    def _note_poll(self, key: Key) -> None:
        now = self._objects.now()

        def change(fresh: Json) -> None:
            fresh["status"]["reconciledAt"] = now

        app = self._objects.edit(key, change)
        self._reconciled[app["metadata"]["uid"]] = self._timeline.now
        self.queue.add_after(key, self.operations.pace.poll)

    def _compared(self, app: Json, level: Level) -> Comparison | None:
        sources = sources_of(app["spec"])
        revisions = [each.get("targetRevision", "") for each in sources]
        known = app.get("status", {}).get("sync", {})
        recent = known.get("revisions") or ([known["revision"]] if known.get("revision") else [])
        if level is Level.RECENT and len(recent) == len(sources):
            revisions = recent
        found = self.comparisons.compare(app, sources, revisions)
        uid, now = app["metadata"]["uid"], self._timeline.now
        if not found.error:
            self._broken_since.pop(uid, None)
            return found
        since = self._broken_since.setdefault(uid, now)
        # A repository that is out of reach for a moment is not worth a condition.
        patient = level is not Level.FORCED and now - since <= self.operations.pace.grace
        return None if patient else found

    def _auto_sync(self, key: Key, status: Json, found: Comparison) -> None:
        app = self._objects.get(key)
        decision = autosync.decide(app, found, self._since_operation(app))
        told = [{"type": "SyncError", "message": decision.error}] if decision.error else []
        set_conditions(status, told, ("SyncError",), self._objects.now())
        if decision.wait is not None:
            wait = decision.wait
            self._timeline.after(wait, partial(self.request, key, Level.LATEST))
        if decision.operation is None:
            return
        operation = decision.operation

        def begin(fresh: Json) -> None:
            fresh["operation"] = operation
            fresh.get("status", {}).pop("operationState", None)

        app = self._objects.edit(key, begin)
        status.pop("operationState", None)
        target = ", ".join(found.commits)
        text = f"Initiated automated sync to '{target}'"
        self._recorder.normal(app, "OperationStarted", text, COMPONENT)

    def _since_operation(self, app: Json) -> float | None:
        finished = self.operations.finished.get(app["metadata"]["uid"])
        wait = self.operations.pace.self_heal
        return None if finished is None else finished + wait - self._timeline.now

    def _tell(self, app: Json, status: Json, found: Comparison) -> None:
        spec = app["spec"]
        several = "sources" in spec
        compared: Json = {"destination": spec["destination"]}
        compared |= {key: spec[key] for key in ("source", "sources") if key in spec}
        if spec.get("ignoreDifferences"):
            compared["ignoreDifferences"] = spec["ignoreDifferences"]
        status["sync"] = {"status": found.status, "comparedTo": compared}
        if several:
            status["sync"]["revisions"] = found.commits
            status["sourceTypes"] = found.kinds
        elif found.commits:
            status["sync"]["revision"] = found.commits[0]
            status["sourceType"] = found.kinds[0]
        status["resources"] = found.resources
        if not self.inline_health:
            bare = [{k: v for k, v in r.items() if k != "health"} for r in found.resources]
            status["resources"] = bare
            status["resourceHealthSource"] = "appTree"
        status["controllerNamespace"] = "argocd"

    def _persist(self, key: Key, app: Json, status: Json, health: str) -> None:
        before = app.get("status", {})
        was = before.get("health", {})
        status["health"] = {"status": health, "lastTransitionTime": was.get("lastTransitionTime")}
        if was.get("status") != health or not was.get("lastTransitionTime"):
            status["health"]["lastTransitionTime"] = self._objects.now()
        images = self.comparisons.images(app)
        status["summary"] = {"images": images} if images else {}

        def change(fresh: Json) -> None:
            kept = fresh.get("status", {})
            # Operations and their history are written by themselves.
            own = {k: kept[k] for k in ("operationState", "history") if k in kept}
            rest = {k: v for k, v in status.items() if k not in {"operationState", "history"}}
            fresh["status"] = {**rest, **own}
            annotations = fresh["metadata"].get("annotations") or {}
            annotations.pop(REFRESH, None)

        written = self._objects.edit(key, change)
        for what, old, new in (
            ("sync", before.get("sync", {}).get("status", ""), status["sync"]["status"]),
            ("health", was.get("status", ""), health),
        ):
            if old != new:
                text = f"Updated {what} status: {old} -> {new}"
                self._recorder.normal(written, "ResourceUpdated", text, COMPONENT)

    def _summarize(self, key: Key) -> None:
        images = self.comparisons.images(self._objects.get(key))

        def change(app: Json) -> None:
            app.setdefault("status", {})["summary"] = {"images": images} if images else {}

        self._objects.edit(key, change)

    def _orphans(self, app: Json, project: Json) -> list[Json]:
        if "orphanedResources" not in project["spec"]:
            return []
        namespace = app["spec"]["destination"].get("namespace", "")
        found = [
            each
            for resource in MANAGED
            for each in self._objects.store.all(resource, namespace)
            if not owner_name(each)
        ]
        if not found:
            return []
        text = f"Application has {len(found)} orphaned resources"
        return [{"type": "OrphanedResourceWarning", "message": text}]

    def _delete(self, key: Key, app: Json) -> None:
        finalizers = app["metadata"].get("finalizers", [])
        if FINALIZER not in finalizers:
            return
        for live in self.comparisons.live(app):
            resource = next(each for each in MANAGED if each.kind == live["kind"])
            metadata = live["metadata"]
            self._objects.delete((resource, metadata["namespace"], metadata["name"]), {})

        def change(fresh: Json) -> None:
            fresh["metadata"]["finalizers"] = [each for each in finalizers if each != FINALIZER]

        self._objects.edit(key, change)
