"""Canary traffic: counts per tick of both arms, drawn from a seed.

Requests are Poisson, errors come in clusters with a rate that wavers, response times are
log-normal in half of the services and log-logistic (a heavier tail) in the other half. Both arms
share a drifting load; each tick of each arm wavers besides, and each replica is a draw of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.canary.scenarios import SHARE, TAIL, TICK_SECONDS, TICKS, Weather
from bot.analysis.history import History
from bot.analysis.plan import Plan
from bot.analysis.tick import COLUMNS, Floats, Truths

HISTORY_TICKS = 120
#: The stable version's replicas.
REPLICAS = 9
#: Response-time quantiles the peers look at.
SERIES = (0.95, 0.99)
_Z: Floats = np.linspace(-9, 9, 3601)
#: Coefficients of the Chebyshev fit, the highest power first.
_ERFC = (
    *(0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807),
    *(-0.18628806, 0.09678418, 0.37409196, 1.00002368, -1.26551223),
)


@dataclass(frozen=True, slots=True)
class Service:
    """R services. ``rate`` is their error rate, ``spread`` that of log response time, (R,)."""

    rate: Floats
    spread: Floats
    heavy: Truths


@dataclass(frozen=True, slots=True)
class Runs:
    """R canaries: counts (R, T, COLUMNS) of each arm, those of the stable version's history
    (R, HISTORY_TICKS, COLUMNS), quantiles of both arms per tick and minute (see ``series``)."""

    canary: Floats
    stable: Floats
    history: Floats
    quantiles: Floats  # (R, 3), of the history
    pod_deviation: Floats  # (R,), as measured on the stable version's replicas
    canary_times: tuple[Floats, ...]  # for 1, 2 and 10 ticks a window: (R, windows, 2)
    stable_times: tuple[Floats, ...]
    onset: Floats


WINDOWS = (1, 2, 10)


@dataclass(frozen=True, slots=True)
class _Arm:
    """What the counts of one arm are drawn from: all (R, T)."""

    requests: Floats
    errors: Floats
    shift: Floats
    tail: Floats


def drawn(weather: Weather, rate: int) -> Runs:
    """``weather.runs`` canaries of services with ``rate`` requests a second."""
    rng, runs = weather.rng, weather.runs
    service = Service(
        np.exp(rng.uniform(np.log(0.0005), np.log(0.01), runs)),
        rng.uniform(0.35, 0.7, runs),
        rng.random(runs) < 0.5,
    )
    load = np.cumsum(rng.normal(0, 0.008, (runs, HISTORY_TICKS + TICKS)), axis=1)
    load -= load[:, :HISTORY_TICKS].mean(axis=1, keepdims=True)
    pods = rng.normal(0, 1, (runs, REPLICAS + 1)) * weather.pods[:, None]
    beyond = [_inverse(service, np.full(runs, 1 - q)) for q in (0.75, 0.95, 0.99)]
    level = np.log(np.mean(np.exp(pods[:, 1:]), axis=1))
    quantiles = np.exp(np.stack(beyond, axis=1) + level[:, None])
    before = _Arm(
        rng.poisson(rate * TICK_SECONDS * _wavering(rng, (runs, HISTORY_TICKS))).astype(float),
        np.repeat(service.rate[:, None], HISTORY_TICKS, axis=1),
        load[:, :HISTORY_TICKS] + level[:, None],
        np.zeros((runs, HISTORY_TICKS)),
    )
    canary, stable = _arms(weather, service, rate, (load[:, HISTORY_TICKS:], pods[:, 0], level))
    deviation = pods[:, 1:].std(axis=1, ddof=1)
    slower = np.array([1 + _tolerated(each) for each in deviation])
    return Runs(
        _counts(weather, service, canary, (quantiles * slower[:, None], 5 * quantiles[:, 1])),
        _counts(weather, service, stable, (quantiles, quantiles[:, 1])),
        _counts(weather, service, before, (quantiles, quantiles[:, 1])),
        quantiles,
        deviation,
        tuple(_times(rng, service, canary, width) for width in WINDOWS),
        tuple(_times(rng, service, stable, width) for width in WINDOWS),
        weather.onset,
    )


def _tolerated(deviation: float) -> float:
    return Plan(history=History(pod_deviation=deviation, replicas=REPLICAS)).slower


def _arms(
    weather: Weather, service: Service, rate: int, latency: tuple[Floats, Floats, Floats]
) -> tuple[_Arm, _Arm]:
    rng, (load, pod, level) = weather.rng, latency
    shape = load.shape
    traffic = rate * TICK_SECONDS * weather.traffic * _wavering(rng, shape)
    canary = rng.poisson(SHARE * traffic) * ~weather.canary_gone
    stable = rng.poisson((1 - SHARE) * traffic) * ~weather.stable_gone
    base = service.rate[:, None]
    pod_errors = np.exp(rng.normal(0, 1, (weather.runs, 1)) * weather.pod_errors[:, None])
    return (
        _Arm(
            canary.astype(float),
            np.minimum(base * pod_errors * weather.times + weather.added + weather.shared, 1.0),
            load + weather.both_slower + weather.slower + pod[:, None] + rng.normal(0, 0.01, shape),
            weather.tail,
        ),
        _Arm(
            stable.astype(float),
            np.minimum(base + weather.shared, 1.0),
            load + weather.both_slower + level[:, None] + rng.normal(0, 0.005, shape),
            np.zeros(shape),
        ),
    )


def _wavering(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.gamma(50, 1 / 50, shape)


def _counts(
    weather: Weather, service: Service, arm: _Arm, thresholds: tuple[Floats, Floats]
) -> Floats:
    rng = weather.rng
    found = np.zeros((*arm.requests.shape, COLUMNS))
    found[..., 0] = arm.requests
    found[..., 1] = _errors(weather, arm)
    slow, gross = thresholds
    limits = np.log(np.concatenate([slow, gross[:, None]], axis=1))
    shares = np.stack([_beyond(service, arm, limits[:, [each]]) for each in range(4)], axis=2)
    order = np.argsort(-shares, axis=2)
    falling = np.take_along_axis(shares, order, axis=2)
    left, before = arm.requests.astype(np.int64), np.ones(arm.requests.shape)
    counts = np.zeros(shares.shape)
    for place in range(4):
        chance = np.clip(falling[..., place] / np.maximum(before, 1e-300), 0, 1)
        left = rng.binomial(left, chance)
        counts[..., place], before = left, falling[..., place]
    np.put_along_axis(found[..., 2:6], order, counts, axis=2)
    return found


def _errors(weather: Weather, arm: _Arm) -> Floats:
    """Clusters have geometric sizes; where errors are frequent, they are simply binomial."""
    rng, shape = weather.rng, arm.requests.shape
    noise = np.maximum(weather.noise[:, None], 1e-3) ** -2
    chance = np.minimum(arm.errors * rng.gamma(noise, 1 / noise, shape), 1.0)
    chance = np.where(arm.errors >= 0.1, arm.errors, chance)
    size = np.broadcast_to(weather.cluster[:, None], shape)
    clusters = rng.poisson(arm.requests * chance / size)
    more = rng.negative_binomial(np.maximum(clusters, 1), 1 / size) * (clusters > 0)
    many = rng.binomial(arm.requests.astype(np.int64), chance)
    found: Floats = np.where(chance >= 0.1, many, clusters + more)
    return np.minimum(found, arm.requests)


def _times(rng: np.random.Generator, service: Service, arm: _Arm, width: int) -> Floats:
    """Sample quantiles per window, ``nan`` without requests: the Beta law of order statistics."""
    requests = _windows(arm.requests, width).sum(axis=2)
    middle = _Arm(
        requests,
        requests,
        _windows(arm.shift, width).mean(axis=2),
        _windows(arm.tail, width).mean(axis=2),
    )
    found = []
    for quantile in SERIES:
        rank = np.maximum(np.ceil(quantile * requests), 1)
        share = rng.beta(np.maximum(requests - rank + 1, 1), rank)
        found.append(np.where(requests > 0, np.exp(_solved(service, middle, share)), np.nan))
    return np.stack(found, axis=2)


def _windows(values: Floats, width: int) -> Floats:
    return values.reshape(values.shape[0], -1, width)


def _solved(service: Service, arm: _Arm, share: Floats) -> Floats:
    """The log time beyond which ``share`` of the arm's requests lie, by bisection."""
    low, high = arm.shift - 8.0, arm.shift + 12.0
    for _ in range(36):
        middle = (low + high) / 2
        is_below = _beyond(service, arm, middle) > share
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return low


