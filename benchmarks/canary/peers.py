"""The decision rules of other tools, each as its documentation has it, over many settings.

Every rule is given more than it has in practice: its thresholds are set per service from the last
hour's error rate and response times, as a careful operator would, its measurements are never late,
and the settings are searched for the most power. A rule says in which tick (from 0; ``NEVER``) it
stops each of R runs; its settings are a family for errors and one for response times.

``stops`` returns (settings, R) for every combination that is to be searched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from benchmarks.canary.ours import NEVER
from benchmarks.canary.ranks import shifted
from benchmarks.canary.scenarios import TICKS
from benchmarks.canary.traffic import SERIES, WINDOWS, Runs
from bot.analysis.tick import Floats, Truths, Whole

#: An error threshold is the larger of a share and so many times the service's usual rate.
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2)
TIMES = (2.0, 4.0, 8.0)
#: A threshold of a response time is so many times the service's usual quantile.
SLOWER = (1.2, 1.35, 1.6, 2.0, 3.0)
#: Argo Rollouts' default consecutiveErrorLimit.
CONSECUTIVE_ERRORS = 4
#: After so many minutes each Kayenta judges again.
EVERY = (3, 5, 15)


@dataclass(frozen=True, slots=True)
class Family:
    """Alternative settings of one rule with what each does: ``stops`` is (settings, R)."""

    settings: list[str]
    stops: Whole


@dataclass(frozen=True, slots=True)
class _Windows:
    """What a rule measures every ``width`` ticks: (R, W) breaches per setting, (R, W) no data."""

    width: int
    breaches: dict[str, Truths]
    empty: Truths


Rule = Callable[[Runs], tuple[Family, Family] | tuple[Family]]


def argo_rollouts(runs: Runs) -> tuple[Family, Family]:
    """AnalysisTemplate with an absolute condition per metric.

    A metric fails when its failed measurements exceed ``failureLimit`` (0 unless set; successes
    never take one back), and errors when more than ``consecutiveErrorLimit`` (4) in a row bring no
    value; either aborts the rollout. An inconclusive run only pauses, so it is no abort here.
    https://argo-rollouts.readthedocs.io/en/stable/features/analysis/ and
    ``assessMetricFailureInconclusiveOrError`` in argoproj/argo-rollouts analysis/analysis.go.
    Intervals of 30 s, 60 s and the documented example's 5 minutes.
    """
    limits = (0, 1, 2, 3, 5)

    def stops(windows: _Windows) -> Iterator[tuple[str, Whole]]:
        silent: Truths = _in_a_row(windows.empty) > CONSECUTIVE_ERRORS
        for (name, breach), limit in product(windows.breaches.items(), limits):
            failed: Truths = np.cumsum(breach, axis=1) > limit
            yield (
                f"{name}, failureLimit {limit}",
                _first(np.logical_or(failed, silent), windows.width),
            )

    return _family(runs, _error_windows, stops), _family(runs, _time_windows, stops)


def cloudwatch_alarm(runs: Runs) -> tuple[Family, Family]:
    """A fixed alarm, as ECS takes for its deployments: M of the last N datapoints of a minute.

    Missing data is not breaching, as is advised for metrics that exist only at times.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html and
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    datapoints = ((1, 1), (2, 2), (2, 3), (3, 3), (3, 5), (5, 5))

    def stops(windows: _Windows) -> Iterator[tuple[str, Whole]]:
        if windows.width != 2:
            return
        for (name, breach), (m, n) in product(windows.breaches.items(), datapoints):
            summed = np.cumsum(np.pad(breach, ((0, 0), (n, 0))), axis=1)
            breaching: Whole = summed[:, n:] - summed[:, :-n]
            yield f"{name}, {m} of {n}", _first(breaching >= m, windows.width)

    return _family(runs, _error_windows, stops), _family(runs, _time_windows, stops)


def flagger(runs: Runs) -> tuple[Family]:
    """``request-success-rate`` and ``request-duration`` (P99), each with a ``thresholdRange``.

    Every ``interval`` in which a metric is out of its range or has no values adds one failed
    check, whatever comes between; at ``threshold`` of them the canary is rolled back, on the next
    interval. https://docs.flagger.app/usage/metrics and /usage/how-it-works; a missing value fails
    the check (fluxcd/flagger issue 1633, pkg/controller/scheduler.go).
    """
    settings, found = [], []
    for errors, times in zip(_error_windows(runs), _time_windows(runs), strict=True):
        if errors.width > 2:
            continue
        late = {name: breach for name, breach in times.breaches.items() if name.startswith("p99")}
        for (e_name, e), (t_name, t) in product(errors.breaches.items(), late.items()):
            failed = np.cumsum(e | t | errors.empty, axis=1)
            for threshold in (1, 2, 3, 5, 10):
                over = np.pad(failed, ((0, 0), (1, 0)))[:, :-1] >= threshold
                settings.append(f"{e_name}; {t_name}; threshold {threshold}")
                found.append(_first(over, errors.width))
    return (Family(settings, np.array(found, dtype=np.int8)),)


