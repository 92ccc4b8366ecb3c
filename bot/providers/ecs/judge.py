"""How a rollout stands, judged from what ECS shows. Pure: one look in, one observation out.

The end is true or it is not told. ECS is eventually consistent, takes failed deployments back by
itself, and forgets a deployment as soon as it is gone; so the rules are:

- SUCCEEDED: our revision is PRIMARY, COMPLETED, the only one with running tasks, at the desired
  count, and the service deployment, where known, is SUCCESSFUL.
- ROLLED_BACK: ECS says that it took our deployment back, and has finished doing so.
- FAILED: our deployment failed and ECS did not, or could not, take it back.
- SUPERSEDED: our deployment was there, and another one that is no rollback took its place.
- UNKNOWN: for longer than ``GRACE`` nothing ECS shows says what became of our deployment.

Everything else goes on; the workflow's deadline ends what never ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bot.model.deployment import Progress
from bot.model.rollout import End, Observation
from bot.providers.ecs.task_definition import short
from bot.providers.ecs.views import (
    DeploymentView,
    EventView,
    ServiceDeploymentView,
    ServiceView,
)

#: Seconds for which an odd look may still be ECS's eventual consistency or a rollback to come.
GRACE = 120.0
#: How many of the newest events an observation quotes.
QUOTED = 12


@dataclass(frozen=True, slots=True)
class Watch:
    """What is watched for: the revision, ECS's id of our deployment, and what was seen before.

    ``seen`` says whether an earlier look showed our deployment. ``odd_for`` is for how many
    seconds our deployment has not been plainly rolling. ``since`` is when it was started, if
    known. ``reasons`` are stopped-task reasons to quote.
    """

    revision: str
    handle: str | None = None
    seen: bool = False
    odd_for: float = 0.0
    since: datetime | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """``end`` is ``None`` while the rollout goes on."""

    end: End | None
    explanation: str = ""


GOES_ON = Verdict(None)


def judge(
    service: ServiceView, deployment: ServiceDeploymentView | None, watch: Watch
) -> Observation:
    """One look at one rollout; ``deployment`` is ours or ``None`` where ECS does not show it."""
    if service.status in {"INACTIVE", "DRAINING"}:
        verdict = Verdict(End.FAILED, "The ECS service was deleted while the rollout ran.")
    elif deployment is not None:
        verdict = _BY_STATUS.get(deployment.status, _going)(service, deployment, watch)
    else:
        verdict = _by_service(service, watch)
    return Observation(
        progress=progress(service, watch),
        end=verdict.end,
        explanation=verdict.explanation,
        events=_events(service, deployment, watch),
    )


def ours(service: ServiceView, watch: Watch) -> DeploymentView | None:
    """Our deployment among those ECS shows: by its id; by its revision where no id is known."""
    if watch.handle is not None:
        return next((each for each in service.deployments if each.id == watch.handle), None)
    return next((each for each in service.deployments if each.revision == watch.revision), None)


def plain(service: ServiceView, watch: Watch) -> bool:
    """Whether our deployment is simply under way, so that nothing more needs to be asked."""
    mine = ours(service, watch)
    return mine is not None and mine.status == "PRIMARY" and mine.state == "IN_PROGRESS"


def progress(service: ServiceView, watch: Watch) -> Progress:
    """Task counts: of our revision, and of everything else as ``old``."""
    mine = [each for each in service.deployments if each.revision == watch.revision]
    return Progress(
        desired=service.desired,
        running=sum(each.running for each in mine),
        pending=sum(each.pending for each in mine),
        failed=sum(each.failed for each in mine),
        old=sum(each.running for each in service.deployments if each not in mine),
    )


def _alone(service: ServiceView, watch: Watch) -> bool:
    """Whether our revision is the only one running, completely."""
    primary = service.primary
    return (
        primary is not None
        and primary.revision == watch.revision
        and primary.state == "COMPLETED"
        and primary.running == service.desired
        and not any(each.running for each in service.deployments if each.id != primary.id)
    )


def _succeeded(service: ServiceView) -> Verdict:
    note = "" if service.desired else "The service's desired count is 0: nothing runs."
    return Verdict(End.SUCCEEDED, note)


def _superseded(service: ServiceView) -> Verdict:
    now = f"; {short(service.primary.revision)} is rolling now" if service.primary else ""
    return Verdict(End.SUPERSEDED, f"Somebody else deployed to the service{now}.")


# --- by the service deployment: ECS's own account of how it went ---------------------------------


def _going(
    service: ServiceView, deployment: ServiceDeploymentView, watch: Watch
) -> Verdict:  # one signature for the table below
    del service, watch
    return Verdict(None, deployment.rollback_reason or deployment.reason)


def _rolled_back(service: ServiceView, deployment: ServiceDeploymentView, watch: Watch) -> Verdict:
    mine = ours(service, watch)
    return Verdict(End.ROLLED_BACK, taken_back(deployment, mine.reason if mine else ""))


def taken_back(deployment: ServiceDeploymentView, otherwise: str = "") -> str:
    """ECS's reason for ending it without success, with the alarms that went off."""
    said = deployment.rollback_reason or deployment.reason or otherwise
    alarms = f" Alarms: {', '.join(deployment.alarms)}." if deployment.alarms else ""
    return (said or "ECS rolled the deployment back.") + alarms


