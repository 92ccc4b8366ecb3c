"""The comparison of desired and live state: sync status, health, and every resource of it.

Follows ``CompareAppState`` in Argo CD's ``controller/state.go``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.playground.kube.argocd import health
from bot.playground.kube.argocd.differences import TRACKING, differs
from bot.playground.kube.argocd.git import RepositoryError
from bot.playground.kube.argocd.rendering import Rendered, Sources
from bot.playground.kube.argocd.trees import Release
from bot.playground.kube.objects import Objects
from bot.playground.kube.replica_sets import owned
from bot.playground.kube.resources import (
    APPLICATIONS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    PODS,
    REPLICA_SETS,
    ROLLOUTS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Json,
    Resource,
    resource_of,
)
from bot.playground.kube.store import Change, Key

#: Kinds that Applications bring; all else belongs to one of them.
MANAGED = (
    SERVICE_ACCOUNTS,
    SECRETS,
    CONFIG_MAPS,
    SERVICES,
    DEPLOYMENTS,
    ROLLOUTS,
    APPLICATIONS,
)


@dataclass(frozen=True, slots=True)
class Pair:
    """One resource, as git has it and as it lives. ``resource`` is None for unknown kinds."""

    resource: Resource | None
    target: Json | None
    live: Json | None

    @property
    def shown(self) -> Json:
        """Whichever there is, the live one first."""
        found = self.live or self.target
        assert found is not None  # noqa: S101 - a pair has at least one side
        return found

    @property
    def synced(self) -> bool:
        """Whether applying would change nothing."""
        if self.resource is None or self.target is None or self.live is None:
            return False
        return not differs(self.resource, self.live, self.target)


@dataclass
class Comparison:
    """What a comparison found. ``error`` says why the desired state could not be told."""

    commits: list[str]
    kinds: list[str]
    status: str = "Synced"
    health: str = "Healthy"
    resources: list[Json] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    error: str = ""


class Comparisons:
    """Compares Applications with the cluster."""

    def __init__(self, objects: Objects, sources: Sources) -> None:
        self._objects = objects
        self._sources = sources
        self._owned: dict[str, dict[Key, None]] = {}
        objects.store.listeners.append(self._hear)

    def tips(self, sources: list[Json]) -> list[str]:
        """The commits that the sources' revisions name now. Raises ``RepositoryError``."""
        return [self._sources.resolve(each, each.get("targetRevision", "")) for each in sources]

    def compare(self, application: Json, sources: list[Json], revisions: list[str]) -> Comparison:
        """Compare with these sources at these revisions, which may be branches."""
        try:
            rendered = self._render(application, sources, revisions)
        except RepositoryError as error:
            failed = Comparison([], [], "Unknown", error=f"Failed to load target state: {error}")
            self._fill(failed, self._pairs(application, []), known=False)
            return failed
        result = Comparison([r.commit for r in rendered], [r.kind for r in rendered])
        targets = [self._tracked(application, each) for r in rendered for each in r.manifests]
        self._fill(result, self._pairs(application, targets), known=True)
        return result

    def images(self, application: Json) -> list[str]:
        """The images of the pods that belong to the Application's workloads."""
        pods = [
            pod
            for workload in self.live(application)
            for each in owned(self._objects, REPLICA_SETS, workload)
            for pod in owned(self._objects, PODS, each)
        ]
        return sorted({each["image"] for pod in pods for each in pod["spec"]["containers"]})

    def live(self, application: Json) -> list[Json]:
        """The objects in the cluster that carry the Application's tracking id."""
        known = self._owned.get(application["metadata"]["name"], {})
        return [self._objects.get(key) for key in sorted(known, key=_place)]

    def _hear(self, change: Change) -> None:
        if change.resource not in MANAGED:
            return
        if change.before:
            self._owned.get(owner_name(change.before), {}).pop(change.key, None)
        owner = owner_name(change.object)
        if owner and change.kind != "DELETED":
            self._owned.setdefault(owner, {})[change.key] = None

    def _render(
        self, application: Json, sources: list[Json], revisions: list[str]
    ) -> list[Rendered]:
        commits: list[str] = []
        rendered: list[Rendered] = []
        try:
            for source, revision in zip(sources, revisions, strict=True):
                commits.append(self._sources.resolve(source, revision))
            refs = {
                source["ref"]: self._sources.tree(source, commit)
                for source, commit in zip(sources, commits, strict=True)
                if source.get("ref")
            }
            namespace = application["spec"]["destination"].get("namespace", "")
            release = Release(application["metadata"]["name"], namespace, refs)
            for source, commit in zip(sources, commits, strict=True):
                rendered.append(self._sources.render(source, commit, release))
        except RepositoryError as error:
            done = len(rendered) if len(commits) == len(sources) else len(commits)
            where = f"failed to generate manifest for source {done + 1} of {len(sources)}"
            why = f"{where}: rpc error: code = Unknown desc = {error}"
            raise RepositoryError(why) from error
        return rendered

    def _tracked(self, application: Json, manifest: Json) -> Json:
        metadata = dict(manifest.get("metadata") or {})
        resource = resource_of(manifest["apiVersion"], manifest["kind"])
        if resource is None or resource.namespaced:
            namespace = application["spec"]["destination"].get("namespace", "default")
            metadata.setdefault("namespace", namespace)
        found = {**manifest, "metadata": metadata}
        name = f"{application['metadata']['name']}:{_identity(found)}"
        metadata["annotations"] = {**(metadata.get("annotations") or {}), TRACKING: name}
        return found

    def _pairs(self, application: Json, targets: list[Json]) -> list[Pair]:
        pairs = []
        wanted: set[str] = set()
        for target in targets:
            resource = resource_of(target["apiVersion"], target["kind"])
            metadata = target["metadata"]
            place = (metadata.get("namespace", ""), metadata["name"])
            live = self._objects.store.find(resource, *place) if resource else None
            pairs.append(Pair(resource, target, live))
            wanted.add(_identity(target))
        for live in self.live(application):
            if _identity(live) not in wanted:
                resource = resource_of(live["apiVersion"], live["kind"])
                pairs.append(Pair(resource, None, live))
        return pairs

    def _fill(self, result: Comparison, pairs: list[Pair], *, known: bool) -> None:
        codes = []
        for pair in sorted(pairs, key=lambda each: _identity(each.shown)):
            entry, code = _entry(pair, known=known)
            result.resources.append(entry)
            result.pairs.append(pair)
            codes += [code] if code else []
            if entry["status"] == "OutOfSync":
                result.status = "OutOfSync"
        result.health = health.worst(codes)


