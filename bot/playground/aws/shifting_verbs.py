"""What tests and the playground do to deployments that shift traffic: ``World.shifts``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.playground.aws.balancers import alternating
from bot.playground.aws.blueprints import REGION, ServiceOptions
from bot.playground.aws.records import Json
from bot.playground.aws.stages import Hook

if TYPE_CHECKING:
    from bot.playground.aws.world import World

STEP = 5.0  # virtual seconds between two looks


class Shifts:
    """The verbs of one world. Safe to share between threads, as the world is."""

    def __init__(self, world: World) -> None:
        self._world = world

    def furnish(self, service: str, options: ServiceOptions) -> None:
        """Give a service that is to shift traffic two target groups and the rules for them.

        The first has all traffic; both drain at once. What ``options`` names is there already.
        """
        region = options.get("region", REGION)
        rolls = options.get("strategy", "ROLLING") == "ROLLING"
        if rolls or "target_group" in options or not options.get("load_balanced", True):
            return
        balancers = self._world.balancers
        balancer = balancers.create_load_balancer(service, region)
        groups = [
            balancers.create_target_group(name, region, deregistration_delay=0)
            for name in (service, f"{service}-alternate")
        ]
        weights = dict(zip(groups, (1, 0), strict=True))
        advanced = alternating(balancers.create_rule(balancer, weights), groups[1])
        if options.get("test_listener", False):
            rule = balancers.create_rule(balancer, weights, "test.example.com")
            advanced["testListenerRule"] = rule
        options["target_group"], options["advanced"] = groups[0], advanced

    def stage(self, cluster: str, service: str, region: str = REGION) -> str | None:
        """The lifecycle stage of the newest deployment; ``None`` for one that rolls."""
        passage = self._world.service(cluster, service, region).history[-1].passage
        return passage.stage if passage is not None else None

    def awaiting(self, cluster: str, service: str, region: str = REGION) -> list[Hook]:
        """The hooks that hold the newest deployment up now."""
        passage = self._world.service(cluster, service, region).history[-1].passage
        return list(passage.awaiting()) if passage is not None else []

    def run_until_paused(
        self, cluster: str, service: str, most: float = 7200.0, region: str = REGION
    ) -> bool:
        """Advance until a hook holds it up; False where ``most`` seconds or the deployment end."""
        for _ in range(int(most / STEP)):
            if self.awaiting(cluster, service, region):
                return True
            if not self._world.service(cluster, service, region).history[-1].open:
                return False
            self._world.advance(STEP)
        return False

    def answer(
        self, cluster: str, service: str, action: str = "CONTINUE", region: str = REGION
    ) -> int:
        """Let somebody else answer every hook that waits; returns how many there were."""
        with self._world.lock:
            waiting = self.awaiting(cluster, service, region)
            arn = self._world.service(cluster, service, region).history[-1].arn
            for hook in waiting:
                given: Json = {"serviceDeploymentArn": arn, "hookId": hook.id, "action": action}
                self._world.ask("ContinueServiceDeployment", given, region)
            return len(waiting)

    def show_by_the_enum(self) -> None:
        """From now on, show PRODUCTION_TRAFFIC_SHIFT for the stage that the model's enum lacks.

        ECS's documentation contradicts itself there: no client should depend on either.
        """
        self._world.engine.scheduler.shifting.by_the_enum = True

    def stop(
        self, cluster: str, service: str, stop_type: str = "ROLLBACK", region: str = REGION
    ) -> None:
        """Let somebody else stop the newest deployment."""
        arn = self._world.service(cluster, service, region).history[-1].arn
        given: Json = {"serviceDeploymentArn": arn, "stopType": stop_type}
        self._world.ask("StopServiceDeployment", given, region)