def _rollback_failed(
    service: ServiceView, deployment: ServiceDeploymentView, watch: Watch
) -> Verdict:
    del service, watch
    said = deployment.reason or deployment.rollback_reason or "no reason was given"
    return Verdict(End.FAILED, f"ECS tried to roll back and failed: {said}")


def _successful(service: ServiceView, deployment: ServiceDeploymentView, watch: Watch) -> Verdict:
    del deployment
    if _alone(service, watch):
        return _succeeded(service)
    primary = service.primary
    if primary is not None and primary.revision == watch.revision:
        return GOES_ON  # its tasks are not all running yet, as the counts say
    # A view of the service older than the service deployment's is possible for a moment.
    return _superseded(service) if watch.seen or watch.odd_for > GRACE else GOES_ON


def _stopped(service: ServiceView, deployment: ServiceDeploymentView, watch: Watch) -> Verdict:
    if _alone(service, watch):
        return _succeeded(service)
    mine = ours(service, watch)
    if mine is not None and mine.state == "FAILED":
        return Verdict(End.FAILED, mine.reason or deployment.reason or "The deployment failed.")
    primary = service.primary
    if primary is None or primary.revision != watch.revision:
        return _superseded(service)
    if mine is primary and watch.odd_for > GRACE:
        return Verdict(End.FAILED, deployment.reason or "The deployment was stopped.")
    # Deployed again with the same revision, or the service was looked at just before.
    return Verdict(None, deployment.reason)


_BY_STATUS: dict[str, Callable[[ServiceView, ServiceDeploymentView, Watch], Verdict]] = {
    "SUCCESSFUL": _successful,
    "STOPPED": _stopped,
    "ROLLBACK_SUCCESSFUL": _rolled_back,
    "ROLLBACK_FAILED": _rollback_failed,
}


# --- by the service alone: where service deployments cannot be read ------------------------------


def _by_service(service: ServiceView, watch: Watch) -> Verdict:
    mine = ours(service, watch)
    if mine is None:
        return _vanished(service, watch)
    if mine.status == "PRIMARY":
        return _as_primary(service, mine, watch)
    return _replaced(service, mine, watch)


def _as_primary(service: ServiceView, mine: DeploymentView, watch: Watch) -> Verdict:
    if mine.state == "FAILED":
        if service.rolls_back and watch.odd_for <= GRACE:
            return Verdict(None, mine.reason)  # ECS is about to put another one in its place
        return Verdict(End.FAILED, mine.reason or "The deployment failed.")
    if _alone(service, watch):
        return _succeeded(service)
    return GOES_ON


