"""The two commits of a canary: the one that brings it, and the one that takes it back.

Both are found again by their trailers, and followed through Argo CD as any rollout is.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock

from bot.model.canary import Goal
from bot.model.deployment import Image
from bot.model.ports import Rollouts
from bot.model.rollout import Observation, Order, Watched
from bot.providers.argo_rollouts.errands import Errand
from bot.providers.argo_rollouts.glimpses import Glimpses
from bot.providers.argocd.desired import DesiredState
from bot.providers.kube.workload import digest_in

#: How far before the present phase a canary's commits are looked for after a restart: the one that
#: brought it, which may have been long on trial, and the one that takes it back.
_BROUGHT, _TAKEN_BACK = timedelta(days=30), timedelta(days=1)
_REMEMBERED = 1024


class Commits:
    """Safe to share between threads. Commits that were found are kept: they do not change."""

    def __init__(
        self,
        desired: DesiredState,
        rollouts: Rollouts,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desired = desired
        self._rollouts = rollouts
        self._glimpses = Glimpses(ticks)
        self._lock = Lock()
        self._known: OrderedDict[str, str] = OrderedDict()

    def brought(self, errand: Errand) -> str | None:
        """The commit that brings the canary's version, if there is one."""
        return self._find(errand, errand.order, errand.revision, _begun(errand))

    def bring(self, errand: Errand) -> None:
        """Write the canary's version into git. Raises as ``Rollouts.start`` does."""
        self._start(errand, errand.order, errand.revision)

    def follow(self, errand: Errand) -> Observation | None:
        """What Argo CD makes of that commit."""
        return self._observe(errand, errand.order, errand.revision, self.brought(errand))

    def taken_back(self, errand: Errand) -> str | None:
        """The commit that takes it back, if there is one."""
        since = errand.aim.since - _TAKEN_BACK
        return self._find(errand, _back(errand), errand.order.base, since)

    def take_back(self, errand: Errand) -> None:
        """Write again what stood in git before.

        Raises ``Terminal`` (STALE_FROM) where somebody wrote another value since: that one stays.
        """
        self._start(errand, _back(errand), errand.order.base)

    def follow_back(self, errand: Errand) -> Observation | None:
        """What Argo CD makes of that one; nothing where there is none."""
        commit = self.taken_back(errand)
        if commit is None:
            return None
        return self._observe(errand, _back(errand), errand.order.base, commit)

    def in_git(self, errand: Errand) -> bool:
        """Whether git still asks for the canary's version, and we have not undone that yet."""
        if self.taken_back(errand) is not None:
            return False
        return self.written(errand) == errand.revision

    def written(self, errand: Errand) -> str:
        """The value that stands in git now, or did a moment ago."""
        manifests = errand.spec.argocd.manifests

        def ask() -> str:
            return self._desired.head(manifests).value

        return self._glimpses.of(errand.order.deployment_id, "value", ask)

    def _start(self, errand: Errand, order: Order, value: str) -> None:
        try:
            self._keep(order, self._rollouts.start(errand.spec, order, value))
        finally:  # also where the answer was lost
            self._glimpses.forget(errand.order.deployment_id)

    def _find(self, errand: Errand, order: Order, value: str, since: datetime) -> str | None:
        with self._lock:
            known = self._known.get(order.deployment_id)
        if known is not None:
            return known

        def ask() -> str | None:
            return self._sent(errand, order, value, since)

        return self._glimpses.of(errand.order.deployment_id, order.deployment_id, ask)

    def _sent(self, errand: Errand, order: Order, value: str, since: datetime) -> str | None:
        manifests = errand.spec.argocd.manifests
        found = self._desired.sent(manifests, order, since)
        written = self._desired.at(manifests, found) if found is not None else None
        if written is None or written.value != value:
            return None  # another deployment's, of a database that was given up
        self._keep(order, found)
        return found

    def _keep(self, order: Order, commit: str | None) -> None:
        if commit is None:
            return
        with self._lock:
            self._known[order.deployment_id] = commit
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def _observe(
        self, errand: Errand, order: Order, value: str, commit: str | None
    ) -> Observation | None:
        watched = Watched(order.deployment_id, value, commit, errand.aim.since)
        looks = self._rollouts.observe([(errand.spec, watched)])
        if order.deployment_id in looks.faults:
            raise looks.faults[order.deployment_id]
        return looks.get(order.deployment_id)


def _begun(errand: Errand) -> datetime:
    aim = errand.aim
    if aim.goal is Goal.SHARE and aim.before == 0:
        return aim.since  # nothing of it is older
    return aim.since - _BROUGHT


def _back(errand: Errand) -> Order:
    """The order that undoes the canary's, and only that: it changes nothing but our own value."""
    order = errand.order
    name = order.base.partition("@")[0].rpartition("/")[2]
    before = Image(order.image.repository, digest_in(order.base), name)
    return replace(
        order,
        # Numbers of deployments come anew with a new database.
        deployment_id=f"{order.deployment_id}-back-{digest_in(order.image.digest)[7:15]}",
        image=before,
        base=errand.revision,
        undoes=True,
        reason="",
    )
