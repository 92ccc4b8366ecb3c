"""The calls that steer a Rollout, by the fields with which ``kubectl argo rollouts`` does.

All of them are status fields that the controller leaves to people:
https://github.com/argoproj/argo-rollouts/tree/master/pkg/kubectl-argo-rollouts/cmd (promote, abort)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.model.catalog import TargetSpec
from bot.providers.argo_rollouts.scene import Scene
from bot.providers.kube.cluster import ROLLOUT_STATUS, Clusters


class Controls:
    """Each is one call; the next look tells what came of it."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters

    def promote(self, spec: TargetSpec, scene: Scene) -> None:
        """End the pause that was seen, and no other: ``Conflict`` where the Rollout moved on.

        So one promotion is one step, also where an answer was lost and it is asked for again.
        """
        self._patch(spec, scene, {"pauseConditions": None}, version=scene.view.version)

    def promote_fully(self, spec: TargetSpec, scene: Scene) -> None:
        """Leave out all steps of what was seen to be on its way; ``Conflict`` as above."""
        self._patch(spec, scene, {"promoteFull": True}, version=scene.view.version)

    def abort(self, spec: TargetSpec, scene: Scene) -> None:
        """Take all traffic off the canary.

        It names no version: it has to win against a controller that writes all the time, and on
        another update than the one that was seen the controller drops it. A full promotion that
        was asked for before would make the controller ignore it (argo-rollouts#4461).
        """
        full = {"promoteFull": None} if scene.view.progress.promoting else {}
        self._patch(spec, scene, {"abort": True, **full})

    def _patch(
        self, spec: TargetSpec, scene: Scene, status: Mapping[str, Any], version: str = ""
    ) -> None:
        cluster = self._clusters.at(spec.argocd.cluster)
        body: dict[str, Any] = {"status": status}
        body |= {"metadata": {"resourceVersion": version}} if version else {}
        cluster.patch(ROLLOUT_STATUS, scene.rollout.namespace, scene.rollout.name, body)
