"""The evidence on B canaries, and how one more tick of each changes it, in O(grid).

Evidence is a function of the ticks alone: kept in memory it saves the replay, lost it is found
again. A canary that was given up stays as it was: later ticks change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import log

import numpy as np

from bot.analysis.bets import (
    ERROR_GRID,
    SLOW_GRID,
    mixed,
    one_sample,
    staked,
    two_samples,
    two_tables,
)
from bot.analysis.terms import Terms, at
from bot.analysis.tick import (
    BEYOND,
    COLUMNS,
    ERRORS,
    OVER,
    REQUESTS,
    SLOW,
    Floats,
    Slice,
    Truths,
    Whole,
)

#: Weights of the three quantiles and of gross slowness: they are one family.
SLOW_WEIGHTS: Floats = np.array([0.3, 0.3, 0.3, 0.1])
#: What a bet against history needs beside it from the comparison: history alone knows no incident.
BESIDE = log(10)
#: For limits and incidents: one in a thousand. Their wealth is capped, so that it is lost again
#: soon after an incident has ended; giving wealth away keeps an e-process one.
LIMIT, LIMIT_CAP = log(1000), log(10_000)
#: What a tick counts after one more. About five ticks are "recent".
FADING = 0.8
#: The history's quantiles weigh as much as this many recent requests.
BELIEF = 500.0
#: Nothing can be 1.5 times as bad as most requests failing.
SURE_WORSE = 0.95

#: Why a canary was given up, as a number; 0 where it was not.
KEPT, BY_ERRORS, BY_HISTORY, BY_SLOWNESS, BY_ERROR_LIMIT, BY_TIME_LIMIT = range(6)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Log wealth of every bettor, and the counts that words are made of.

    ``errors`` and ``past`` are (B, G), ``slow`` (B, 4, G), ``limits`` (B, 3, G). ``ticks`` are
    those with traffic of the canary, ``since`` those in this ``step``, ``silent`` those without
    since the last: (B,). ``canary`` and ``stable`` are all counts, ``recent_canary`` and
    ``recent_stable`` fading ones, ``stepped`` the canary's in this step, and ``settled`` those
    after its warm-up and in no incident of the stable version: (B, COLUMNS). ``given_up`` (B,) is
    why, ``KEPT`` where it was not. ``spared`` (B,) are the stable version's errors in incidents.
    """

    errors: Floats
    past: Floats
    slow: Floats
    limits: Floats
    ticks: Whole
    since: Whole
    step: Whole
    silent: Whole
    canary: Floats
    stable: Floats
    recent_canary: Floats
    recent_stable: Floats
    stepped: Floats
    settled: Floats
    given_up: Whole
    spared: Floats


@dataclass(frozen=True, slots=True)
class Odds:
    """Log odds against chance, (B,): of errors compared and against history, and of slowness."""

    errors: Floats
    past: Floats
    slow: Floats


def blank(count: int) -> Evidence:
    """Nothing is known of ``count`` canaries."""
    errors, slow = ERROR_GRID.size, SLOW_GRID.shape[1]
    counts = np.zeros((count, COLUMNS))
    none = np.zeros(count, dtype=np.int64)
    broke = np.full((count, errors), -np.inf)
    return Evidence(
        errors=broke,
        past=broke,
        slow=np.full((count, 4, slow), -np.inf),
        limits=np.full((count, 3, errors), -np.inf),
        ticks=none,
        since=none,
        step=none,
        silent=none,
        canary=counts,
        stable=counts,
        recent_canary=counts,
        recent_stable=counts,
        stepped=counts,
        settled=counts,
        given_up=none,
        spared=np.zeros(count),
    )


def fold(evidence: Evidence, tick: Slice, terms: Terms) -> Evidence:
    """The evidence after one more tick of every canary."""
    told = (tick.canary[:, REQUESTS] > 0) & (evidence.given_up == KEPT)
    begun = _begun(evidence, tick.step)
    changed = _counted(_bet(begun, tick, terms), tick, terms)
    changed = replace(changed, given_up=_given_up(changed, terms))
    silent = replace(begun, silent=begun.silent + 1)
    live = evidence.given_up == KEPT
    return _chosen(live, _chosen(told, changed, silent), evidence)


