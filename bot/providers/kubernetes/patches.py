"""What is changed in a Deployment, as JSON merge patches. Pure.

A patch names the resource version that it was made from, so that nothing is written over unseen.
"""

from __future__ import annotations

import copy
import difflib
import json
from collections.abc import Mapping
from typing import Any

from bot.model.errors import Misconfigured
from bot.model.rollout import Order
from bot.providers.kube.cluster import Raw
from bot.providers.kube.workload import DEPLOYMENT_ANNOTATION

CHANGE_CAUSE = "kubernetes.io/change-cause"
REVISION = "deployment.kubernetes.io/revision"
_HASH_LABEL = "pod-template-hash"


def with_image(template: Raw, container: str, image: str) -> dict[str, Any]:
    """The pod template with another image. Raises ``Misconfigured`` without such a container."""
    changed = copy.deepcopy(dict(template))
    for each in (changed.get("spec") or {}).get("containers") or ():
        if each.get("name") == container:
            each["image"] = image
            return changed
    raise Misconfigured(
        f"The Deployment has no container {container}.",
        hint="Correct `container` in the catalog.",
    )


def image_of(template: Raw, container: str) -> str:
    """The container's image in a pod template; empty where there is no such container."""
    for each in (template.get("spec") or {}).get("containers") or ():
        if each.get("name") == container:
            return str(each.get("image", ""))
    return ""


def earlier_template(replica_sets: tuple[Raw, ...], container: str, image: str) -> Raw | None:
    """The newest template of the Deployment's history that ran that image, as it was.

    As ``kubectl rollout undo`` does: the whole template goes back, without the label by which its
    replica set told its pods apart.
    """
    newest: tuple[int, Raw] | None = None
    for each in replica_sets:
        template = (each.get("spec") or {}).get("template") or {}
        number = _revision(each)
        if image_of(template, container) == image and (newest is None or number > newest[0]):
            newest = (number, template)
    if newest is None:
        return None
    template = copy.deepcopy(dict(newest[1]))
    (template.get("metadata") or {}).get("labels", {}).pop(_HASH_LABEL, None)
    return template


def owned(replica_sets: tuple[Raw, ...], uid: str) -> tuple[Raw, ...]:
    """Those that belong to the Deployment of that uid."""
    return tuple(each for each in replica_sets if uid in _owners(each))


def patch(raw: Raw, template: Raw, order: Order) -> dict[str, Any]:
    """The merge patch that brings ``template`` in, and says for which deployment."""
    metadata = raw.get("metadata") or {}
    cause = f"Quarterdeck {order.deployment_id} by {order.requester.name}"
    return {
        "metadata": {
            "resourceVersion": metadata.get("resourceVersion"),
            "annotations": {DEPLOYMENT_ANNOTATION: order.deployment_id, CHANGE_CAUSE: cause},
        },
        "spec": {"template": merge_patch((raw.get("spec") or {}).get("template") or {}, template)},
    }


def merge_patch(before: Raw, after: Raw) -> dict[str, Any]:
    """What makes ``after`` of ``before``, by RFC 7386: null takes away, a list is whole."""
    changes: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            if inner := merge_patch(old, value):
                changes[key] = inner
        elif old != value or key not in before:
            changes[key] = value
    return changes


def diff(before: Raw, after: Raw) -> str:
    """A unified diff of two pod templates, without what stands around: it may hold secrets."""
    old, new = (json.dumps(each, indent=2, sort_keys=True).splitlines() for each in (before, after))
    return "\n".join(difflib.unified_diff(old, new, "runs now", "would run", lineterm="", n=0))


def _revision(replica_set: Raw) -> int:
    annotations = (replica_set.get("metadata") or {}).get("annotations") or {}
    number = str(annotations.get(REVISION, ""))
    return int(number) if number.isdigit() else 0


def _owners(replica_set: Raw) -> set[str]:
    references = (replica_set.get("metadata") or {}).get("ownerReferences") or ()
    return {str(each.get("uid", "")) for each in references if each.get("controller")}
