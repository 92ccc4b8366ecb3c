"""What a service needs in order to be deployed by blue/green, linear or canary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from bot.playground.aws.records import Json


class ShiftingOptions(TypedDict, total=False):
    """How ``World.create_service`` makes a service whose deployments shift traffic.

    ``strategy`` (``ROLLING``), ``percent`` (of the canary, or of each linear step; as ECS has it),
    ``step_bake_minutes`` (after the canary or each linear step; as ECS has it), ``pauses`` (stages
    at which each deployment waits to be continued; none), ``pause_minutes`` and ``pause_action``
    (what happens after which time; as ECS has it), ``test_listener`` (False: whether the load
    balancer has a rule for test traffic), ``advanced`` (``advancedConfiguration`` of load balancers
    that are there).
    """

    strategy: str
    percent: float
    step_bake_minutes: int
    pauses: Sequence[str]
    pause_minutes: int
    pause_action: str
    test_listener: bool
    advanced: Json


PARTS = {
    "CANARY": ("canaryConfiguration", "canaryPercent", "canaryBakeTimeInMinutes"),
    "LINEAR": ("linearConfiguration", "stepPercent", "stepBakeTimeInMinutes"),
}


def shifting_configuration(options: ShiftingOptions) -> Json:
    """Its part of ``deploymentConfiguration``."""
    strategy = options.get("strategy", "ROLLING")
    configuration: Json = {"strategy": strategy}
    if strategy in PARTS:
        part, share, bake = PARTS[strategy]
        chosen = {share: options.get("percent"), bake: options.get("step_bake_minutes")}
        configuration[part] = {name: each for name, each in chosen.items() if each is not None}
    if options.get("pauses"):
        timeout = {
            "timeoutInMinutes": options.get("pause_minutes"),
            "action": options.get("pause_action"),
        }
        hook: Json = {
            "targetType": "PAUSE",
            "lifecycleStages": list(options["pauses"]),
            "timeoutConfiguration": {k: each for k, each in timeout.items() if each is not None},
        }
        configuration["lifecycleHooks"] = [hook]
    return configuration