def odds(evidence: Evidence, terms: Terms) -> Odds:
    """How much wealth the bets have made, and what was never bet."""
    left = _left(evidence, terms)
    slow = mixed(evidence.slow, left[:, None])
    with np.errstate(under="ignore"):
        top = slow.max(axis=1)
        weighed = top + np.log((np.exp(slow - top[:, None]) * SLOW_WEIGHTS).sum(axis=1))
    return Odds(mixed(evidence.errors, left), mixed(evidence.past, left), weighed)


def breached(evidence: Evidence, terms: Terms) -> Truths:
    """Which of the three limits is passed now, beyond doubt: (B, 3)."""
    left = _left(evidence, terms)
    found: Truths = mixed(evidence.limits, left[:, None]) >= LIMIT
    return found


def _left(evidence: Evidence, terms: Terms) -> Floats:
    """What was not bet yet, after the last tick; before the first one that is everything."""
    _, left = staked(evidence.ticks.astype(np.float64) - 1, terms.horizon)
    return np.where(evidence.ticks > 0, left, 1.0)


def _begun(evidence: Evidence, step: Whole) -> Evidence:
    """A new step starts with new tasks: cold, and with a bake of its own."""
    anew = step != evidence.step
    zero = np.zeros_like(evidence.stepped)
    return replace(
        evidence,
        step=step,
        since=np.where(anew, 0, evidence.since),
        stepped=np.where(anew[:, None], zero, evidence.stepped),
        settled=np.where(anew[:, None], zero, evidence.settled),
    )


def _bet(before: Evidence, tick: Slice, terms: Terms) -> Evidence:
    joins, _ = staked(before.ticks.astype(np.float64), terms.horizon)
    with np.errstate(divide="ignore"):
        stake = np.log(joins)[:, None]
    warm = at(terms.warm_up, before.since)
    phi = terms.phi[:, None]
    canary, stable = tick.canary, tick.stable
    ratio = terms.ratio + (terms.floor + warm) / terms.rate
    failed = (canary[:, REQUESTS], canary[:, ERRORS]), (stable[:, REQUESTS], stable[:, ERRORS])
    errors = two_samples(*failed, ratio, ERROR_GRID) / phi
    worst = terms.ratio * terms.upper + terms.floor + warm
    past = one_sample(canary[:, REQUESTS], canary[:, ERRORS], worst) / phi
    slow = _slow(before, tick, terms)
    over = _limits(tick, terms, warm)
    limits = np.logaddexp(before.limits, stake[:, :, None]) + over
    return replace(
        before,
        errors=np.logaddexp(before.errors, stake) + errors,
        past=np.logaddexp(before.past, stake) + past,
        slow=np.logaddexp(before.slow, stake[:, :, None]) + slow,
        limits=np.minimum(limits, LIMIT_CAP),
    )


def _slow(before: Evidence, tick: Slice, terms: Terms) -> Floats:
    canary, stable = _slow_of(tick.canary), _slow_of(tick.stable)
    recent = before.recent_stable
    believed = (BELIEF * np.array(BEYOND) + recent[:, SLOW]) / (BELIEF + recent[:, :1])
    warm = at(terms.slow_warm_up, before.since)
    tolerated = np.broadcast_to(np.nan_to_num(warm, nan=1.0)[:, None], believed.shape)
    drawn = two_tables(canary, stable, believed, SLOW_GRID, tolerated)
    # Gross slowness is worth a bet from the first tick on: no warm-up explains it.
    drawn[:, :3][np.isnan(warm)] = 0.0
    return drawn / terms.slow_phi[:, :, None]


def _slow_of(counts: Floats) -> tuple[Floats, Floats]:
    return np.broadcast_to(counts[:, :1], (len(counts), 4)), counts[:, SLOW]


