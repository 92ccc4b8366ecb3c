"""Conditions of an Application: no status, only a type and a message."""

from __future__ import annotations

from bot.playground.kube.resources import Json


def set_conditions(status: Json, told: list[Json], evaluated: tuple[str, ...], now: str) -> None:
    """Replace the conditions of the types that were looked at; one that stays keeps its time."""
    before = status.get("conditions", [])
    kept = [each for each in before if each["type"] not in evaluated]
    for each in told:
        same = [b for b in before if (b["type"], b["message"]) == (each["type"], each["message"])]
        kept += same[:1] or [{**each, "lastTransitionTime": now}]
    status["conditions"] = sorted(kept, key=lambda each: (each["type"], each["message"]))
    if not kept:
        del status["conditions"]
