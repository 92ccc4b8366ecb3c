"""The files of one commit, and for what they are rendered."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bot.playground.kube.argocd.git import GitRepository, RepositoryError


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of one commit."""

    repository: GitRepository
    commit: str

    def files(self, folder: str) -> list[str]:
        """All files below a folder."""
        return self.repository.files(self.commit, folder)

    def text(self, path: str) -> str:
        """A file's text. Raises ``RepositoryError``."""
        return self.repository.text(self.commit, posixpath.normpath(path))

    def documents(self, path: str) -> list[Any]:
        """A file's YAML documents, empty ones left out; not to be changed.

        Raises ``RepositoryError``.
        """
        blob = self.repository.blob(self.commit, posixpath.normpath(path))
        known = self.repository.parsed
        if blob not in known:
            known[blob] = parsed(self.text(path), path)
        return known[blob]


@dataclass(frozen=True, slots=True)
class Release:
    """For which Application manifests are made; ``refs`` are other sources by their name."""

    name: str
    namespace: str
    refs: Mapping[str, Tree] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """What tells it from others, for caches."""
        commits = sorted((name, tree.commit) for name, tree in self.refs.items())
        return f"{self.name}/{self.namespace}/{commits}"


def parsed(text: str, path: str) -> list[Any]:
    """The documents of a YAML text, empty ones left out. Raises ``RepositoryError``."""
    yaml = YAML(typ="safe")
    try:
        return [each for each in yaml.load_all(text) if each is not None]
    except YAMLError as error:
        name = posixpath.basename(path)
        raise RepositoryError(f'Failed to unmarshal "{name}": {error}') from error