def _replaced(service: ServiceView, mine: DeploymentView, watch: Watch) -> Verdict:
    """Ours is still listed, and another one is PRIMARY."""
    primary = service.primary
    if primary is None:
        return GOES_ON
    if mine.state == "FAILED":
        return _rollback(service, primary, mine.reason)
    if "rolling back" in primary.reason:
        return Verdict(None, primary.reason)  # whose, a later look will show
    if primary.revision == watch.revision:
        return _succeeded(service) if _alone(service, watch) else GOES_ON
    return _superseded(service)


def _rollback(service: ServiceView, primary: DeploymentView, reason: str) -> Verdict:
    if primary.state == "FAILED":
        return Verdict(End.FAILED, f"ECS tried to roll back and failed: {primary.reason or reason}")
    others = any(each.running for each in service.deployments if each.id != primary.id)
    if primary.state == "COMPLETED" and primary.running == service.desired and not others:
        return Verdict(End.ROLLED_BACK, reason or "ECS rolled the deployment back.")
    return Verdict(None, reason)


def _vanished(service: ServiceView, watch: Watch) -> Verdict:
    """Ours is not listed: not yet visible, gone already, or redeployed by somebody else."""
    primary = service.primary
    if primary is None:
        return _cannot_tell(watch)
    failure = _failure(service, watch)
    if failure is not None and _tells_rollback(service, failure):
        return _rollback(service, primary, failure.message)
    if failure is not None:
        return Verdict(End.FAILED, failure.message)
    settled = watch.seen or watch.odd_for > GRACE
    if primary.revision == watch.revision:
        return _succeeded(service) if settled and _alone(service, watch) else GOES_ON
    if watch.seen and _younger(primary, watch):
        return _superseded(service)
    return _cannot_tell(watch)


def _cannot_tell(watch: Watch) -> Verdict:
    if watch.odd_for <= GRACE:
        return GOES_ON
    return Verdict(
        End.UNKNOWN,
        f"ECS shows no trace of the deployment of {short(watch.revision)} any more; "
        "look at the service before deploying again.",
    )


def _failure(service: ServiceView, watch: Watch) -> EventView | None:
    """The event in which ECS says that our deployment failed."""
    if watch.handle is None:
        return None
    named = f"{watch.handle})"
    for event in service.events:
        if named in event.message and "deployment failed" in event.message:
            return event
    return None


def _tells_rollback(service: ServiceView, failure: EventView) -> bool:
    return any(
        "rolling back to deployment" in event.message and event.at >= failure.at
        for event in service.events
    )


def _younger(primary: DeploymentView, watch: Watch) -> bool:
    """Whether ``primary`` came after ours: a rollback may bring back an older deployment."""
    if primary.created_at is None or watch.since is None:
        return True
    return primary.created_at >= watch.since


# --- events --------------------------------------------------------------------------------------


def _events(
    service: ServiceView, deployment: ServiceDeploymentView | None, watch: Watch
) -> tuple[str, ...]:
    """What ECS said since our deployment began, oldest first, each line once, the newest few."""
    began = _began(service, deployment, watch)
    if began is None:
        return watch.reasons
    # ECS lists the newest first, also among those of one moment.
    recent = [each for each in reversed(service.events) if each.at >= began]
    told = sorted(recent, key=lambda each: each.at)
    lines = dict.fromkeys(each.message for each in told)
    kept = tuple(lines)[-max(1, QUOTED - len(watch.reasons)) :]
    return (*watch.reasons, *kept)


def _began(
    service: ServiceView, deployment: ServiceDeploymentView | None, watch: Watch
) -> datetime | None:
    """When ours began, by ECS's clock where it says so."""
    mine = ours(service, watch)
    if mine is not None and mine.created_at is not None:
        return mine.created_at
    if deployment is not None and deployment.created_at is not None:
        return deployment.created_at
    return watch.since