def owner_name(found: Json) -> str:
    """The Application that an object says it belongs to; copies of the annotation do not count."""
    text = str((found["metadata"].get("annotations") or {}).get(TRACKING, ""))
    name, _, identity = text.partition(":")
    return name if identity == _identity(found) else ""


def _place(key: Key) -> tuple[int, str, str]:
    return MANAGED.index(key[0]), *key[1:]


def _identity(found: Json) -> str:
    group = found["apiVersion"].rpartition("/")[0]
    metadata = found["metadata"]
    return f"{group}/{found['kind']}:{metadata.get('namespace', '')}/{metadata['name']}"


def _entry(pair: Pair, *, known: bool) -> tuple[Json, str]:
    shown = pair.shown
    group, _, version = shown["apiVersion"].rpartition("/")
    metadata = shown["metadata"]
    entry: Json = {"group": group} if group else {}
    entry |= {"version": version, "kind": shown["kind"]}
    entry |= {key: metadata[key] for key in ("namespace", "name") if metadata.get(key)}
    entry["status"] = ("Synced" if pair.synced else "OutOfSync") if known else "Unknown"
    if pair.target is None:
        entry["requiresPruning"] = True
    told = health.health_of(pair.live, shown["kind"])
    if told is not None:
        entry["health"] = told
    # What is missing counts only for kinds that have a health of their own.
    counts = told is not None and (pair.live is not None or shown["kind"] in health.CHECKED)
    return entry, told["status"] if told and counts else ""
