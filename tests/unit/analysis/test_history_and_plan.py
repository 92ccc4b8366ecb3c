from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bot.analysis.history import MOST_DISPERSION, PRIOR_RATE, History, dispersion, summarise
from bot.analysis.plan import Limits, Plan, Step, Tolerance, warming_for
from bot.model.counts import Arm


def drawn(clusters: float, seed: int = 7) -> list[Arm]:
    rng = np.random.default_rng(seed)
    sizes = rng.poisson(20 / clusters, 120)
    return [Arm(3000, int(rng.geometric(1 / clusters, many).sum())) for many in sizes]


def test_of_an_unknown_service_little_is_claimed() -> None:
    history = summarise([])
    assert history.rate == pytest.approx(PRIOR_RATE)
    assert history.upper == 1
    assert history == History(rate=history.rate, upper=1.0, dispersion=history.dispersion)


def test_an_hour_without_errors_has_a_rate_and_a_bound() -> None:
    history = summarise([Arm(300)] * 120)
    assert 0 < history.rate < 0.0001
    assert history.rate < history.upper < 0.001


def test_the_bound_covers_the_rate() -> None:
    history = summarise(drawn(1))
    assert history.rate == pytest.approx(20 / 3000, rel=0.05)
    assert history.rate < history.upper < 1.2 * history.rate


def test_gaps_are_left_out() -> None:
    ticks = drawn(1)
    with_gaps = [each for arm in ticks for each in (arm, Arm(0))]
    assert summarise(with_gaps) == summarise(ticks)


def test_clusters_show_in_the_dispersion() -> None:
    # Geometric clusters of mean m have an index of dispersion of 2 m - 1.
    assert summarise(drawn(1)).dispersion == pytest.approx(1, abs=0.3)
    assert summarise(drawn(2)).dispersion == pytest.approx(3, abs=0.9)
    assert summarise(drawn(9)).dispersion == MOST_DISPERSION


def test_a_drift_is_no_dispersion() -> None:
    drifting = [(10 + at, 3000) for at in range(120)]
    assert dispersion(drifting, 0.02, 1.0) == 1


def test_a_single_error_is_no_cluster() -> None:
    quiet = [(0, 30)] * 119 + [(1, 30)]
    assert dispersion(quiet, 1 / 3600, 1.25) < 1.4


def test_slow_requests_that_come_together_show_too() -> None:
    calm = summarise([Arm(3000, 9, (750, 150, 30))] * 120)
    assert max(calm.slow_dispersion) == 1
    waves = [Arm(3000, 9, (750, 150, 0 if at % 2 else 60)) for at in range(120)]
    assert summarise(waves).slow_dispersion[2] > 4


@pytest.mark.parametrize(
    ("deviation", "replicas", "slower"),
    [(0.0, 0, 0.15), (0.04, 0, 0.15), (0.1, 0, 0.3), (0.1, 3, 0.3), (0.1, 9, 0.354)],
)
def test_one_replica_is_one_draw(deviation: float, replicas: int, slower: float) -> None:
    history = History(pod_deviation=deviation, replicas=replicas)
    assert Plan(history=history).slower == pytest.approx(slower, abs=0.001)


def test_of_many_replicas_a_deviation_is_better_known() -> None:
    few, many = (
        Plan(history=History(pod_deviation=0.1, replicas=replicas)).slower for replicas in (5, 100)
    )
    assert few > many
    assert many == pytest.approx(0.264, abs=0.002)


def test_thresholds_are_looser_for_the_canary() -> None:
    plan = Plan(history=History(quantiles=(0.1, 0.2, 0.4)), limits=Limits(p95=0.5))
    canary, stable = plan.thresholds(canary=True), plan.thresholds(canary=False)
    assert canary is not None
    assert stable is not None
    assert canary.slow == pytest.approx((0.115, 0.23, 0.46))
    assert stable.slow == (0.1, 0.2, 0.4)
    assert canary.gross == pytest.approx(5 * stable.gross) == pytest.approx(1)
    assert canary.over == stable.over == 0.5
    assert Plan().thresholds(canary=True) is None


WRONG: dict[str, Callable[[], object]] = {
    "no steps": lambda: Plan(()),
    "shares that shrink": lambda: Plan((Step(0.25, 3), Step(0.1, 3))),
    "alpha": lambda: Plan(alpha=0),
    "share": lambda: Step(0, 3),
    "bake": lambda: Step(0.1, 0),
    "increase": lambda: Step(0.1, 3, increase=0),
    "error limit": lambda: Limits(error_rate=1.0),
    "time limit": lambda: Limits(p95=0),
    "ratio": lambda: Tolerance(ratio=0.9),
    "warm-up": lambda: Tolerance(slow_warm_up=(0.5,)),
    "bound": lambda: History(rate=0.1, upper=0.05),
    "dispersion": lambda: History(dispersion=0.5),
    "quantiles": lambda: History(quantiles=(0.3, 0.2, 0.1)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        WRONG[wrong]()


def test_a_shorter_warm_up_begins_alike_and_ends_sooner() -> None:
    assert warming_for(3) == Tolerance()
    assert warming_for(1) == Tolerance(warm_up=(0.02,), slow_warm_up=(None, 1.6, 1.3))
    assert warming_for(0) == Tolerance(warm_up=(), slow_warm_up=())
    assert warming_for(5).warm_up == (0.02, 0.01, 0.005, 0.0025, 0.00125)
