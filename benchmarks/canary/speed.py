"""How long one tick of a thousand canaries takes, from counts to sentences, on one core."""

from __future__ import annotations

import time

from bot.analysis.history import History
from bot.analysis.judge import Docket
from bot.analysis.plan import Plan
from bot.analysis.tick import Tick
from bot.model.counts import Arm

MANY = 1000


def seconds_for_a_thousand() -> float:
    history = History(rate=0.003, upper=0.004, quantiles=(0.1, 0.3, 0.6))
    tick = Tick(Arm(300, 1, (70, 12, 2)), Arm(2700, 8, (700, 130, 25)))
    docket = Docket.opened([Plan(history=history)] * MANY).heard([tick] * MANY)
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        docket = docket.heard([tick] * MANY)
        docket.verdicts()
        best = min(best, time.process_time() - began)
    return best