def kayenta(runs: Runs) -> tuple[Family, Family]:
    """NetflixACAJudge: a Mann-Whitney confidence interval of the shift of 1-minute series.

    A metric is High when the lower end is above ``tolerance`` (.25) times the estimated shift, at
    98 % confidence; values beyond 3 interquartile ranges are removed. A canary fails at once
    when its score (the share of weight that is not High) is below ``marginal``, which with two
    groups of 50 and a marginal of 75 is when either is High.
    https://github.com/spinnaker/kayenta/blob/master/docs/canary-config.md, NetflixACAJudge.scala,
    MannWhitneyClassifier.scala. Judged every so many minutes on all that was seen by then.
    The confidence is searched too, and so is ``allowedIncrease`` (effectSize).
    """
    errors = _family_of(_ranked(runs.canary, runs.stable, None))
    times = _family_of(
        found
        for place, quantile in enumerate(SERIES)
        for found in _ranked(
            runs.canary_times[1][..., place], runs.stable_times[1][..., place], quantile
        )
    )
    return errors, times


RULES: dict[str, Rule] = {
    "Argo Rollouts": argo_rollouts,
    "Flagger": flagger,
    "Kayenta": kayenta,
    "CloudWatch alarm": cloudwatch_alarm,
}


def _ranked(canary: Floats, stable: Floats, quantile: float | None) -> Iterator[tuple[str, Whole]]:
    if quantile is None:
        canary, stable = (_share(counts, 2) for counts in (canary, stable))
    what = "errors" if quantile is None else f"p{100 * quantile:.0f}"
    confidences = (0.98, 0.99, 0.999, 0.9999)
    minutes = canary.shape[1]
    ends = [end for end in range(2, minutes) if any((end + 1) % every == 0 for every in EVERY)]
    shifts = [shifted(canary[:, : end + 1], stable[:, : end + 1], confidences) for end in ends]
    for place, confidence in enumerate(confidences):
        for every, effect in product(EVERY, (1.0, 1.25, 1.5, 2.0)):
            high = np.zeros(canary.shape, dtype=np.bool_)
            for end, (lower, estimate, ratio) in zip(ends, shifts, strict=True):
                if (end + 1) % every == 0:
                    sure = (lower[place] > 0.25 * np.abs(estimate)) & (lower[place] > 0)
                    high[:, end] = sure & (ratio >= effect)
            yield f"{what} {confidence} every {every} min, increase {effect}", _first(high, 2)


def _family(
    runs: Runs,
    windows: Callable[[Runs], Iterator[_Windows]],
    stops: Callable[[_Windows], Iterator[tuple[str, Whole]]],
) -> Family:
    return _family_of(found for each in windows(runs) for found in stops(each))


def _family_of(found: Iterator[tuple[str, Whole]]) -> Family:
    settings, stops = zip(*found, strict=True)
    return Family(list(settings), np.array(stops, dtype=np.int8))


def _error_windows(runs: Runs) -> Iterator[_Windows]:
    usual = _share(runs.history, runs.history.shape[1])
    for width in WINDOWS:
        share = _share(runs.canary, width)
        breaches = {
            f"{width * 30} s: errors > max({least:g}, {times:g} r)": share
            > np.maximum(least, times * usual)
            for least, times in product(SHARES, TIMES)
        }
        yield _Windows(width, breaches, np.isnan(share))


def _time_windows(runs: Runs) -> Iterator[_Windows]:
    for times, width in zip(runs.canary_times, WINDOWS, strict=True):
        breaches = {
            f"p{100 * quantile:.0f} > {by:g} times": times[..., place]
            > by * runs.quantiles[:, [1 + place]]
            for (place, quantile), by in product(enumerate(SERIES), SLOWER)
        }
        yield _Windows(width, breaches, np.isnan(times[..., 0]))


def _share(counts: Floats, width: int) -> Floats:
    """The share of failed requests per window, ``nan`` without requests: (R, windows)."""
    summed = counts.reshape(counts.shape[0], -1, width, counts.shape[2]).sum(axis=2)
    requests = summed[..., 0]
    with np.errstate(invalid="ignore"):
        found: Floats = np.where(requests > 0, summed[..., 1] / np.maximum(requests, 1), np.nan)
    return found


def _in_a_row(flags: Truths) -> Whole:
    """How many of the last windows were flagged without a break: (R, W)."""
    count = np.zeros(flags.shape, dtype=np.int64)
    for at in range(flags.shape[1]):
        count[:, at] = np.where(flags[:, at], (count[:, at - 1] if at else 0) + 1, 0)
    return count


def _first(flags: Truths, width: int) -> Whole:
    """The last tick of the first flagged window, else ``NEVER``: (R,)."""
    found: Whole = np.where(flags.any(axis=1), flags.argmax(axis=1) * width + width - 1, NEVER)
    return np.where(found < TICKS, found, NEVER)
