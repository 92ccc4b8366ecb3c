"""What Argo CD shows of an Application, as values. Pure.

Fields are those of the CRD argoproj.io/v1alpha1; what they mean is
https://argo-cd.readthedocs.io/en/stable/operator-manual/architecture/ and the controller's source.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.providers.kube.cluster import Raw
from bot.providers.kube.fields import Fields, line

#: How an operation that is not over is called.
UNDER_WAY = frozenset({"Running", "Terminating"})
#: How one that failed is called.
FAILED = frozenset({"Failed", "Error"})


@dataclass(frozen=True, slots=True)
class Source:
    """Where desired state comes from. ``revision`` is the branch, tag or commit that is followed;
    ``ref`` names a source that only lends its files to others."""

    repository: str
    path: str
    revision: str
    ref: str = ""


@dataclass(frozen=True, slots=True)
class ResourceView:
    """One resource of the Application. ``status`` is Synced or OutOfSync, ``health`` may be empty:
    newer versions of Argo CD do not keep it here."""

    group: str
    kind: str
    namespace: str
    name: str
    status: str = ""
    health: str = ""
    message: str = ""

    @property
    def title(self) -> str:
        """``Deployment analytics``."""
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class OperationView:
    """The newest sync. ``revisions``: of each source; empty where they are not known yet.

    ``id`` is ours, where we asked for it. ``failures`` name what could not be applied.
    """

    phase: str
    message: str = ""
    revisions: tuple[str, ...] = ()
    started_at: datetime | None = None
    finished_at: datetime | None = None
    by: str = ""
    automated: bool = False
    id: str = ""
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """One entry of the history: what was synced successfully before, and where its source was."""

    number: int
    revisions: tuple[str, ...]
    source: Raw | None
    sources: tuple[Raw, ...]


@dataclass(frozen=True, slots=True)
class ApplicationView:
    """An Application. ``synced`` is Synced, OutOfSync or Unknown, by comparison with ``revisions``.

    ``health`` is Healthy, Progressing, Degraded, Suspended, Missing or Unknown; ``health_since`` is
    empty before Argo CD 3. ``pending`` is an operation that was asked for and is not taken up yet,
    or still runs. ``conditions`` are pairs of type and message.
    """

    name: str
    version: str
    project: str
    server: str
    cluster_name: str
    namespace: str
    sources: tuple[Source, ...]
    multiple: bool
    automated: bool
    self_heal: bool
    sync_options: tuple[str, ...]
    retry: Raw | None
    synced: str
    revisions: tuple[str, ...]
    health: str
    health_message: str = ""
    health_since: datetime | None = None
    reconciled_at: datetime | None = None
    operation: OperationView | None = None
    pending: OperationView | None = None
    conditions: tuple[tuple[str, str], ...] = ()
    resources: tuple[ResourceView, ...] = ()
    history: tuple[Past, ...] = ()
    refreshing: bool = False
    deleting: bool = False

    @property
    def under_way(self) -> OperationView | None:
        """The operation that is not over, if there is one."""
        if self.operation is not None and self.operation.phase in UNDER_WAY:
            return self.operation
        return self.pending

    @property
    def synced_last(self) -> tuple[str, ...]:
        """The revisions, of each source, that were brought to the cluster last, as far as known."""
        if self.operation is not None and self.operation.phase == "Succeeded":
            return self.operation.revisions
        return self.history[-1].revisions if self.history else ()

    @property
    def at_home(self) -> bool:
        """Whether it deploys to the very cluster that Argo CD runs in."""
        own = {"https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local"}
        return self.server.rstrip("/") in own or self.cluster_name == "in-cluster"


def application_of(raw: Raw) -> ApplicationView:
    """From the API's JSON. Raises ``Unreachable`` where it cannot be read."""
    found = Fields(raw, "Application")
    metadata, spec, status = (found.inside(key) for key in ("metadata", "spec", "status"))
    policy, destination = spec.inside("syncPolicy"), spec.inside("destination")
    automated, sync, health = (
        policy.inside("automated"),
        status.inside("sync"),
        status.inside("health"),
    )
    retry = policy.raw("retry")
    return ApplicationView(
        name=metadata.text("name"),
        version=metadata.text("resourceVersion"),
        project=spec.text("project") or "default",
        server=destination.text("server"),
        cluster_name=destination.text("name"),
        namespace=destination.text("namespace"),
        sources=_sources(spec),
        multiple=spec.has("sources"),
        automated=policy.has("automated") and automated.flag("enabled", absent=True),
        self_heal=automated.flag("selfHeal"),
        sync_options=policy.texts("syncOptions"),
        retry=retry if isinstance(retry, dict) else None,
        synced=sync.text("status") or "Unknown",
        revisions=_revisions(sync),
        health=health.text("status") or "Unknown",
        health_message=line(health.text("message")),
        health_since=health.moment("lastTransitionTime"),
        reconciled_at=status.moment("reconciledAt"),
        operation=_state(status.inside("operationState")) if status.has("operationState") else None,
        pending=_asked(found.inside("operation"), "Running") if found.has("operation") else None,
        conditions=tuple(
            (each.text("type"), line(each.text("message"))) for each in status.items("conditions")
        ),
        resources=tuple(_resource(each) for each in status.items("resources")),
        history=tuple(_past(each) for each in status.items("history")),
        refreshing="argocd.argoproj.io/refresh" in metadata.strings("annotations"),
        deleting=metadata.has("deletionTimestamp"),
    )


