"""Pull requests: opened, closed and merged, over the branches of a real repository."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from bot.playground.git import GitHost
from bot.playground.git.program import GitError

How = Literal["merge", "squash", "rebase"]


class Refusal(Exception):
    """An answer that is no success, in GitHub's words."""

    def __init__(self, status: int, message: str, *errors: dict[str, str] | str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors


@dataclass
class Pull:
    """One pull request. Moments are aware, in UTC."""

    repository: str
    number: int
    title: str
    body: str | None
    head: str
    base: str
    author: str
    opened: datetime
    head_commit: str
    base_commit: str
    closed: datetime | None = None
    merged: datetime | None = None
    merged_by: str | None = None
    merge_commit: str | None = None
    draft: bool = False

    @property
    def state(self) -> str:
        """``open`` or ``closed``; a merged one is closed."""
        return "open" if self.closed is None else "closed"


@dataclass
class Pulls:
    """The pull requests of all repositories; the caller holds the host's lock."""

    host: GitHost
    by_repository: dict[str, list[Pull]] = field(default_factory=dict)

    def of(self, repository: str) -> list[Pull]:
        """All of a repository's, oldest first."""
        return self.by_repository.setdefault(repository, [])

    def get(self, repository: str, number: int) -> Pull:
        """One of them, with the branches as they are now. Raises ``Refusal``."""
        pulls = self.of(repository)
        if not 1 <= number <= len(pulls):
            raise Refusal(404, "Not Found")
        pull = pulls[number - 1]
        there = self.host.repository(repository)
        if pull.closed is None and there.has(pull.head):
            pull.head_commit = there.head(pull.head)
        return pull

    def open(self, repository: str, author: str, asked: dict[str, object]) -> Pull:
        """Open one. Raises ``Refusal``, as GitHub's own validation does."""
        title, head, base = (_text(asked, name) for name in ("title", "head", "base"))
        head = head.removeprefix(f"{repository.partition('/')[0]}:")
        there = self.host.repository(repository)
        wrong = [name for name, branch in (("base", base), ("head", head)) if not there.has(branch)]
        if wrong:
            raise _invalid(*({"field": name, "code": "invalid"} for name in wrong))
        if any(each.head == head and each.state == "open" for each in self.of(repository)):
            owner = repository.partition("/")[0]
            raise _custom(f"A pull request already exists for {owner}:{head}.")
        if there.head(head) == there.head(base):
            raise _custom(f"No commits between {base} and {head}")
        body = asked.get("body")
        pull = Pull(
            repository=repository,
            number=len(self.of(repository)) + 1,
            title=title,
            body=body if isinstance(body, str) else None,
            head=head,
            base=base,
            author=author,
            opened=datetime.now(UTC),
            head_commit=there.head(head),
            base_commit=there.head(base),
            draft=asked.get("draft") is True,
        )
        self.of(repository).append(pull)
        return pull

    def close(self, pull: Pull) -> None:
        """Close one without a merge."""
        if pull.merged is not None:
            raise _invalid({"field": "state", "code": "invalid"})
        pull.closed = pull.closed or datetime.now(UTC)

    def merge(self, pull: Pull, person: str, how: How, expected: str | None = None) -> str:
        """Merge one; the commit that is the base branch's tip afterwards. Raises ``Refusal``."""
        there = self.host.repository(pull.repository)
        if pull.state == "closed" or pull.draft:
            raise Refusal(405, "Pull Request is not mergeable")
        if expected is not None and expected != pull.head_commit:
            raise Refusal(409, "Head branch was modified. Review and try the merge again.")
        base = there.head(pull.base)
        try:
            tree = there.merged_tree(base, pull.head_commit)
        except GitError:
            raise Refusal(405, "Pull Request is not mergeable") from None
        commit = there.commit_tree(tree, *self._merge_commit(pull, base, person, how))
        there.move(pull.base, commit, base)
        pull.merged = pull.closed = datetime.now(UTC)
        pull.merged_by, pull.merge_commit = person, commit
        return commit

    def _merge_commit(
        self, pull: Pull, base: str, person: str, how: How
    ) -> tuple[list[str], str, str]:
        """Its parents, its author, and its message: a squash keeps those of the one commit."""
        if how == "merge":
            owner = pull.repository.partition("/")[0]
            text = f"Merge pull request #{pull.number} from {owner}/{pull.head}\n\n{pull.title}\n"
            return [base, pull.head_commit], person, text
        newest = self.host.repository(pull.repository).log(pull.head_commit, 1)[0]
        number = f" (#{pull.number})" if how == "squash" else ""
        return [base], newest.author, f"{newest.subject}{number}\n\n{newest.body}\n"


def _text(asked: dict[str, object], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value:
        raise _invalid({"field": name, "code": "missing_field"})
    return value


def _invalid(*errors: dict[str, str]) -> Refusal:
    return Refusal(422, "Validation Failed", *({"resource": "PullRequest"} | e for e in errors))


def _custom(message: str) -> Refusal:
    return _invalid({"code": "custom", "message": message})
