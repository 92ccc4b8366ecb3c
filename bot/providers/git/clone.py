"""A bare clone of one branch in the cache: made, refreshed, deepened, and made anew when broken.

It begins with the newest commit alone, without the content of files (a partial clone), and keeps
history from there on. Several processes may share it: what changes references is locked. It has no
settings of its own: what git has to know of the remote comes with each call that talks to it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from threading import Event

from bot.model.errors import Misconfigured, QuarterdeckError, Transient, Unreachable
from bot.providers.git.access import REMOTE, Environment, place_of
from bot.providers.git.faults import Broken, Deed, push_fault, read_fault
from bot.providers.git.program import LOCAL, Call, GitFailed, run
from bot.providers.git.reader import Reader

#: Seconds: a first fetch may be of a large repository.
_FIRST, _LATER, _PUSH = 300.0, 60.0, 60.0
_LOCKED, _LOOK_AGAIN = 330.0, 0.02
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SECTION = re.compile(r"^\s*\[\s*([^\s\]]*)", re.MULTILINE)
#: Every so many fetches git looks whether there is something to pack or to throw away.
_TIDY = 50


class Clone:
    """Safe to share between threads and processes."""

    def __init__(self, remote: str, branch: str, cache: Path, environment: Environment) -> None:
        self.remote = remote
        self.branch = branch
        self.folder = cache.absolute() / _folder_name(remote, branch)
        self.environment = environment
        self.objects = Reader(self.folder, environment.local())
        self._fetches = count()
        self._tip = f"refs/remotes/origin/{branch}"

    # Running git on it

    def local(
        self, *arguments: str, given: bytes = b"", who: dict[str, str] | None = None
    ) -> bytes:
        """What git prints, without any remote. Raises ``GitFailed``."""
        environment = self.environment.local() | (who or {})
        return self._run(Call(arguments, environment, given))

    def line(self, *arguments: str, given: bytes = b"", who: dict[str, str] | None = None) -> str:
        """The same where it is a line; what git refuses here is the clone's fault: ``Broken``."""
        try:
            return self.local(*arguments, given=given, who=who).decode(errors="replace").strip()
        except GitFailed as failed:
            raise Broken(failed.said) from None

    def lazily(self, *arguments: str) -> bytes:
        """What git prints, where content may have to be fetched first. Raises as ``fetch``."""
        return self._remotely(arguments, _LATER)

    def has(self, commit: str) -> bool:
        """Whether the clone holds that commit."""
        if not _HASH.fullmatch(commit):
            return False
        found = self.objects.read(commit)
        return found is not None and found.kind == "commit"

    # Fetching

    def fetch(self) -> str:
        """Bring the clone up to date: the commit at the branch's tip.

        Raises ``Unreachable``, ``Throttled``, ``AccessDenied`` or ``Misconfigured``, and
        ``Transient`` where the cache cannot be written.
        """
        with self._locked():
            with suppress(Broken):
                return self._fetched()
            self._discard()
            try:
                return self._fetched()
            except Broken as broken:
                raise Transient(f"The clone of {self.remote} cannot be made: {broken}") from None

    def fetch_commit(self, commit: str) -> bool:
        """Fetch a commit that the branch does not lead to; whether the remote has it."""
        if not _HASH.fullmatch(commit):
            return False
        with self._locked():
            try:
                self._fetch(("--depth=1",), commit, _LATER)
            except (Misconfigured, Broken):
                return False
        return self.has(commit)

    def deepen_by(self, commits: int) -> None:
        """Fetch so many commits before those where history ends. Raises ``Broken``, or as fetch."""
        with self._locked():
            if self.shallow:
                self._fetch((f"--deepen={commits}",), self._refspec, _FIRST)

    def deepen(self, since: datetime | None = None) -> None:
        """Fetch history back to a moment, or all of it. Raises ``Broken``, or as ``fetch``."""
        with self._locked():
            if not self.shallow:
                return
            if since is not None:
                with suppress(Broken, Unreachable):  # nothing there is as new as that
                    moment = f"--shallow-since={int(since.timestamp())}"
                    self._fetch((moment,), self._refspec, _FIRST)
                    return
            self._fetch(("--unshallow",), self._refspec, _FIRST)

    @property
    def shallow(self) -> bool:
        """Whether history ends somewhere because no more of it was fetched."""
        boundary = self.folder / "shallow"
        return boundary.exists() and boundary.stat().st_size > 0

    def fetch_branch(self, branch: str) -> str | None:
        """Fetch another branch; the commit at its tip, ``None`` where there is no such branch."""
        there = f"refs/remotes/origin/{branch}"
        with self._locked():
            try:
                self._fetch((), f"+refs/heads/{branch}:{there}", _LATER)
            except Misconfigured:
                return None
            return self._at(there) or None

    @property
    def _refspec(self) -> str:
        return f"+refs/heads/{self.branch}:{self._tip}"

    @property
    def identity(self) -> int:
        """What tells this clone from one that was made anew; 0 where there is none."""
        try:
            return self.folder.stat().st_ino
        except OSError:
            return 0

    def rebuild(self, identity: int) -> None:
        """Throw that clone away, unless somebody did already; the next fetch makes it anew."""
        with self._locked():
            self.objects.close()  # even where somebody else made it anew
            if self.identity == identity:
                self._discard()

    # Pushing

    def push(self, commit: str, branch: str, *, dry: bool = False) -> None:
        """Bring exactly that commit to a branch, without force.

        Raises ``Raced`` where the branch is elsewhere by now, ``Broken`` where the clone is at
        fault, ``Unknown`` where the answer was lost, and else as ``fetch``, with PUSH_REFUSED
        where the branch is protected.
        """
        words = ["push", "--quiet", "--porcelain", "--no-verify", "--no-follow-tags"]
        # To the remote by its address: whatever the clone's settings say by now.
        words += ["--dry-run"] * dry + [self.remote, f"{commit}:refs/heads/{branch}"]
        try:
            self._run(Call(words, self.environment.remote(self.remote), within=_PUSH))
        except GitFailed as failed:
            raise push_fault(failed, self._deed(branch)) from None

    # The rest is private

    def _fetched(self) -> str:
        """Call with the lock held."""
        if not self._sound():
            self._discard()
            self._make()
        first = not self._at(self._tip)
        self._fetch(["--depth=1"] * first, self._refspec, _FIRST if first else _LATER)
        tip = self._at(self._tip)
        if not tip:
            raise Broken("no tip was fetched")
        return tip

    def _at(self, reference: str) -> str:
        """The commit that a reference leads to; empty where it leads to none."""
        found = self.objects.read(f"{reference}^{{commit}}")
        return "" if found is None else found.name

    def _fetch(self, options: Sequence[str], what: str, within: float) -> None:
        """Call with the lock held. The clone is tidied up now and then, and not at each fetch."""
        tidy = next(self._fetches) % _TIDY == 0
        settings = () if tidy else ("-c", "maintenance.auto=false")
        self._remotely((*settings, *_FETCH, *options, REMOTE, what), within)

    def _sound(self) -> bool:
        """Whether this is a clone at all, without any setting that git did not begin it with."""
        try:
            text = (self.folder / "config").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
        return set(_SECTION.findall(text)) <= {"core", "extensions"}

    def _make(self) -> None:
        """Call with the lock held. A clone that is not whole is never seen under its name."""
        made = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder.parent))
        environment = self.environment.local()
        try:
            run(Call(("init", "--quiet", "--bare", "--template=", str(made)), environment))
            made.rename(self.folder)
        except (GitFailed, OSError) as failed:
            shutil.rmtree(made, ignore_errors=True)
            raise self._unwritable(failed) from None

    def _discard(self) -> None:
        """Call with the lock held. Who reads it at this moment finds a clone that is broken."""
        self.objects.close()
        if not os.path.lexists(self.folder):
            return
        old = self.folder.with_name(f".old-{os.getpid()}-{time.monotonic_ns()}")
        try:
            self.folder.rename(old)
        except OSError as error:
            raise self._unwritable(error) from None
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.unlink(missing_ok=True)

    def _unwritable(self, why: GitFailed | OSError) -> QuarterdeckError:
        text = why.said if isinstance(why, GitFailed) else why.strerror or "it failed"
        hint = "Let QUARTERDECK_CACHE name a folder with room that the bot may write to."
        return Transient(f"The cache for {self.remote} cannot be written: {text}", hint=hint)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One fetch at a time, over all threads and processes that share the cache."""
        try:
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(f"{self.folder}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            self._take(lock)
            yield
        finally:
            os.close(lock)

    def _take(self, lock: int) -> None:
        until = time.monotonic() + _LOCKED
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            if time.monotonic() > until:
                raise Unreachable(f"Another process holds the clone of {self.remote} for too long.")
            Event().wait(_LOOK_AGAIN)

    def _remotely(self, arguments: tuple[str, ...], within: float) -> bytes:
        environment = self.environment.remote(self.remote)
        try:
            return self._run(Call(arguments, environment, within=within))
        except GitFailed as failed:
            raise read_fault(failed, self._deed(self.branch)) from None

    def _run(self, call: Call) -> bytes:
        arguments = (f"--git-dir={self.folder}", *call.arguments)
        return run(Call(arguments, call.environment, call.given, call.within or LOCAL))

    def _deed(self, branch: str) -> Deed:
        return Deed(self.remote, branch, self.environment.secrets(self.remote))


_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")


def _folder_name(remote: str, branch: str) -> str:
    """A name that people recognise and that no other remote or branch has."""
    told = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{place_of(remote).name}-{branch}").strip("-.")[-60:]
    digest = hashlib.sha256(f"{remote}\n{branch}".encode()).hexdigest()[:16]
    return f"{told}-{digest}.git"
