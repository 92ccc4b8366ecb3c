from __future__ import annotations

from dataclasses import replace

import pytest

from bot.analysis.judge import Docket, judge, nothing
from bot.analysis.plan import Limits, Plan, Step
from bot.analysis.tick import Tick
from bot.analysis.verdict import OUTCOMES, Because, Outcome
from bot.model.counts import Arm
from tests.unit.analysis.canary_cases import ALIKE, BAKE, HISTORY, PLAN, USUAL, failing, plan, tick


def test_every_reason_is_of_one_outcome() -> None:
    assert OUTCOMES.keys() == set(Because)
    assert set(OUTCOMES.values()) == set(Outcome)


def test_before_any_traffic_nothing_is_known() -> None:
    for ticks in ([], [nothing()] * 50):
        verdict = judge(ticks, PLAN)
        assert (verdict.outcome, verdict.because) == (Outcome.HOLD, Because.NO_TRAFFIC)
        assert verdict.figures.error_odds == pytest.approx(1)


def test_a_canary_that_is_alike_bakes_and_then_passes() -> None:
    assert judge([tick()] * (BAKE - 1), PLAN).because is Because.BAKING
    assert judge([tick()] * BAKE, PLAN).because is Because.INCREASE_EXCLUDED
    assert judge([tick()] * BAKE, PLAN).outcome is Outcome.PASS


@pytest.mark.parametrize("requests", [15, 30, 300])
def test_a_canary_that_fails_every_request_is_given_up_in_its_first_tick(requests: int) -> None:
    first = Tick(Arm(requests, requests), Arm(9 * requests, 1))
    verdict = judge([first], PLAN)
    assert verdict.outcome is Outcome.ABORT


def test_a_crash_loop_is_not_excused_by_errors_that_came_in_clusters_before() -> None:
    clustered = replace(PLAN, history=replace(HISTORY, dispersion=8.0))
    assert judge([Tick(Arm(20, 20), Arm(180))], clustered).because is Because.ERROR_LIMIT


def test_errors_of_the_canary_alone_are_given_up() -> None:
    assert judge([failing(15)] * 10, PLAN).because is Because.ERRORS


def test_little_traffic_is_judged_by_history_too() -> None:
    sparse = [Tick(Arm(3, 1), Arm(12))] * 12
    verdict = judge(sparse, PLAN)
    assert verdict.because is Because.ERRORS_AGAINST_HISTORY


def test_the_same_errors_in_both_are_an_incident_and_held() -> None:
    both = tick(Arm(300, 60), Arm(2700, 540))
    verdict = judge([tick()] * 10 + [both] * 15, PLAN)
    assert (verdict.outcome, verdict.because) == (Outcome.HOLD, Because.SHARED_INCIDENT)


def test_after_an_incident_the_canary_is_judged_again() -> None:
    both = tick(Arm(300, 60), Arm(2700, 540))
    during = [tick()] * 5 + [both] * 5
    assert judge(during, PLAN).because is Because.SHARED_INCIDENT
    assert judge(during + [tick()] * 5, PLAN).because is Because.BAKING


def test_after_an_incident_the_step_passes_by_what_there_was_beside_it() -> None:
    both = tick(Arm(300, 60), Arm(2700, 540))
    ticks = [tick()] * 10 + [both] * 5 + [tick()] * 20
    verdict = judge(ticks, PLAN)
    assert verdict.because is Because.INCREASE_EXCLUDED
    assert "those of an incident among them. Beside it an increase" in verdict.text


def test_in_an_incident_the_worse_canary_is_still_given_up() -> None:
    worse = tick(Arm(300, 150), Arm(2700, 270))
    assert judge([tick()] * 5 + [worse] * 10, PLAN).outcome is Outcome.ABORT


