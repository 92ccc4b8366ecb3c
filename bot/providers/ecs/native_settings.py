"""What ECS is told for a canary by its own strategies, beside what a service is set to. Pure.

ECS keeps how it deploys with the service: what is sent with one deployment stays for all later
ones. So what stood there before is written down as a tag of the service, and set back from it when
nothing of the canary is left.

One PAUSE hook of ours holds the deployment up before each shift of the traffic and once after the
last. So nothing is shifted without our word, and the old version is still whole when the new one
has everything. Each pause that is not answered in time is a rollback.

Bounds: botocore's model of ``DeploymentConfiguration``; ECS's Developer Guide, "Pause hooks".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any

from bot.model.canary_plan import CanaryPlan, Native
from bot.model.native_shares import Kind

Configuration = Mapping[str, Any]

#: The service's tag that says what its deployments were like before the canary.
BEFORE_TAG = "quarterdeck:before-canary"
#: Where our hook pauses. No other has exactly these: that is how it is known again.
PAUSES = ("PRE_PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT")
ROLLING = "ROLLING"
STRATEGIES: Mapping[Kind, str] = {
    "canary": "CANARY",
    "linear": "LINEAR",
    "blue_green": "BLUE_GREEN",
}
#: Of a strategy: its part of the configuration, the share in it, and minutes after each shift.
PARTS = {
    "CANARY": ("canaryConfiguration", "canaryPercent", "canaryBakeTimeInMinutes"),
    "LINEAR": ("linearConfiguration", "stepPercent", "stepBakeTimeInMinutes"),
}
#: In minutes: how long a pause and a bake may last.
LONGEST_PAUSE, LONGEST_BAKE = 20160, 1440
_PARTS = frozenset(name for name, _, _ in PARTS.values())
_OF_ROLLING_ONLY = "earlySuccessCriteria"


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a plan cannot be, and what to do about it: whole sentences."""

    text: str
    hint: str = "Set that right, or deploy with --rolling."


def kind_of(plan: CanaryPlan) -> Kind:
    """Which of ECS's strategies the plan asks for."""
    return (plan.native or Native()).kind


def misfit(plan: CanaryPlan) -> Misfit | None:
    """What of the plan ECS cannot do."""
    if _minutes(plan.clean_up_after) > LONGEST_BAKE:
        return Misfit("ECS keeps the old version for a day at most after the last shift.")
    return None


# --- the configuration ---------------------------------------------------------------------------


def deploying(configuration: Configuration, plan: CanaryPlan) -> dict[str, Any]:
    """The whole configuration of the canary's deployment. What is not ours in it stays.

    The bakes between ECS's shifts are none: our pauses are. An alarm that only stops deployments
    would leave the traffic split, so that for as long it rolls back.
    """
    left_out = _PARTS | {_OF_ROLLING_ONLY}
    kept = {key: value for key, value in configuration.items() if key not in left_out}
    strategy = STRATEGIES[kind_of(plan)]
    if strategy in PARTS:
        part, share, bake = PARTS[strategy]
        kept[part] = {share: round(plan.steps[0].share * 100, 1), bake: 0}
    alarms = configuration.get("alarms") or {}
    if alarms.get("enable"):
        kept["alarms"] = {**alarms, "rollback": True}
    return {
        **kept,
        "strategy": strategy,
        "bakeTimeInMinutes": _minutes(plan.clean_up_after),
        "lifecycleHooks": [*others(configuration), _hook(plan)],
    }


def _hook(plan: CanaryPlan) -> dict[str, Any]:
    return {
        "targetType": "PAUSE",
        "lifecycleStages": list(PAUSES),
        "timeoutConfiguration": {"timeoutInMinutes": pause_minutes(plan), "action": "ROLLBACK"},
    }


def pause_minutes(plan: CanaryPlan) -> int:
    """How long ECS waits for our word: longer than the plan could take by itself."""
    bakes = sum((step.bake for step in plan.steps), timedelta())
    # Each step may bake twice, be without a verdict for a while, and wait for people.
    longest = 2 * bakes + len(plan.steps) * plan.patience + plan.answer_within
    return min(max(60, _minutes(longest)), LONGEST_PAUSE)


def is_set(configuration: Configuration) -> bool:
    """Whether a canary's settings are there."""
    return any(map(_ours, _hooks(configuration)))


def others(configuration: Configuration) -> list[Mapping[str, Any]]:
    """The hooks that are not ours."""
    return [each for each in _hooks(configuration) if not _ours(each)]


def pauses_of_others(configuration: Configuration) -> frozenset[str]:
    """At which stages a deployment waits for somebody else's word."""
    return frozenset(
        stage
        for each in others(configuration)
        if each.get("targetType") == "PAUSE"
        for stage in each.get("lifecycleStages", ())
    )


def before(configuration: Configuration) -> str:
    """What a canary's settings take the place of, as a tag's value.

    ``strategy=LINEAR bake=5 percent=20 minutes=10 alarms=stop``; only what is there.
    """
    strategy = configuration.get("strategy", ROLLING)
    words = {"strategy": strategy, "bake": configuration.get("bakeTimeInMinutes", 0)}
    if strategy in PARTS:
        name, share, bake = PARTS[strategy]
        part = configuration.get(name) or {}
        words |= {"percent": f"{part.get(share, 0):g}", "minutes": part.get(bake, 0)}
    alarms = configuration.get("alarms") or {}
    if alarms.get("enable") and not alarms.get("rollback"):
        words["alarms"] = "stop"
    return " ".join(f"{key}={value}" for key, value in words.items())


def restored(configuration: Configuration, tag: str | None) -> dict[str, Any]:
    """The configuration as it was before the canary, which ``before`` told; all else stays.

    Where the tag is gone, deployments roll, as they do unless somebody sets them otherwise.
    """
    words = dict(word.split("=", 1) for word in (tag or "").split() if "=" in word)
    strategy = words.get("strategy", ROLLING)
    found = {key: value for key, value in configuration.items() if key not in _PARTS}
    if strategy in PARTS and {"percent", "minutes"} <= set(words):
        name, share, bake = PARTS[strategy]
        found[name] = {share: float(words["percent"]), bake: int(words["minutes"])}
    alarms = configuration.get("alarms")
    if alarms and words.get("alarms") == "stop":
        found["alarms"] = {**alarms, "rollback": False}
    return {
        **found,
        "strategy": strategy,
        "bakeTimeInMinutes": int(words.get("bake", 0)),
        "lifecycleHooks": others(configuration),
    }


def _hooks(configuration: Configuration) -> Sequence[Mapping[str, Any]]:
    return configuration.get("lifecycleHooks") or ()


def _ours(hook: Mapping[str, Any]) -> bool:
    stages = hook.get("lifecycleStages", ())
    return hook.get("targetType") == "PAUSE" and sorted(stages) == sorted(PAUSES)


def _minutes(duration: timedelta) -> int:
    return ceil(duration.total_seconds() / 60)
