from __future__ import annotations

from bot.analysis.history import History
from bot.analysis.plan import Plan, Step
from bot.analysis.tick import Tick
from bot.model.counts import Arm

HISTORY = History(rate=0.003, upper=0.004, quantiles=(0.1, 0.3, 0.6))
PLAN = Plan(history=HISTORY)
BAKE = 30

#: 100 requests/s, a tenth of them for the canary, in ticks of 30 seconds.
USUAL = Arm(2700, 8, (675, 135, 27), 135)
ALIKE = Arm(300, 1, (70, 13, 3), 0)


def tick(canary: Arm = ALIKE, stable: Arm = USUAL, step: int = 0) -> Tick:
    return Tick(canary, stable, step)


def failing(errors: int, requests: int = 300) -> Tick:
    return tick(Arm(requests, errors))


def plan(*steps: Step) -> Plan:
    return Plan(steps or (Step(0.1, BAKE),), HISTORY)
