"""ELBv2 operations: looking at load balancers and their targets, and shifting traffic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from bot.playground.aws.balancing import DEFAULT, Listener, LoadBalancer, Rule, TargetGroup
from bot.playground.aws.elb_checks import checked_actions, validation
from bot.playground.aws.errors import AwsError
from bot.playground.aws.operations import Context, operation
from bot.playground.aws.records import Json
from bot.playground.aws.targets import DESCRIPTIONS, Target, registered

MOST_PER_PAGE = 400
ZONES = ("a", "b")
VPC = "vpc-0123456789abcdef0"
HOSTED_ZONE = "Z32O12XQLNTSW2"

Item = TypeVar("Item")


@operation("elbv2", "DescribeLoadBalancers")
def describe_load_balancers(context: Context, request: Json) -> Json:
    """All, or those named by ARN or by name; a missing one is an error."""
    everything = list(context.estate.balancing.balancers.values())
    arns, names = request.get("LoadBalancerArns", []), request.get("Names", [])
    found = _chosen(everything, arns, names)
    if found is None:
        raise AwsError("LoadBalancerNotFound", "One or more load balancers not found")
    shown, more = _page(found, request)
    return {"LoadBalancers": [_balancer(context, each) for each in shown], **more}


@operation("elbv2", "DescribeListeners")
def describe_listeners(context: Context, request: Json) -> Json:
    """Those of one load balancer, or those named."""
    balancing = context.estate.balancing
    arn, arns = request.get("LoadBalancerArn"), request.get("ListenerArns", [])
    if bool(arn) == bool(arns):
        raise validation("You must specify either listener ARNs or a load balancer ARN")
    if arn:
        if arn not in balancing.balancers:
            raise AwsError("LoadBalancerNotFound", "One or more load balancers not found")
        balancer = balancing.balancers[arn]
        pairs = [(balancer, each) for each in balancer.listeners]
    else:
        pairs = [_listener_of(context, each) for each in arns]
    shown, more = _page(pairs, request)
    return {"Listeners": [_listener(*pair) for pair in shown], **more}


@operation("elbv2", "DescribeRules")
def describe_rules(context: Context, request: Json) -> Json:
    """Those of one listener, by priority with the default one last, or those named."""
    arn, arns = request.get("ListenerArn"), request.get("RuleArns", [])
    if bool(arn) == bool(arns):
        raise validation("You must specify either rule ARNs or a listener ARN")
    if arn:
        found = _listener_of(context, arn)[1].rules
    else:
        found = [_rule_of(context, each)[1] for each in arns]
    shown, more = _page(found, request)
    return {"Rules": [_rule(each) for each in shown], **more}


@operation("elbv2", "ModifyRule")
def modify_rule(context: Context, request: Json) -> Json:
    """Replace what is given, whole lists at a time; what is not given stays."""
    balancer, rule = _rule_of(context, request["RuleArn"])
    if rule.is_default:
        raise AwsError("OperationNotPermitted", f"Default rule '{rule.arn}' cannot be modified")
    if "Actions" in request:
        rule.actions = checked_actions(context.estate.balancing, balancer, request["Actions"])
    if "Conditions" in request:
        rule.conditions = request["Conditions"]
    return {"Rules": [_rule(rule)]}


@operation("elbv2", "ModifyListener")
def modify_listener(context: Context, request: Json) -> Json:
    """Replace the default actions, the port or the protocol."""
    balancer, listener = _listener_of(context, request["ListenerArn"])
    if "DefaultActions" in request:
        actions = checked_actions(context.estate.balancing, balancer, request["DefaultActions"])
        listener.rules[-1].actions = actions
    listener.port = request.get("Port", listener.port)
    listener.protocol = request.get("Protocol", listener.protocol)
    return {"Listeners": [_listener(balancer, listener)]}


@operation("elbv2", "DescribeTargetGroups")
def describe_target_groups(context: Context, request: Json) -> Json:
    """All, those of a load balancer, or those named by ARN or by name."""
    balancing = context.estate.balancing
    everything = list(balancing.groups.values())
    owner = request.get("LoadBalancerArn")
    if owner is not None and owner not in balancing.balancers:
        raise AwsError("LoadBalancerNotFound", "One or more load balancers not found")
    if owner is not None:
        balancer = balancing.balancers[owner]
        everything = [each for each in everything if balancing.balancer_of(each.arn) is balancer]
    arns, names = request.get("TargetGroupArns", []), request.get("Names", [])
    found = _chosen(everything, arns, names)
    if found is None:
        raise _no_group()
    shown, more = _page(found, request)
    return {"TargetGroups": [_group(context, each) for each in shown], **more}


@operation("elbv2", "DescribeTargetGroupAttributes")
def describe_target_group_attributes(context: Context, request: Json) -> Json:
    """Among them ``deregistration_delay.timeout_seconds``."""
    group = _group_of(context, request["TargetGroupArn"])
    return {"Attributes": [{"Key": k, "Value": v} for k, v in sorted(group.attributes.items())]}


@operation("elbv2", "ModifyTargetGroupAttributes")
def modify_target_group_attributes(context: Context, request: Json) -> Json:
    """Change some; the others stay."""
    group = _group_of(context, request["TargetGroupArn"])
    given = {each["Key"]: each.get("Value", "") for each in request["Attributes"]}
    unknown = [key for key in given if key not in group.attributes]
    if unknown:
        raise validation(f"Target group attribute key '{unknown[0]}' is not recognized")
    group.attributes.update(given)
    return describe_target_group_attributes(context, {"TargetGroupArn": group.arn})


@operation("elbv2", "DescribeTargetHealth")
def describe_target_health(context: Context, request: Json) -> Json:
    """Of every target of the group, or of those named; a stranger is ``unused``."""
    group = _group_of(context, request["TargetGroupArn"])
    in_use = context.estate.balancing.balancer_of(group.arn) is not None
    timings = context.engine.tasks.timings
    targets = registered(context.estate, context.now, timings)[group.arn]
    zone = f"{context.estate.region}{ZONES[0]}"
    shown = [_health(each, zone, in_use=in_use) for each in targets]
    if not request.get("Targets"):
        return {"TargetHealthDescriptions": shown}
    asked = [(each["Id"], each.get("Port", group.port)) for each in request["Targets"]]
    known = {(each["Target"]["Id"], each["Target"]["Port"]): each for each in shown}
    strange = _told("unused", "Target.NotRegistered")
    descriptions = [
        known.get(pair, {"Target": {"Id": pair[0], "Port": pair[1]}, "TargetHealth": strange})
        for pair in asked
    ]
    return {"TargetHealthDescriptions": descriptions}


def _chosen(
    everything: Iterable[Item], arns: Sequence[str], names: Sequence[str]
) -> list[Item] | None:
    """All where nothing is named; ``None`` where one that is named is missing."""
    found = list(everything)
    for wanted, kind in ((arns, "arn"), (names, "name")):
        if wanted:
            by_key = {getattr(each, kind): each for each in found}
            if any(key not in by_key for key in wanted):
                return None
            found = [by_key[key] for key in wanted]
    return found


def _page(items: Sequence[Item], request: Json) -> tuple[list[Item], Json]:
    size, marker = request.get("PageSize", MOST_PER_PAGE), request.get("Marker") or "0"
    if not 1 <= size <= MOST_PER_PAGE:
        raise validation(f"Page size must be between 1 and {MOST_PER_PAGE}")
    if not marker.isdigit():
        raise validation(f"Marker '{marker}' is not valid")
    start = int(marker)
    more = {"NextMarker": str(start + size)} if start + size < len(items) else {}
    return list(items[start : start + size]), more


def _listener_of(context: Context, arn: str) -> tuple[LoadBalancer, Listener]:
    found = context.estate.balancing.find_listener(arn)
    if found is None:
        raise AwsError("ListenerNotFound", "One or more listeners not found")
    return found


def _rule_of(context: Context, arn: str) -> tuple[LoadBalancer, Rule]:
    found = context.estate.balancing.find_rule(arn)
    if found is None:
        raise AwsError("RuleNotFound", "One or more rules not found")
    return found


def _group_of(context: Context, arn: str) -> TargetGroup:
    found = context.estate.balancing.groups.get(arn)
    if found is None:
        raise _no_group()
    return found


def _no_group() -> AwsError:
    return AwsError("TargetGroupNotFound", "One or more target groups not found")


def _balancer(context: Context, it: LoadBalancer) -> Json:
    region = context.estate.region
    number = it.arn.rpartition("/")[2]
    return {
        "LoadBalancerArn": it.arn,
        "DNSName": f"{it.name}-{int(number, 16) % 10**9}.{region}.elb.amazonaws.com",
        "CanonicalHostedZoneId": HOSTED_ZONE,
        "CreatedTime": it.created_at,
        "LoadBalancerName": it.name,
        "Scheme": "internet-facing",
        "VpcId": VPC,
        "State": {"Code": "active"},
        "Type": "application",
        "AvailabilityZones": [
            {"ZoneName": f"{region}{zone}", "SubnetId": f"subnet-0000000{zone}"} for zone in ZONES
        ],
        "SecurityGroups": ["sg-0123456789abcdef0"],
        "IpAddressType": "ipv4",
    }


def _listener(owner: LoadBalancer, it: Listener) -> Json:
    return {
        "ListenerArn": it.arn,
        "LoadBalancerArn": owner.arn,
        "Port": it.port,
        "Protocol": it.protocol,
        "DefaultActions": it.rules[-1].actions,
    }


def _rule(it: Rule) -> Json:
    return {
        "RuleArn": it.arn,
        "Priority": it.priority,
        "Conditions": it.conditions,
        "Actions": it.actions,
        "IsDefault": it.priority == DEFAULT,
    }


def _group(context: Context, it: TargetGroup) -> Json:
    owner = context.estate.balancing.balancer_of(it.arn)
    return {
        "TargetGroupArn": it.arn,
        "TargetGroupName": it.name,
        "Protocol": "HTTP",
        "Port": it.port,
        "VpcId": VPC,
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckEnabled": True,
        "HealthCheckIntervalSeconds": 10,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 3,
        "HealthCheckPath": "/healthz",
        "Matcher": {"HttpCode": "200"},
        "LoadBalancerArns": [owner.arn] if owner else [],
        "TargetType": it.target_type,
        "ProtocolVersion": "HTTP1",
        "IpAddressType": "ipv4",
    }


def _health(it: Target, zone: str, *, in_use: bool) -> Json:
    state, reason = it.state, it.reason
    if not in_use and state != "draining":
        state, reason = "unused", "Target.NotInUse"
    target = {"Id": it.task.address, "Port": it.port, "AvailabilityZone": zone}
    return {
        "Target": target,
        "HealthCheckPort": str(it.port),
        "TargetHealth": _told(state, reason),
    }


def _told(state: str, reason: str | None) -> Json:
    if reason is None:
        return {"State": state}
    return {"State": state, "Reason": reason, "Description": DESCRIPTIONS[reason]}
