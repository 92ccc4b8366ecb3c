"""The whole local git host: its repositories, its tokens, its faults."""

from __future__ import annotations

import re
import secrets
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bot.playground.git.faults import Faults
from bot.playground.git.repository import Entry, Repository
from bot.playground.git.server import Server

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*$")
_KEPT = 5000


@dataclass(frozen=True, slots=True)
class Access:
    """Whom a token belongs to, and whether that one may push."""

    user: str
    writes: bool


@dataclass(frozen=True, slots=True)
class Request:
    """One request a client made; ``status`` 0 is one that got no answer."""

    repository: str
    service: str
    status: int


class GitHost:
    """Bare repositories below a folder. Safe to share between threads.

    ``token`` may push, ``reading_token`` may only fetch. A name is ``acme/manifests``, without
    ``.git``.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.faults = Faults()
        self.lock = threading.RLock()
        self.token = secrets.token_hex(16)
        self.reading_token = secrets.token_hex(16)
        self._tokens = {
            self.token: Access("quarterdeck[bot]", writes=True),
            self.reading_token: Access("reader[bot]", writes=False),
        }
        self._requests: deque[Request] = deque(maxlen=_KEPT)
        self._server: Server | None = None

    # Serving

    def serve(self, port: int = 0) -> str:
        """Listen on loopback in a thread of its own; returns the base URL."""
        if self._server is None:
            self._server = Server(self, port)
            self._server.start()
        return self._server.url

    def close(self) -> None:
        """Stop listening; the repositories stay."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        self.serve()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def grant(self, token: str, user: str, *, writes: bool = True) -> None:
        """Let one more token in."""
        self._tokens[token] = Access(user, writes)

    def revoke(self, token: str) -> None:
        """Let a token in no more."""
        self._tokens.pop(token, None)

    def access(self, token: str) -> Access | None:
        """What a token may do; ``None`` for one that is not known."""
        return self._tokens.get(token)

    def record(self, repository: str, service: str, status: int) -> None:
        """Keep that a request was made."""
        self._requests.append(Request(repository, service, status))

    def requests(self, service: str | None = None) -> list[Request]:
        """The requests that were made, oldest first; of one service where it is named."""
        return [each for each in list(self._requests) if service in {None, each.service}]

    # Repositories

    def create(self, name: str, files: Mapping[str, str], branch: str = "main") -> str:
        """Make a repository with these files in a first commit; returns its remote URL."""
        if not _NAME.match(name):
            raise ValueError(f"{name!r} cannot be a repository's name")
        with self.lock:
            Repository(self.folder(name)).create(files, branch)
        return self.url(name)

    def url(self, name: str) -> str:
        """The remote URL of a repository; serves where nothing listened yet."""
        return f"{self.serve()}/{name}.git"

    def folder(self, name: str) -> Path:
        """The bare repository on disk."""
        return self.root / f"{name}.git"

    def has(self, name: str) -> bool:
        """Whether there is such a repository."""
        return _NAME.match(name) is not None and (self.folder(name) / "HEAD").is_file()

    def repository(self, name: str) -> Repository:
        """A repository, for what is not below."""
        return Repository(self.folder(name))

    def head(self, name: str, branch: str = "main") -> str:
        """The full hash at the tip of a branch."""
        return self.repository(name).head(branch)

    def read(self, name: str, path: str, commit: str = "main") -> str:
        """A file's text at a commit or at the tip of a branch."""
        return self.repository(name).read(path, commit).decode()

    def commit(
        self,
        name: str,
        author: str,
        changes: Mapping[str, str],
        message: str,
        branch: str = "main",
    ) -> str:
        """Let somebody else push; a file whose text is empty is deleted. Returns the commit."""
        with self.lock:
            return self.repository(name).commit(author, changes, message, branch)

    def log(
        self, name: str, branch: str = "main", limit: int = 1000, path: str = ""
    ) -> list[Entry]:
        """The commits of a branch, newest first; those that changed a folder where it is named."""
        return self.repository(name).log(branch, limit, path)

    # Settings

    def protect(self, name: str, *branches: str) -> None:
        """Refuse pushes to these branches, and to no others, as GitHub does."""
        self.repository(name).protect(branches)

    def allow_filter(self, name: str, *, allowed: bool) -> None:
        """Whether partial clones are served, as GitHub does, or whole ones only."""
        self.repository(name).configure("uploadpack.allowFilter", str(allowed).lower())
