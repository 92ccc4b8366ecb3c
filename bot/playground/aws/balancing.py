"""What Elastic Load Balancing holds: load balancers, listeners, rules and target groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

DEFAULT = "default"  # the priority of the rule that a listener cannot be without
#: Target group attributes that matter here, with ELB's defaults.
ATTRIBUTES = {
    "deregistration_delay.timeout_seconds": "300",
    "load_balancing.algorithm.type": "round_robin",
    "slow_start.duration_seconds": "0",
    "stickiness.enabled": "false",
    "stickiness.type": "lb_cookie",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
}


@dataclass(eq=False)
class TargetGroup:
    """A target group; ``attributes`` are the texts that ELB shows."""

    arn: str
    name: str
    port: int
    target_type: str = "ip"
    attributes: dict[str, str] = field(default_factory=lambda: dict(ATTRIBUTES))

    @property
    def dimension(self) -> str:
        """``targetgroup/<name>/<id>``, as CloudWatch's dimension names it."""
        return self.arn.rpartition(":")[2]

    @property
    def deregistration_delay(self) -> float:
        """How many seconds a target is draining."""
        return float(self.attributes["deregistration_delay.timeout_seconds"])


@dataclass(eq=False)
class Rule:
    """A listener's rule; conditions and actions in their wire form, ``priority`` a text."""

    arn: str
    priority: str
    conditions: list[dict[str, Any]]
    actions: list[dict[str, Any]]

    @property
    def is_default(self) -> bool:
        """Whether it applies where no other does."""
        return self.priority == DEFAULT

    def weights(self) -> dict[str, int]:
        """The weight of each target group, by ARN; empty where the rule does not forward."""
        for action in self.actions:
            if action["Type"] == "forward":
                groups = action["ForwardConfig"]["TargetGroups"]
                return {each["TargetGroupArn"]: each["Weight"] for each in groups}
        return {}


@dataclass(eq=False)
class Listener:
    """A listener; the default rule stands last."""

    arn: str
    port: int
    protocol: str
    rules: list[Rule] = field(default_factory=list)


@dataclass(eq=False)
class LoadBalancer:
    """An Application Load Balancer."""

    arn: str
    name: str
    created_at: float
    listeners: list[Listener] = field(default_factory=list)

    @property
    def dimension(self) -> str:
        """``app/<name>/<id>``, as CloudWatch's dimension names it."""
        return self.arn.rpartition("loadbalancer/")[2]

    def rules(self) -> Iterator[Rule]:
        """Every rule of every listener."""
        for listener in self.listeners:
            yield from listener.rules


@dataclass(eq=False)
class Balancing:
    """Everything of one account in one region, by ARN."""

    balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    groups: dict[str, TargetGroup] = field(default_factory=dict)

    def balancer_of(self, group: str) -> LoadBalancer | None:
        """The load balancer one of whose rules forwards to the target group, if there is one."""
        for balancer in self.balancers.values():
            if any(group in rule.weights() for rule in balancer.rules()):
                return balancer
        return None

    def find_listener(self, arn: str) -> tuple[LoadBalancer, Listener] | None:
        """The listener and the load balancer it belongs to."""
        for balancer in self.balancers.values():
            for listener in balancer.listeners:
                if listener.arn == arn:
                    return balancer, listener
        return None

    def find_rule(self, arn: str) -> tuple[LoadBalancer, Rule] | None:
        """The rule and the load balancer it belongs to."""
        for balancer in self.balancers.values():
            for rule in balancer.rules():
                if rule.arn == arn:
                    return balancer, rule
        return None
