"""Bringing a value onto the branch: straight, in one commit per deployment, never forced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.model.errors import Misconfigured, QuarterdeckError, Terminal, Transient
from bot.model.places import Manifests
from bot.model.ports import Clock
from bot.model.rollout import Order
from bot.providers.argocd.desired import Author
from bot.providers.git.access import GitAccess, place_of
from bot.providers.git.content import Commit
from bot.providers.git.faults import Broken, Raced
from bot.providers.git.messages import message, signature, subject
from bot.providers.git.repository import Repository
from bot.providers.git.stand import Stand, stand_at

#: Pushes that may lose their race before the engine tries again later.
ATTEMPTS = 8
#: How far before a commit it is looked for who wrote what stands there.
_AUTHORS = timedelta(days=90)
#: How far back an earlier commit for the same deployment is looked for, where nobody says.
_EARLIER = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One repository's share of ``send`` and ``sent``."""

    repository: Repository
    manifests: Manifests
    access: GitAccess
    clock: Clock

    def send(self, order: Order, value: str) -> str:
        """One commit on the branch; its full hash."""
        with self.repository.turn():
            return self.repository.steadily(lambda: self._send(order, value))

    def _send(self, order: Order, value: str) -> str:
        repository = self.repository
        tip = repository.recent()
        fresh = tip is None
        tip = tip or repository.fetch()
        for _ in range(ATTEMPTS):
            earlier = self.earlier(order, tip)
            if earlier is not None and self._wrote(earlier, value):
                return earlier
            stand = stand_at(repository, self.manifests, tip)
            if not fresh and not _may_change(stand, order, value):
                tip, fresh = repository.fetch(), True  # what was seen a moment ago proves nothing
                continue
            commit = self.commit(stand, order, value)
            try:
                self.push(commit)
            except Raced:
                tip, fresh = repository.fetch(), True
            else:
                return commit
        raise too_late(self.manifests)

    def earlier(self, order: Order, tip: str) -> str | None:
        """The commit that an earlier call brought there for the same deployment."""
        since = self.clock.now() - _EARLIER
        return self.repository.history.commit_for(order.deployment_id, tip, since)

    def _wrote(self, commit: str, value: str) -> bool:
        """Numbers of deployments come anew with a new database: what another one of that number
        has written is none of ours."""
        try:
            return stand_at(self.repository, self.manifests, commit).site.value == value
        except Misconfigured:
            return False

    def commit(self, stand: Stand, order: Order, value: str) -> str:
        """Make the commit. Raises ``Terminal`` (STALE_FROM) where another value stands there."""
        if not _may_change(stand, order, value):
            raise self._stale(stand, order)
        what = Commit(
            parent=stand.commit,
            author=signature(order.requester),
            committer=self.access.committer,
            at=int(self.clock.now().timestamp()),
            message=message(order, subject(order, named(self.manifests))),
            signed=self.access.signing_key is not None,
        )
        return self.repository.content.commit(stand.tree_with(self.repository, value), what)

    def push(self, commit: str) -> None:
        """Bring a commit onto the branch. Raises ``Raced`` where that has moved."""
        self.repository.moved(None)
        self.repository.clone.push(commit, self.manifests.branch)
        self.repository.moved(commit)

    def _stale(self, stand: Stand, order: Order) -> Terminal:
        who = ""
        try:
            author = writer(self.repository, stand)
        except (QuarterdeckError, Broken):
            author = None  # it only helps to understand: no fault may hide what stands there
        if author is not None:
            who = f' {author.name} wrote it in {author.commit[:10]} ("{author.subject}").'
        return Terminal(
            f"{stand.site.file}, line {stand.site.line} says {stand.site.value[:200]!r} by now, "
            f"and no longer {order.base[:200]!r}.{who}",
            reason_code="STALE_FROM",
        )


def too_late(manifests: Manifests) -> Transient:
    """Every push has lost its race."""
    return Transient(
        f"Others push to {manifests.branch} of {manifests.repository} all the time: "
        f"{ATTEMPTS} pushes came too late.",
        reason_code="PUSH_RACE",
    )


def writer(repository: Repository, stand: Stand) -> Author | None:
    """Who wrote the value that stands there; some history is fetched where it ends too soon."""
    where = (stand.commit, stand.site.file, stand.site.line)
    history = repository.history
    found = history.writer_of(*where)
    if found is None and repository.clone.shallow:
        repository.clone.deepen(history.time_of(stand.commit) - _AUTHORS)
        found = history.writer_of(*where)
    return found


def named(manifests: Manifests) -> str:
    """What people call the place that is changed: its folder, or the repository."""
    folder = manifests.path.strip("/").removeprefix("./")
    return place_of(manifests.repository).repository if folder in {"", "."} else folder


def _may_change(stand: Stand, order: Order, value: str) -> bool:
    """A rollback goes back whatever stands there; a deployment was decided on what stood there."""
    return order.revision is not None or stand.site.value in {order.base, value}
