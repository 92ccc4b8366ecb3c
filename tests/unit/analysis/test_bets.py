"""The claims that certainty rests on, by exact sums over all counts that can be."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.analysis.bets import (
    ERROR_GRID,
    SLOW_GRID,
    mixed,
    one_sample,
    staked,
    two_samples,
    two_tables,
)
from bot.analysis.tick import Floats

shares = st.floats(0.001, 0.6)


def binomial(n: int, share: float) -> Floats:
    return np.array([comb(n, x) * share**x * (1 - share) ** (n - x) for x in range(n + 1)])


@given(tolerated=shares, less=st.floats(0, 1), n=st.integers(1, 30))
def test_a_bet_against_a_share_gains_nothing_on_average(
    tolerated: float, less: float, n: int
) -> None:
    true = tolerated * less
    x = np.arange(n + 1.0)
    factors = np.exp(one_sample(np.full(n + 1, float(n)), x, np.full(n + 1, tolerated)))
    assert (binomial(n, true) @ factors <= 1 + 1e-9).all()
    assert factors[n].max() > 1


@given(
    theta=st.floats(1, 10),
    less=st.floats(0.05, 1),
    n_c=st.integers(1, 50),
    n_b=st.integers(1, 500),
    total=st.integers(0, 30),
)
def test_a_bet_on_rare_events_gains_nothing_on_average(
    theta: float, less: float, n_c: int, n_b: int, total: int
) -> None:
    # Given the sum, Poisson counts are binomial.
    ratio = theta * less
    x = np.arange(total + 1.0)
    counts = np.full(total + 1, float(n_c)), x
    others = np.full(total + 1, float(n_b)), total - x
    factors = np.exp(two_samples(counts, others, np.full(total + 1, theta), ERROR_GRID))
    assert (binomial(total, ratio * n_c / (ratio * n_c + n_b)) @ factors <= 1 + 1e-9).all()


@given(
    true=shares,
    less=st.floats(0, 1),
    believed=shares,
    tolerated=st.floats(1, 1.6),
    n_c=st.integers(1, 8),
    n_b=st.integers(1, 20),
)
def test_a_bet_on_slowness_gains_nothing_on_average_whatever_is_believed(
    true: float, less: float, believed: float, tolerated: float, n_c: int, n_b: int
) -> None:
    x_c, x_b = (each.ravel() for each in np.mgrid[0.0 : n_c + 1, 0.0 : n_b + 1])
    shape = x_c.shape
    factors = two_tables(
        (np.full(shape, float(n_c)), x_c),
        (np.full(shape, float(n_b)), x_b),
        np.full(shape, believed),
        SLOW_GRID[0],
        np.full(shape, tolerated),
    )
    chances = np.outer(binomial(n_c, tolerated * true * less), binomial(n_b, true)).ravel()
    assert (chances @ np.exp(factors) <= 1 + 1e-9).all()


def test_slowness_is_told_sooner_than_from_rare_events() -> None:
    canary, stable = (np.array([300.0]), np.array([120.0])), (np.array([2700.0]), np.array([675.0]))
    sharp = two_tables(canary, stable, np.array([0.25]), SLOW_GRID[0], np.ones(1))
    rare = two_samples(canary, stable, np.array([1.0]), SLOW_GRID[0])
    assert sharp.max() > 1.2 * rare.max()


def test_no_requests_no_bet() -> None:
    none, some = (np.zeros(1), np.zeros(1)), (np.array([270.0]), np.array([3.0]))
    for canary, stable in ((none, some), (some, none), (none, none)):
        assert not two_samples(canary, stable, np.ones(1), ERROR_GRID).any()
        assert not two_tables(canary, stable, np.full(1, 0.25), SLOW_GRID[0], np.ones(1)).any()
    assert not one_sample(*none, np.full(1, 0.01)).any()


@pytest.mark.parametrize("horizon", [1.0, 2.0, 30.0])
def test_all_wealth_is_bet_in_the_end_and_never_more(horizon: float) -> None:
    spent = 0.0
    for tick in range(int(horizon) + 5):
        joins, left = staked(np.array([float(tick)]), np.array([horizon]))
        spent += float(joins[0])
        assert spent + float(left[0]) == pytest.approx(1 if horizon > 1 else 0.5 + float(left[0]))
    assert spent == pytest.approx(1 if horizon > 1 else 0.5)


def test_huge_wealth_and_none_are_counted_without_overflow() -> None:
    rich = mixed(np.array([[5000.0, -np.inf]]), np.array([0.5]))
    assert rich[0] == pytest.approx(5000 - np.log(2))
    assert mixed(np.array([[-np.inf, -np.inf]]), np.array([1.0]))[0] == pytest.approx(0)
