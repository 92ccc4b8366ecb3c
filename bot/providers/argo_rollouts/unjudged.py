"""Rollouts of a Rollout that nobody judges: a deployment that is no canary, and every rollback.

Its steps pause for good, and only canaries have somebody who ends them. A rollback that waits at a
tenth of the traffic would be none. So what is no canary leaves out all steps; pods are replaced as
the Rollout's ``maxSurge`` and ``maxUnavailable`` allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from typing_extensions import override

from bot.model.catalog import TargetSpec
from bot.model.deployment import Image
from bot.model.errors import QuarterdeckError
from bot.model.ports import Rollouts
from bot.model.rollout import Finding, Live, Looks, Order, Plan, ReadBack, Watched
from bot.providers.argo_rollouts.controls import Controls
from bot.providers.argo_rollouts.scene import carries
from bot.providers.argo_rollouts.scenes import Scenes
from bot.providers.kube.cluster import Clusters

log = structlog.get_logger(__name__)


class UnjudgedRollouts(Rollouts):
    """``rollouts`` does all there is to do but for the pauses. Safe to share between threads."""

    def __init__(self, rollouts: Rollouts, clusters: Clusters) -> None:
        self._rollouts = rollouts
        self._scenes = Scenes(clusters)
        self._controls = Controls(clusters)

    @override
    def observe(self, watched: Sequence[tuple[TargetSpec, Watched]]) -> Looks:
        looks = self._rollouts.observe(watched)
        for spec, each in watched:
            seen = looks.get(each.deployment_id)
            steps = spec.canary is not None and spec.canary.rollout is not None
            if steps and seen is not None and seen.end is None:
                self._try(spec, each)
        return looks

    def _try(self, spec: TargetSpec, watched: Watched) -> None:
        """What cannot be done is no fault of the rollout: its card says that it is paused."""
        try:
            self._pass(spec, watched)
        except QuarterdeckError as fault:
            log.warning(
                "cannot pass the steps",
                deployment_id=watched.deployment_id,
                reason_code=fault.reason_code,
                error=fault.message,
            )

    def _pass(self, spec: TargetSpec, watched: Watched) -> None:
        scene = self._scenes.of(spec, watched.revision)
        current, progress = scene.current, scene.view.progress
        known = current is not None and carries(current.images, watched.revision)
        if not known or scene.view.promoted or not scene.view.at_step or progress.aborted:
            return
        if progress.promoting:
            self._controls.promote(spec, scene)
        else:
            self._controls.promote_fully(spec, scene)

    # --- as they are ---------------------------------------------------------------------------

    @override
    def live(self, spec: TargetSpec) -> Live:
        return self._rollouts.live(spec)

    @override
    def plan(self, spec: TargetSpec, image: Image) -> Plan:
        return self._rollouts.plan(spec, image)

    @override
    def prepare(self, spec: TargetSpec, order: Order) -> str:
        return self._rollouts.prepare(spec, order)

    @override
    def start(self, spec: TargetSpec, order: Order, revision: str) -> str | None:
        return self._rollouts.start(spec, order, revision)

    @override
    def read_back(self, spec: TargetSpec, order: Order, revision: str, since: datetime) -> ReadBack:
        return self._rollouts.read_back(spec, order, revision, since)

    @override
    def usable(self, spec: TargetSpec, revision: str) -> str | None:
        return self._rollouts.usable(spec, revision)

    @override
    def examine(self, spec: TargetSpec) -> Sequence[Finding]:
        return self._rollouts.examine(spec)
