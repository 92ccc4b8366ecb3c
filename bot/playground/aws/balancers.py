"""Furnishing load balancers by hand, as a team's infrastructure code would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack, cast

from bot.playground.aws.balancing import (
    ATTRIBUTES,
    DEFAULT,
    Listener,
    LoadBalancer,
    Rule,
    TargetGroup,
)
from bot.playground.aws.blueprints import ACCOUNT, PORT, REGION, ServiceOptions
from bot.playground.aws.elb_checks import checked_actions
from bot.playground.aws.records import Estate, Json, Minter
from bot.playground.aws.targets import Target, registered

if TYPE_CHECKING:
    from bot.playground.aws.world import World

NOT_FOUND: Json = {
    "Type": "fixed-response",
    "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"},
}
HTTP = 80
SERVICE_OPTIONS = frozenset(ServiceOptions.__annotations__)


@dataclass(frozen=True, slots=True)
class Front:
    """What stands before a service, by ARN. At first the rule sends all to ``stable``."""

    load_balancer: str
    listener: str
    rule: str
    stable: str
    canary: str


class FrontOptions(ServiceOptions, total=False):
    """How ``Balancers.create_service`` makes a service; besides those of ``ServiceOptions``:

    ``front`` (the service's name: what the load balancer is called), ``per_second`` (20: requests),
    ``wobble`` (0), ``history`` (60: minutes of traffic that are in CloudWatch already),
    ``deregistration_delay`` (seconds, 30), ``weights`` ((100, 0): those of the stable group and of
    the empty one for a canary), ``alternating`` (False: whether ECS itself may shift its traffic
    from one group to the other).
    """

    front: str

    per_second: float
    wobble: float
    history: int
    deregistration_delay: int
    weights: tuple[int, int]
    alternating: bool


class Balancers:
    """Makes load balancers, rules and target groups; whatever it makes is named by its ARN.

    Raises ``KeyError`` for an ARN that is unknown, ``AwsError`` for what ELB would refuse.
    """

    def __init__(self, world: World, minter: Minter) -> None:
        self._world = world
        self._minter = minter

    def create_load_balancer(self, name: str, region: str = REGION) -> str:
        """An Application Load Balancer with an HTTP listener that by default answers 404."""
        with self._world.lock:
            estate = self._world.estate(ACCOUNT, region)
            path = f"app/{name}/{self._id(f'balancer/{name}')}"
            balancer = LoadBalancer(
                _arn(estate, f"loadbalancer/{path}"), name, self._world.clock.wall()
            )
            path = f"{path}/{self._id(f'listener/{name}')}"
            listener = Listener(_arn(estate, f"listener/{path}"), HTTP, "HTTP")
            arn = _arn(estate, f"listener-rule/{path}/{self._id(f'rule/{name}')}")
            listener.rules.append(Rule(arn, DEFAULT, [], [NOT_FOUND]))
            balancer.listeners.append(listener)
            estate.balancing.balancers[balancer.arn] = balancer
            return balancer.arn

    def create_target_group(
        self,
        name: str,
        region: str = REGION,
        *,
        deregistration_delay: int = 300,
        target_type: str = "ip",
    ) -> str:
        """A target group for HTTP on port 8080; targets drain ``deregistration_delay`` seconds."""
        with self._world.lock:
            estate = self._world.estate(ACCOUNT, region)
            arn = _arn(estate, f"targetgroup/{name}/{self._id(f'group/{name}')}")
            delay = {"deregistration_delay.timeout_seconds": str(deregistration_delay)}
            group = TargetGroup(arn, name, PORT, target_type, {**ATTRIBUTES, **delay})
            estate.balancing.groups[arn] = group
            return arn

    def create_rule(
        self, load_balancer: str, weights: Mapping[str, int], host: str = "*.example.com"
    ) -> str:
        """A rule that sends requests for ``host`` to target groups by weight (0 to 999)."""
        with self._world.lock:
            estate, balancer = self._find(load_balancer)
            listener = balancer.listeners[0]
            path = listener.arn.rpartition("listener/")[2]
            arn = _arn(estate, f"listener-rule/{path}/{self._id(f'rule/{balancer.name}')}")
            condition: Json = {
                "Field": "host-header",
                "Values": [host],
                "HostHeaderConfig": {"Values": [host]},
            }
            actions = checked_actions(estate.balancing, balancer, [forward(weights)])
            rule = Rule(arn, str(10 * len(listener.rules)), [condition], actions)
            listener.rules.insert(-1, rule)
            return arn

    def listener(self, load_balancer: str) -> str:
        """The ARN of the listener."""
        return self._find(load_balancer)[1].listeners[0].arn

    def forward_by_default(self, load_balancer: str, weights: Mapping[str, int]) -> str:
        """Let the listener's default rule send requests by weight; returns the rule's ARN."""
        with self._world.lock:
            estate, balancer = self._find(load_balancer)
            rule = balancer.listeners[0].rules[-1]
            rule.actions = checked_actions(estate.balancing, balancer, [forward(weights)])
            return rule.arn

    def set_weights(self, rule: str, weights: Mapping[str, int]) -> None:
        """Let somebody else shift the traffic of a rule; its stickiness and other actions stay."""
        with self._world.lock:
            balancing = self._world.estate_of(rule).balancing
            found = balancing.find_rule(rule)
            if found is None:
                raise KeyError(rule)
            balancer, it = found
            actions = [_shifted(each, weights) for each in it.actions]
            it.actions = checked_actions(balancing, balancer, actions)

    def weights(self, rule: str) -> dict[str, int]:
        """The weight of each target group of a rule, by its ARN."""
        with self._world.lock:
            found = self._world.estate_of(rule).balancing.find_rule(rule)
            if found is None:
                raise KeyError(rule)
            return found[1].weights()

    def targets(self, group: str) -> list[Target]:
        """The targets of a target group now."""
        with self._world.lock:
            self._world.advance(0.0)
            now, timings = self._world.clock.now(), self._world.engine.tasks.timings
            return registered(self._world.estate_of(group), now, timings)[group]

    def create_service(self, cluster: str, service: str, **options: Unpack[FrontOptions]) -> Front:
        """Make a service that has been serving visitors for long, behind a rule with two groups.

        The load balancer is ``front``, its target groups ``<front>-stable`` and ``<front>-canary``.
        """
        front = options.get("front", service)
        region, delay = options.get("region", REGION), options.get("deregistration_delay", 30)
        with self._world.lock:
            stable, canary = (
                self.create_target_group(f"{front}-{kind}", region, deregistration_delay=delay)
                for kind in ("stable", "canary")
            )
            arn = self.create_load_balancer(front, region)
            first, second = options.get("weights", (100, 0))
            rule = self.create_rule(arn, {stable: first, canary: second}, f"{front}.example.com")
            plain = {key: each for key, each in options.items() if key in SERVICE_OPTIONS}
            if options.get("alternating", False):
                plain["advanced"] = alternating(rule, canary)
            self._world.create_service(
                cluster, service, **cast("ServiceOptions", {**plain, "target_group": stable})
            )
            traffic = self._world.traffic
            traffic.set(rule, options.get("per_second", 20.0), options.get("wobble", 0.0))
            traffic.backfill(rule, options.get("history", 60))
            return Front(arn, self.listener(arn), rule, stable, canary)

    def single(self, service: str, region: str = REGION) -> str:
        """A target group that is all of a load balancer's traffic, and drains at once."""
        group = self.create_target_group(service, region, deregistration_delay=0)
        self.forward_by_default(self.create_load_balancer(service, region), {group: 1})
        return group

    def _find(self, load_balancer: str) -> tuple[Estate, LoadBalancer]:
        estate = self._world.estate_of(load_balancer)
        return estate, estate.balancing.balancers[load_balancer]

    def _id(self, what: str) -> str:
        return self._minter.hexadecimal(what)[:16]


def forward(weights: Mapping[str, int]) -> Json:
    """The action that forwards by weight."""
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


def alternating(rule: str, group: str) -> Json:
    """A service's ``advancedConfiguration``: its other target group, and the rule for both."""
    return {
        "alternateTargetGroupArn": group,
        "productionListenerRule": rule,
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/ecs-load-balancing",
    }


def _shifted(action: Json, weights: Mapping[str, int]) -> Json:
    if action["Type"] != "forward":
        return action
    kept = {key: each for key, each in action.items() if key != "TargetGroupArn"}
    groups = forward(weights)["ForwardConfig"]
    return {**kept, "ForwardConfig": {**action["ForwardConfig"], **groups}}


def _arn(estate: Estate, resource: str) -> str:
    return f"arn:aws:elasticloadbalancing:{estate.region}:{estate.account}:{resource}"