def test_a_limit_is_kept_where_tolerance_would_allow_more() -> None:
    # 4.2 times the errors of a service that hardly fails, which the floor tolerates for long.
    quiet = replace(HISTORY, rate=0.0002, upper=0.0003)
    ticks = [tick(Arm(3000, 3), Arm(27_000, 6))] * 40
    free = Plan((Step(0.1, 60),), quiet)
    assert judge(ticks, free).outcome is Outcome.HOLD
    limited = replace(free, limits=Limits(error_rate=0.0005))
    assert judge(ticks, limited).because is Because.ERROR_LIMIT


def test_a_limit_that_the_stable_breaks_too_is_held() -> None:
    limited = replace(PLAN, limits=Limits(error_rate=0.01))
    both = tick(Arm(300, 9), Arm(2700, 81))
    assert judge([both] * 40, limited).because is Because.SHARED_INCIDENT


def test_a_limit_of_response_time_is_kept_only_against_the_canary() -> None:
    limited = replace(PLAN, limits=Limits(p95=0.5))
    slow, fine = Arm(300, 1, over=60), Arm(2700, 8, over=54)
    assert judge([Tick(slow, fine)] * 10, limited).because is Because.TIME_LIMIT
    both = Tick(slow, replace(fine, over=540))
    assert judge([both] * 10, limited).because is Because.SHARED_INCIDENT


def test_a_slower_canary_is_given_up_but_not_in_its_first_ticks() -> None:
    slower = tick(Arm(300, 1, (150, 60, 20)))
    assert judge([slower] * 3, PLAN).because is Because.BAKING
    assert judge([slower] * 8, PLAN).because is Because.SLOWNESS


def test_gross_slowness_is_given_up_at_once() -> None:
    assert judge([tick(Arm(300, 1, (300, 300, 300), 290))], PLAN).because is Because.SLOWNESS


def test_slowness_of_both_is_no_slowness_of_the_canary() -> None:
    both = Tick(Arm(300, 1, (180, 90, 30), 3), Arm(2700, 8, (1620, 810, 270), 810))
    assert judge([tick()] * 5 + [both] * 25, PLAN).outcome is not Outcome.ABORT


def test_a_cold_start_is_put_up_with() -> None:
    cold = [failing(6), failing(4), failing(2)]
    cold[0] = tick(Arm(300, 6, (250, 150, 60)))
    assert judge(cold + [tick()] * 27, PLAN).outcome is Outcome.PASS


def test_each_step_starts_cold_and_bakes_anew() -> None:
    two = plan(Step(0.1, 10), Step(0.25, 10))
    first = [tick()] * 10
    assert judge(first, two).because is Because.INCREASE_EXCLUDED
    cold = [tick(Arm(300, 6), step=1), tick(Arm(300, 4), step=1)]
    assert judge(first + cold, two).because is Because.BAKING
    assert judge(first + cold + [tick(step=1)] * 8, two).because is Because.INCREASE_EXCLUDED


def test_a_regression_that_begins_late_is_still_seen() -> None:
    assert judge([tick()] * 27 + [failing(30)] * 2, PLAN).because is Because.ERRORS


def test_gaps_are_no_information_and_stop_the_clock() -> None:
    with_gaps = [each for _ in range(BAKE) for each in (tick(), nothing(), nothing())]
    dense, sparse = judge([tick()] * BAKE, PLAN), judge(with_gaps[:-2], PLAN)
    assert sparse == dense
    silent = judge(with_gaps, PLAN)
    assert (silent.because, silent.figures.silent) == (Because.NO_TRAFFIC, 2)


def test_a_canary_without_a_stable_beside_it_is_compared_with_nothing() -> None:
    alone = judge([tick(Arm(300, 3), Arm(0))] * 5, PLAN)
    assert alone.because is Because.BAKING
    assert alone.figures.error_odds <= 1


def test_too_little_traffic_does_not_pass() -> None:
    assert judge([Tick(Arm(3), Arm(27))] * BAKE, PLAN).because is Because.NOT_EXCLUDED
    asks = plan(Step(0.1, BAKE, requests=10_000))
    assert judge([tick()] * BAKE, asks).because is Because.TOO_FEW_REQUESTS
    assert judge([tick()] * 34, asks).because is Because.INCREASE_EXCLUDED


