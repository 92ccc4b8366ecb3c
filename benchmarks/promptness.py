"""How soon a confirmed rollback reaches ECS, and how soon the bot is ready after its start."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median
from threading import Event

from benchmarks.cloud import service_name
from benchmarks.commands import typed
from benchmarks.databases import NewDatabase
from benchmarks.place import Fleet, Place, place
from benchmarks.verdict import Verdict, below, percentile

ROLLBACKS, STARTS = 24, 5
#: Seconds between rollbacks: nobody takes back everything in the same instant.
APART = 0.4
SPEED = 30.0
SLOWEST, READY = 1.0, 3.0


def measure(kind: str, new_database: NewDatabase) -> Iterator[Verdict]:
    with place(new_database(), Fleet(ROLLBACKS, tags=2, speed=SPEED)) as stack:
        delays = _roll_back(stack)
        name = f"/rollback confirmed to UpdateService, {len(delays)} samples, {kind}: p95"
        yield below(name, percentile(delays, 95), "s", SLOWEST)
        starts = [_start(stack) for _ in range(STARTS)]
        yield below(f"process start to ready, {kind}: median", median(starts), "s", READY)


def _roll_back(stack: Place) -> list[float]:
    """Every second service is taken back in the middle of a rollout, the others at rest."""
    services = range(ROLLBACKS)
    stack.fire(4, "is queued", [typed(f"{service_name(n)} staging v1") for n in services])
    stack.until_settled()
    sent: dict[str, float] = {}
    for number in services:
        name = service_name(number)
        if number % 2:
            stack.fire(1, "is queued", [typed(f"{name} staging v2")])
            _until_told(stack, f"{name}-staging", times=2)
        body = typed(f"{name} staging --reason benchmark", "/rollback")
        sent[f"{name}-staging"] = stack.fire(1, "on its way back", [body]).sent[0]
        Event().wait(APART)
    stack.until_settled()
    told: dict[str, float] = {}
    for call in stack.ecs_calls("UpdateService"):
        told[call["parameters"]["service"]] = call["at"]
    return [told[service] - at for service, at in sent.items()]


def _until_told(stack: Place, service: str, *, times: int) -> None:
    def told() -> object:
        calls = stack.ecs_calls("UpdateService")
        return sum(call["parameters"]["service"] == service for call in calls) >= times

    stack.until(told, "ECS to be told", every=0.05)


def _start(stack: Place) -> float:
    stack.bot.stop()
    began = time.monotonic()
    stack.start()
    return time.monotonic() - began
