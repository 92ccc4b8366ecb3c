from __future__ import annotations

from dataclasses import replace

import pytest

from bot.analysis.foresight import excludable, foreseen
from bot.analysis.history import History
from bot.analysis.judge import judge
from bot.analysis.plan import Limits, Plan, Step
from bot.analysis.tick import Tick
from bot.analysis.verdict import Because
from bot.analysis.wording import against_chance, percent, points
from bot.model.counts import Arm
from tests.unit.analysis.canary_cases import HISTORY, PLAN, plan, tick


def test_errors_are_told_with_both_figures_and_the_odds() -> None:
    verdict = judge([tick(), tick(Arm(900, 60))], PLAN)
    assert verdict.because is Because.ERRORS
    said = "Canary 5.1 % errors of 1,200, stable 0.3 % of 5,400; the odds against chance are "
    assert verdict.text.startswith(said)
    assert verdict.text.endswith(" to 1.")


def test_slowness_is_told_with_the_times() -> None:
    text = judge([tick(Arm(300, 1, (150, 60, 20)))] * 8, PLAN).text
    assert text.startswith("Of the canary's requests 20 % of ")
    assert "longer than 345 ms, of the stable's 5 % of " in text
    assert "longer than 300 ms; the odds against chance are " in text


def test_every_reason_has_a_sentence() -> None:
    limited = replace(PLAN, limits=Limits(0.01, 0.5))
    both = tick(Arm(300, 60), Arm(2700, 540))
    said = {
        judge(ticks, each).because: judge(ticks, each).text
        for ticks, each in (
            ([], PLAN),
            ([tick(), Tick(Arm(0), Arm(9))], PLAN),
            ([tick()], PLAN),
            ([tick()] * 30, PLAN),
            ([tick(Arm(3), Arm(27))] * 30, PLAN),
            ([tick()] * 30, plan(Step(0.1, 30, requests=99_999))),
            ([both] * 9, PLAN),
            ([Tick(Arm(300, 1, over=60), Arm(2700, 8, over=54))] * 10, limited),
            ([Tick(Arm(3, 1), Arm(12))] * 12, PLAN),
        )
    }
    assert said == {
        Because.NO_TRAFFIC: "The canary has no traffic now, which says nothing. "
        "Before: canary 0.33 % errors of 300, stable 0.3 % of 2,700.",
        Because.BAKING: "Canary 0.33 % errors of 300, stable 0.3 % of 2,700; "
        "nothing speaks against it so far.",
        Because.INCREASE_EXCLUDED: "Canary 0.33 % errors of 9,000, stable 0.3 % of 81,000. "
        "An increase by more than 1 point is excluded.",
        Because.NOT_EXCLUDED: "Canary 0 % errors of 90, stable 0 % of 810. An increase by more "
        "than 1 point cannot be excluded yet: with more time or a larger share it may be.",
        Because.TOO_FEW_REQUESTS: "Canary 0.33 % errors of 9,000, stable 0.3 % of 81,000. "
        "The plan asks for 99,999 requests of the canary in this step.",
        Because.SHARED_INCIDENT: "Both versions suffer, and the canary is not the worse one: "
        "canary 20 % errors of 2,700, stable 20 % of 24,300.",
        Because.TIME_LIMIT: said[Because.TIME_LIMIT],
        Because.ERRORS_AGAINST_HISTORY: said[Because.ERRORS_AGAINST_HISTORY],
    }
    assert "20 % of the canary's " in said[Because.TIME_LIMIT]
    assert "took longer than 500 ms" in said[Because.TIME_LIMIT]
    assert "and 0.3 % in the hour before; the odds" in said[Because.ERRORS_AGAINST_HISTORY]
    assert judge([], PLAN).text == "The canary has not had any traffic yet, and so says nothing."


@pytest.mark.parametrize(
    ("odds", "said"),
    [
        (0.2, "that may well be chance"),
        (4.4, "the odds against chance are 4 to 1"),
        (43.9, "the odds against chance are 44 to 1"),
        (4012.0, "the odds against chance are 4,000 to 1"),
        (4.3e7, "the odds against chance are more than a million to 1"),
    ],
)
def test_odds_have_the_digits_worth_reading(odds: float, said: str) -> None:
    assert against_chance(odds) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0, "0 %"),
        (0.021, "2.1 %"),
        (0.003, "0.3 %"),
        (0.0004, "0.04 %"),
        (0.123, "12 %"),
        (1, "100 %"),
        (1e-6, "0.0001 %"),
    ],
)
def test_shares_are_percentages(share: float, said: str) -> None:
    assert percent(share) == said


def test_points() -> None:
    assert [points(each) for each in (0.01, 0.016, 0.005)] == [
        "1 point",
        "1.6 points",
        "0.5 points",
    ]


@pytest.mark.parametrize(
    ("per_second", "said"),
    [
        (0, "Without traffic this canary can show nothing."),
        (
            0.01,
            (
                "At 0.01 requests/s this canary can rule out no error increase at all in this time."
                " To rule out 1 point, neither half of the traffic nor two hours would do."
            ),
        ),
        (
            10,
            (
                "At 10 requests/s this canary can rule out only an error increase above 1.1 points."
                " To rule out 1 point, give it 15 % of the traffic or let it bake for 20 minutes."
            ),
        ),
        (100, "At 100 requests/s this canary can rule out an error increase above 0.13 points."),
    ],
)
def test_what_traffic_can_show_is_said_before(per_second: float, said: str) -> None:
    assert foreseen(PLAN, 0, per_second, 30) == said


def test_what_was_foreseen_is_what_the_judge_then_excludes() -> None:
    # 27 ticks count, of 300 requests; a healthy canary at its upper fifth of errors has 29.
    smallest = excludable(PLAN, 27 * 300)
    ticks = [tick(Arm(300, 1))] * 28 + [tick(Arm(300, 2))] * 2
    for increase, because in (
        (1.1 * smallest, Because.INCREASE_EXCLUDED),
        (0.8 * smallest, Because.NOT_EXCLUDED),
    ):
        asked = Plan((Step(0.1, 30, increase=increase),), HISTORY)
        assert judge(ticks, asked).because is because


def test_more_traffic_shows_more_and_clusters_less() -> None:
    assert excludable(PLAN, 1000) > excludable(PLAN, 2000) > excludable(PLAN, 20_000)
    clustered = replace(PLAN, history=History(rate=0.003, upper=0.004, dispersion=4))
    assert excludable(clustered, 2000) > excludable(PLAN, 2000)
