"""What is followed of a rollout, and what is known beside the Application. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bot.providers.argocd.desired import Author, Relation
from bot.providers.kube.workload import Workload


@dataclass(frozen=True, slots=True)
class Following:
    """What is followed, and what is known beside the Application.

    ``synced`` is how the revision that Argo CD compares with stands to our commit, ``attempted``
    how that of its newest operation does. ``rollback_id`` is set where no commit is followed but an
    operation of ours that goes back in the history. ``closed`` says why syncs are not let through
    now. ``turned_off`` tells that auto-sync was on when this began. ``reasons`` are those of pods.
    """

    commit: str
    value: str
    synced: Relation = Relation.WITHOUT
    attempted: Relation = Relation.WITHOUT
    author: Author | None = None
    rollback_id: str = ""
    workload: Workload | None = None
    reasons: tuple[str, ...] = ()
    closed: str = ""
    turned_off: bool = False
    may_not: str = ""
