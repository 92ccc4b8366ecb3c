"""What Elastic Load Balancing refuses in the actions of a rule or a listener."""

from __future__ import annotations

from bot.playground.aws.balancing import Balancing, LoadBalancer
from bot.playground.aws.errors import AwsError
from bot.playground.aws.records import Json

MOST_WEIGHT = 999
MOST_GROUPS = 5  # target groups of one forward action
LONGEST_STICKINESS = 604_800  # seconds: 7 days
#: Which member an action of each type needs.
NEEDED = {
    "redirect": "RedirectConfig",
    "fixed-response": "FixedResponseConfig",
    "authenticate-oidc": "AuthenticateOidcConfig",
    "authenticate-cognito": "AuthenticateCognitoConfig",
    "jwt-validation": "JwtValidationConfig",
}
FINAL = ("forward", "redirect", "fixed-response")


def checked_actions(
    balancing: Balancing, balancer: LoadBalancer, actions: list[Json]
) -> list[Json]:
    """The actions as ELB keeps them, in their order. Raises ``AwsError`` for what it refuses."""
    ordered = sorted(actions, key=lambda action: int(action.get("Order", 1)))
    final = [action for action in ordered if action["Type"] in FINAL]
    if len(final) != 1 or ordered[-1] is not final[0]:
        raise AwsError(
            "InvalidLoadBalancerAction",
            "The last action must be the only one of forward, redirect and fixed-response.",
        )
    return [_checked(balancing, balancer, action) for action in ordered]


def _checked(balancing: Balancing, balancer: LoadBalancer, action: Json) -> Json:
    if action["Type"] != "forward":
        if NEEDED[action["Type"]] not in action:
            raise validation(f"{NEEDED[action['Type']]} must be specified for {action['Type']}")
        return action
    groups = _groups(action)
    for group in groups:
        _check_weight(group["Weight"])
        _check_group(balancing, balancer, group["TargetGroupArn"])
    given = action.get("ForwardConfig", {}).get("TargetGroupStickinessConfig", {"Enabled": False})
    _check_stickiness(given)
    forward = {"TargetGroups": groups, "TargetGroupStickinessConfig": given}
    kept = {key: each for key, each in action.items() if key != "TargetGroupArn"}
    # ELB shows the ARN of the action itself only where there is but one group.
    alone = {"TargetGroupArn": groups[0]["TargetGroupArn"]} if len(groups) == 1 else {}
    return {**kept, **alone, "ForwardConfig": forward}


def _groups(action: Json) -> list[Json]:
    named = action.get("ForwardConfig", {}).get("TargetGroups", [])
    arn = action.get("TargetGroupArn")
    if not named and arn is None:
        raise validation("A target group ARN must be specified")
    groups = [{"Weight": 1, **each} for each in named or [{"TargetGroupArn": arn}]]
    arns = [each.get("TargetGroupArn") for each in groups]
    if arn is not None and arns != [arn]:
        raise validation("You cannot specify both ForwardConfig and another TargetGroupArn")
    if len(set(arns)) != len(arns) or None in arns:
        raise validation("Each target group must be specified once in a forward action")
    if len(groups) > MOST_GROUPS:
        raise validation(f"A forward action can have at most {MOST_GROUPS} target groups")
    return groups


def _check_weight(weight: int) -> None:
    if not 0 <= weight <= MOST_WEIGHT:
        raise validation(f"Weight '{weight}' must be between 0 and {MOST_WEIGHT}")


def _check_group(balancing: Balancing, balancer: LoadBalancer, arn: str) -> None:
    if arn not in balancing.groups:
        raise AwsError("TargetGroupNotFound", f"Target groups '{arn}' not found")
    owner = balancing.balancer_of(arn)
    if owner not in {None, balancer}:
        raise AwsError(
            "TargetGroupAssociationLimit",
            "The following target groups cannot be associated with more than one load balancer: "
            f"{arn}",
        )


def _check_stickiness(given: Json) -> None:
    if not given.get("Enabled", False):
        return
    seconds = given.get("DurationSeconds")
    if seconds is None or not 1 <= seconds <= LONGEST_STICKINESS:
        raise validation(f"Stickiness duration must be between 1 and {LONGEST_STICKINESS} seconds")


def validation(message: str) -> AwsError:
    """What ELB calls a parameter that it does not accept."""
    return AwsError("ValidationError", message)
