"""How a manifest is applied over a live object, and whether that would change anything.

As ``kubectl apply`` does it: what the last applied configuration had and the manifest no longer
has goes, what the manifest has is set, and what others have set beside it stays.
"""

from __future__ import annotations

import json
from typing import Any

from bot.playground.kube.defaults import defaulted
from bot.playground.kube.patches import MERGE, MERGE_KEYS, STRATEGIC, patched
from bot.playground.kube.resources import Json, Resource, cloned

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
TRACKING = "argocd.argoproj.io/tracking-id"


def applied(resource: Resource, live: Json, target: Json) -> Json:
    """The object as it would be with the manifest applied over it."""
    patch = _three_way(_last_applied(live), target, named=not resource.custom)
    kind = MERGE if resource.custom else STRATEGIC
    result = patched(resource, live, kind, patch)
    annotations = result["metadata"].setdefault("annotations", {})
    annotations[LAST_APPLIED] = json.dumps(target, sort_keys=True, separators=(",", ":")) + "\n"
    return result


def differs(resource: Resource, live: Json, target: Json) -> bool:
    """Whether applying the manifest would change the live object."""
    after = defaulted(resource, applied(resource, live, target))
    return _compared(after) != _compared(live)


def _last_applied(live: Json) -> Json:
    text = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}


def _compared(found: Json) -> Json:
    metadata = found["metadata"]
    annotations = dict(metadata.get("annotations") or {})
    annotations.pop(LAST_APPLIED, None)
    result = {key: each for key, each in found.items() if key not in {"metadata", "status"}}
    return {**result, "labels": metadata.get("labels") or {}, "annotations": annotations}


def _three_way(last: Any, target: Any, *, named: bool) -> Any:
    if not isinstance(target, dict):
        return cloned(target)
    before = last if isinstance(last, dict) else {}
    patch: Json = {key: None for key in before if key not in target}
    for key, value in target.items():
        if named and key in MERGE_KEYS and isinstance(value, list):
            patch[key] = _named_list(before.get(key) or [], value, MERGE_KEYS[key])
        else:
            patch[key] = _three_way(before.get(key), value, named=named)
    return patch


def _named_list(last: list[Json], target: list[Json], key: str) -> list[Json]:
    before = {each.get(key): each for each in last}
    kept = {each.get(key) for each in target}
    patch = [_three_way(before.get(each.get(key)), each, named=True) for each in target]
    return patch + [{key: name, "$patch": "delete"} for name in before if name not in kept]
