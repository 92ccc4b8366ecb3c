"""Objects of a clone, read by one ``git cat-file --batch`` that stays: a look starts no program."""

from __future__ import annotations

import select
import subprocess
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import IO

from bot.providers.git.faults import Broken
from bot.providers.git.objects import Object
from bot.providers.git.program import LOCAL, git_in

#: Bytes; no manifest is larger, and a file is held in memory.
MAX_BYTES = 1024 * 1024
_PIECE = 64 * 1024


class TooLarge(Exception):
    """A file's content is larger than ``MAX_BYTES``."""


class Reader:
    """Safe to share between threads; one at a time is answered.

    git looks for what is new by itself: packs that were fetched, references that were moved. It
    asks no remote, and knows no credentials. Whoever made the clone anew calls ``close``.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._lock = Lock()
        self._program: _Program | None = None
        self._stop: Callable[[], object] = bool

    def read(self, name: str) -> Object | None:
        """An object by its name, or what a reference leads to; ``None`` where it is not there.

        Raises ``Broken`` where the clone is at fault, and ``TooLarge``.
        """
        with self._lock:
            if self._program is not None:
                with suppress(_Ended):  # somebody ended it meanwhile
                    return self._asked(self._program, name)
            try:
                return self._asked(self._start(), name)
            except _Ended as ended:
                raise Broken(str(ended)) from None

    def close(self) -> None:
        """Keep nothing of what was read; the next look begins anew."""
        with self._lock:
            self._end()

    def _start(self) -> _Program:
        self._program = _Program(self._folder, self._environment)
        # Whoever forgets the reader, or ends, ends that git too.
        self._stop = weakref.finalize(self, self._program.end)
        return self._program

    def _asked(self, program: _Program, name: str) -> Object | None:
        try:
            return program.ask(name)
        except BaseException:
            self._end()  # the rest of an answer would be taken for the next one
            raise

    def _end(self) -> None:
        self._stop()
        self._program = None


class _Ended(Exception):
    """git ended, or gave no answer; says why."""


class _Program:
    """The git that stays."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - ``end`` closes it
        self._process = subprocess.Popen(  # noqa: S603 - git itself, and no shell
            [git_in(environment), f"--git-dir={folder}", "cat-file", "--batch"],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=dict(environment),
            start_new_session=True,
        )
        self._unread = bytearray()

    def ask(self, name: str) -> Object | None:
        until = time.monotonic() + LOCAL
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        try:
            self._process.stdin.write(f"{name}\n".encode())
        except OSError:
            raise self._ended() from None
        while (end := self._unread.find(b"\n")) < 0:
            self._wait(until)
        words = self._take(end + 1).decode(errors="replace").split()
        if words[-1:] == ["missing"]:
            return None
        hash_, kind, size = words
        if kind == "blob" and int(size) > MAX_BYTES:
            raise TooLarge
        while len(self._unread) <= int(size):
            self._wait(until)
        return Object(hash_, kind, self._take(int(size) + 1)[:-1])

    def end(self) -> None:
        """Leave nothing of it."""
        self._process.kill()
        self._process.wait()
        for each in (self._process.stdin, self._process.stdout, self._said):
            assert each is not None  # noqa: S101 - all were asked for
            each.close()

    def _wait(self, until: float) -> None:
        """Read some more. Raises ``_Ended`` where no more comes."""
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        looks = select.poll()
        looks.register(self._process.stdout, select.POLLIN)
        if not looks.poll(max(0.0, until - time.monotonic()) * 1000):
            raise _Ended("git took too long")
        piece = self._process.stdout.read(_PIECE)
        if not piece:
            raise self._ended()
        self._unread += piece

    def _take(self, size: int) -> bytes:
        taken = bytes(self._unread[:size])
        del self._unread[:size]
        return taken

    def _ended(self) -> _Ended:
        self._process.kill()
        self._process.wait()
        self._said.seek(0)
        return _Ended(self._said.read().decode(errors="replace").strip() or "git ended")
