"""Where canaries are judged: from stored ticks to the judge's words.

The evidence is kept in memory to save the replay, and found again from the ticks after a restart:
the same ticks give the same verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import dropwhile
from math import ceil

from bot.analysis.history import summarise
from bot.analysis.judge import Docket
from bot.analysis.plan import Limits, Plan, Step, Tolerance, warming_for
from bot.analysis.tick import Tick
from bot.analysis.verdict import Because, Outcome, Verdict
from bot.model.canary import Canary, Judgement, Measured, Past


@dataclass(frozen=True, slots=True)
class Judged:
    """The newest verdict, and at which step of the plan it was reached, counted from 0.

    ``baked`` counts ticks with traffic of the canary at that step.
    """

    verdict: Verdict
    baked: int
    tick_seconds: int

    @property
    def step(self) -> int:
        """The step of the newest tick with which it was reached."""
        return self.verdict.figures.step

    @property
    def outcome(self) -> Outcome:
        """What to do now, by the judge."""
        return self.verdict.outcome


@dataclass(slots=True)
class _Seat:
    past: Past
    docket: Docket
    heard: int = 0
    baked: int = 0
    step: int = 0


class Bench:
    """The evidence on all open canaries of this process."""

    def __init__(self) -> None:
        self._seats: dict[str, _Seat] = {}

    def judge(self, canary: Canary, ticks: Sequence[Measured]) -> Judged | None:
        """After all of ``ticks``, oldest first; ``None`` before the stable version is known."""
        if canary.past is None:
            return None
        seat = self._seats.get(canary.deployment_id)
        if seat is None or seat.past != canary.past or seat.heard > len(ticks):
            seat = _Seat(canary.past, Docket.opened([analysis_plan(canary, canary.past)]))
            self._seats[canary.deployment_id] = seat
        for each in ticks[seat.heard :]:
            _hear(seat, each)
        (verdict,) = seat.docket.verdicts()
        return Judged(verdict, seat.baked, seat.past.tick_seconds)

    def forget(self, kept: set[str]) -> None:
        """Drop the evidence on all but these."""
        self._seats = {name: seat for name, seat in self._seats.items() if name in kept}


def _hear(seat: _Seat, measured: Measured) -> None:
    reading = measured.reading
    seat.docket = seat.docket.heard([Tick(reading.canary, reading.stable, measured.step)])
    seat.heard += 1
    if measured.step != seat.step:
        seat.step, seat.baked = measured.step, 0
    seat.baked += reading.canary.requests > 0


def analysis_plan(canary: Canary, past: Past) -> Plan:
    """The catalog's plan in the judge's terms: bakes in ticks, history summed up."""
    plan = canary.plan
    tick, warm_up = past.tick_seconds, plan.warm_up
    bakes = [in_ticks(step.bake, tick) for step in plan.steps]
    return Plan(
        steps=tuple(
            Step(step.share, bake, step.increase, step.requests)
            for step, bake in zip(plan.steps, bakes, strict=True)
        ),
        history=summarise(past.ticks, past.quantiles, past.pods),
        tolerance=Tolerance() if warm_up is None else warming_for(in_ticks(warm_up, tick)),
        limits=Limits(plan.limits.error_rate, plan.limits.p95),
        extension=max(bakes) if plan.inconclusive == "extend" else 0,
    )


def in_ticks(duration: timedelta, tick_seconds: int) -> int:
    """How many ticks last at least that long; one at least, unless it is no time at all."""
    return ceil(duration.total_seconds() / tick_seconds)


def per_second(past: Past) -> float:
    """The whole service's requests a second of late.

    Not over the whole hour: where versions are told apart by their pods' hash, it may hold what
    the stable version had when it was a canary itself. Of what runs for less: since its first
    request.
    """
    newest = past.ticks[-max(LATELY // past.tick_seconds, 1) :]
    lately = newest if any(arm.requests for arm in newest) else past.ticks
    ticks = list(dropwhile(lambda arm: not arm.requests, lately))
    seconds = len(ticks) * past.tick_seconds
    return sum(arm.requests for arm in ticks) / seconds if seconds else 0.0


#: Seconds over which requests are counted to say how many there are.
LATELY = 300
#: What ends a step, and says nothing of the next one.
_OF_ITS_STEP = frozenset({Outcome.PASS, Outcome.INCONCLUSIVE})


def judgement(judged: Judged, step: int) -> Judgement:
    """As it is kept beside the canary that is at that step, for its card."""
    verdict, figures = judged.verdict, judged.verdict.figures
    outcome, because, text = verdict.outcome, verdict.because, verdict.text
    if judged.step != step and outcome in _OF_ITS_STEP:
        outcome, because = Outcome.HOLD, Because.BAKING
        text = "Nothing of this step was measured yet."
    return Judgement(
        outcome=outcome.value,
        because=because.value,
        text=text,
        odds=figures.odds,
        canary=figures.canary,
        stable=figures.stable,
    )
