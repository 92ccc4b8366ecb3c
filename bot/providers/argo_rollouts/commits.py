"""The two commits of a canary: the one that brings it, and the one that takes it back.

Both are found again by their trailers, and followed through Argo CD as any rollout is.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock

from bot.model.canary import Goal
from bot.model.deployment import Image
from bot.model.ports import Rollouts
from bot.model.rollout import Observation, Order, Watched
from bot.providers.argo_rollouts.scene import Errand
from bot.providers.argocd.desired import DesiredState
from bot.providers.kube.workload import digest_in

#: How far before the present phase a canary's commits are looked for after a restart: while it is
#: on trial, and from the moment where it is taken back.
_ON_TRIAL, _TAKEN_BACK = timedelta(days=30), timedelta(days=1)
_REMEMBERED = 1024


class Commits:
    """Safe to share between threads. Commits that were found are kept: they do not change."""

    def __init__(self, desired: DesiredState, rollouts: Rollouts) -> None:
        self._desired = desired
        self._rollouts = rollouts
        self._lock = Lock()
        self._known: OrderedDict[str, str] = OrderedDict()

    def brought(self, errand: Errand) -> str | None:
        """The commit that brings the canary's version, if there is one."""
        return self._find(errand, errand.order, errand.revision)

    def bring(self, errand: Errand) -> None:
        """Write the canary's version into git. Raises as ``Rollouts.start`` does."""
        order = errand.order
        self._keep(order, self._rollouts.start(errand.spec, order, errand.revision))

    def follow(self, errand: Errand) -> Observation | None:
        """What Argo CD makes of that commit."""
        return self._observe(errand, errand.order, errand.revision)

    def taken_back(self, errand: Errand) -> str | None:
        """The commit that takes it back, if there is one."""
        return self._find(errand, _back(errand), errand.order.base)

    def take_back(self, errand: Errand) -> None:
        """Write again what stood in git before.

        Raises ``Terminal`` (STALE_FROM) where somebody wrote another value since: that one stays.
        """
        order = _back(errand)
        self._keep(order, self._rollouts.start(errand.spec, order, errand.order.base))

    def follow_back(self, errand: Errand) -> Observation | None:
        """What Argo CD makes of that one; nothing where there is none."""
        if self.taken_back(errand) is None:
            return None
        return self._observe(errand, _back(errand), errand.order.base)

    def written(self, errand: Errand) -> str:
        """The value that stands in git now."""
        return self._desired.head(errand.spec.argocd.manifests).value

    def _find(self, errand: Errand, order: Order, value: str) -> str | None:
        with self._lock:
            known = self._known.get(order.deployment_id)
        if known is not None:
            return known
        manifests = errand.spec.argocd.manifests
        found = self._desired.sent(manifests, order, _since(errand))
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

    def _observe(self, errand: Errand, order: Order, value: str) -> Observation | None:
        commit = self._find(errand, order, value)
        watched = Watched(order.deployment_id, value, commit, errand.aim.since)
        looks = self._rollouts.observe([(errand.spec, watched)])
        if order.deployment_id in looks.faults:
            raise looks.faults[order.deployment_id]
        return looks.get(order.deployment_id)


def _since(errand: Errand) -> datetime:
    aim = errand.aim
    if aim.goal is Goal.SHARE and aim.before == 0:
        return aim.since  # nothing of it is older
    return aim.since - (_TAKEN_BACK if aim.goal in {Goal.NOTHING, Goal.GONE} else _ON_TRIAL)


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
