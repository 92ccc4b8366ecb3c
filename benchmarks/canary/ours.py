"""The judge on simulated runs: in which tick it gives each canary up."""

from __future__ import annotations

import numpy as np

from benchmarks.canary.scenarios import SHARE, TICKS
from benchmarks.canary.traffic import REPLICAS, Runs
from bot.analysis.evidence import KEPT, Evidence, blank, fold
from bot.analysis.history import summarise
from bot.analysis.judge import Docket
from bot.analysis.plan import Plan, Step, Tolerance
from bot.analysis.terms import Terms
from bot.analysis.tick import Floats, Slice, Whole
from bot.analysis.verdict import Outcome
from bot.model.counts import Arm

#: A canary that is not stopped.
NEVER = 127


def planned(runs: Runs, tolerance: Tolerance | None = None) -> list[Plan]:
    """The plans the judge would have: everything is estimated from the history's counts."""
    plans = []
    for history, times, pods in zip(runs.history, runs.quantiles, runs.pod_deviation, strict=True):
        arms = [_arm(counts) for counts in history]
        summary = summarise(arms, (times[0], times[1], times[2]), (float(pods), REPLICAS))
        plans.append(Plan((Step(SHARE, TICKS),), summary, tolerance or Tolerance()))
    return plans


def stopped(runs: Runs, terms: Terms) -> tuple[Whole, Evidence]:
    """In which tick (from 0; ``NEVER``) each run is given up, (R,), and the evidence at the end."""
    evidence = blank(len(runs.canary))
    found = np.full(len(runs.canary), NEVER)
    step = np.zeros(len(runs.canary), dtype=np.int64)
    for tick in range(TICKS):
        evidence = fold(evidence, Slice(runs.canary[:, tick], runs.stable[:, tick], step), terms)
        found = np.where((evidence.given_up != KEPT) & (found == NEVER), tick, found)
    return found, evidence


def ended(plans: list[Plan], terms: Terms, evidence: Evidence) -> list[Outcome]:
    """What the judge says after the last tick."""
    return [verdict.outcome for verdict in Docket(tuple(plans), terms, evidence).verdicts()]


def _arm(counts: Floats) -> Arm:
    requests, errors, first, second, third, gross, _ = (int(each) for each in counts)
    return Arm(requests, errors, (first, second, third), gross)
