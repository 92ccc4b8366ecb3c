"""What Argo CD's repository server needs of git: revisions and files of bare repositories."""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

TIMEOUT = 30.0  # real seconds for one command on a local repository
SHA = re.compile(r"[0-9a-f]{40}")
BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*")
COMMITS_KEPT = 200


class RepositoryError(Exception):
    """What the repository server answers with; the message is the one that Argo CD shows."""


class GitRepository:
    """A bare repository on this machine. Reads only, and no object of it twice.

    A world asks for the tips of its branches at every poll of every Application, so these are
    looked up in their files; only where there is none is git asked.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = shutil.which("git") or "git"
        self._trees: dict[str, dict[str, str]] = {}
        self._texts: dict[str, str] = {}
        #: What was parsed of a blob, by its hash.
        self.parsed: dict[str, list[Any]] = {}

    def resolve(self, revision: str) -> str:
        """The full hash of a branch, a tag or a commit. Raises ``RepositoryError``."""
        wanted = revision or "HEAD"
        if wanted in self._trees:
            return wanted
        tip = self._loose(wanted)
        if tip:
            return tip
        for each in (f"refs/heads/{wanted}", f"refs/tags/{wanted}", wanted):
            found = self._run("rev-parse", "--verify", "--quiet", f"{each}^{{commit}}") or ""
            if SHA.fullmatch(found.strip()):
                return found.strip()
        raise RepositoryError(f"unable to resolve '{revision}' to a commit SHA")

    def files(self, commit: str, folder: str) -> list[str]:
        """The paths of all files below ``folder`` (``.`` is the root), in git's order."""
        place = "" if folder in {"", "."} else f"{folder.rstrip('/')}/"
        return [each for each in self._tree(commit) if each.startswith(place)]

    def blob(self, commit: str, path: str) -> str:
        """The hash of a file's content. Raises ``RepositoryError`` where there is none."""
        try:
            return self._tree(commit)[path]
        except KeyError:
            raise RepositoryError(f"open {path}: no such file or directory") from None

    def text(self, commit: str, path: str) -> str:
        """A file's content. Raises ``RepositoryError`` where there is none."""
        blob = self.blob(commit, path)
        if blob not in self._texts:
            # Its neighbours are wanted next: one process for all of them.
            folder = posixpath.dirname(path)
            tree = self._tree(commit)
            near = {tree[each] for each in tree if posixpath.dirname(each) == folder}
            self._fetch(sorted(near - self._texts.keys()))
        return self._texts[blob]

    def _loose(self, name: str) -> str:
        if not BRANCH.fullmatch(name) or ".." in name:
            return ""
        try:
            found = (self._folder / "refs" / "heads" / name).read_text().strip()
        except OSError:
            return ""
        return found if SHA.fullmatch(found) else ""

    def _tree(self, commit: str) -> dict[str, str]:
        if commit not in self._trees:
            if len(self._trees) >= COMMITS_KEPT:
                self._trees.pop(next(iter(self._trees)))
            told = self._run("ls-tree", "-r", "-z", commit) or ""
            lines = [each.partition("\t") for each in told.split("\0") if each]
            self._trees[commit] = {path: head.split()[2] for head, _, path in lines}
        return self._trees[commit]

    def _fetch(self, blobs: list[str]) -> None:
        told = self._raw(["cat-file", "--batch"], "\n".join(blobs).encode() + b"\n") or b""
        for _ in blobs:
            head, _, told = told.partition(b"\n")
            name, _, size = head.decode().split()
            self._texts[name] = told[: int(size)].decode(errors="replace")
            told = told[int(size) + 1 :]

    def _run(self, *arguments: str) -> str | None:
        found = self._raw(list(arguments), b"")
        return None if found is None else found.decode()

    def _raw(self, arguments: list[str], said: bytes) -> bytes | None:
        if not self._folder.is_dir():
            raise RepositoryError("failed to list refs: repository not found")
        environment = {
            "PATH": os.defpath,
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "LC_ALL": "C.UTF-8",
        }
        done = subprocess.run(  # noqa: S603 - no shell, and the program is git
            [self._program, "--git-dir", str(self._folder), "-c", "safe.directory=*", *arguments],
            input=said,
            capture_output=True,
            check=False,
            env=environment,
            timeout=TIMEOUT,
        )
        return done.stdout if done.returncode == 0 else None
