"""Back to a revision of an Application's history: for one whose auto-sync is off.

Where it is on, Argo CD would sync to what is in git again: there, a commit goes back.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.model.errors import Terminal, Transient
from bot.model.places import ArgoCdApplication
from bot.model.rollout import Order, ReadBack, Told
from bot.providers.argocd.applications import Applications, Sync, source_of
from bot.providers.argocd.desired import DesiredState
from bot.providers.argocd.observer import ROLLBACK
from bot.providers.argocd.sources import revision_of
from bot.providers.argocd.views import ApplicationView, OperationView, Past

#: How far the cluster's clock and ours may be apart.
CLOCK_SLACK = timedelta(minutes=5)


class Back:
    """Rollbacks by the ``operation`` field. Safe to share between threads."""

    def __init__(self, desired: DesiredState, applications: Applications) -> None:
        self._desired = desired
        self._applications = applications

    def start(self, place: ArgoCdApplication, order: Order, value: str) -> str:
        """Ask Argo CD to go back to where ``value`` stood in git; returns the handle.

        Raises ``Terminal`` (AUTO_SYNC_ON, RELEASE_UNUSABLE), and ``Transient`` while another
        operation runs.
        """
        view = self._applications.read(place)
        if (mine := _ours(view, order)) is not None:
            return f"{ROLLBACK}{_revision(mine)}"
        if (why := refusal(view)) is not None:
            raise why
        past = self.entry(place, view, value)
        if past is None:
            raise Terminal(
                f"The history of {view.name} has no revision with {value}.",
                reason_code="RELEASE_UNUSABLE",
                hint="Deploy that version anew, or let rollbacks go by git.",
            )
        if view.under_way is not None:
            raise Transient("Another operation of the Application is in progress.")
        wanted = Sync(order.deployment_id, order.requester.name, past.revisions, past)
        self._applications.sync(place, view, wanted)
        return f"{ROLLBACK}{past.revisions[0]}"

    def read_back(self, place: ArgoCdApplication, order: Order, since: datetime) -> ReadBack:
        """Whether the Application carries an operation of this order."""
        view = self._applications.read(place)
        if (mine := _ours(view, order)) is not None:
            return ReadBack(Told.YES, f"{ROLLBACK}{_revision(mine)}")
        newest = view.under_way or view.operation
        began = newest.started_at if newest is not None else None
        if began is not None and began >= since - CLOCK_SLACK:
            said = "Argo CD has begun another operation since, and does not say what came before."
            return ReadBack(Told.CANNOT_KNOW, None, said)
        return ReadBack(Told.NO)

    def usable(self, place: ArgoCdApplication, value: str) -> str | None:
        """Why it cannot go back to that value, or ``None`` if it can."""
        view = self._applications.read(place)
        if (why := refusal(view)) is not None:
            return why.message
        if self.entry(place, view, value) is None:
            return f"The Application's history has no revision with {value}."
        return None

    def entry(self, place: ArgoCdApplication, view: ApplicationView, value: str) -> Past | None:
        """The newest entry of the history at whose commit that value stands."""
        ours = source_of(place, view)
        for past in reversed(view.history):
            commit = revision_of(past.revisions, ours)
            written = self._desired.at(place.manifests, commit) if commit else None
            if written is not None and written.value == value:
                return past
        return None


def refusal(view: ApplicationView) -> Terminal | None:
    """Why an Application cannot go back in its history."""
    if not view.automated:
        return None
    return Terminal(
        f"Auto-sync is on for {view.name}: Argo CD would sync to what is in git again at once.",
        reason_code="AUTO_SYNC_ON",
        hint="Let rollbacks go by git in the catalog, or turn auto-sync off.",
    )


def _ours(view: ApplicationView, order: Order) -> OperationView | None:
    for each in (view.pending, view.operation):
        if each is not None and each.id == order.deployment_id:
            return each
    return None


def _revision(operation: OperationView) -> str:
    return operation.revisions[0] if operation.revisions else "unknown"
