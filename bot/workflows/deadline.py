"""The moment at which waiting ends: what is known about a rollout by then, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.model.catalog import TargetSpec
from bot.model.deployment import Ballot, Deployment, Kind, Status, Vote
from bot.model.errors import Misconfigured, QuarterdeckError
from bot.model.rollout import Order, Told, Watched
from bot.workflows.ending import STATUS_OF, Ending
from bot.workflows.parts import Parts

#: For a target that left the catalog while it was rolled.
UNLISTED = timedelta(minutes=30)
#: Seconds until a canary's turn is looked at again.
CONDUCTED = 60.0
#: Limits shorter than this are told in seconds.
BRIEF = 120
#: How the explanation begins of what is being tried again.
AGAIN = "Trying again: "


class Deadline:
    """How long a rollout may take, and how it ends that took longer."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def of(self, deployment: Deployment) -> datetime:
        """By the newest catalog, from the moment its turn came."""
        return (deployment.started_at or deployment.created_at) + self._limit(deployment)

    def left(self, deployment: Deployment) -> float:
        """Seconds until then; 0 when it has passed. A canary that has begun has limits of its own,
        for each of its phases."""
        if is_conducted(deployment):
            return CONDUCTED
        return max(0.0, (self.of(deployment) - self._parts.clock.now()).total_seconds())

    def last_look(self, deployment: Deployment) -> Ending:
        """One more look, at the deadline. Only what was read back is claimed."""
        try:
            spec = target_of(self._parts, deployment)
            if not self._was_told(spec, deployment):
                return self._never_told(deployment)
            return self._seen(spec, deployment)
        except QuarterdeckError as fault:
            return self._unknown(deployment, f"its state cannot be read: {fault.message}")

    def _was_told(self, spec: TargetSpec, deployment: Deployment) -> bool:
        if deployment.attempts == 0 or deployment.revision is None:
            return False
        if deployment.handle is not None:
            return True
        since = deployment.started_at or deployment.created_at
        order = order_of(deployment)
        back = self._parts.rollouts.read_back(spec, order, deployment.revision, since)
        return back.told is not Told.NO

    def _seen(self, spec: TargetSpec, deployment: Deployment) -> Ending:
        watched = Watched(
            deployment.id,
            deployment.revision or "",
            deployment.handle or None,
            deployment.started_at,
        )
        looks = self._parts.rollouts.observe([(spec, watched)])
        if deployment.id in looks.faults:
            raise looks.faults[deployment.id]
        seen = looks.get(deployment.id)
        if seen is None:
            return self._unknown(deployment, "its state cannot be read.")
        if seen.end is not None:
            return Ending(STATUS_OF[seen.end], seen.explanation, seen.reason_code)
        if deployment.handle is None:
            return self._unknown(deployment, "it is not known whether the provider was told.")
        said = (
            f"Not finished after {self._lasting(deployment)}, with "
            f"{seen.progress.running} of {seen.progress.desired} tasks running. "
            f"{closed(seen.explanation)}The provider goes on by itself; roll back if it should not."
        )
        return Ending(Status.TIMED_OUT, said, "TIMED_OUT")

    def _never_told(self, deployment: Deployment) -> Ending:
        why = deployment.explanation.removeprefix(AGAIN)
        said = f"Not begun after {self._lasting(deployment)}; nothing was changed. {why}".strip()
        return Ending(Status.FAILED, said, "TIMED_OUT")

    def _unknown(self, deployment: Deployment, what: str) -> Ending:
        said = f"After {self._lasting(deployment)} {what}"
        return Ending(Status.OUTCOME_UNKNOWN, said, "OUTCOME_UNKNOWN")

    def _lasting(self, deployment: Deployment) -> str:
        seconds = int(self._limit(deployment).total_seconds())
        return f"{seconds} seconds" if seconds < BRIEF else f"{seconds // 60} minutes"

    def _limit(self, deployment: Deployment) -> timedelta:
        spec = self._parts.catalog().spec(deployment.target)
        return spec.timeout if spec is not None else UNLISTED


def is_conducted(deployment: Deployment) -> bool:
    """Whether it is a canary that has begun: from there on the conductor ends it."""
    return deployment.canary and deployment.handle is not None


def closed(clause: str) -> str:
    """Foreign words as a sentence before the next one; nothing where there are none."""
    words = clause.strip()
    return f"{words}{'' if words[-1:] in {'.', '!', '?'} else '.'} " if words else ""


def target_of(parts: Parts, deployment: Deployment) -> TargetSpec:
    """The newest catalog's entry. Raises ``Misconfigured`` where it has none any more."""
    spec = parts.catalog().spec(deployment.target)
    if spec is None:
        raise Misconfigured(
            f"{deployment.target} is not in the catalog any more.",
            hint="Put it back, or deploy to a target that is.",
        )
    return spec


def order_of(deployment: Deployment, votes: Sequence[Vote] = ()) -> Order:
    """What the provider is asked to do for a deployment. A rollback names an old revision."""
    rollback = deployment.kind is Kind.ROLLBACK
    return Order(
        deployment.id,
        deployment.image,
        base=deployment.previous_revision or "",
        revision=deployment.revision if rollback else None,
        requester=deployment.requester,
        approvers=tuple(vote.person for vote in votes if vote.ballot is Ballot.APPROVE),
        reason=deployment.reason,
    )