def test_what_is_suspicious_is_neither_aborted_nor_promoted() -> None:
    # About thrice the errors for long enough that chance is unlikely, not enough to be sure.
    ticks = [tick()] * 25 + [failing(5)] * 5
    verdict = judge(ticks, PLAN)
    assert verdict.because is Because.SUSPICION
    assert 10 <= verdict.figures.error_odds < 25


def test_what_was_given_up_stays_so() -> None:
    ticks = [failing(300)]
    given_up = judge(ticks, PLAN)
    assert judge(ticks + [tick()] * 50, PLAN) == given_up


def test_a_tick_for_each_canary_and_only_steps_of_the_plan() -> None:
    docket = Docket.opened([PLAN, PLAN])
    with pytest.raises(ValueError, match="2 canaries"):
        docket.heard([tick()])
    with pytest.raises(ValueError, match="no step 1"):
        docket.heard([tick(), tick(step=1)])


def test_counts_that_cannot_be_are_refused() -> None:
    for wrong in ({"errors": 11}, {"slow": (11, 0, 0)}, {"over": -1}):
        with pytest.raises(ValueError, match="there cannot be"):
            Arm(10, **wrong)


def test_usual_counts_are_usual() -> None:
    assert judge([Tick(ALIKE, USUAL)] * 5, PLAN).figures.slow_odds < 1


EVERYTHING = plan(Step(1.0, BAKE))


@pytest.mark.parametrize("errors", [300, 3000])
def test_with_all_of_the_traffic_it_is_judged_by_history(errors: int) -> None:
    verdict = judge([Tick(Arm(3000, errors), Arm(0))], EVERYTHING)
    assert verdict.because is Because.ERRORS_AGAINST_HISTORY
    assert "no stable version beside it to compare with; in the hour before" in verdict.text


def test_with_all_of_the_traffic_it_is_judged_by_limits() -> None:
    clustered = replace(EVERYTHING, history=replace(HISTORY, dispersion=30.0))
    verdict = judge([Tick(Arm(20, 20), Arm(0))], clustered)
    assert verdict.because is Because.ERROR_LIMIT
    assert verdict.text == (
        "Canary 100 % errors of 20, no stable version beside it to compare with. "
        "The canary is beyond the limit of 50 %."
    )


def test_with_all_of_the_traffic_a_good_one_bakes_and_passes() -> None:
    good = [Tick(Arm(3000, 9, (750, 150, 30)), Arm(0))]
    assert judge(good * 3, EVERYTHING).text == (
        "Canary 0.3 % errors of 9,000, no stable version beside it to compare with; "
        "nothing speaks against it so far."
    )
    assert judge(good * BAKE, EVERYTHING).outcome is Outcome.PASS


def test_with_all_of_the_traffic_a_slow_one_is_beyond_the_limit() -> None:
    limited = replace(EVERYTHING, limits=Limits(p95=0.5))
    verdict = judge([Tick(Arm(3000, 9, over=600), Arm(0))], limited)
    assert verdict.because is Because.TIME_LIMIT
    assert verdict.text == (
        "20 % of the canary's 3,000 requests took longer than 500 ms; 5 % may. "
        "The canary is beyond the limit."
    )


def test_with_all_of_the_traffic_what_is_unlikely_is_not_promoted() -> None:
    # Thrice the errors of the hour before, for long enough that chance is unlikely.
    ticks = [Tick(Arm(3000, 9), Arm(0))] * 26 + [Tick(Arm(3000, 31), Arm(0))] * 4
    verdict = judge(ticks, EVERYTHING)
    assert verdict.because is Because.SUSPICION
    assert 10 <= verdict.figures.odds < 25


def test_a_stable_version_that_is_gone_by_itself_is_no_shared_incident() -> None:
    verdict = judge([Tick(Arm(300, 300), Arm(0))] * 3, PLAN)
    assert verdict.outcome is Outcome.HOLD
    assert "Both versions" not in verdict.text
    assert "nobody can tell whose fault that is" in verdict.text
