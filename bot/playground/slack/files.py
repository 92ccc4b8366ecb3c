"""What apps upload: a ticket for an address, the bytes that arrive there, and files by their ids.

Slack looks at each file in the background after its upload was completed, for a second or so, and
only then may a message show it: https://github.com/slackapi/node-slack-sdk/issues/1865.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bot.playground.slack.refusal import SlackRefusal

LOOKED_AT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class File:
    """One file. ``length`` is what was announced; ``completed`` is when its upload was ended."""

    id: str
    name: str
    length: int
    alt: str = ""
    title: str = ""
    body: bytes | None = field(default=None, repr=False)
    completed: float | None = None


@dataclass(slots=True)
class Files:
    """All files of a workspace, under one lock."""

    clock: Callable[[], float]
    _files: dict[str, File] = field(default_factory=dict)
    _tickets: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def announce(self, file: File) -> str:
        """The secret last part of the address that takes its bytes, once."""
        ticket = secrets.token_urlsafe(24)
        with self._lock:
            self._files[file.id] = file
            self._tickets[ticket] = file.id
        return ticket

    def receive(self, ticket: str, body: bytes) -> int:
        """An HTTP status: 404 for an address that is none or was used, 400 for other bytes."""
        with self._lock:
            identity = self._tickets.get(ticket)
            if identity is None:
                return 404
            file = self._files[identity]
            if len(body) != file.length:
                return 400
            del self._tickets[ticket]
            self._files[identity] = replace(file, body=body)
            return 200

    def complete(self, titles: dict[str, str]) -> list[File]:
        """End the uploads of these ids, all or none; each can be ended once."""
        with self._lock:
            found = [self._files.get(identity) for identity in titles]
            ready = [each for each in found if each and each.body and each.completed is None]
            if len(ready) < len(titles):
                raise SlackRefusal("file_not_found")
            done = [
                replace(each, title=titles[each.id] or each.name, completed=self.clock())
                for each in ready
            ]
            self._files.update({each.id: each for each in done})
            return done

    def get(self, identity: str) -> File | None:
        """A file whose upload was completed."""
        with self._lock:
            file = self._files.get(identity)
        return file if file is not None and file.completed is not None else None

    def content(self, identity: str) -> bytes | None:
        """The bytes of a file whose upload was completed."""
        file = self.get(identity)
        return file.body if file is not None else None

    def can_be_shown(self, identity: str) -> bool:
        """Whether a block may show it by now: an image that Slack has looked at."""
        file = self.get(identity)
        if file is None or file.completed is None:
            return False
        kind = file.name.rpartition(".")[2].lower()
        looked_at = self.clock() >= file.completed + LOOKED_AT_SECONDS
        return looked_at and kind in {"png", "jpg", "jpeg", "gif"}
