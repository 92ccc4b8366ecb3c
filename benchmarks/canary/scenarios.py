"""Kinds of canary, healthy and bad: what each does to the rates behind the counts.

A scenario changes a ``Weather`` in place. Arrays are (R, T) for R runs and T ticks; shifts of
response time are added to its logarithm, error rates to a share of requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bot.analysis.tick import Floats, Truths

TICKS = 30
TICK_SECONDS = 30.0


@dataclass(slots=True)
class Weather:
    """What befalls R canaries. ``onset`` (R,) is the tick from which a bad one is bad."""

    rng: np.random.Generator
    runs: int
    times: Floats  # the canary's error rate is multiplied by this
    added: Floats  # and this is added
    shared: Floats  # added to both arms' error rates
    slower: Floats  # added to the canary's log response time
    both_slower: Floats
    tail: Floats  # this share of the canary's requests takes TAIL times as long
    traffic: Floats
    cluster: Floats  # (R,) mean size of a cluster of errors
    noise: Floats  # (R,) deviation of the error rate from tick to tick, of each arm
    pods: Floats  # (R,) deviation of log response time between replicas
    pod_errors: Floats  # (R,) the same of log error rates
    canary_gone: Truths
    stable_gone: Truths
    onset: Floats


TAIL = 6.0


def calm(rng: np.random.Generator, runs: int) -> Weather:
    def flat(value: float) -> Floats:
        return np.full((runs, TICKS), value, dtype=np.float64)

    return Weather(
        rng,
        runs,
        times=flat(1),
        added=flat(0),
        shared=flat(0),
        slower=flat(0),
        both_slower=flat(0),
        tail=flat(0),
        traffic=flat(1),
        cluster=rng.choice([1.0, 1.5, 2.5], runs, p=[0.7, 0.2, 0.1]),
        noise=rng.uniform(0, 0.15, runs),
        pods=np.full(runs, 0.03),
        pod_errors=np.full(runs, 0.1),
        canary_gone=np.zeros((runs, TICKS), dtype=np.bool_),
        stable_gone=np.zeros((runs, TICKS), dtype=np.bool_),
        onset=np.zeros(runs),
    )


def _plain(_weather: Weather) -> None:
    pass


def _burst(weather: Weather) -> None:
    """Errors come in clusters and waves, traffic triples for a while."""
    rng = weather.rng
    weather.cluster = rng.uniform(2.0, 4.0, weather.runs)
    weather.noise = rng.uniform(0.2, 0.4, weather.runs)
    weather.traffic = np.where(_window(weather, 3, 10), rng.uniform(2, 4), 1.0)


def _shared_incident(weather: Weather) -> None:
    rng, hit = weather.rng, _window(weather, 3, 14)
    size = np.exp(rng.uniform(np.log(0.02), np.log(0.4), (weather.runs, 1)))
    weather.shared = np.where(hit, size, 0.0)
    weather.both_slower = np.where(hit, rng.uniform(0, 1.0, (weather.runs, 1)), 0.0)


def _cold_start(weather: Weather) -> None:
    """Caches are empty: up to 1.5 points more errors and thrice the time, halved by each tick."""
    rng = weather.rng
    half = rng.uniform(0.6, 1.0, (weather.runs, 1))
    fading = 0.5 ** (np.arange(TICKS) / half)
    weather.added = rng.uniform(0, 0.015, (weather.runs, 1)) * fading
    weather.slower = np.log1p(rng.uniform(0.3, 2.0, (weather.runs, 1)) * fading)


def _gaps(weather: Weather) -> None:
    """Measurements are missing: of the canary, of the stable version, of both."""
    kind = weather.rng.integers(0, 3, (weather.runs, 1))
    lost = _window(weather, 1, 6) | _window(weather, 1, 4)
    weather.canary_gone = lost & (kind != 1)
    weather.stable_gone = lost & (kind != 0)


def _pod_variance(weather: Weather) -> None:
    """Replicas differ: other hosts, other neighbours. The canary is one draw."""
    weather.pods = weather.rng.uniform(0.06, 0.12, weather.runs)
    weather.pod_errors = weather.rng.uniform(0.15, 0.4, weather.runs)


def _multiplied(by: float) -> Callable[[Weather], None]:
    def change(weather: Weather) -> None:
        weather.times = np.full_like(weather.times, by)

    return change


def _added(points: float) -> Callable[[Weather], None]:
    def change(weather: Weather) -> None:
        weather.added = np.full_like(weather.added, points / 100)

    return change


def _late(weather: Weather) -> None:
    weather.onset = weather.rng.integers(10, 19, weather.runs).astype(np.float64)
    weather.added = np.where(_since_onset(weather) >= 0, 0.05, 0.0)


def _leak(weather: Weather) -> None:
    weather.added = np.tile(0.1 * np.arange(TICKS) / TICKS, (weather.runs, 1))


def _slowed(by: float) -> Callable[[Weather], None]:
    def change(weather: Weather) -> None:
        weather.slower = np.full_like(weather.slower, np.log(by))

    return change


def _tail(weather: Weather) -> None:
    weather.tail = np.full_like(weather.tail, 0.05)


def _slow_leak(weather: Weather) -> None:
    weather.slower = np.tile(np.log1p(2.0 * np.arange(TICKS) / TICKS), (weather.runs, 1))


def _since_onset(weather: Weather) -> Floats:
    since: Floats = np.arange(TICKS) - weather.onset[:, None]
    return since


def _window(weather: Weather, least: int, most: int) -> Truths:
    """In each run one stretch of ``least`` to ``most`` ticks."""
    length = weather.rng.integers(least, most + 1, (weather.runs, 1))
    begin = weather.rng.integers(0, TICKS - 2, (weather.runs, 1))
    ticks = np.arange(TICKS)
    inside: Truths = (ticks >= begin) & (ticks < begin + length)
    return inside


HEALTHY: dict[str, Callable[[Weather], None]] = {
    "plain": _plain,
    "bursts": _burst,
    "shared incident": _shared_incident,
    "cold start": _cold_start,
    "gaps": _gaps,
    "pod variance": _pod_variance,
}
BAD: dict[str, Callable[[Weather], None]] = {
    "errors x3": _multiplied(3),
    "errors x5": _multiplied(5),
    "errors +1 point": _added(1),
    "errors +2 points": _added(2),
    "errors +5 points": _added(5),
    "errors +20 points": _added(20),
    "errors late": _late,
    "errors leak": _leak,
    "crash loop": _added(100),
    "slower x1.3": _slowed(1.3),
    "slower x1.5": _slowed(1.5),
    "slower x2": _slowed(2),
    "slower x3": _slowed(3),
    "tail only": _tail,
    "slow leak": _slow_leak,
}
#: Requests a second of the whole service.
RATES = (1, 10, 100, 1000)
SHARE = 0.1
