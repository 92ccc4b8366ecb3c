"""The judge: from closed ticks and the plan to a verdict, and nothing else.

``judge`` replays all ticks of one canary. ``Docket`` keeps the evidence on many and takes one tick
of each; what it says is what a replay says. Neither looks at a clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from bot.analysis.evidence import (
    BY_ERROR_LIMIT,
    BY_ERRORS,
    BY_HISTORY,
    BY_SLOWNESS,
    BY_TIME_LIMIT,
    Evidence,
    Odds,
    alone,
    blank,
    breached,
    fold,
    odds,
)
from bot.analysis.plan import Plan
from bot.analysis.terms import Terms, termed
from bot.analysis.tick import ERRORS, REQUESTS, Floats, Slice, Tick, Truths, sliced
from bot.analysis.verdict import Because, Figures, Verdict
from bot.analysis.wording import told
from bot.model.counts import Arm

#: An increase is excluded with 19 to 1.
EXCLUDED = log(20)
#: Evidence that does not abort yet, but that nobody should promote on.
SUSPECT = log(10)
#: Odds are told up to here: beyond, only the exponent of a number nobody reads would change.
MOST_ODDS = 1e12

_GIVEN_UP = {
    BY_ERRORS: Because.ERRORS,
    BY_HISTORY: Because.ERRORS_AGAINST_HISTORY,
    BY_SLOWNESS: Because.SLOWNESS,
    BY_ERROR_LIMIT: Because.ERROR_LIMIT,
    BY_TIME_LIMIT: Because.TIME_LIMIT,
}


def judge(ticks: Sequence[Tick], plan: Plan) -> Verdict:
    """The verdict after all closed ``ticks`` of one canary, oldest first; they may be none."""
    docket = Docket.opened([plan])
    for tick in ticks:
        docket = docket.heard([tick])
    (verdict,) = docket.verdicts()
    return verdict


@dataclass(frozen=True, slots=True)
class Docket:
    """The evidence on the canaries of ``plans``, in their order."""

    plans: tuple[Plan, ...]
    terms: Terms
    evidence: Evidence

    @classmethod
    def opened(cls, plans: Sequence[Plan]) -> Docket:
        """Before the first tick of any."""
        return cls(tuple(plans), termed(plans), blank(len(plans)))

    def heard(self, ticks: Sequence[Tick]) -> Docket:
        """After one more tick of each, in the order of ``plans``: O(grid) per canary.

        One for which nothing was measured gets a tick without requests. Raises ``ValueError``
        where there is not one tick for each plan, or a step that the plan does not have.
        """
        if len(ticks) != len(self.plans):
            raise ValueError(f"{len(self.plans)} canaries need as many ticks, not {len(ticks)}.")
        for tick, plan in zip(ticks, self.plans, strict=True):
            if not 0 <= tick.step < len(plan.steps):
                raise ValueError(f"The plan has no step {tick.step}.")
        return self.folded(sliced(ticks))

    def folded(self, tick: Slice) -> Docket:
        """The same with columns."""
        return Docket(self.plans, self.terms, fold(self.evidence, tick, self.terms))

    def verdicts(self) -> list[Verdict]:
        """One for each plan, in their order."""
        found, passed = odds(self.evidence, self.terms), breached(self.evidence, self.terms)
        clear = excluded(self)
        return [
            _verdict(self.plans[row], reason, _figures(self.evidence, found, row))
            for row, reason in enumerate(_reasons(self, _Seen(found, passed, clear)))
        ]


@dataclass(frozen=True, slots=True)
class _Seen:
    odds: Odds
    passed: Truths
    clear: Truths


def excluded(docket: Docket) -> Truths:
    """Is an increase by more than the step's ``increase`` excluded? (B,)

    The likelihood ratio of the historical rate r against theta r for Poisson counts of the
    settled ticks of this step, theta = tolerated ratio + increase / r: at least 20 to 1.
    """
    steps = [plan.steps[step] for plan, step in _at_step(docket)]
    terms, settled = docket.terms, docket.evidence.settled
    theta = terms.ratio + np.array([step.increase for step in steps]) / terms.rate
    expected = settled[:, REQUESTS] * terms.rate * (theta - 1)
    drawn: Floats = expected - settled[:, ERRORS] * np.log(theta)
    clear: Truths = drawn / terms.phi >= EXCLUDED
    return clear


def _at_step(docket: Docket) -> Iterator[tuple[Plan, int]]:
    return zip(docket.plans, docket.evidence.step.tolist(), strict=True)


def _reasons(docket: Docket, seen: _Seen) -> Iterator[Because]:
    evidence = docket.evidence
    against = np.where(alone(evidence, docket.terms), seen.odds.past, seen.odds.errors)
    suspect = (np.maximum(against, seen.odds.slow) >= SUSPECT).tolist()
    held: list[bool] = np.any(seen.passed, axis=1).tolist()
    for row, (plan, number) in enumerate(_at_step(docket)):
        given_up = int(evidence.given_up[row])
        step = plan.steps[number]
        if given_up:
            yield _GIVEN_UP[given_up]
        elif not evidence.ticks[row] or evidence.silent[row]:
            yield Because.NO_TRAFFIC
        elif held[row]:
            yield Because.SHARED_INCIDENT
        elif evidence.since[row] < step.bake:
            yield Because.BAKING
        elif suspect[row]:
            yield Because.SUSPICION
        elif evidence.stepped[row, REQUESTS] < step.requests:
            yield Because.TOO_FEW_REQUESTS
        else:
            yield Because.INCREASE_EXCLUDED if seen.clear[row] else Because.NOT_EXCLUDED


def _figures(evidence: Evidence, found: Odds, row: int) -> Figures:
    def to_one(logs: Floats) -> float:
        return float(np.exp(min(logs[row], log(MOST_ODDS))))

    return Figures(
        step=int(evidence.step[row]),
        ticks=int(evidence.ticks[row]),
        silent=int(evidence.silent[row]),
        canary=tuple(int(count) for count in evidence.canary[row]),
        stable=tuple(int(count) for count in evidence.stable[row]),
        error_odds=to_one(found.errors),
        history_odds=to_one(found.past),
        slow_odds=to_one(found.slow),
        spared=int(evidence.spared[row]),
    )


def _verdict(plan: Plan, because: Because, figures: Figures) -> Verdict:
    return Verdict(because, told(because, figures, plan), figures)


def nothing(step: int = 0) -> Tick:
    """A tick in which nothing was measured."""
    return Tick(Arm(0), Arm(0), step)
