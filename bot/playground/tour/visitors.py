"""Who comes to the demo's services, through which load balancers, and how their canaries go there.

Visitors and CloudWatch go by the clock on the wall, as the bot does; only ECS is in fast motion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Unpack

from bot.model.canary_plan import Strategy
from bot.playground.aws.balancers import Front
from bot.playground.aws.blueprints import ServiceOptions
from bot.playground.aws.metrics import Publication
from bot.playground.aws.world import World


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who comes to a service: requests a second. ``strategy`` is that of its canaries."""

    strategy: Strategy
    per_second: float


@dataclass(frozen=True, slots=True)
class Visited:
    """A service in one environment behind a load balancer.

    ``front`` has its rule and the two target groups that the rule shares visitors out to.
    """

    service: str
    environment: str
    strategy: Strategy
    per_second: float
    front: Front


#: By service and environment. How much they vary by themselves is the same for all.
CROWDS: Final[Mapping[tuple[str, str], Crowd]] = {
    ("backend", "staging"): Crowd("weighted", 120.0),
    ("backend", "production"): Crowd("weighted", 200.0),
    ("frontend", "production"): Crowd("native", 150.0),
}
WOBBLE = 0.05
#: Minutes of the past: the bot wants an hour that is whole, and may ask late.
HISTORY = 75
#: Sooner than AWS's, so that a minute is judged soon after it has passed. Seconds.
PUBLICATION: Final = Publication(least=2.0, most=5.0, revised=0.5, missing=0.1, settled=8.0)

_WEIGHTED = """\
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


_NATIVE = """\
    canary:
      # ECS shifts the traffic, and waits for the bot's word before each shift.
      native: {{kind: canary}}
      steps:
        - {{share: 10%, bake: 2m}}
      warm_up: 1m
      patience: 10m
      answer_within: 30m
      clean_up_after: 1m
      cloudwatch: {{settles_after: 10s}}
"""
_PLANS: Final[Mapping[Strategy, str]] = {"weighted": _WEIGHTED, "native": _NATIVE}


def receive(
    world: World, service: str, environment: str, **options: Unpack[ServiceOptions]
) -> Visited:
    """Make a service of ``CROWDS``, with visitors and what CloudWatch knows of the hour before.

    ``options``: how it is made, as in ``ServiceOptions``.
    """
    crowd = CROWDS[service, environment]
    world.metrics.publication = PUBLICATION
    front = world.balancers.create_service(
        environment,
        service,
        front=f"{service}-{environment}",
        per_second=crowd.per_second,
        wobble=WOBBLE,
        history=HISTORY,
        alternating=crowd.strategy == "native",
        **options,
    )
    return Visited(service, environment, crowd.strategy, crowd.per_second, front)


def front_of(visited: Sequence[Visited], service: str, environment: str) -> Front:
    """What stands before that service; ``KeyError`` for none."""
    fronts = {(each.service, each.environment): each.front for each in visited}
    return fronts[service, environment]


def canary_plan(visited: Visited) -> str:
    """The part of the catalog that says how canaries go there."""
    front = visited.front
    return _PLANS[visited.strategy].format(
        rule=front.rule, stable=front.stable, canary=front.canary
    )


def canary_plans(visited: Sequence[Visited]) -> Mapping[tuple[str, str], str]:
    """Those of all, by service and environment."""
    return {(each.service, each.environment): canary_plan(each) for each in visited}
