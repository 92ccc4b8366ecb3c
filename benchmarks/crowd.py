"""Two hundred rollouts at once in one process: memory, processor, and calls to ECS."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.cloud import service_name
from benchmarks.commands import typed
from benchmarks.databases import NewDatabase
from benchmarks.place import Fleet, place
from benchmarks.verdict import Verdict, at_most, below
from bot.model.deployment import Status

FEW, MANY, CLIENTS = 20, 200, 20
#: Rollouts of three quarters of a minute: all of them are under way at the same time.
SPEED = 2.0
MEBIBYTES, CORES = 200.0, 1.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What one crowd cost: the process's peak, its share of a core, and calls per rollout."""

    mebibytes: float
    cores: float
    calls: float


def measure(databases: dict[str, NewDatabase]) -> Iterator[Verdict]:
    """The small crowds at the same time, then the large ones one after the other."""
    with ThreadPoolExecutor(len(databases)) as pool:
        few = list(pool.map(lambda new: _crowd(new(), FEW), databases.values()))
    for (kind, new), small in zip(databases.items(), few, strict=True):
        many = _crowd(new(), MANY)
        name = f"{MANY} rollouts at once, {kind}"
        yield below(f"{name}: resident memory, peak", many.mebibytes, "MiB", MEBIBYTES)
        yield below(f"{name}: processor", many.cores, "cores", CORES)
        against = f"{name}: ECS calls per rollout, against {FEW}"
        yield at_most(against, many.calls, small.calls, "", 0.99)


def _crowd(database_url: str, size: int) -> Cost:
    with place(database_url, Fleet(size, speed=SPEED)) as stack:
        before, began = stack.bot.cpu_seconds(), time.monotonic()
        bodies = [typed(f"{service_name(number)} staging v1") for number in range(size)]
        stack.fire(CLIENTS, "", bodies)
        made = stack.until_settled()
        seconds = time.monotonic() - began
        cores = (stack.bot.cpu_seconds() - before) / seconds
        wrong = [each for each in made if each.status is not Status.SUCCEEDED]
        if len(made) != size or wrong:
            raise AssertionError(f"{len(made)} of {size} rollouts, wrong: {wrong[:3]}")
        return Cost(stack.bot.peak_mebibytes(), cores, len(stack.ecs_calls()) / size)
