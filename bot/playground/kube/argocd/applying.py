"""Applying a comparison to the cluster, object by object, as a sync does."""

from __future__ import annotations

from dataclasses import dataclass

from bot.playground.kube.argocd.comparing import Comparison, Pair
from bot.playground.kube.argocd.differences import LAST_APPLIED, applied
from bot.playground.kube.objects import Objects
from bot.playground.kube.refusals import ApiError
from bot.playground.kube.resources import NAMESPACES, Json, Resource
from bot.playground.kube.store import key_of

FAILED = "one or more objects failed to apply, reason: "
NOT_VALID = "one or more synchronization tasks are not valid"


@dataclass
class Refusal:
    """What an admission webhook says of the next ``remaining`` applies, for tests."""

    message: str
    remaining: int | None


class Applier:
    """Writes manifests into the cluster; ``refusals`` by Application name let it fail."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.refusals: dict[str, Refusal] = {}

    def apply(self, app: Json, sync: Json, found: Comparison) -> tuple[list[Json], str]:
        """The result of each resource, and why the sync failed, empty where it did not."""
        results, failures = [], []
        refusal = self._refusal(app["metadata"]["name"])
        chosen = sync.get("resources")
        if any(pair.resource is None for pair in found.pairs):
            return [_unknown(each) for each in found.pairs if each.resource is None], NOT_VALID
        if "CreateNamespace=true" in (sync.get("syncOptions") or []):
            self._create_namespace(app["spec"]["destination"].get("namespace", ""))
        for pair in found.pairs:
            if chosen and not any(_means(each, pair) for each in chosen):
                continue
            code, told = self._one(pair, refusal, prune=bool(sync.get("prune")))
            results.append(_result(pair, code, told))
            failures += [told] if code == "SyncFailed" else []
        return results, FAILED + ",".join(failures) if failures else ""

    def _one(self, pair: Pair, refusal: str, *, prune: bool) -> tuple[str, str]:
        resource = pair.resource
        assert resource is not None  # noqa: S101 - unknown kinds were turned away before
        try:
            if pair.target is None:
                if not prune:
                    return "PruneSkipped", "ignored (requires pruning)"
                self._objects.delete(key_of(resource, pair.shown), {})
                return "Pruned", "pruned"
            if refusal:
                return "SyncFailed", refusal
            done = self._write(resource, pair.target, pair.live)
        except ApiError as error:
            return "SyncFailed", error.message
        group = f".{resource.group}" if resource.group else ""
        name = pair.target["metadata"]["name"]
        return "Synced", f"{resource.kind.lower()}{group}/{name} {done}"

    def _write(self, resource: Resource, target: Json, live: Json | None) -> str:
        if live is None:
            fresh = applied(resource, {"metadata": {}}, target)
            fresh["metadata"]["annotations"].setdefault(LAST_APPLIED, "")
            self._objects.create(resource, target["metadata"].get("namespace", ""), fresh)
            return "created"
        before = live["metadata"]["resourceVersion"]
        written = self._objects.replace(key_of(resource, live), applied(resource, live, target))
        same = written["metadata"]["resourceVersion"] == before
        return "unchanged" if same else "configured"

    def _create_namespace(self, name: str) -> None:
        if name and self._objects.store.find(NAMESPACES, "", name) is None:
            self._objects.create(NAMESPACES, "", {"metadata": {"name": name}})

    def _refusal(self, name: str) -> str:
        refusal = self.refusals.get(name)
        if refusal is None:
            return ""
        if refusal.remaining is not None:
            refusal.remaining -= 1
            if refusal.remaining <= 0:
                del self.refusals[name]
        return refusal.message


def _means(chosen: Json, pair: Pair) -> bool:
    shown = pair.shown
    group = shown["apiVersion"].rpartition("/")[0]
    wanted = (chosen.get("group", ""), chosen.get("kind"), chosen.get("name"))
    namespace = chosen.get("namespace")
    here = shown["metadata"].get("namespace", "")
    same = wanted == (group, shown["kind"], shown["metadata"]["name"])
    return same and namespace in {None, "", here}


def _result(pair: Pair, code: str, told: str) -> Json:
    group, _, version = pair.shown["apiVersion"].rpartition("/")
    metadata = pair.shown["metadata"]
    phases = {"Synced": "Running", "SyncFailed": "Failed"}
    return {
        "group": group,
        "version": version,
        "kind": pair.shown["kind"],
        "namespace": metadata.get("namespace", ""),
        "name": metadata["name"],
        "status": code,
        "message": told,
        "hookPhase": phases.get(code, "Succeeded"),
        "syncPhase": "Sync",
    }


def _unknown(pair: Pair) -> Json:
    shown = pair.shown
    group = shown["apiVersion"].rpartition("/")[0]
    metadata = shown["metadata"]
    told = (
        f"The Kubernetes API could not find {group}/{shown['kind']} for requested resource "
        f'{metadata.get("namespace", "")}/{metadata["name"]}. Make sure the "{shown["kind"]}" '
        "CRD is installed on the destination cluster."
    )
    return _result(pair, "SyncFailed", told)
