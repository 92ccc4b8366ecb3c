"""Files in a clone: one is read at a commit, one is changed in a commit that is made of objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.model.errors import Misconfigured
from bot.providers.git.clone import Clone
from bot.providers.git.faults import Broken, said
from bot.providers.git.objects import (
    FOLDER,
    Entry,
    Object,
    entry_of,
    header,
    made,
    packed,
    with_entry,
)
from bot.providers.git.program import GitFailed
from bot.providers.git.reader import TooLarge

_REGULAR = ("100644", "100755", "100664")


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
        *folders, leaf = file.split("/")
        found: Entry | None = Entry(FOLDER, self.tree(commit))
        for each in (*folders, leaf):
            if found is None or found.mode != FOLDER:
                found = None
                break
            found = entry_of(self._object(found.name), each)
        if found is None:
            raise Misconfigured(
                f"{self.clone.remote} has no file {file} on the branch {self.clone.branch}.",
                hint="Correct `path` and the file in the catalog.",
            )
        if found.mode not in _REGULAR:
            what = "a symbolic link" if found.mode == "120000" else "a folder"
            raise Misconfigured(f"{file} in {self.clone.remote} is {what} and no file.")
        return found

    def read(self, entry: Entry, file: str) -> bytes:
        """A file's content, fetched where it is not there yet."""
        try:
            found = self.clone.objects.read(entry.name)
            if found is None:
                self.clone.lazily("cat-file", "-s", entry.name)
                found = self._object(entry.name)
        except TooLarge:
            raise Misconfigured(f"{file} is larger than 1 MiB, which no manifest is.") from None
        return found.content

    def tree(self, commit: str) -> str:
        """The tree of a commit."""
        return header(self._object(commit), "tree")[0]

    def changed(self, commit: str, files: Mapping[str, bytes]) -> str:
        """The commit's tree with another content in these files; all others stay as they are."""
        tree = self.tree(commit)
        for file, content in files.items():
            tree = self._with(tree, file, content)
        return tree

    def _with(self, root: str, file: str, content: bytes) -> str:
        *folders, leaf = file.split("/")
        trees = [self._object(root)]
        for each in folders:
            entry = entry_of(trees[-1], each)
            if entry is None:
                raise KeyError(file)
            trees.append(self._object(entry.name))
        new = [made("blob", content, root)]
        for tree, name in zip(reversed(trees), (leaf, *reversed(folders)), strict=True):
            new.append(with_entry(tree, name, new[-1].name))
        # The other objects may be at the remote alone: git asks for none of them here.
        self.clone.line("unpack-objects", "-q", given=packed(new))
        return new[-1].name

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

    def _object(self, name: str) -> Object:
        found = self.clone.objects.read(name)
        if found is None:
            raise Broken(f"{name} is missing")
        return found
