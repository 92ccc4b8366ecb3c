"""What is asked of the metrics about open canaries, and to which step each answer belongs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from bot.model.canary import Canary, Reading, Readings, Wanted
from bot.model.canary_ports import Metrics
from bot.model.errors import QuarterdeckError, Transient
from bot.workflows.canary.bench import analysis_plan
from bot.workflows.canary.turn import ON_TRIAL

log = structlog.get_logger(__name__)

#: Seconds between two questions about metrics.
MEASURED = 10.0


def wanted(canary: Canary) -> Wanted | None:
    """What is to be measured of it; ``None`` where it has had no traffic, or is on trial no more.

    Both versions are measured from the first verified share on.
    """
    if canary.phase not in ON_TRIAL or canary.past is None or not canary.shifts:
        return None
    if canary.spec is None or canary.arms is None:
        return None
    plan = analysis_plan(canary, canary.past)
    return Wanted(
        canary.deployment_id,
        canary.spec,
        canary.arms,
        canary.measured_until or canary.shifts[0],
        plan.thresholds(canary=True),
        plan.thresholds(canary=False),
    )


def measured(metrics: Metrics, asked: Sequence[Wanted], now: datetime) -> Readings:
    """Asked once for all. Whatever is wrong with the answer, nothing is raised: canaries are still
    to be held and taken back."""
    try:
        return metrics.readings(asked, now)
    except QuarterdeckError as fault:
        return Readings({}, {each.deployment_id: fault for each in asked})
    except Exception:
        log.exception("cannot measure")
        blind = Transient("What was counted cannot be read; the log says why.")
        return Readings({}, {each.deployment_id: blind for each in asked})


def step_of(canary: Canary, reading: Reading) -> int:
    """The step whose share it was measured under; a tick in which it changed is the earlier's."""
    return max(0, sum(at <= reading.begins for at in canary.shifts) - 1)
