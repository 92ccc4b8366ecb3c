"""One bare repository: what other people do to it, and what is read from it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.playground.git.program import GitError, git

_HOOK = """#!/bin/sh
# Refuses what is pushed to a protected branch, in GitHub's words.
status=0
while read -r old new ref; do
  if [ -f "$GIT_DIR/protected" ] && grep -qxF "$ref" "$GIT_DIR/protected"; then
    echo "error: GH006: Protected branch update failed for $ref." >&2
    echo "error: Changes must be made through a pull request." >&2
    status=1
  fi
done
exit $status
"""
_PERSON = re.compile(r"^(?P<name>[^<>]+?) *<(?P<email>[^<>\s]+)>$")
_FORMAT = "%H%x00%an <%ae>%x00%cn <%ce>%x00%ct%x00%s%x00%b%x00%(trailers:only,unfold)%x00%x00"


@dataclass(frozen=True, slots=True)
class Entry:
    """One commit of a log. ``trailers`` are its machine-readable last lines, in their order."""

    hash: str
    author: str
    committer: str
    at: datetime
    subject: str
    body: str
    trailers: tuple[tuple[str, str], ...]

    def trailer(self, key: str) -> str | None:
        """The first trailer of that name."""
        return next((value for name, value in self.trailers if name == key), None)


class Repository:
    """Not safe by itself where two write the same branch: the host serializes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self, files: Mapping[str, str], branch: str) -> None:
        """Make the repository, with one first commit that holds the files."""
        self.folder.mkdir(parents=True)
        git(self.folder, "init", "--quiet", "--bare", f"--initial-branch={branch}")
        for key, value in (
            ("http.receivepack", "true"),
            ("uploadpack.allowFilter", "true"),
            ("uploadpack.allowAnySHA1InWant", "true"),
            ("gc.auto", "0"),
            ("receive.autogc", "false"),
        ):
            self.configure(key, value)
        hook = self.folder / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(_HOOK, encoding="utf-8")
        hook.chmod(0o755)
        self.commit("Quartermaster", files, "Begin.", branch)

    def configure(self, key: str, value: str) -> None:
        """Change one of git's own settings of this repository."""
        git(self.folder, "config", key, value)

    def head(self, branch: str) -> str:
        """The full hash at the branch's tip. Raises ``GitError`` where there is no such branch."""
        return self._line("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}")

    def has(self, branch: str) -> bool:
        """Whether there is such a branch."""
        try:
            self.head(branch)
        except GitError:
            return False
        return True

    def read(self, path: str, commit: str) -> bytes:
        """A file's content at a commit or branch."""
        return git(self.folder, "cat-file", "blob", f"{commit}:{path}")

    def commit(self, author: str, changes: Mapping[str, str], message: str, branch: str) -> str:
        """Somebody commits and pushes; a file whose text is empty is deleted.

        Who is overtaken by another push pulls and pushes again, as people do. Raises ``GitError``
        where that push changed one of the same files.
        """
        old = self._tip(branch)
        while True:
            made = self.commit_tree(
                self._tree_with(changes, old), [old] if old else [], author, message
            )
            try:
                self.move(branch, made, old)
            except GitError:
                newer = self._tip(branch)
                if newer == old or not old or self._changed(changes, old, newer):
                    raise
                old = newer
            else:
                return made

    def commit_tree(self, tree: str, parents: Sequence[str], author: str, message: str) -> str:
        """A commit object; no branch moves."""
        name, email = person(author)
        who = {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", name), ("EMAIL", email))
        }
        flags = [word for parent in parents for word in ("-p", parent)]
        return self._line("commit-tree", tree, *flags, given=message.encode(), environment=who)

    def move(self, branch: str, new: str, old: str) -> None:
        """Move a branch from one commit to another. Raises ``GitError`` where it is elsewhere."""
        git(self.folder, "update-ref", f"refs/heads/{branch}", new, old or "0" * len(new))

    def merged_tree(self, ours: str, theirs: str) -> str:
        """The tree of a merge of two commits. Raises ``GitError`` on a conflict."""
        return self._line("merge-tree", "--write-tree", ours, theirs)

    def log(self, branch: str, limit: int, path: str = "") -> list[Entry]:
        """The branch's commits, newest first; those that changed a folder where it is named."""
        paths = [path] if path else []
        out = git(self.folder, "log", f"-{limit}", f"--format={_FORMAT}", branch, "--", *paths)
        return [_entry(each) for each in out.decode().split("\0\0\n") if each.strip("\n")]

    def protect(self, branches: Sequence[str]) -> None:
        """Refuse pushes to these branches."""
        text = "".join(f"refs/heads/{branch}\n" for branch in branches)
        (self.folder / "protected").write_text(text, encoding="utf-8")

    def _tip(self, branch: str) -> str:
        """The hash at the branch's tip; empty where there is no such branch."""
        return self.head(branch) if self.has(branch) else ""

    def _tree_with(self, changes: Mapping[str, str], commit: str) -> str:
        """The tree of a commit with these files in it; of no commit, of these files alone."""
        with tempfile.TemporaryDirectory(prefix="quarterdeck-index-") as place:
            index = {"GIT_INDEX_FILE": f"{place}/index"}
            if commit:
                git(self.folder, "read-tree", commit, environment=index)
            blobs = self._blobs(list(dict.fromkeys(changes.values())), f"{place}/marks")
            lines = (_staged(path, blobs[text]) for path, text in changes.items())
            listed = "".join(lines).encode()
            git(self.folder, "update-index", "-z", "--index-info", given=listed, environment=index)
            return self._line("write-tree", environment=index)

    def _changed(self, files: Iterable[str], old: str, new: str) -> bool:
        """Whether one of these files differs between two commits."""
        return bool(self._line("diff-tree", "-r", "--name-only", old, new, "--", *files))

    def _blobs(self, texts: Sequence[str], marks: str) -> dict[str, str]:
        """The content of files, made in one go; of no text there is none."""
        stream = bytearray()
        for number, text in enumerate(texts, 1):
            content = text.encode()
            stream += b"blob\nmark :%d\ndata %d\n%s\n" % (number, len(content), content)
        words = ("fast-import", "--quiet", "--done", f"--export-marks={marks}")
        git(self.folder, *words, given=bytes(stream) + b"done\n")
        lines = Path(marks).read_text(encoding="ascii").splitlines()
        names = dict(line.removeprefix(":").split(" ") for line in lines)
        return {text: names[str(n)] if text else "" for n, text in enumerate(texts, 1)}

    def _line(
        self, *arguments: str, given: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> str:
        return git(self.folder, *arguments, given=given, environment=environment).decode().strip()


def person(author: str) -> tuple[str, str]:
    """``Dana <dana@acme.example>`` in its parts; an address is made up where none is given."""
    given = _PERSON.match(author)
    if given is not None:
        return given["name"], given["email"]
    return author, f"{re.sub(r'[^a-z0-9]+', '.', author.lower()).strip('.') or 'x'}@acme.example"


def _staged(path: str, blob: str) -> str:
    return f"100644 {blob}\t{path}\0" if blob else f"0 {'0' * 40}\t{path}\0"


def _entry(text: str) -> Entry:
    commit, author, committer, at, subject, body, trailers = text.split("\0")[:7]
    pairs = (line.partition(":") for line in trailers.splitlines() if ":" in line)
    return Entry(
        hash=commit,
        author=author,
        committer=committer,
        at=datetime.fromtimestamp(int(at), UTC),
        subject=subject,
        body=body.strip(),
        trailers=tuple((key.strip(), value.strip()) for key, _, value in pairs),
    )
