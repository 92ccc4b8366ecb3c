"""How a Deployment's rollout stands. Pure: one look in, one observation out.

- SUCCEEDED: ``kubectl rollout status`` would say so, and the container's image is ours.
- FAILED: the Deployment exceeded its progress deadline, or was deleted. Kubernetes takes nothing
  back by itself: the old pods go on beside the new ones that fail.
- SUPERSEDED: another image stands in the Deployment by now.

Everything else goes on; the workflow's deadline ends what never ends.
"""

from __future__ import annotations

from bot.model.deployment import Progress
from bot.model.rollout import End, Observation
from bot.providers.kube.rollout_status import standing
from bot.providers.kube.workload import DEPLOYMENT_ANNOTATION, Workload

#: The one bad end that Kubernetes itself tells.
TOO_LATE = "PROGRESS_DEADLINE_EXCEEDED"


def judge(
    workload: Workload | None,
    container: str,
    image: str,
    deployment_id: str,
    reasons: tuple[str, ...] = (),
) -> Observation:
    """One look at the rollout of ``image`` in ``container``; ``reasons`` are those of pods."""
    if workload is None or workload.deleting:
        said = "The Deployment was deleted while the rollout ran."
        return Observation(Progress(), End.FAILED, said, reasons, "MISSING")
    found = workload.container(container)
    if found is None:
        said = f"The Deployment has no container {container} any more."
        return Observation(workload.progress, End.SUPERSEDED, said, reasons, "SUPERSEDED")
    if found.image != image:
        return _superseded(workload, found.image, deployment_id, reasons)
    stands = standing(workload)
    if stands.failed:
        said = " ".join((stands.text, *reasons[-2:]))
        return Observation(workload.progress, End.FAILED, said, reasons, TOO_LATE)
    if not stands.done:
        said = f"{stands.text} {reasons[-1]}" if reasons else stands.text
        return Observation(workload.progress, explanation=said, events=reasons)
    note = "" if workload.desired else "The Deployment is scaled to 0: nothing runs."
    return Observation(workload.progress, End.SUCCEEDED, note, reasons)


def _superseded(
    workload: Workload, image: str, deployment_id: str, reasons: tuple[str, ...]
) -> Observation:
    """Somebody else's patch leaves our annotation; another deployment of ours writes its own."""
    other = workload.annotations.get(DEPLOYMENT_ANNOTATION, "")
    who = f"Deployment {other}" if other not in {"", deployment_id} else "Somebody"
    said = f"{who} changed the image to {image}."
    return Observation(workload.progress, End.SUPERSEDED, said, reasons, "SUPERSEDED")
