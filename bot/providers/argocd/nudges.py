"""What Argo CD is asked to do while a rollout is followed. Each is idempotent, and none of them is
needed where auto-sync is on: Argo CD looks by itself every few minutes.

A nudge that fails is no fault of the rollout: what is seen of it is told all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from bot.model.errors import QuarterdeckError, Terminal
from bot.model.places import ArgoCdApplication
from bot.providers.argocd.applications import Applications, Sync
from bot.providers.argocd.desired import Relation
from bot.providers.argocd.following import Following
from bot.providers.argocd.memory import Memory
from bot.providers.argocd.views import ApplicationView
from bot.providers.kube.faults import Conflict

log = structlog.get_logger(__name__)

#: Seconds after which Argo CD is asked again to look, or to sync.
_LOOK_AGAIN, _SYNC_AGAIN = 15.0, 30.0
_HERE = frozenset({Relation.OURS, Relation.CARRIES})


@dataclass(frozen=True, slots=True)
class Case:
    """One rollout at one look."""

    deployment_id: str
    place: ArgoCdApplication
    view: ApplicationView
    following: Following
    memory: Memory


class Nudges:
    """Asks through the shared calls."""

    def __init__(self, applications: Applications) -> None:
        self._applications = applications

    def give(self, case: Case, now: float) -> None:
        """Whatever is due at ``now``, in ticks."""
        memory = case.memory
        if _unseen(case) and now - memory.refreshed_at >= _LOOK_AGAIN:
            memory.refreshed_at = now
            self._try(case, "refresh")
        elif _waits_for_us(case) and now - memory.synced_at >= _SYNC_AGAIN:
            memory.synced_at = now
            self._try(case, "sync")

    def _try(self, case: Case, what: str) -> None:
        try:
            if what == "refresh":
                self._applications.refresh(case.place)
            else:
                wanted = Sync(case.deployment_id, "Quarterdeck", case.view.revisions)
                self._applications.sync(case.place, case.view, wanted)
        except Terminal as fault:
            if what == "sync":
                case.memory.may_not = (
                    "Auto-sync is off, and we may not start a sync: somebody has to. "
                    f"{fault.message} {fault.hint}".strip()
                )
            log.warning("may not nudge", what=what, error=fault.message)
        except QuarterdeckError as fault:
            if isinstance(fault, Conflict):
                case.memory.synced_at = float("-inf")  # somebody was faster: the next look shows it
            log.info("nudge failed", what=what, reason_code=fault.reason_code, error=fault.message)


def _unseen(case: Case) -> bool:
    """Argo CD has not compared with our commit, or not since its operation ended."""
    view, following = case.view, case.following
    if view.refreshing or following.synced is Relation.CHANGED:
        return False
    if following.synced not in _HERE and not following.rollback_id:
        return True
    ended = view.operation.finished_at if view.operation is not None else None
    late = view.reconciled_at is None or (ended is not None and view.reconciled_at <= ended)
    return view.under_way is None and late


def _waits_for_us(case: Case) -> bool:
    """Our commit is seen and not applied, nobody is at it, and nobody but us will be."""
    view, following = case.view, case.following
    return (
        following.synced in _HERE
        and following.attempted not in _HERE
        and not following.rollback_id
        and view.synced == "OutOfSync"
        and view.under_way is None
        and not (view.automated or following.turned_off or following.closed)
    )
