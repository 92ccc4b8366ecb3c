"""Keeps this replica's lease.

A replica whose lease was taken must stop at once: it is fenced in the database, and told so here.
The beat has a thread to itself, so that nothing slow can make a healthy replica look dead.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from socket import gethostname

import structlog
from sqlalchemy.exc import SQLAlchemyError
from typing_extensions import override

from bot.model.errors import QuarterdeckError
from bot.model.ports import Replicas
from bot.workflows.patrol import Patrol

log = structlog.get_logger(__name__)

#: Beats within one lease: so many in a row may be lost.
BEATS = 5


class Keeper(Patrol):
    """One per process; ``on_fenced`` is called when another replica has taken this one's lease."""

    def __init__(
        self, replica: str, replicas: Replicas, lease: timedelta, on_fenced: Callable[[], None]
    ) -> None:
        self._pause = lease.total_seconds() / BEATS
        super().__init__("keeper", self._pause)
        self._replica = replica
        self._replicas = replicas
        self._lease = lease
        self._on_fenced = on_fenced

    @override
    def start(self) -> None:
        """Take the lease, then keep it in a thread of its own."""
        self._replicas.beat(self._replica, self._lease, gethostname())
        super().start()

    @override
    def stop(self) -> None:
        """Hand over: others may take this replica's work from now on."""
        super().stop()
        try:
            self._replicas.release(self._replica)
        except QuarterdeckError as fault:
            log.warning("cannot release the lease; it will run out", error=fault.message)

    @override
    def _round(self) -> float | None:
        try:
            if not self.keep():
                return None
        except (QuarterdeckError, SQLAlchemyError) as fault:
            # Whatever it is: without further beats this replica is taken for dead, and would
            # not even notice.
            log.warning("cannot keep the lease", error=type(fault).__name__)
        return self._pause

    def keep(self) -> bool:
        """One beat. False when this replica is fenced."""
        if self._replicas.beat(self._replica, self._lease):
            return True
        log.error("fenced: another replica has taken over this one's work")
        self._on_fenced()
        return False
