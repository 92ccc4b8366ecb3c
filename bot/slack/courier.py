"""The thread on which the outbox is delivered."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

import structlog

from bot.model.errors import QuarterdeckError
from bot.slack.execution import InlineExecutor
from bot.slack.outbox import Deliverer

log = structlog.get_logger(__name__)

IDLE = 0.3  # seconds between looks when nothing is due
BROKEN = 2.0  # seconds after a look that failed


class Courier:
    """Delivers until stopped; setting ``woken`` makes it look at once.

    It looks by itself every ``idle`` seconds too, for what other replicas put into the outbox and
    for what was put off. ``make_way`` comes before each message: people who wait for an answer go
    first.
    """

    def __init__(
        self,
        deliverer: Deliverer,
        woken: Event,
        idle: float = IDLE,
        make_way: Callable[[], object] = lambda: None,
    ) -> None:
        self._deliverer = deliverer
        self._idle = idle
        self._make_way = make_way
        self._here = InlineExecutor()
        self._woken = woken
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout: float = 15.0) -> None:
        """Finish the message at hand and end; what is due stays in the outbox."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def trouble(self) -> str:
        """Why cards are not delivered, for readiness; empty when all is well."""
        if self._thread.ident is not None and not self._thread.is_alive():
            return "The outbox is not being delivered."
        return self._deliverer.trouble()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            pause = self._look()
            if pause and not self._stopping.is_set():
                self._woken.wait(pause)

    def _look(self) -> float:
        """One pass; returns how many seconds to wait for the next."""
        future = self._here.submit(self._deliverer.deliver_due, self._make_way)
        fault = future.exception()
        if fault is None:
            return 0.0 if future.result() else self._idle
        if isinstance(fault, QuarterdeckError):
            log.warning("outbox_unreadable", why=fault.message)
        else:
            log.error("outbox_failed", exc_info=fault)
        return BROKEN
