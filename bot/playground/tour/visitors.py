"""Who comes to the demo's backend, through which load balancers, and how its canaries go there.

Visitors and CloudWatch go by the clock on the wall, as the bot does; only ECS is in fast motion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Unpack

from bot.playground.aws.balancers import Front
from bot.playground.aws.blueprints import ServiceOptions
from bot.playground.aws.metrics import Publication
from bot.playground.aws.world import World

SERVICE: Final = "backend"
#: Requests a second in each environment, and how much they vary by themselves.
PER_SECOND: Final = {"staging": 120.0, "production": 200.0}
WOBBLE = 0.05
#: Minutes of the past: the bot wants an hour that is whole, and may ask late.
HISTORY = 75
#: Sooner than AWS's, so that a minute is judged soon after it has passed. Seconds.
PUBLICATION: Final = Publication(least=2.0, most=5.0, revised=0.5, missing=0.1, settled=8.0)

#: By environment.
Fronts = Mapping[str, Front]

_CANARY = """\
    canary:
      weighted:
        rule: "{rule}"
        stable: "{stable}"
        canary: "{canary}"
      # Minutes in place of quarters of an hour: nobody waits for a demo.
      steps:
        - {{share: 10%, bake: 2m}}
        - {{share: 50%, bake: 2m}}
      warm_up: 1m
      patience: 10m
      answer_within: 30m
      clean_up_after: 15s
      # The demo's CloudWatch is faster than AWS's: leave this out elsewhere.
      cloudwatch: {{settles_after: 10s}}
"""


def receive(world: World, environment: str, **service: Unpack[ServiceOptions]) -> Front:
    """Make the service there, with visitors and what CloudWatch knows of the hour before.

    ``service``: how it is made, as in ``ServiceOptions``.
    """
    world.metrics.publication = PUBLICATION
    return world.balancers.create_service(
        environment,
        SERVICE,
        front=f"{SERVICE}-{environment}",
        per_second=PER_SECOND[environment],
        wobble=WOBBLE,
        history=HISTORY,
        **service,
    )


def canary_plan(front: Front) -> str:
    """The part of the catalog that says how canaries go behind that load balancer."""
    return _CANARY.format(rule=front.rule, stable=front.stable, canary=front.canary)
