"""``python -m benchmarks.cloud``: the local AWS with a fleet of services; prints its URL.

Two clouds with the same arguments give the same rollouts the same lengths.
"""

from __future__ import annotations

import argparse
import signal
import sys
from threading import Event

from bot.playground.aws import World

CLUSTER = "main"
ENVIRONMENTS = ("staging", "production")
#: A rollout of a minute and a half. ECS calls it completed when the service has become what
#: ``services_stable`` asks for: a waiter and the bot wait for the same moment.
PACE = {"provision": 8.0, "pull": 35.0, "health": 25.0, "stop": 18.0, "steady": 0.1, "jitter": 0.3}


def service_name(number: int) -> str:
    return f"app{number}"


def furnish(world: World, services: int, tags: int) -> None:
    """Every service runs v0 in both environments, and has images v0 to v<tags>."""
    world.set_timings(**PACE)
    for name in map(service_name, range(services)):
        digests = [world.push(name, f"v{tag}") for tag in range(tags + 1)]
        for environment in ENVIRONMENTS:
            world.create_service(
                CLUSTER,
                f"{name}-{environment}",
                container="app",
                repository=name,
                image=digests[0],
                desired=2,
            )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cloud", description=__doc__)
    parser.add_argument("--services", type=int, required=True)
    parser.add_argument("--tags", type=int, required=True)
    parser.add_argument("--speed", type=float, required=True)
    chosen = parser.parse_args()
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with World(seed=7, speed=chosen.speed) as world:
        furnish(world, chosen.services, chosen.tags)
        sys.stdout.write(world.serve() + "\n")
        sys.stdout.flush()
        stop.wait()


if __name__ == "__main__":
    main()
