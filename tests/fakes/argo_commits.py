"""What steers a Rollout's canary, as a test says: its commits, and the calls to its status."""

from __future__ import annotations

from datetime import UTC, datetime

from typing_extensions import override

from bot.model.catalog import TargetSpec
from bot.model.deployment import Progress
from bot.model.errors import QuarterdeckError
from bot.model.rollout import End, Observation
from bot.providers.argo_rollouts.commits import Commits
from bot.providers.argo_rollouts.controls import Controls
from bot.providers.argo_rollouts.errands import Errand
from bot.providers.argo_rollouts.scene import Scene
from tests.fakes.cluster import FakeCluster, FakeClusters
from tests.fakes.desired import FakeDesired
from tests.fakes.rollouts import FakeRollouts

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class FakeCommits(Commits):
    """By default it was brought, not taken back, and is Synced and Healthy for long enough."""

    def __init__(self) -> None:
        super().__init__(FakeDesired("v1"), FakeRollouts(lambda: NOW))
        self.has: str | None = "c" * 40
        self.back: str | None = None
        self.says = "v1"
        self.end: End | None = End.SUCCEEDED
        self.fault: QuarterdeckError | None = None
        self.deeds: list[str] = []

    @override
    def brought(self, errand: Errand) -> str | None:
        if self.fault is not None:
            raise self.fault
        return self.has

    @override
    def taken_back(self, errand: Errand) -> str | None:
        return self.back

    @override
    def written(self, errand: Errand) -> str:
        return self.says

    @override
    def take_back(self, errand: Errand) -> None:
        self.deeds.append("take back")

    @override
    def follow(self, errand: Errand) -> Observation | None:
        return Observation(Progress(4, 4), self.end)

    @override
    def follow_back(self, errand: Errand) -> Observation | None:
        return None


class FakeControls(Controls):
    """Lists what a Rollout was told."""

    def __init__(self) -> None:
        super().__init__(FakeClusters(FakeCluster()))
        self.told: list[str] = []

    @override
    def promote(self, spec: TargetSpec, scene: Scene) -> None:
        self.told.append("promote")

    @override
    def promote_fully(self, spec: TargetSpec, scene: Scene) -> None:
        self.told.append("promote fully")

    @override
    def abort(self, spec: TargetSpec, scene: Scene) -> None:
        self.told.append("abort")
