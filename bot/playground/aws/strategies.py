"""What ECS takes for a deployment configuration: the four strategies, their bounds, their hooks.

The wording of refusals is AWS's own where "Troubleshooting Amazon ECS blue/green deployments" (the
Developer Guide) quotes it. Which exception carries it is not documented, but for a missing
``advancedConfiguration``, reported as ClientException (terraform-aws-ecs, issue 377); the others
are InvalidParameterException here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from bot.playground.aws.errors import AwsError, client_error, invalid
from bot.playground.aws.records import Json

ROLLING = "ROLLING"
#: Those that run both revisions at full size and shift traffic, by their names in refusals.
SHIFTING = {"BLUE_GREEN": "Blue/green", "LINEAR": "linear", "CANARY": "canary"}
#: Which strategy each part of a configuration is for, and what ECS takes where it says nothing.
PARTS: dict[str, tuple[str, Json]] = {
    "canaryConfiguration": ("CANARY", {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}),
    "linearConfiguration": ("LINEAR", {"stepPercent": 10.0, "stepBakeTimeInMinutes": 6}),
}
LEAST_PERCENT = {"canaryPercent": 0.1, "stepPercent": 3.0}
LONGEST_BAKE = 1440  # minutes; of a step documented, of the deployment as Terraform takes it
LONGEST_PAUSE = 20160  # minutes
MOST_PAUSE_HOOKS = 10
NEVER_PAUSED = ("TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT")
ADVANCED = ("alternateTargetGroupArn", "productionListenerRule", "roleArn")
RULE = re.compile(r"arn:aws:elasticloadbalancing:[^:]+:\d+:(listener-rule/app|listener/net)/\S+")
WHOLE, USUAL_MAXIMUM = 100, 200  # percent of the desired count


def fresh(given: Json) -> Json:
    """The configuration of a new service, from the one in its CreateService request."""
    usual: Json = {
        "deploymentCircuitBreaker": {"enable": False, "rollback": False},
        "maximumPercent": USUAL_MAXIMUM,
        "minimumHealthyPercent": WHOLE,
        "strategy": ROLLING,
        "bakeTimeInMinutes": 0,
    }
    return _completed({**usual, **given})


def merged(before: Json, change: Json) -> Json:
    """The configuration after an UpdateService request that changes it.

    What only another strategy needs goes with that strategy.
    """
    together = {**before, **change}
    strategy = together.get("strategy", ROLLING)
    for name, (owner, _) in PARTS.items():
        if owner != strategy and name not in change:
            together.pop(name, None)
    return _completed(together)


def check(configuration: Json, settings: Mapping[str, object], change: Json) -> None:
    """Hold a whole configuration against what ECS takes. Raises ``AwsError``.

    ``settings`` has the service's load balancers, ``change`` the configuration as it was asked
    for, without what was there before.
    """
    _check_percents(configuration)
    strategy = configuration["strategy"]
    for name, (owner, _) in PARTS.items():
        if name in configuration and strategy != owner:
            raise invalid(f"{name} is only valid when the deployment strategy is {owner}.")
    _within("bakeTimeInMinutes", configuration.get("bakeTimeInMinutes", 0), 0, LONGEST_BAKE)
    _check_hooks(configuration)
    balancers: list[Json] = list(settings.get("loadBalancers", []))  # type: ignore[call-overload]
    _check_balancers(balancers)
    if strategy != ROLLING:
        if change.get("strategy") == "BLUE_GREEN" and "bakeTimeInMinutes" not in change:
            raise invalid("bakeTimeInMinutes is required for the BLUE_GREEN deployment strategy.")
        _check_shifting(configuration, balancers)


def _completed(configuration: Json) -> Json:
    for name, (owner, usual) in PARTS.items():
        if configuration.get("strategy") == owner:
            configuration[name] = {**usual, **configuration.get(name, {})}
    return configuration


def _check_percents(configuration: Json) -> None:
    most = configuration.get("maximumPercent", USUAL_MAXIMUM)
    least = configuration.get("minimumHealthyPercent", WHOLE)
    if least == most == WHOLE:
        raise invalid(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block "
            "deployments."
        )
    if not 0 <= least <= WHOLE <= most:
        raise invalid(
            "The maximumPercent must be at least 100, the minimumHealthyPercent between 0 and 100."
        )


def _check_shifting(configuration: Json, balancers: Sequence[Json]) -> None:
    strategy = configuration["strategy"]
    if not balancers and strategy != "BLUE_GREEN":
        # Service Connect would do in ECS, and is not simulated.
        raise invalid(f"The {SHIFTING[strategy]} deployment strategy requires a load balancer.")
    if any("advancedConfiguration" not in each for each in balancers):
        raise client_error(
            "advancedConfiguration field is required for all loadBalancers when using the "
            f"{SHIFTING[strategy]} deployment strategy"
        )
    for part in (configuration.get(name, {}) for name in PARTS):
        for name, value in part.items():
            if name in LEAST_PERCENT:
                _check_share(name, value)
            else:
                _within(name, value, 0, LONGEST_BAKE)


def _check_share(name: str, percent: float) -> None:
    _within(name, percent, LEAST_PERCENT[name], WHOLE)
    if abs(percent * 10 - round(percent * 10)) > 1e-6:  # noqa: PLR2004 - no binary float is exact
        raise invalid(f"{name} must be a multiple of 0.1.")


def _check_balancers(balancers: Sequence[Json]) -> None:
    with_advanced = [each for each in balancers if "advancedConfiguration" in each]
    if with_advanced and len(with_advanced) < len(balancers):
        raise invalid(
            "Either all or none of the provided loadBalancers must have advancedConfiguration "
            "defined"
        )
    groups = Counter(each["targetGroupArn"] for each in balancers if "targetGroupArn" in each)
    twice = next((arn for arn, count in groups.items() if count > 1), None)
    if twice:
        raise invalid(f"Duplicate targetGroupArn found: {twice}")
    for each in with_advanced:
        _check_advanced(each["advancedConfiguration"])


def _check_advanced(advanced: Json) -> None:
    for name in ADVANCED:
        if not advanced.get(name):
            raise invalid(f"advancedConfiguration.{name} cannot be empty.")
    for name in ("productionListenerRule", "testListenerRule"):
        if name in advanced and not RULE.fullmatch(advanced[name]):
            raise invalid(
                f"{name} has an invalid ARN format. Must be RuleArn for ALB or ListenerArn for "
                f"NLB. Got: {advanced[name]}"
            )
    production = advanced["productionListenerRule"]
    if production == advanced.get("testListenerRule"):
        raise invalid(
            "The following rules cannot be used as both production and test listener rules: "
            f"{production}"
        )


def _check_hooks(configuration: Json) -> None:
    hooks = configuration.get("lifecycleHooks", [])
    for hook in hooks:
        if hook.get("targetType", "AWS_LAMBDA") == "AWS_LAMBDA":
            raise _not_simulated("lifecycle hooks of type AWS_LAMBDA")
        stages = hook.get("lifecycleStages", [])
        if not stages:
            raise invalid("lifecycleStages cannot be empty.")
        if any(stage in NEVER_PAUSED for stage in stages):
            raise invalid("Invalid lifecycle stage provided for Pause Hook")
        minutes = hook.get("timeoutConfiguration", {}).get("timeoutInMinutes", 1)
        _within("timeoutInMinutes", minutes, 1, LONGEST_PAUSE)
    if len(hooks) > MOST_PAUSE_HOOKS:
        raise invalid("A service can have a maximum of 10 pause hooks.")
    if hooks and configuration["strategy"] == ROLLING:
        raise _not_simulated("lifecycle hooks of rolling deployments")


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise invalid(f"{name} must be between {least} and {most}.")


def _not_simulated(what: str) -> AwsError:
    return AwsError("UnsupportedFeatureException", f"This simulator has no {what}.")