def _sources(spec: Fields) -> tuple[Source, ...]:
    several = tuple(_source(each) for each in spec.items("sources"))
    return several or ((_source(spec.inside("source")),) if spec.has("source") else ())


def _source(source: Fields) -> Source:
    return Source(
        source.text("repoURL"),
        source.text("path"),
        source.text("targetRevision"),
        source.text("ref"),
    )


def _revisions(of: Fields) -> tuple[str, ...]:
    one = of.text("revision")
    return of.texts("revisions") or ((one,) if one else ())


def _resource(of: Fields) -> ResourceView:
    health = of.inside("health")
    return ResourceView(
        of.text("group"),
        of.text("kind"),
        of.text("namespace"),
        of.text("name"),
        of.text("status"),
        health.text("status"),
        line(health.text("message")),
    )


def _state(state: Fields) -> OperationView:
    asked, result = (
        _asked(state.inside("operation"), state.text("phase")),
        state.inside("syncResult"),
    )
    return OperationView(
        phase=asked.phase,
        message=line(state.text("message")),
        revisions=_revisions(result) or asked.revisions,
        started_at=state.moment("startedAt"),
        finished_at=state.moment("finishedAt"),
        by=asked.by,
        automated=asked.automated,
        id=asked.id,
        failures=tuple(_failures(result)),
    )


def _failures(result: Fields) -> list[str]:
    """What could not be applied, and hooks that failed."""
    return [
        f"{each.text('kind')} {each.text('name')}: {line(each.text('message')) or 'no reason'}"
        for each in result.items("resources")
        if each.text("status") == "SyncFailed" or each.text("hookPhase") in FAILED
    ]


#: How our own id is written down in an operation.
OPERATION_INFO = "quarterdeck.dev/deployment-id"


def _asked(operation: Fields, phase: str) -> OperationView:
    by, info = operation.inside("initiatedBy"), list(operation.items("info"))
    return OperationView(
        phase=phase,
        revisions=_revisions(operation.inside("sync")),
        by=by.text("username"),
        automated=by.flag("automated"),
        id=next((each.text("value") for each in info if each.text("name") == OPERATION_INFO), ""),
    )


def _past(entry: Fields) -> Past:
    source, sources = entry.raw("source"), entry.raw("sources")
    return Past(
        entry.number("id"),
        _revisions(entry),
        source if isinstance(source, dict) else None,
        tuple(each for each in sources if isinstance(each, dict))
        if isinstance(sources, list)
        else (),
    )