def _beyond(service: Service, arm: _Arm, log_time: Floats) -> Floats:
    """The share of the arm's requests that take longer."""
    usual = _survival(service, log_time - arm.shift)
    if not arm.tail.any():
        return usual
    return (1 - arm.tail) * usual + arm.tail * _survival(
        service, log_time - arm.shift - np.log(TAIL)
    )


def _survival(service: Service, log_time: Floats) -> Floats:
    spread = service.spread.reshape(-1, *[1] * (log_time.ndim - 1))
    heavy = service.heavy.reshape(spread.shape)
    light = _normal_survival(log_time / spread)
    # The logistic law of the same deviation has its scale at 0.55 of it.
    fat = 1 / (1 + np.exp(np.clip(log_time / (0.55 * spread), -500, 500)))
    return np.where(heavy, fat, light)


def _normal_survival(z: Floats) -> Floats:
    """Chebyshev fit of erfc, relative error 1.2e-7 (Numerical Recipes, 2nd edition, 6.2)."""
    x = np.abs(z) / np.sqrt(2)
    t = 1 / (1 + 0.5 * x)
    series = np.zeros_like(t)
    for each in _ERFC:
        series = series * t + each
    half = 0.5 * t * np.exp(-x * x + series)
    found: Floats = np.where(z >= 0, half, 1 - half)
    return found


def _inverse(service: Service, share: Floats) -> Floats:
    """The log time beyond which ``share`` (R,) of a service's requests lie."""
    light = np.interp(-share, -_normal_survival(_Z), _Z) * service.spread
    fat = 0.55 * service.spread * np.log((1 - share) / share)
    return np.where(service.heavy, fat, light)
