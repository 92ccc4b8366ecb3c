"""The plans of B canaries as columns, so that one tick of all of them is judged at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from bot.analysis.plan import Plan
from bot.analysis.tick import Floats, Whole

#: An incident is suspected where the stable version itself fails clearly more than it used to.
INCIDENT_RATIO, INCIDENT_FLOOR = 3.0, 0.01
#: A limit that was not set is one that cannot be passed.
NEVER = 1.0


@dataclass(frozen=True, slots=True)
class Terms:
    """All (B,), but for ``slow_phi`` (B, 4), ``warm_up`` and ``slow_warm_up`` (B, W), ``limits``.

    ``limits`` (B, 3): the share of failed requests and of those over the response time that the
    canary may not pass, and the share of failures beyond which the stable version has an incident.
    ``slow_warm_up`` is ``nan`` where nothing is said of slowness yet. ``alone_from`` is the first
    step at which the canary gets everything, or beyond the last one.
    """

    rate: Floats
    upper: Floats
    phi: Floats
    slow_phi: Floats
    ratio: Floats
    floor: Floats
    warm_up: Floats
    slow_warm_up: Floats
    limits: Floats
    threshold: Floats
    horizon: Floats
    alone_from: Whole


def termed(plans: Sequence[Plan]) -> Terms:
    """The columns of ``plans``."""
    of = [(plan, plan.history, plan.tolerance) for plan in plans]
    width = 1 + max(
        (max(len(t.warm_up), len(t.slow_warm_up)) for _, _, t in of),
        default=0,
    )
    slow = [[np.nan if each is None else each for each in t.slow_warm_up] for _, _, t in of]
    return Terms(
        rate=np.array([history.rate for _, history, _ in of]),
        upper=np.array([history.upper for _, history, _ in of]),
        phi=np.array([history.dispersion for _, history, _ in of]),
        slow_phi=np.array([history.slow_dispersion for _, history, _ in of]).reshape(-1, 4),
        ratio=np.array([tolerance.ratio for _, _, tolerance in of]),
        floor=np.array([tolerance.floor for _, _, tolerance in of]),
        warm_up=_padded([t.warm_up for _, _, t in of], width, 0.0),
        slow_warm_up=_padded(slow, width, 1.0),
        limits=np.array([_limits(plan) for plan in plans]).reshape(-1, 3),
        threshold=np.array([-log(plan.alpha) for plan in plans]),
        horizon=np.array([float(plan.horizon) for plan in plans]),
        alone_from=np.array([_alone_from(plan) for plan in plans], dtype=np.int64),
    )


def at(table: Floats, since: Whole) -> Floats:
    """The entry of each row for a step's tick number ``since`` (from 0); the last one stays."""
    column = np.minimum(since, table.shape[1] - 1)
    found: Floats = table[np.arange(len(table)), column]
    return found


def _padded(rows: Sequence[Sequence[float]], width: int, last: float) -> Floats:
    return np.array([[*row, *[last] * (width - len(row))] for row in rows]).reshape(-1, width)


def _limits(plan: Plan) -> tuple[float, float, float]:
    limits = plan.limits
    return (
        limits.error_rate,
        NEVER if limits.p95 is None else 0.05,
        min(INCIDENT_RATIO * plan.history.upper + INCIDENT_FLOOR, NEVER),
    )


def _alone_from(plan: Plan) -> int:
    """Shares grow from step to step: only the last one may be everything."""
    last = len(plan.steps) - 1
    return last if plan.steps[last].share == 1 else last + 1
