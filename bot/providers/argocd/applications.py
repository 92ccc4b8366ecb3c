"""The calls about Applications: read one, ask Argo CD to look at it, ask it to sync."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from bot.model.errors import Misconfigured, QuarterdeckError
from bot.model.places import ArgoCdApplication
from bot.providers.argocd.sources import Ours, our_source
from bot.providers.argocd.views import OPERATION_INFO, ApplicationView, Past, application_of
from bot.providers.argocd.windows import Window, closed, windows_of
from bot.providers.kube.cluster import APPLICATIONS, PROJECTS, Cluster, Clusters
from bot.providers.kube.faults import NotThere

#: How long a project's windows are kept, in seconds: one look at many rollouts asks once.
_KEPT = 3.0


@dataclass(frozen=True, slots=True)
class Sync:
    """A sync that is to be asked for: for which deployment, in whose name, and to what.

    ``revisions`` has one for each source. ``past`` is the entry of the history to go back to.
    """

    deployment_id: str
    by: str
    revisions: tuple[str, ...]
    past: Past | None = None


class Applications:
    """Reads and asks through shared clusters; safe to share between threads."""

    def __init__(self, clusters: Clusters, ticks: Callable[[], float] = time.monotonic) -> None:
        self._clusters = clusters
        self._ticks = ticks
        self._lock = Lock()
        self._windows: dict[tuple[str | None, str, str], tuple[float, tuple[Window, ...]]] = {}

    def cluster(self, place: ArgoCdApplication) -> Cluster:
        """The cluster that Argo CD runs in."""
        return self._clusters.at(place.cluster)

    def find(self, place: ArgoCdApplication) -> ApplicationView | None:
        """The Application now, or ``None``."""
        raw = self.cluster(place).get(APPLICATIONS, place.namespace, place.application)
        return application_of(raw) if raw is not None else None

    def read(self, place: ArgoCdApplication) -> ApplicationView:
        """The Application now. Raises ``Misconfigured`` where there is none."""
        view = self.find(place)
        if view is None:
            raise NotThere(
                f"There is no Application {place.application} in namespace {place.namespace}.",
                hint="Check cluster, namespace and application in the catalog.",
            )
        return view

    def refresh(self, place: ArgoCdApplication) -> None:
        """Ask Argo CD to look at git now. Idempotent: it takes the annotation away itself."""
        body = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}
        self.cluster(place).patch(APPLICATIONS, place.namespace, place.application, body)

    def sync(self, place: ArgoCdApplication, view: ApplicationView, wanted: Sync) -> None:
        """Ask Argo CD to sync, if the Application still is as ``view`` has it: ``Conflict`` else.

        So no operation of somebody else is written over, and none of ours is asked for twice.
        """
        body = {
            "metadata": {"resourceVersion": view.version},
            "operation": operation(view, wanted),
        }
        self.cluster(place).patch(APPLICATIONS, place.namespace, place.application, body)

    def closed(self, place: ArgoCdApplication, view: ApplicationView, *, manual: bool) -> str:
        """Why the project lets no sync through now; empty where it does, or cannot be read."""
        try:
            windows = self._project(place, view.project)
        except QuarterdeckError:
            return ""
        return closed(windows, view, datetime.now(UTC), manual=manual)

    def _project(self, place: ArgoCdApplication, project: str) -> tuple[Window, ...]:
        key = (place.cluster, place.namespace, project)
        now = self._ticks()
        with self._lock:
            at, kept = self._windows.get(key, (float("-inf"), ()))
        if now - at < _KEPT:
            return kept
        raw = self.cluster(place).get(PROJECTS, place.namespace, project)
        windows = windows_of(raw) if raw is not None else ()
        with self._lock:
            self._windows[key] = (now, windows)
        return windows


def source_of(place: ArgoCdApplication, view: ApplicationView) -> Ours:
    """Our source. Raises ``Misconfigured`` where the Application follows another repository."""
    found = our_source(view, place.manifests)
    if found is None:
        raise Misconfigured(
            f"The Application {place.application} is not made from {place.manifests.repository} "
            f"at {place.manifests.path}.",
            hint="Correct application, repository or path in the catalog.",
        )
    return found


def operation(view: ApplicationView, wanted: Sync) -> Mapping[str, Any]:
    """The ``operation`` as Argo CD's own API server would write it for a sync or a rollback."""
    sync: dict[str, Any] = {"syncOptions": list(view.sync_options)}
    if view.multiple:
        sync["revisions"] = list(wanted.revisions)
    else:
        sync["revision"] = wanted.revisions[0]
    if wanted.past is None:
        sync["syncStrategy"] = {"hook": {}}
    else:
        # Without hooks, as `argocd app rollback` does.
        sync["syncStrategy"] = {"apply": {}}
        sync |= {"source": wanted.past.source} if wanted.past.source else {}
        sync |= {"sources": list(wanted.past.sources)} if wanted.past.sources else {}
    asked = {
        "initiatedBy": {"username": wanted.by},
        "info": [{"name": OPERATION_INFO, "value": wanted.deployment_id}],
        "sync": sync,
    }
    return asked | ({"retry": view.retry} if view.retry and wanted.past is None else {})
