"""Files in a clone: one is read at a commit, one is changed in a commit that is made of objects."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from bot.model.errors import Misconfigured
from bot.providers.git.clone import Clone
from bot.providers.git.faults import Broken, said
from bot.providers.git.program import GitFailed

#: Bytes; no manifest is larger, and a file is held in memory.
MAX_BYTES = 1024 * 1024
_REGULAR = ("100644", "100755", "100664")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a tree: its mode, as git writes it, and the name of its content."""

    mode: str
    blob: str


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit is made of besides its tree. ``at`` is in seconds."""

    parent: str
    author: str
    committer: str
    at: int
    message: str
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """Reads and makes objects. Raises ``Broken`` where the clone is at fault."""

    clone: Clone

    def entry(self, commit: str, file: str) -> Entry:
        """Where a file is. Raises ``Misconfigured`` where it is not there, or no file."""
        listed = self.clone.line("ls-tree", "-z", commit, "--", file).rstrip("\0")
        if not listed:
            raise Misconfigured(
                f"{self.clone.remote} has no file {file} on the branch {self.clone.branch}.",
                hint="Correct `path` and the file in the catalog.",
            )
        mode, kind, blob = listed.partition("\t")[0].split(" ")
        if kind != "blob" or mode not in _REGULAR:
            what = "a symbolic link" if mode == "120000" else "a folder"
            raise Misconfigured(f"{file} in {self.clone.remote} is {what} and no file.")
        return Entry(mode, blob)

    def read(self, entry: Entry, file: str) -> bytes:
        """A file's content, fetched where it is not there yet."""
        size = int(self.clone.lazily("cat-file", "-s", entry.blob))
        if size > MAX_BYTES:
            raise Misconfigured(f"{file} is larger than 1 MiB, which no manifest is.")
        return self.clone.lazily("cat-file", "blob", entry.blob)

    def tree(self, commit: str) -> str:
        """The tree of a commit."""
        return self.clone.line("rev-parse", "--verify", f"{commit}^{{tree}}")

    def changed(self, commit: str, file: str, entry: Entry, content: bytes) -> str:
        """The commit's tree with another content in one file; all others stay as they are."""
        kind, name = "blob", self.clone.line("hash-object", "-w", "--stdin", given=content)
        mode = entry.mode
        for folder, leaf in _upwards(file):
            listed = self._listed(f"{commit}:{folder}")
            line = f"{mode} {kind} {name}\t{leaf}\0".encode()
            ending = f"\t{leaf}".encode()
            lines = (line if each.endswith(ending) else each + b"\0" for each in listed)
            # The other objects may be at the remote alone.
            name = self.clone.line("mktree", "-z", "--missing", given=b"".join(lines))
            kind, mode = "tree", "040000"
        return name

    def commit(self, tree: str, what: Commit) -> str:
        """Make a commit object. Raises ``Misconfigured`` where it cannot be signed."""
        who = {f"GIT_{role}_DATE": f"{what.at} +0000" for role in ("AUTHOR", "COMMITTER")}
        for role, person in (("AUTHOR", what.author), ("COMMITTER", what.committer)):
            name, _, address = person.rpartition(" <")
            who |= {f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": address.rstrip(">")}
        words = ["commit-tree", tree, "-p", what.parent, *(["-S"] * what.signed)]
        try:
            made = self.clone.local(*words, given=what.message.encode(), who=who)
        except GitFailed as failed:
            if what.signed and "sign" in failed.said:
                raise Misconfigured(
                    f"A commit cannot be signed: {said(failed.said)}",
                    hint="GIT_SIGNING_KEY names a private SSH key without a passphrase that only "
                    "the bot may read.",
                ) from None
            raise Broken(failed.said) from None
        return made.decode().strip()

    def _listed(self, tree: str) -> list[bytes]:
        try:
            return self.clone.local("ls-tree", "-z", tree).split(b"\0")[:-1]
        except GitFailed as failed:
            raise Broken(failed.said) from None


def _upwards(file: str) -> Iterator[tuple[str, str]]:
    """``a/b/c`` as (``a/b``, ``c``), (``a``, ``b``), (the root, ``a``)."""
    while file:
        file, leaf = os.path.split(file)
        yield file, leaf
