"""What the thread says when a provider has been told, in that provider's own terms."""

from __future__ import annotations

import re

from bot.model.catalog import TargetSpec

#: Digits of a commit that people read.
SHORT = 7
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PAST = re.compile(r"rollback/([0-9a-f]{7,})")
_PULL_REQUEST = re.compile(r"pull/([0-9]+)")


def told(spec: TargetSpec | None, handle: str | None) -> str:
    """One sentence. ``spec`` is ``None`` for a target that has just left the catalog."""
    if not handle:
        return "Rollout started."
    if spec is not None and spec.argocd_place is not None:
        where = spec.argocd_place.manifests.name
        if _COMMIT.fullmatch(handle):
            return f"Committed {handle[:SHORT]} to {where}."
        if pull := _PULL_REQUEST.fullmatch(handle):
            return f"Pull request #{pull[1]} in {where} waits to be merged."
        if past := _PAST.fullmatch(handle):
            name = spec.argocd_place.application
            return f"Argo CD takes {name} back to {past[1][:SHORT]} of its history."
    if spec is not None and spec.kubernetes_place is not None and handle.isdecimal():
        place = spec.kubernetes_place
        return f"Patched the Deployment {place.namespace}/{place.deployment} (generation {handle})."
    return f"The provider accepted the rollout ({handle})."
