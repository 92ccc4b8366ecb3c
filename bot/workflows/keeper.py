"""Keeps this replica's lease.

A replica whose lease was taken must stop at once: it is fenced in the database, and told so here.
The beat has a thread to itself, so that nothing slow can make a healthy replica look dead.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from socket import gethostname
from threading import Event, Thread

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.model.errors import QuarterdeckError
from bot.model.ports import Replicas

log = structlog.get_logger(__name__)

#: Beats within one lease: so many in a row may be lost.
BEATS = 5


class Keeper:
    """One per process; ``on_fenced`` is called when another replica has taken this one's lease."""

    def __init__(
        self, replica: str, replicas: Replicas, lease: timedelta, on_fenced: Callable[[], None]
    ) -> None:
        self._replica = replica
        self._replicas = replicas
        self._lease = lease
        self._on_fenced = on_fenced
        self._stop = Event()
        self._thread = Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Take the lease, then keep it in a thread of its own."""
        self._replicas.beat(self._replica, self._lease, gethostname())
        self._thread.start()

    def stop(self) -> None:
        """Hand over: others may take this replica's work from now on."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        try:
            self._replicas.release(self._replica)
        except QuarterdeckError as fault:
            log.warning("cannot release the lease; it will run out", error=fault.message)

    def trouble(self) -> str:
        """What is wrong with this part, for the probe; empty when all is well."""
        begun = self._thread.ident is not None and not self._stop.is_set()
        return "The keeper has stopped." if begun and not self._thread.is_alive() else ""

    def _run(self) -> None:
        while not self._stop.wait(self._lease.total_seconds() / BEATS):
            try:
                if not self.keep():
                    return
            except (QuarterdeckError, SQLAlchemyError) as fault:
                # Whatever it is: without further beats this replica is taken for dead, and would
                # not even notice.
                log.warning("cannot keep the lease", error=type(fault).__name__)

    def keep(self) -> bool:
        """One beat. False when this replica is fenced."""
        if self._replicas.beat(self._replica, self._lease):
            return True
        log.error("fenced: another replica has taken over this one's work")
        self._on_fenced()
        return False
