"""From a source of an Application to manifests: plain folders, kustomizations, small charts."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.playground.kube.argocd import charts, kustomize
from bot.playground.kube.argocd.git import GitRepository, RepositoryError
from bot.playground.kube.argocd.trees import Release, Tree
from bot.playground.kube.resources import Json

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
CACHED = 500


@dataclass(frozen=True, slots=True)
class Rendered:
    """The manifests of one source at one commit. ``kind`` is Directory, Kustomize or Helm."""

    commit: str
    kind: str
    manifests: tuple[Json, ...]


class Sources:
    """Renders sources; ``repositories`` maps a repoURL to a bare repository."""

    def __init__(self) -> None:
        self.repositories: dict[str, GitRepository] = {}
        self._cache: dict[tuple[str, str, str, str], Rendered] = {}

    def resolve(self, source: Json, revision: str) -> str:
        """The commit that a revision names now. Raises ``RepositoryError``."""
        return self._repository(source["repoURL"]).resolve(revision)

    def render(self, source: Json, commit: str, release: Release) -> Rendered:
        """The manifests at that commit.

        Raises ``RepositoryError`` with the text that Argo CD shows.
        """
        key = (source["repoURL"], commit, repr(source), release.identity)
        if key not in self._cache:
            if len(self._cache) >= CACHED:
                self._cache.clear()
            self._cache[key] = self._fresh(source, commit, release)
        return self._cache[key]

    def tree(self, source: Json, commit: str) -> Tree:
        """The files of a source at a commit. Raises ``RepositoryError``."""
        return Tree(self._repository(source["repoURL"]), commit)

    def _repository(self, url: str) -> GitRepository:
        for known, repository in self.repositories.items():
            if _same(known, url):
                return repository
        raise RepositoryError("failed to list refs: authentication required: Repository not found.")

    def _fresh(self, source: Json, commit: str, release: Release) -> Rendered:
        tree = Tree(self._repository(source["repoURL"]), commit)
        if source.get("ref") and not source.get("path") and not source.get("chart"):
            return Rendered(commit, "", ())  # it only lends its files to other sources
        folder = posixpath.normpath(source.get("path") or ".")
        files = tree.files(folder)
        if not files:
            raise RepositoryError(f"{folder}: app path does not exist")
        names = {posixpath.relpath(each, folder) for each in files}
        kind, render = _renderer(names)
        found = render(tree, folder, source, release)
        for each in found:
            if not isinstance(each, dict) or not each.get("kind") or not each.get("apiVersion"):
                raise RepositoryError("Object 'Kind' is missing in a manifest")
        return Rendered(commit, kind, tuple(found))


Render = Callable[[Tree, str, Json, Release], list[Any]]


def _renderer(names: set[str]) -> tuple[str, Render]:
    if "Chart.yaml" in names:
        return "Helm", charts.render
    if any(each in names for each in KUSTOMIZATIONS):
        return "Kustomize", kustomize.render
    return "Directory", _plain


def _plain(tree: Tree, folder: str, source: Json, _release: Release) -> list[Any]:
    recurse = source.get("directory", {}).get("recurse", False)
    found: list[Any] = []
    for path in tree.files(folder):
        inside = posixpath.relpath(path, folder)
        if inside.endswith((".yaml", ".yml", ".json")) and (recurse or "/" not in inside):
            found += tree.documents(path)
    return found


def _same(known: str, url: str) -> bool:
    return known == url or _bare(known) == _bare(url)


def _bare(url: str) -> str:
    return url.removesuffix("/").removesuffix(".git")
