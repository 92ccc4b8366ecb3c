"""Argo CD in the local cluster: what tests and the playground do to it by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from bot.playground.kube.argocd.applications import REFRESH, Applications
from bot.playground.kube.argocd.applying import Refusal
from bot.playground.kube.argocd.blueprints import (
    NAMESPACE,
    ApplicationOptions,
    application_of,
    by_hand,
    policy_of,
    project_of,
)
from bot.playground.kube.argocd.git import GitRepository, RepositoryError
from bot.playground.kube.argocd.projects import sources_of
from bot.playground.kube.argocd.rendering import Sources
from bot.playground.kube.argocd.syncing import RUNNING, Pace
from bot.playground.kube.patches import MERGE
from bot.playground.kube.resources import APP_PROJECTS, APPLICATIONS, Json
from bot.playground.kube.store import Key

if TYPE_CHECKING:
    from bot.playground.kube.world import KubeWorld

STEP = 1.0  # virtual seconds between two looks
LONG_AGO = 3600.0  # how long a settled Application has been so
AT_REST = ("Healthy", "Degraded")
#: Closed at every moment: each minute it opens again for an hour.
ALWAYS: Json = {"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}


class ArgoCd:
    """One Argo CD. ``KubeWorld.argocd`` is the one of a cluster; safe to share between threads.

    Where an Application is named without its ``namespace``, it stands in ``argocd``.
    """

    def __init__(self, world: KubeWorld, applications: Applications, sources: Sources) -> None:
        self._world = world
        self._applications = applications
        self._sources = sources

    # Repositories

    def connect_repository(self, url: str, folder: Path) -> None:
        """Let Applications name the bare repository in ``folder`` by that URL."""
        with self._world.store.lock:
            self._sources.repositories[url] = GitRepository(folder)

    def disconnect_repository(self, url: str) -> None:
        """Let Argo CD no longer get at a repository, as where its credentials have run out."""
        with self._world.store.lock:
            self._sources.repositories.pop(url, None)

    # Applications

    def create_project(self, name: str, namespace: str = NAMESPACE, **spec: object) -> None:
        """Make an AppProject, where there is none of that name.

        It permits everything that ``spec`` does not narrow.
        """
        with self._world.store.lock:
            if self._world.store.find(APP_PROJECTS, namespace, name) is None:
                self._world.create_namespace(namespace)
                wanted = project_of(name)
                wanted["spec"] |= spec
                self._world.objects.create(APP_PROJECTS, namespace, wanted)

    def create_application(self, name: str, **options: Unpack[ApplicationOptions]) -> Json:
        """Make an Application, with its namespaces; the project called ``default`` is there."""
        wanted = application_of(name, options)
        namespace, settled = wanted["metadata"]["namespace"], options.get("settled", True)
        with self._world.store.lock:
            for each in (namespace, wanted["spec"]["destination"]["namespace"]):
                self._world.create_namespace(each)
            if wanted["spec"]["project"] == "default":
                self.create_project("default", namespace)
            if settled and not options.get("automated", True):
                wanted["operation"] = by_hand()
            self._world.objects.create(APPLICATIONS, namespace, wanted)
            if settled:
                self._world.settle()
                self._world.objects.edit((APPLICATIONS, namespace, name), self._age)
            return self.application(name, namespace)

    def application(self, name: str, namespace: str = NAMESPACE) -> Json:
        """The Application as it is now. Raises ``ApiError`` where there is none."""
        return self._world.get(APPLICATIONS, namespace, name)

    def refresh(self, name: str, namespace: str = NAMESPACE) -> None:
        """Let a webhook, or somebody, ask Argo CD to look at an Application now."""
        metadata = {"annotations": {REFRESH: "normal"}}
        self._patch(name, namespace, {"metadata": metadata})

    def sync(self, name: str, namespace: str = NAMESPACE, **what: object) -> None:
        """Let somebody begin a sync; ``what`` are fields of ``operation.sync``."""
        begun = by_hand()
        self._patch(name, namespace, {"operation": {**begun, "sync": {**what}}})

    def terminate(self, name: str, namespace: str = NAMESPACE) -> None:
        """Let somebody end the operation that runs."""

        def change(app: Json) -> None:
            state = app.get("status", {}).get("operationState", {})
            if state.get("phase") in RUNNING:
                state["phase"] = "Terminating"

        self._edit(name, namespace, change)

    def set_auto_sync(
        self, name: str, namespace: str = NAMESPACE, *, automated: bool, self_heal: bool = False
    ) -> None:
        """Let somebody turn an Application's auto-sync on or off."""

        def change(app: Json) -> None:
            app["spec"].pop("syncPolicy", None)
            if automated:
                app["spec"]["syncPolicy"] = policy_of(self_heal=self_heal, prune=False)

        self._edit(name, namespace, change)

    def run_until_settled(
        self, name: str, namespace: str = NAMESPACE, most: float = 7200.0
    ) -> bool:
        """Advance until an Application is at rest; False where that takes longer than ``most``.

        At rest: no operation runs, it was compared with what its branches hold now, and is Healthy
        or Degraded.
        """
        for _ in range(int(most / STEP)):
            if self._is_at_rest(name, namespace):
                return True
            self._world.advance(STEP)
        return False

    # Obstacles

    def close_sync_window(
        self, project: str = "default", namespace: str = NAMESPACE, *, manual: bool = False
    ) -> None:
        """Let a project's Applications not be synced; ``manual``: except by hand."""
        window = {**ALWAYS, "manualSync": manual} if manual else ALWAYS
        with self._world.store.lock:
            self.create_project(project, namespace)
            patch = {"spec": {"syncWindows": [window]}}
            self._world.objects.patch((APP_PROJECTS, namespace, project), MERGE, patch)

    def open_sync_windows(self) -> None:
        """Take the sync windows of all projects away."""
        with self._world.store.lock:
            for each in self._world.store.all(APP_PROJECTS):
                metadata = each["metadata"]
                key = (APP_PROJECTS, metadata["namespace"], metadata["name"])
                self._world.objects.patch(key, MERGE, {"spec": {"syncWindows": None}})

    def refuse_syncs(self, name: str, message: str, n: int | None = None) -> None:
        """Let an admission webhook turn away what an Application's next ``n`` syncs apply."""
        with self._world.store.lock:
            self._applications.operations.applier.refusals[name] = Refusal(message, n)

    def accept_syncs(self, name: str) -> None:
        """Let that webhook turn away nothing any more."""
        with self._world.store.lock:
            self._applications.operations.applier.refusals.pop(name, None)

    def set_pace(self, **changes: float) -> None:
        """Change how long things take from now on; names are those of ``Pace``."""
        with self._world.store.lock:
            operations = self._applications.operations
            pace: Pace = dataclasses.replace(operations.pace, **changes)
            operations.pace = pace
            self._applications.queue.latency = pace.compare

    def keep_health_apart(self) -> None:
        """Leave the health of resources out of the status, as Argo CD 3 does where not told."""
        with self._world.store.lock:
            self._applications.inline_health = False

    # Inside

    def _patch(self, name: str, namespace: str, patch: Json) -> None:
        self._world.apply(APPLICATIONS, namespace, name, patch)

    def _edit(self, name: str, namespace: str, change: Callable[[Json], None]) -> None:
        with self._world.store.lock:
            self.application(name, namespace)  # time catches up
            self._world.objects.edit((APPLICATIONS, namespace, name), change)

    def _age(self, app: Json) -> None:
        since = self._world.objects.before(LONG_AGO)
        for entry in app["status"].get("history", []):
            entry["deployedAt"] = entry["deployStartedAt"] = since
        for found in (app["status"].get("operationState", {}), app["status"]["health"]):
            for field in ("startedAt", "finishedAt", "lastTransitionTime"):
                if field in found:
                    found[field] = since

    def _is_at_rest(self, name: str, namespace: str) -> bool:
        with self._world.store.lock:
            key: Key = (APPLICATIONS, namespace, name)
            app = self.application(name, namespace)
            status = app.get("status", {})
            state = status.get("operationState", {})
            busy = "operation" in app or state.get("phase") in RUNNING
            if busy or self._applications.is_awaited(key):
                return False
            compared = status.get("sync", {})
            known = compared.get("revisions") or [compared.get("revision")]
            try:
                tips = self._applications.comparisons.tips(sources_of(app["spec"]))
            except RepositoryError:
                return False
            return bool(known == tips and status.get("health", {}).get("status") in AT_REST)
