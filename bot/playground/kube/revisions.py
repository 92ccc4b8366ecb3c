"""A Deployment's ReplicaSets as its revisions: which is the new one, and how each is numbered.

Follows ``pkg/controller/deployment/util`` of Kubernetes.
"""

from __future__ import annotations

import hashlib
import json
import math

from bot.playground.kube.objects import LETTERS
from bot.playground.kube.resources import Json

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MOST = "deployment.kubernetes.io/max-replicas"
SKIPPED = {
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED,
    MOST,
    "deprecated.deployment.rollback.to",
}


def template_hash(template: Json) -> str:
    """The hash in a ReplicaSet's name. Not Go's own, but as stable and of the same letters."""
    text = json.dumps(template, sort_keys=True)
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
    letters = ""
    for _ in range(10):
        number, place = divmod(number, len(LETTERS))
        letters += LETTERS[place]
    return letters


def same_template(template: Json, other: Json) -> bool:
    """Whether two pod templates differ in nothing but the hash label."""
    return _without_hash(template) == _without_hash(other)


def _without_hash(template: Json) -> Json:
    metadata = template.get("metadata", {})
    labels = {k: v for k, v in metadata.get("labels", {}).items() if k != HASH_LABEL}
    return {**template, "metadata": {**metadata, "labels": labels}}


def newest_first(sets: list[Json]) -> list[Json]:
    """ReplicaSets by their revision, the newest first."""
    return sorted(sets, key=revision_of, reverse=True)


def revision_of(found: Json) -> int:
    """The revision that a ReplicaSet or a Deployment carries; 0 where it has none yet."""
    return int((found["metadata"].get("annotations") or {}).get(REVISION, 0))


def revision_annotations(deployment: Json, found: Json | None, revision: int) -> dict[str, str]:
    """The annotations of the new ReplicaSet, made afresh or found again at an older revision."""
    theirs = deployment["metadata"].get("annotations") or {}
    ours = dict((found or {"metadata": {}})["metadata"].get("annotations") or {})
    if found is None:
        ours |= replica_annotations(deployment)
    ours |= {key: each for key, each in theirs.items() if key not in SKIPPED}
    old = int(ours.get(REVISION, 0))
    if old < revision:
        ours[REVISION] = str(revision)
        if old:
            ours[HISTORY] = ",".join(filter(None, (ours.get(HISTORY, ""), str(old))))
    return ours


def replica_annotations(deployment: Json) -> dict[str, str]:
    """How many pods a Deployment wants, as its ReplicaSets are told."""
    wanted = deployment["spec"]["replicas"]
    return {DESIRED: str(wanted), MOST: str(wanted + max_surge(deployment))}


def max_surge(deployment: Json) -> int:
    """How many pods there may be beyond those that are wanted."""
    if deployment["spec"]["strategy"]["type"] != "RollingUpdate":
        return 0
    return _fenceposts(deployment)[0]


def max_unavailable(deployment: Json) -> int:
    """How many of the wanted pods may be missing during a rollout."""
    wanted = deployment["spec"]["replicas"]
    if deployment["spec"]["strategy"]["type"] != "RollingUpdate" or wanted == 0:
        return 0
    return min(_fenceposts(deployment)[1], int(wanted))


def _fenceposts(deployment: Json) -> tuple[int, int]:
    rolling = deployment["spec"]["strategy"]["rollingUpdate"]
    wanted = deployment["spec"]["replicas"]
    surge = scaled(rolling["maxSurge"], wanted, up=True)
    unavailable = scaled(rolling["maxUnavailable"], wanted, up=False)
    # Both may be rounded to nothing, and then nothing would ever move.
    return (surge, unavailable) if surge or unavailable else (0, 1)


def scaled(value: int | str, total: int, *, up: bool) -> int:
    """An absolute number, or a percentage of ``total`` rounded up or down."""
    if isinstance(value, int):
        return value
    part = int(value.rstrip("%")) * total / 100
    return math.ceil(part) if up else math.floor(part)
