"""How what Argo CD shows is put into words. Pure."""

from __future__ import annotations

from datetime import datetime

from bot.providers.argocd.following import Following
from bot.providers.argocd.views import ApplicationView, OperationView, ResourceView
from bot.providers.kube.workload import Workload

#: How many of a kind are named.
NAMED = 3


def another(operation: OperationView) -> str:
    """An operation that is not ours: of which revision, since when, by whom."""
    revision = operation.revisions[0][:7] if operation.revisions else "another revision"
    since = f" since {_clock(operation.started_at)}" if operation.started_at else ""
    by = operation.by or ("Argo CD itself" if operation.automated else "")
    started = f", started by {by}" if by else ""
    stopping = ", and is being terminated" if operation.phase == "Terminating" else ""
    return f"Another operation is in progress: a sync of {revision}{since}{started}{stopping}."


def failure(operation: OperationView) -> str:
    """Why the sync of our commit failed, and of what."""
    if "terminated" in operation.message.lower():
        return "The sync of our commit was terminated."
    said = "; ".join(operation.failures[:NAMED]) or operation.message or "no reason was given"
    return f"The sync failed: {said}"


def progressing(view: ApplicationView, following: Following) -> str:
    """What a health that is neither good nor bad waits for."""
    said = following.reasons[-1] if following.reasons else named(view, "Progressing")
    return f"It is {view.health}{f': {said}' if said else '.'}"


def unhealthy(view: ApplicationView, following: Following, health: str) -> str:
    """What is unhealthy, with its messages, and why its pods fail."""
    parts = [named(view, health) or view.health_message or _condition(following.workload)]
    parts += following.reasons[-NAMED:]
    return f"{health}: {'; '.join(each for each in parts if each) or 'Argo CD gives no reason'}"


def named(view: ApplicationView, health: str) -> str:
    """The resources of that health, with their messages."""
    found = [each for each in view.resources if each.health == health][:NAMED]
    return "; ".join(_with_message(each) for each in found)


def _with_message(each: ResourceView) -> str:
    return f"{each.title}{f' ({each.message})' if each.message else ''}"


def _condition(workload: Workload | None) -> str:
    progressing = workload.condition("Progressing") if workload is not None else None
    if workload is None or progressing is None:
        return ""
    return f"{workload.kind} {workload.name} ({progressing.message or progressing.reason})"


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M} UTC"