def _limits(tick: Slice, terms: Terms, warm: Floats) -> Floats:
    columns = ((tick.canary, ERRORS), (tick.canary, OVER), (tick.stable, ERRORS))
    requests = np.stack([counts[:, REQUESTS] for counts, _ in columns], axis=1)
    events = np.stack([counts[:, column] for counts, column in columns], axis=1)
    allowed = terms.limits + np.stack([warm, 0 * warm, 0 * warm], axis=1)
    # Errors come in clusters while they are rare; where half of the requests fail, all do.
    phi = np.maximum(terms.phi[:, None] * (1 - 2 * terms.limits), 1.0)
    return one_sample(requests, events, allowed) / phi[:, :, None]


def _counted(before: Evidence, tick: Slice, terms: Terms) -> Evidence:
    is_warm = before.since >= (terms.warm_up > 0).sum(axis=1)
    # What both suffer says nothing of the canary, and would keep its step from passing for good.
    suffers = tick.stable[:, ERRORS] > terms.limits[:, 2] * tick.stable[:, REQUESTS]
    told = (is_warm & ~suffers)[:, None]
    spared = before.spared + np.where(suffers, tick.stable[:, ERRORS], 0.0)
    return replace(
        before,
        ticks=before.ticks + 1,
        since=before.since + 1,
        silent=np.zeros_like(before.silent),
        canary=before.canary + tick.canary,
        stable=before.stable + tick.stable,
        recent_canary=FADING * before.recent_canary + tick.canary,
        recent_stable=FADING * before.recent_stable + tick.stable,
        stepped=before.stepped + tick.canary,
        settled=before.settled + np.where(told, tick.canary, 0.0),
        spared=spared,
    )


def _given_up(evidence: Evidence, terms: Terms) -> Whole:
    found = odds(evidence, terms)
    passed = breached(evidence, terms)
    by_itself = alone(evidence, terms)
    beside = (found.errors >= BESIDE) | by_itself
    rules = (
        (BY_ERRORS, found.errors >= terms.threshold),
        (BY_HISTORY, (found.past >= terms.threshold) & beside),
        (BY_SLOWNESS, found.slow >= terms.threshold),
        (BY_ERROR_LIMIT, passed[:, 0] & (_worse(evidence, ERRORS, terms) | by_itself)),
        (BY_TIME_LIMIT, passed[:, 1] & (_worse(evidence, OVER, terms) | by_itself)),
    )
    conditions = [holds for _, holds in rules]
    return np.select(conditions, [code for code, _ in rules], KEPT).astype(np.int64)


def alone(evidence: Evidence, terms: Terms) -> Truths:
    """Has the canary everything, by its plan and in fact? (B,)

    Then there is no stable version beside it, and history and limits decide by themselves.
    """
    none: Truths = evidence.recent_stable[:, REQUESTS] < 1
    return none & (evidence.step >= terms.alone_from)


def _worse(evidence: Evidence, column: int, terms: Terms) -> Truths:
    """Is the canary worse than the stable version of late? The limit itself is beyond doubt."""
    n_c, n_b = evidence.recent_canary[:, REQUESTS], evidence.recent_stable[:, REQUESTS]
    share = evidence.recent_canary[:, column] / np.maximum(n_c, 1.0)
    beside = evidence.recent_stable[:, column] / np.maximum(n_b, 1.0)
    worse: Truths = share > np.minimum(terms.ratio * beside + terms.floor, SURE_WORSE)
    return worse & (n_b > 0)


def _chosen(where: Truths, one: Evidence, other: Evidence) -> Evidence:
    """Row by row: ``one`` where it says so, else ``other``."""

    def pick(name: str) -> Floats:
        a, b = getattr(one, name), getattr(other, name)
        found: Floats = np.where(where.reshape(-1, *[1] * (a.ndim - 1)), a, b)
        return found

    return Evidence(**{each.name: pick(each.name) for each in fields(Evidence)})  # type: ignore[arg-type]
