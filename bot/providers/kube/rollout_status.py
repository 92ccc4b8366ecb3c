"""How far a Deployment is, by the rules of ``kubectl rollout status``. Pure.

https://github.com/kubernetes/kubectl/blob/master/pkg/polymorphichelpers/rollout_status.go
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.providers.kube.workload import Workload


@dataclass(frozen=True, slots=True)
class Standing:
    """``done`` or ``failed``, or neither while it goes on; ``text`` says what it waits for."""

    done: bool = False
    failed: bool = False
    text: str = ""


def standing(workload: Workload) -> Standing:
    """How the newest template's rollout stands."""
    if workload.observed < workload.generation:
        return Standing(text="The Deployment's controller has not seen the change yet.")
    progressing = workload.condition("Progressing")
    if progressing is not None and progressing.reason == "ProgressDeadlineExceeded":
        said = progressing.message or "The Deployment exceeded its progress deadline"
        return Standing(failed=True, text=f"{said.rstrip('.')}.")
    if workload.paused:
        return Standing(text="The Deployment is paused: kubectl rollout resume lets it go on.")
    waits = _waits(workload)
    return Standing(done=not waits, text=waits)


def _waits(workload: Workload) -> str:
    if workload.updated < workload.desired:
        return f"{workload.updated} of {workload.desired} pods are new."
    old = workload.replicas - workload.updated
    if old > 0:
        return f"{old} old pods are still to stop."
    if workload.available < workload.updated:
        return f"{workload.available} of {workload.updated} new pods are available."
    return ""
