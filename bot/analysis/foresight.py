"""What a plan's traffic can show, said before the canary starts."""

from __future__ import annotations

from dataclasses import replace
from math import log, sqrt

from bot.analysis.judge import EXCLUDED
from bot.analysis.plan import Plan, Step
from bot.analysis.wording import percent, points

#: Errors of a healthy canary stay below their mean plus so many deviations four times in five.
FOUR_IN_FIVE = 0.8416
#: Shares and bakes that are suggested: nobody gives a canary more than half of the traffic, and
#: nobody waits longer than two hours.
SHARES = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
LONGEST_MINUTES = 120
MINUTES = (10, 15, 20, 30, 45, 60, 90, LONGEST_MINUTES)


def excludable(plan: Plan, requests: float) -> float:
    """The smallest increase of the error rate that ``requests`` of a healthy canary exclude.

    As a share of requests, with four chances in five; 1 where they exclude nothing. The same
    likelihood ratio as in ``judge.excluded``, solved by bisection: it grows with the increase.
    """
    history = plan.history
    expected = history.rate * requests
    errors = expected + FOUR_IN_FIVE * sqrt(history.dispersion * expected)

    def told(increase: float) -> float:
        theta = plan.tolerance.ratio + increase / history.rate
        return (expected * (theta - 1) - errors * log(theta)) / history.dispersion

    low, high = 0.0, 1.0
    if told(high) < EXCLUDED:
        return 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if told(middle) >= EXCLUDED else (middle, high)
    return high


def foreseen(plan: Plan, number: int, per_second: float, tick_seconds: float) -> str:
    """What step ``number`` can rule out at ``per_second`` requests to the whole service.

    Where that is less than it was asked for, a larger share or a longer bake is suggested.
    """
    step = plan.steps[number]
    if per_second <= 0:
        return "Without traffic this canary can show nothing."
    at = f"At {per_second:,.3g} requests/s this canary"
    smallest = _smallest(plan, step, per_second * tick_seconds)
    if smallest <= step.increase:
        return f"{at} can rule out an error increase above {points(smallest)}."
    said = f"{at} can rule out no error increase at all in this time."
    if smallest < 1:
        said = f"{at} can rule out only an error increase above {points(smallest)}."
    return f"{said} {_suggestion(plan, step, per_second, tick_seconds)}"


def _smallest(plan: Plan, step: Step, per_tick: float) -> float:
    # The first ticks of a step do not count for a pass, as new tasks start cold.
    ticks = max(step.bake - sum(1 for each in plan.tolerance.warm_up if each > 0), 0)
    return excludable(plan, per_tick * step.share * ticks)


def _suggestion(plan: Plan, step: Step, per_second: float, tick_seconds: float) -> str:
    per_tick = per_second * tick_seconds

    def suffices(share: float, bake: int) -> bool:
        other = replace(step, share=share, bake=bake)
        return _smallest(plan, other, per_tick) <= step.increase

    larger = next((s for s in SHARES if s > step.share and suffices(s, step.bake)), None)
    bakes = ((minutes, round(60 * minutes / tick_seconds)) for minutes in MINUTES)
    longer = next((m for m, bake in bakes if bake > step.bake and suffices(step.share, bake)), None)
    asked = f"To rule out {points(step.increase)}, "
    ways = []
    if larger is not None:
        ways.append(f"give it {percent(larger)} of the traffic")
    if longer is not None:
        ways.append(f"let it bake for {longer} minutes")
    if not ways:
        return f"{asked}neither half of the traffic nor two hours would do."
    return f"{asked}{' or '.join(ways)}."
