"""What a clone's history says: which commit is whose, who came after whom, who wrote a line."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.providers.argocd.desired import Author
from bot.providers.git.clone import Clone
from bot.providers.git.faults import Broken
from bot.providers.git.messages import DEPLOYMENT_ID
from bot.providers.git.objects import header
from bot.providers.git.program import GitFailed

#: Clocks differ: a commit may look so much older than it is.
CLOCK_SLACK = timedelta(minutes=10)
#: Commits between two, at most, for one to be near the other.
_NEAR = 500
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class History:
    """Reads the history that a clone has. Raises ``Broken`` where the clone is at fault."""

    clone: Clone
    _parents: dict[str, list[str]] = field(default_factory=dict, repr=False)

    def commit_for(self, deployment_id: str, tip: str, since: datetime) -> str | None:
        """The commit that was made for a deployment since then, as the branch is at ``tip``.

        Only its own date counts: git's ``--since`` goes no further back than to the first commit
        that says it is older, and somebody's clock may be wrong.
        """
        trailers = f"%(trailers:key={DEPLOYMENT_ID},valueonly,unfold)"
        words = ["log", f"--format=%H%x00%ct%x00{trailers}%x00", "--fixed-strings"]
        words.append(f"--grep={DEPLOYMENT_ID}: {deployment_id}")
        fields = self.clone.line(*words, tip, "--").split("\0")
        found = None
        for commit, at, values in zip(fields[::3], fields[1::3], fields[2::3], strict=False):
            # The oldest: a later one is a copy (cherry-picked, squashed) that somebody made of it.
            if deployment_id in values.split("\n") and _instant(at) >= since - CLOCK_SLACK:
                found = commit.strip()
        return found

    def knows_back_to(self, moment: datetime, tip: str) -> bool:
        """Whether nothing after that moment is missing because history was not fetched."""
        if not self.clone.shallow:
            return True
        ends = self.clone.line("log", "--format=%ct", "--max-parents=0", tip, "--").split()
        return all(int(end) < (moment - CLOCK_SLACK).timestamp() for end in ends)

    def near(self, commit: str, ancestor: str) -> bool:
        """Whether one commit follows another closely; where not, it may still do so from afar."""
        seen, waiting = {commit}, deque([commit])
        while waiting and len(seen) < _NEAR:
            for parent in self._parents_of(waiting.popleft()):
                if parent == ancestor:
                    return True
                if parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)
        return False

    def descends(self, commit: str, ancestor: str) -> bool:
        """Whether one commit follows another, as far as history is known."""
        try:
            self.clone.local("merge-base", "--is-ancestor", ancestor, commit)
        except GitFailed as failed:
            if failed.code != 1:
                raise Broken(failed.said) from None
            return False
        return True

    def _parents_of(self, commit: str) -> list[str]:
        """Those that a commit names; none where it was not fetched. What is read once is kept."""
        known = self._parents.get(commit)
        if known is None:
            found = self.clone.objects.read(commit)
            if found is None:
                return []
            if len(self._parents) >= _REMEMBERED:
                self._parents.clear()
            known = self._parents[commit] = header(found, "parent")
        return known

    def time_of(self, commit: str) -> datetime:
        """When it was committed."""
        return _instant(self.clone.line("log", "-1", "--format=%ct", commit, "--"))

    def writer_of(self, commit: str, file: str, line: int) -> Author | None:
        """Who wrote a line as it stands at a commit; ``None`` where history does not go so far."""
        where = (f"-L{line},{line}", commit, "--", file)
        told = self.clone.lazily("blame", "--porcelain", *where).decode(errors="replace")
        head, _, rest = told.partition("\n")
        said = dict(each.partition(" ")[::2] for each in rest.split("\n"))
        commit = head.split(" ")[0]
        if "boundary" in said and self.clone.shallow:
            return None
        name, subject = _one_line(said.get("author", "")), _one_line(said.get("summary", ""))
        return Author(name, commit, subject, _instant(said.get("author-time", "0")))


def _instant(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in text)).strip()[:200]
