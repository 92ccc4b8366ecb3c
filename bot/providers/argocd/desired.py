"""What the Argo CD provider needs of git: the desired state, read and changed.

A *value* is the text of our one scalar as it stands in the file: ``v1.5.0@sha256:...`` behind a
``newTag``, ``repository:v1.5.0@sha256:...`` behind an ``image``. It is the revision of this
provider: what is written again, to the letter, when a rollback goes back to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bot.model.deployment import Image
from bot.model.places import Manifests
from bot.model.rollout import Finding, Order
from bot.providers.manifests.spots import Spot


@dataclass(frozen=True, slots=True)
class Written:
    """What stands in git at one commit: our value, and the line (from 1) it stands in.

    ``image`` is what the value names, ``None`` where that is not pinned to a digest or where the
    value alone does not say which repository.
    """

    commit: str
    value: str
    line: int
    image: Image | None


@dataclass(frozen=True, slots=True)
class Edit:
    """A change that could be made: the value it would write, and the file's unified diff."""

    value: str
    diff: str


@dataclass(frozen=True, slots=True)
class Landed:
    """Whether what was sent is on the branch, by ``commit``; else why it ``waits``, or is ``lost``.

    A pull request waits for people, and is lost when somebody closes it. ``commit`` is a full hash.
    """

    commit: str = ""
    waits: str = ""
    lost: str = ""


class Relation(StrEnum):
    """How a commit that Argo CD names stands to ours."""

    OURS = "ours"
    CARRIES = "carries"  # a descendant in which our value still stands
    CHANGED = "changed"  # a descendant in which it does not: somebody wrote another one
    WITHOUT = "without"  # no descendant of ours: an older or an unrelated one
    UNKNOWN = "unknown"  # the repository does not have that commit


@dataclass(frozen=True, slots=True)
class Author:
    """Who changed our value last, and in which commit (a full hash)."""

    name: str
    commit: str
    subject: str
    at: datetime


class DesiredState(Protocol):
    """Manifests in git. Safe to share between threads; each call is made once.

    Every call may raise ``Unreachable`` or ``Throttled`` (nothing was changed), ``AccessDenied``
    (the credentials may not) or ``Misconfigured`` (repository, branch, file or value is not there,
    stands there twice, or is a template or an alias; the message names file and line).
    """

    def head(self, manifests: Manifests) -> Written:
        """What stands on the branch now. Callers of one moment share one fetch."""
        ...

    def at(self, manifests: Manifests, commit: str) -> Written | None:
        """What stood there at a commit; ``None`` where git has no such commit or no value in it."""
        ...

    def edit(self, manifests: Manifests, image: Image) -> Edit:
        """What ``send`` would change for that image. Reads only."""
        ...

    def send(self, manifests: Manifests, order: Order, value: str) -> str:
        """Bring the value onto the branch in one commit of ours, or into a pull request.

        Idempotent by the commit's trailer ``Deployment-Id``: what an earlier call sent is found
        and not sent again. Returns the handle for ``landed``. A push race is fetched and applied
        anew, a few times; never forced. Raises ``Terminal`` (STALE_FROM, naming who changed it)
        where the order is no rollback and neither ``order.base`` nor ``value`` stands there;
        ``Unknown`` where the answer to a push was lost.
        """
        ...

    def sent(self, manifests: Manifests, order: Order, since: datetime) -> str | None:
        """The handle of what ``send`` brought there for this order since then, if it did."""
        ...

    def landed(self, manifests: Manifests, handle: str) -> Landed:
        """What became of it. For a direct commit no call is made."""
        ...

    def relation(self, manifests: Manifests, ours: str, other: str, value: str) -> Relation:
        """How commit ``other`` stands to our commit, which wrote ``value``.

        Fetches only where the repository's copy does not have one of them yet.
        """
        ...

    def changed_by(self, manifests: Manifests, commit: str) -> Author | None:
        """Who wrote the value that stands at that commit, as far back as is known."""
        ...

    def examine(self, manifests: Manifests, subject: str) -> Sequence[Finding]:
        """What ``doctor`` says: reachable, value found, push allowed (by a dry push)."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """What is to stand there, and what may stand there before; anything where that is empty."""

    value: str
    before: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Stated:
    """What several scalars say at one commit."""

    commit: str
    values: Mapping[Spot, str]


class DesiredParts(Protocol):
    """More of the manifests than a target's one scalar. Faults are those of ``DesiredState``."""

    def read(self, manifests: Manifests, spots: Sequence[Spot]) -> Stated:
        """What stands there on the branch now."""
        ...

    def write(
        self, manifests: Manifests, order: Order, first: str, changes: Mapping[Spot, Change]
    ) -> str:
        """Bring all of it onto the branch, in one commit with that first line; its full hash.

        Where it stands there already nothing is changed, and the branch's newest commit is told.
        Raises ``Terminal`` (STALE_FROM) where something else stands there than a change expects.
        """
        ...
