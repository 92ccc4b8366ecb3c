"""``DesiredState`` in git: what stands there, what is written there, and what became of it."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from typing_extensions import override

from bot.model.deployment import Image
from bot.model.errors import Misconfigured
from bot.model.places import Manifests
from bot.model.ports import Clock
from bot.model.rollout import Finding, Order
from bot.providers.argocd.desired import (
    Author,
    Change,
    DesiredParts,
    DesiredState,
    Edit,
    Landed,
    Relation,
    Stated,
    Written,
)
from bot.providers.git.access import Environment, GitAccess, place_of
from bot.providers.git.delivery import Delivery, writer
from bot.providers.git.examination import Examination
from bot.providers.git.parts import Parts
from bot.providers.git.repository import Repositories, Repository
from bot.providers.git.stand import stand_at
from bot.providers.manifests import Spot

if TYPE_CHECKING:
    from bot.providers.git.github import GitHubApi
    from bot.providers.git.pull_requests import PullRequests

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REMEMBERED = 4096
#: Commits that are fetched besides, where one of ours may be among those that a clone lacks.
_MORE = 50
_RelationKey = tuple[Manifests, str, str, str]


class GitManifests(DesiredState, DesiredParts):
    """Safe to share between threads. ``ticks`` counts seconds; another one is for tests."""

    def __init__(
        self, access: GitAccess, clock: Clock, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._access = access
        self._clock = clock
        self._github: GitHubApi | None = None
        environment = Environment(access, self._token_of)
        self._repositories = Repositories(access, environment, ticks)
        self._lock = Lock()
        self._written: OrderedDict[tuple[Manifests, str], Written] = OrderedDict()
        self._relations: OrderedDict[_RelationKey, Relation] = OrderedDict()

    @override
    def head(self, manifests: Manifests) -> Written:
        repository = self._repositories.of(manifests)
        tip = repository.fetch()
        return repository.steadily(lambda: self._at(repository, manifests, tip))

    @override
    def at(self, manifests: Manifests, commit: str) -> Written | None:
        repository = self._repositories.of(manifests)

        def look() -> Written | None:
            try:
                there = _bring(repository, commit)
                return self._at(repository, manifests, commit) if there else None
            except Misconfigured:
                return None  # the file, or the value in it, came later

        return repository.steadily(look)

    @override
    def edit(self, manifests: Manifests, image: Image) -> Edit:
        repository = self._repositories.of(manifests)
        tip = repository.fetch()
        return repository.steadily(lambda: stand_at(repository, manifests, tip).edit(image))

    @override
    def send(self, manifests: Manifests, order: Order, value: str) -> str:
        if manifests.delivery == "pull_request":
            return self._pull_requests(manifests).send(order, value)
        return self._delivery(manifests).send(order, value)

    @override
    def sent(self, manifests: Manifests, order: Order, since: datetime) -> str | None:
        if manifests.delivery == "pull_request":
            return self._pull_requests(manifests).sent(order, since)
        repository = self._repositories.of(manifests)
        tip = repository.fetch()
        return repository.steadily(lambda: _sent(repository, order, tip, since))

    @override
    def landed(self, manifests: Manifests, handle: str) -> Landed:
        if _COMMIT.fullmatch(handle):
            return Landed(commit=handle)
        return self._pull_requests(manifests).landed(handle)

    @override
    def relation(self, manifests: Manifests, ours: str, other: str, value: str) -> Relation:
        key = (manifests, ours, other, value)
        with self._lock:
            if key in self._relations:
                return self._relations[key]
        repository = self._repositories.of(manifests)
        found = repository.steadily(lambda: self._relation(repository, key))
        if found is not Relation.UNKNOWN:  # it may be pushed yet
            with self._lock:
                self._relations[key] = found
                while len(self._relations) > _REMEMBERED:
                    self._relations.popitem(last=False)
        return found

    @override
    def changed_by(self, manifests: Manifests, commit: str) -> Author | None:
        repository = self._repositories.of(manifests)

        def look() -> Author | None:
            if not _bring(repository, commit):
                return None
            return writer(repository, stand_at(repository, manifests, commit))

        return repository.steadily(look)

    @override
    def examine(self, manifests: Manifests, subject: str) -> Sequence[Finding]:
        delivery = self._delivery(manifests)
        return list(Examination(delivery, subject, self._pull_requests).findings())

    @override
    def read(self, manifests: Manifests, spots: Sequence[Spot]) -> Stated:
        parts = Parts(self._delivery(manifests))
        repository = self._repositories.of(manifests)
        tip = repository.fetch()
        return Stated(tip, repository.steadily(lambda: parts.read(tip, spots)))

    @override
    def write(
        self, manifests: Manifests, order: Order, first: str, changes: Mapping[Spot, Change]
    ) -> str:
        return Parts(self._delivery(manifests)).write(order, first, changes)

    # What the above is made of

    def _at(self, repository: Repository, manifests: Manifests, commit: str) -> Written:
        key = (manifests, commit)
        with self._lock:
            if key in self._written:
                return self._written[key]
        written = stand_at(repository, manifests, commit).written
        with self._lock:
            self._written[key] = written
            while len(self._written) > _REMEMBERED:
                self._written.popitem(last=False)
        return written

    def _relation(self, repository: Repository, key: _RelationKey) -> Relation:
        manifests, ours, other, value = key
        if not _bring(repository, other):
            return Relation.UNKNOWN
        if not _bring(repository, ours) or not _descends(repository, other, ours):
            return Relation.WITHOUT
        try:
            stands = self._at(repository, manifests, other).value == value
        except Misconfigured:
            stands = False
        if not stands:
            return Relation.CHANGED
        return Relation.OURS if ours == other else Relation.CARRIES

    def _delivery(self, manifests: Manifests) -> Delivery:
        repository = self._repositories.of(manifests)
        return Delivery(repository, manifests, self._access, self._clock)

    def _pull_requests(self, manifests: Manifests) -> PullRequests:
        if not self._on_github(manifests.repository):
            raise Misconfigured(
                f"{manifests.repository} is not on the GitHub of GITHUB_API_URL, so that no pull "
                "request can be opened there.",
                hint="Correct GITHUB_API_URL, or deliver directly.",
            )
        from bot.providers.git.pull_requests import PullRequests  # noqa: PLC0415 - see _api

        return PullRequests(self._delivery(manifests), self._api())

    def _api(self) -> GitHubApi:
        # Loading it takes a fifth of a second and 30 MiB, and most bots need neither.
        from bot.providers.git.github import GitHubApi  # noqa: PLC0415 - for the reason above

        with self._lock:
            if self._github is None:
                self._github = GitHubApi(self._access, self._clock)
            return self._github

    def _token_of(self, remote: str) -> str | None:
        """The token for a remote over HTTP; the App's where that is on the App's GitHub."""
        if self._access.github_app_id is not None and self._on_github(remote):
            return self._api().app_token(place_of(remote))
        return self._access.token

    def _on_github(self, remote: str) -> bool:
        api = place_of(self._access.github_api_url).host
        return place_of(remote).host == ("github.com" if api == "api.github.com" else api)


def _sent(repository: Repository, order: Order, tip: str, since: datetime) -> str | None:
    """``None`` is told only where history was read back to that moment: what is taken for not sent
    is sent again."""
    history, clone = repository.history, repository.clone

    def look() -> str | None:
        return history.commit_for(order.deployment_id, tip, since)

    if (found := look()) is not None or not clone.shallow:
        return found
    # Dates alone do not tell that nothing is missing: a clock that is wrong dates a commit on top
    # of ours before it.
    clone.deepen_by(_MORE)
    if (found := look()) is None and not history.knows_back_to(since, tip):
        clone.deepen(since)
        found = look()
    if found is None and not history.knows_back_to(since, tip):
        clone.deepen()
        found = look()
    return found


def _bring(repository: Repository, commit: str) -> bool:
    """Have a commit in the clone, fetched where it is not there yet; whether it is there."""
    clone = repository.clone
    if clone.has(commit):
        return True
    if not _COMMIT.fullmatch(commit):
        return False
    repository.fetch()
    return clone.has(commit) or clone.fetch_commit(commit)


def _descends(repository: Repository, other: str, ours: str) -> bool:
    """Whether ``other`` is ours or follows it; missing history is fetched before it says no."""
    history = repository.history
    # Most are near each other, and to see that starts no git.
    if ours == other or history.near(other, ours):
        return True
    if history.near(ours, other):
        return False
    if history.descends(other, ours):
        return True
    if history.descends(ours, other) or not repository.clone.shallow:
        return False
    repository.clone.deepen(history.time_of(ours))
    if history.descends(other, ours) or not repository.clone.shallow:
        return history.descends(other, ours)
    repository.clone.deepen_by(_MORE)  # past one whose clock was wrong
    return history.descends(other, ours)
