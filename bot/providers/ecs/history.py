"""Service deployments: which one is ours, and how it went, where ECS lets us read them.

They are read in batches, and not at all for a while where the permission is missing or the
endpoint does not know them; then the service alone has to be judged. What else ECS refuses, it
refuses for one of them, and the others are read all the same.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from bot.model.errors import AccessDenied, Terminal, Transient
from bot.model.places import EcsService
from bot.providers.aws_faults import Unsupported
from bot.providers.ecs.reads import DEPLOYMENTS_PER_CALL, Account, EcsReads, account_of
from bot.providers.ecs.views import ServiceDeploymentView, service_deployment_view

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import ServiceDeploymentTypeDef

_Answer = TypeVar("_Answer")

#: What tells that none of the account's service deployments can be read.
_CLOSING = (AccessDenied, Unsupported)
#: How far our clock and ECS's may be apart.
CLOCK_SLACK = timedelta(seconds=30)
#: How far apart ECS may date a deployment and its service deployment.
_SAME_START = timedelta(seconds=15)
_TRY_AGAIN_AFTER = 600.0
_REMEMBERED = 2048


@dataclass(frozen=True, slots=True)
class Wanted:
    """One rollout whose service deployment is looked for.

    ``arn`` is set where it was found before; ``current`` is the service's newest one, which may
    be somebody else's. ``started`` is when ECS dates our deployment, where it is still listed.
    """

    key: str
    ecs: EcsService
    revision: str
    arn: str | None = None
    current: str | None = None
    started: datetime | None = None
    since: datetime | None = None
    may_list: bool = False

    def fits(self, revision: str, created_at: datetime | None) -> bool:
        """Whether a service deployment to ``revision`` made at ``created_at`` is this rollout's."""
        if revision != self.revision:
            return False
        if created_at is None:
            return True
        if self.started is not None:
            return abs(created_at - self.started) <= _SAME_START
        return self.since is None or created_at >= self.since - CLOCK_SLACK


@dataclass(frozen=True, slots=True)
class Told:
    """``found`` by key. ``readable`` is false where asking again soon may tell of the others."""

    found: dict[str, ServiceDeploymentView] = field(default_factory=dict)
    readable: bool = True


class History:
    """Reads service deployments. Safe to share between threads."""

    def __init__(self, reads: EcsReads, ticks: Callable[[], float] = time.monotonic) -> None:
        self._reads = reads
        self._ticks = ticks
        self._lock = Lock()
        self._closed_until: dict[Account, float] = {}
        self._task_definitions: OrderedDict[str, str] = OrderedDict()

    def of(self, account: Account, wanted: Sequence[Wanted]) -> Told:
        """The service deployments of many rollouts of one account; never raises."""
        if not wanted or self.closed(account):
            return Told()
        found: dict[str, ServiceDeploymentView] = {}
        try:
            for key, view in self._find(account, wanted):
                found[key] = view  # noqa: PERF403  kept where a later call fails
        except Transient:
            return Told(found, readable=False)
        except _CLOSING:
            self._close(account)
        return Told(found)

    def knows(self, ecs: EcsService, revision: str, base: str, since: datetime) -> bool | None:
        """Whether the service was told to roll from ``base`` to ``revision`` since then.

        ``None`` where service deployments cannot be read here. Raises ``Transient``. The order in
        which ECS lists them decides before any clock does: what is older than the deployment of
        ``base`` was over when the order was given.
        """
        account = account_of(ecs)
        if self.closed(account):
            return None
        try:
            briefs = self._reads.deployments_since(ecs, None)
            targets = [each.get("targetServiceRevisionArn", "") for each in briefs]
            names = self._names(account, targets)
        except _CLOSING:
            self._close(account)
            return None
        except Terminal:
            return None
        for brief, target in zip(briefs, targets, strict=True):
            name, made = names.get(target, ""), brief.get("createdAt")
            if name == revision:
                return made is None or made >= since - CLOCK_SLACK
            if name == base:
                return False
        return False

    def closed(self, account: Account) -> bool:
        """Whether service deployments are known not to be readable there for now."""
        with self._lock:
            return self._ticks() < self._closed_until.get(account, float("-inf"))

    def _close(self, account: Account) -> None:
        with self._lock:
            self._closed_until[account] = self._ticks() + _TRY_AGAIN_AFTER

    def _find(
        self, account: Account, wanted: Sequence[Wanted]
    ) -> Iterator[tuple[str, ServiceDeploymentView]]:
        known = [arn for each in wanted if (arn := each.arn or each.current)]
        seen = self._describe(account, known)
        missing: list[Wanted] = []
        for each in wanted:
            view = seen.get(each.arn or each.current or "")
            if view is not None and each.fits(view.revision, view.created_at):
                yield each.key, view
            elif each.may_list:
                missing.append(each)
        picked = {each.key: arn for each in missing if (arn := self._pick(account, each))}
        listed = self._describe(account, picked.values())
        yield from ((key, listed[arn]) for key, arn in picked.items() if arn in listed)

    def _pick(self, account: Account, wanted: Wanted) -> str | None:
        """The newest of the service's deployments that is this rollout's."""
        since = wanted.since - CLOCK_SLACK if wanted.since is not None else None
        try:
            briefs = self._reads.deployments_since(wanted.ecs, since)
        except _CLOSING:
            raise
        except Terminal:
            return None  # of a service that was deleted, say
        targets = [each.get("targetServiceRevisionArn", "") for each in briefs]
        names = self._names(account, targets)
        for brief, target in zip(briefs, targets, strict=True):
            if wanted.fits(names.get(target, ""), brief.get("createdAt")):
                return brief["serviceDeploymentArn"]
        return None

    def _describe(self, account: Account, arns: Iterable[str]) -> dict[str, ServiceDeploymentView]:
        def read(batch: Sequence[str]) -> Iterable[ServiceDeploymentTypeDef]:
            return self._reads.deployments(account, batch)

        answers = _allowed(read, sorted(set(arns)))
        targets = [each.get("targetServiceRevision", {}).get("arn", "") for each in answers]
        names = self._names(account, targets)
        return {
            each["serviceDeploymentArn"]: service_deployment_view(each, names.get(target, ""))
            for each, target in zip(answers, targets, strict=True)
        }

    def _names(self, account: Account, revisions: Iterable[str]) -> dict[str, str]:
        """The task definitions of service revisions, which never change; asked for once."""

        def read(batch: Sequence[str]) -> Iterable[tuple[str, str]]:
            return self._reads.task_definitions_of(account, batch).items()

        asked = {each for each in revisions if each}
        with self._lock:
            known = {
                each: self._task_definitions[each] for each in asked & set(self._task_definitions)
            }
        known.update(_allowed(read, sorted(asked - set(known))))
        with self._lock:
            self._task_definitions.update(known)
            while len(self._task_definitions) > _REMEMBERED:
                self._task_definitions.popitem(last=False)
        return known


def _allowed(
    read: Callable[[Sequence[str]], Iterable[_Answer]], arns: Sequence[str]
) -> list[_Answer]:
    """What ``read`` answers about ``arns``, twenty at a time, without those that ECS refuses."""
    answers: list[_Answer] = []
    for batch in batches(arns, DEPLOYMENTS_PER_CALL):
        try:
            answers += read(batch)
        except _CLOSING:
            raise
        except Terminal:
            # ECS does not say which it minds.
            if len(batch) > 1:
                for arn in batch:
                    answers += _allowed(read, [arn])
    return answers


def batches(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """``items`` in slices of at most ``size``."""
    return (items[start : start + size] for start in range(0, len(items), size))
