"""Which shares of the traffic ECS's own strategies can give a new version. Pure.

Bounds: botocore's model of ``DeploymentConfiguration`` (``CanaryConfiguration``,
``LinearConfiguration``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Kind = Literal["canary", "linear", "blue_green"]

#: Shares in thousandths: ECS takes tenths of a percent, and linear steps from 3 % on.
WHOLE, LEAST_STEP = 1000, 30

#: The steps of a plan that names none, as shares.
USUAL: dict[Kind, tuple[float, ...]] = {
    "canary": (0.1,),
    "linear": (0.25, 0.5, 0.75),
    "blue_green": (1.0,),
}


def wrong(kind: Kind, shares: Sequence[float]) -> str:
    """Why ECS cannot go by these steps, and what to write instead: a clause, or nothing."""
    if any((share := round(each * WHOLE, 6)) != int(share) for each in shares):
        return "ECS takes shares in tenths of a percent"
    return {"canary": _canary, "linear": _linear, "blue_green": _blue_green}[kind](shares)


def _canary(shares: Sequence[float]) -> str:
    if len(shares) == 1:
        return ""
    return (
        "ECS's canary deployments have one step before everything, and the plan has "
        f"{len(shares)}: give it one, or kind: linear for equal ones"
    )


def _linear(shares: Sequence[float]) -> str:
    first = round(shares[0] * WHOLE)
    if first < LEAST_STEP:
        return "the steps of ECS's linear deployments are 3% at least"
    equal = [each / WHOLE for each in range(first, WHOLE, first)]
    if [round(share, 3) for share in shares] == equal:
        return ""
    wanted = ", ".join(f"{100 * each:g}%" for each in equal)
    return (
        f"ECS's linear deployments go by equal steps: from {100 * equal[0]:g}% on these are "
        f"{wanted}; write them so, or give the plan kind: canary and one step"
    )


def _blue_green(shares: Sequence[float]) -> str:
    if list(shares) == [1.0]:
        return ""
    return (
        "ECS's blue/green deployments shift everything at once: give the plan one step of 100%, "
        "whose bake is how long the old version stands by"
    )
