"""ECS at the listener rules: what it holds them to, and the weights that it gives them.

Source of the wording: ECS's Developer Guide, "Troubleshooting Amazon ECS blue/green deployments".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.playground.aws.balancers import forward
from bot.playground.aws.errors import AwsError, invalid
from bot.playground.aws.records import Estate, Json, Service
from bot.playground.aws.shifting import Shifting

UNSOUND = "Service deployment rolled back because of invalid networking configuration"


def connect(shifting: Shifting, estate_of: Callable[[str], Estate]) -> None:
    """Let deployments that shift traffic see and set the rules of each account and region."""
    shifting.problem = lambda service: problem(estate_of(service.arn), service)
    shifting.route = lambda rule, shares: route(estate_of(rule), rule, shares)


def check_rules(estate: Estate, balancers: list[Json]) -> None:
    """Hold load balancers to the rules they name, before a request is taken.

    Raises ``AwsError`` where the alternate group is missing, or the production rule does not know
    both groups and there is no test rule for the other.
    """
    for balancer in balancers:
        advanced = balancer.get("advancedConfiguration")
        if advanced is None:
            continue
        if advanced["alternateTargetGroupArn"] not in estate.balancing.groups:
            raise _no_group(advanced["alternateTargetGroupArn"])
        known = _groups_of(estate, advanced["productionListenerRule"])
        if known is None or _pair(balancer) <= set(known) or "testListenerRule" in advanced:
            continue  # a rule that is not there is found out by the deployment
        raise invalid(
            "For Application LoadBalancer, testListenerRule is required when "
            "productionListenerRule is not associated with both targetGroup and "
            "alternateTargetGroup"
        )


def problem(estate: Estate, service: Service) -> str | None:
    """Why ECS cannot shift the service's traffic, as ``statusReason``; ``None`` where it can."""
    for balancer in service.settings.get("loadBalancers", []):
        advanced = balancer["advancedConfiguration"]
        rule = advanced["productionListenerRule"]
        known = _groups_of(estate, rule)
        tested = _groups_of(estate, advanced.get("testListenerRule", rule))
        if known is None or tested is None:
            return f"{UNSOUND}. One or more rules not found"
        lost = sorted(_pair(balancer) - set(known) - set(tested))
        if lost:
            return (
                f"{UNSOUND}: Target group {lost[0]} is not associated with either "
                "productionListenerRule or testListenerRule."
            )
        serving = [arn for arn, weight in known.items() if weight]
        if len(serving) != 1:
            return (
                f"{UNSOUND}. productionListenerRule {rule} should have exactly one target group "
                f"serving traffic but found {len(serving)} target groups which are serving traffic"
            )
        if serving[0] not in _pair(balancer):
            return (
                f"{UNSOUND}. Production listener rule is forwarding traffic to unexpected target "
                f"group {serving[0]}. Expected traffic to be forwarded to either targetGroupArn: "
                f"{balancer['targetGroupArn']} or alternateTargetGroupArn: "
                f"{advanced['alternateTargetGroupArn']}"
            )
    return None


def route(estate: Estate, rule: str, shares: Mapping[str, float]) -> None:
    """Give the target groups of a rule these shares of its traffic, in percent.

    A weight is a whole number up to 999, so tenths of a percent count a thousand parts.
    """
    found = estate.balancing.find_rule(rule)
    if found is None:
        return
    parts = 1 if all(float(each).is_integer() for each in shares.values()) else 10
    known = dict.fromkeys(found[1].weights(), 0)
    weights = {arn: round(percent * parts) for arn, percent in shares.items()}
    found[1].actions = [forward({**known, **weights})]


def _groups_of(estate: Estate, rule: str) -> dict[str, int] | None:
    found = estate.balancing.find_rule(rule)
    return None if found is None else found[1].weights()


def _pair(balancer: Json) -> set[str]:
    advanced = balancer["advancedConfiguration"]
    return {balancer["targetGroupArn"], advanced["alternateTargetGroupArn"]}


def _no_group(arn: str) -> AwsError:
    return invalid(f"The target group with targetGroupArn {arn} does not exist.")
