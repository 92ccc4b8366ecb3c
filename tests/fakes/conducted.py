"""The inner rooms with a conductor: a target that has a plan for canaries, moved by the minute."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bot.commands.model import Conduct, Deploy
from bot.model.canary import Act, Canary
from bot.model.canary_plan import CanaryPlan, CanaryStep, Weighted
from bot.model.catalog import Catalog
from bot.model.deployment import Deployment, Target
from bot.model.reply import Reply
from bot.workflows.canary.conductor import Conductor
from tests.fakes.canaries import FakeCanaries, FakeMetrics
from tests.fakes.inner_rooms import STAGING, Rooms

_ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012"
WEIGHTED = Weighted(
    rule=f"{_ARN}:listener-rule/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee",
    stable=f"{_ARN}:targetgroup/backend/73e2d6bc24d8a067",
    canary=f"{_ARN}:targetgroup/backend-canary/943f017f100becff",
)
STEPS = (
    CanaryStep(share=0.1, bake=timedelta(minutes=5)),
    CanaryStep(share=0.5, bake=timedelta(minutes=5)),
)


def planned(catalog: Catalog, target: Target, plan: CanaryPlan) -> Catalog:
    """The catalog with a plan for canaries of this target."""
    targets = tuple(
        spec.model_copy(update={"canary": plan}) if spec.key == target else spec
        for spec in catalog.targets
    )
    parts = {name: getattr(catalog, name) for name in Catalog.model_fields}
    return Catalog(**{**parts, "targets": targets})


class Stage:
    """One canary of backend in staging at a time. ``restart`` is a process that was killed."""

    def __init__(self, rooms: Rooms, **plan: Any) -> None:
        self.rooms = rooms
        self.plan = CanaryPlan(weighted=WEIGHTED, **{"steps": STEPS, **plan})
        rooms.catalog = planned(rooms.catalog, STAGING, self.plan)
        self.traffic = FakeCanaries()
        self.metrics = FakeMetrics(self.traffic)
        rooms.with_canaries(self.traffic)
        self.restart()

    def restart(self, replica: str = "replica-1") -> None:
        """Forget everything that is not in the database."""
        parts = self.rooms.parts if replica == "replica-1" else self.rooms.as_replica(replica)
        self.conductor = Conductor(parts, self.traffic, self.metrics)

    def begin(self, version: str = "v2", by: str = "alice") -> Deployment:
        """Asked for, and its turn has come."""
        made = self.rooms.asked(by, Deploy((STAGING,), version, canary=True))
        return self.turn(made)

    def turn(self, deployment: Deployment) -> Deployment:
        """Every step that the workflow would play."""
        steps = self.rooms.steps
        for step in (steps.adopt, steps.begin, steps.prepare, steps.start):
            step(deployment.id)
        return self.rooms.get(deployment.id)

    def looks(self, seconds: float = 1.0, times: int = 1) -> None:
        for _ in range(times):
            self.conductor.look()
            self.rooms.clock.advance(timedelta(seconds=seconds))

    def minutes(self, count: int) -> None:
        """Time passes, looked at twice a minute."""
        self.looks(30.0, 2 * count)

    def canary(self, deployment: Deployment) -> Canary:
        with self.rooms.database.read() as tx:
            found = tx.canaries.get(deployment.id)
        assert found is not None
        return found

    def says(self, act: Act, by: str = "alice", reason: str = "") -> Reply:
        return self.rooms.says(by, Conduct(act, STAGING, reason=reason))

    def actions(self, deployment: Deployment) -> list[str]:
        return [
            f"{action} {decision}"
            for action, decision, _ in self.rooms.audit(deployment_id=deployment.id)
            if action.startswith("canary")
        ]
