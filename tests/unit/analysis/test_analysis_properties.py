from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.analysis.evidence import KEPT, blank, fold
from bot.analysis.history import History
from bot.analysis.judge import Docket, judge, nothing
from bot.analysis.plan import Limits, Plan, Step
from bot.analysis.terms import termed
from bot.analysis.tick import COLUMNS, Slice, Tick
from bot.analysis.verdict import Outcome
from bot.model.counts import Arm
from tests.unit.analysis.canary_cases import PLAN


@st.composite
def arms(draw: st.DrawFn) -> Arm:
    requests = draw(st.sampled_from([0, 1, 3, 30, 300, 3000]))
    few = st.integers(0, requests) | st.integers(0, min(requests, 9))
    return Arm(requests, draw(few), (draw(few), draw(few), draw(few)), draw(few), draw(few))


STEPS = (Step(0.1, 3), Step(0.5, 3, requests=50))
plans = st.builds(
    Plan,
    st.just(STEPS),
    st.builds(
        History,
        rate=st.sampled_from([0.0005, 0.003, 0.05]),
        upper=st.sampled_from([0.05, 0.2]),
        quantiles=st.sampled_from([None, (0.1, 0.3, 0.6)]),
        dispersion=st.sampled_from([1.0, 1.7, 4.0]),
    ),
    limits=st.builds(Limits, error_rate=st.sampled_from([0.01, 0.5]), p95=st.sampled_from([0.5])),
)


@st.composite
def canaries(draw: st.DrawFn, ticks: int = 8) -> list[Tick]:
    turn = draw(st.integers(0, ticks))
    return [Tick(draw(arms()), draw(arms()), int(at >= turn)) for at in range(ticks)]


@settings(max_examples=40)
@given(st.lists(st.tuples(plans, canaries()), min_size=1, max_size=4))
def test_many_folded_tick_by_tick_say_what_each_replayed_alone_says(
    cases: list[tuple[Plan, list[Tick]]],
) -> None:
    docket = Docket.opened([plan for plan, _ in cases])
    for at in range(8):
        docket = docket.heard([ticks[at] for _, ticks in cases])
        if at not in {2, 7}:
            continue
        replayed = [judge(ticks[: at + 1], plan) for plan, ticks in cases]
        for folded, alone in zip(docket.verdicts(), replayed, strict=True):
            assert folded.because == alone.because
            assert folded.text == alone.text
            assert np.isclose(folded.figures.error_odds, alone.figures.error_odds)


@settings(max_examples=20)
@given(plans, canaries())
def test_a_replay_says_the_same_to_the_last_bit(plan: Plan, ticks: list[Tick]) -> None:
    assert judge(ticks, plan) == judge(list(ticks), plan)


@settings(max_examples=40)
@given(canaries(), st.integers(0, 8))
def test_a_tick_without_traffic_of_the_canary_changes_no_odds(ticks: list[Tick], at: int) -> None:
    gap = nothing(ticks[min(at, 7)].step)
    plan = replace(PLAN, steps=STEPS)
    without = judge(ticks, plan).figures
    with_gap = judge([*ticks[:at], gap, *ticks[at:]], plan).figures
    assert replace(with_gap, silent=0) == replace(without, silent=0)


@settings(max_examples=60)
@given(canaries(), st.integers(1, 100))
def test_more_errors_of_the_canary_never_speak_for_it(ticks: list[Tick], more: int) -> None:
    plan = replace(PLAN, steps=STEPS)
    *before, last = ticks
    worse = replace(last.canary, errors=min(last.canary.requests, last.canary.errors + more))
    one = judge(ticks, plan)
    other = judge([*before, replace(last, canary=worse)], plan)
    assert other.figures.error_odds >= one.figures.error_odds * (1 - 1e-9)
    assert one.outcome is not Outcome.ABORT or other.outcome is Outcome.ABORT


@settings(max_examples=5)
@given(
    st.integers(0, 2**32), st.sampled_from([0.0005, 0.003, 0.05]), st.sampled_from([3, 30, 3000])
)
def test_healthy_canaries_are_hardly_ever_given_up(seed: int, rate: float, per_tick: int) -> None:
    # Counts of requests that are independent of each other, as the formulas have it: at an alpha
    # of .04 for each of two families 16 of 200 are the most that is to be expected. Healthy ones
    # are well within what is tolerated, so that 8 are beyond any luck.
    many, rng = 200, np.random.default_rng(seed)
    terms = termed([Plan(history=History(rate=rate, upper=min(1.3 * rate, 1)))] * many)
    evidence = blank(many)
    chances = np.array([rate, 0.25, 0.05, 0.01, 0.05, 0])
    for _ in range(30):
        canary, stable = np.zeros((many, COLUMNS)), np.zeros((many, COLUMNS))
        for counts, requests in ((canary, per_tick), (stable, 9 * per_tick)):
            counts[:, 0] = requests
            counts[:, 1:] = rng.binomial(requests, chances, (many, 6))
        evidence = fold(evidence, Slice(canary, stable, np.zeros(many, dtype=np.int64)), terms)
    assert (evidence.given_up != KEPT).sum() <= 8
