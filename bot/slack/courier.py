"""The thread on which the outbox is delivered."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import structlog
from typing_extensions import override

from bot.model.errors import QuarterdeckError
from bot.slack.execution import InlineExecutor
from bot.slack.outbox import Deliverer
from bot.workflows.patrol import Patrol

log = structlog.get_logger(__name__)

IDLE = 0.3  # seconds between looks when nothing is due
BROKEN = 2.0  # seconds after a look that failed


class Courier(Patrol):
    """Delivers until stopped; what is due then stays in the outbox.

    Setting ``woken`` makes it look at once; it looks by itself every ``idle`` seconds too, for what
    other replicas put into the outbox and for what was put off. ``make_way`` comes before each
    message: people who wait for an answer go first.
    """

    def __init__(
        self,
        deliverer: Deliverer,
        woken: Event,
        idle: float = IDLE,
        make_way: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__("outbox", woken=woken)
        self._deliverer = deliverer
        self._idle = idle
        self._make_way = make_way
        self._here = InlineExecutor()

    @override
    def trouble(self) -> str:
        """Why cards are not delivered, for readiness; empty when all is well."""
        return "The outbox is not being delivered." if self._over() else self._deliverer.trouble()

    @override
    def _round(self) -> float:
        future = self._here.submit(self._deliverer.deliver_due, self._make_way)
        fault = future.exception()
        if fault is None:
            return 0.0 if future.result() else self._idle
        if isinstance(fault, QuarterdeckError):
            log.warning("outbox_unreadable", why=fault.message)
        else:
            log.error("outbox_failed", exc_info=fault)
        return BROKEN
