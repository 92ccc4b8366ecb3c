"""Keeps this replica's lease and takes over the rollouts of replicas that died.

The engine recovers only the workflows of its own executor; a live replica hands a dead one's back
to their queues, from where exactly one replica takes each. A replica whose lease was taken must
stop at once: it is fenced in the database, and told so here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import groupby
from socket import gethostname
from threading import Event, Thread

import structlog
from dbos import DBOS

from bot.model.contract import ROLLOUT
from bot.model.deployment import Status
from bot.model.errors import QuarterdeckError
from bot.model.ports import Replicas
from bot.workflows.ending import Ending, settle
from bot.workflows.parts import Parts

log = structlog.get_logger(__name__)

#: How long a replica may be silent before others take over its work.
LEASE = timedelta(seconds=15)
#: Workflow states of the engine that will never go on by themselves.
BROKEN = ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


class Keeper:
    """One per process; ``on_fenced`` is called when another replica has taken this one's lease."""

    def __init__(self, parts: Parts, replicas: Replicas, on_fenced: Callable[[], None]) -> None:
        self._parts = parts
        self._replicas = replicas
        self._on_fenced = on_fenced
        self._claimed: set[str] = set()
        self._stop = Event()
        self._thread = Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Take the lease, then keep it in a thread of its own."""
        self._replicas.beat(self._parts.replica, LEASE, gethostname())
        self._thread.start()

    def stop(self) -> None:
        """Hand over: others may take this replica's work from now on."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        try:
            self._replicas.release(self._parts.replica)
        except QuarterdeckError as fault:
            log.warning("cannot release the lease; it will run out", error=fault.message)

    def _run(self) -> None:
        while not self._stop.wait(LEASE.total_seconds() / 5):
            try:
                if not self.keep():
                    return
            except QuarterdeckError as fault:
                log.warning("cannot keep the lease", reason_code=fault.reason_code)

    def keep(self) -> bool:
        """One beat: renew the lease, take over, mend. False when this replica is fenced."""
        if not self._replicas.beat(self._parts.replica, LEASE):
            log.error("fenced: another replica has taken over this one's work")
            self._on_fenced()
            return False
        for dead in self._replicas.dead(self._parts.clock.now()):
            if self._replicas.claim_dead(dead, self._parts.replica):
                self._claimed.add(dead)
        # A claim is kept until the work is really handed over: a fault in between is tried again.
        for dead in tuple(self._claimed):
            take_over(dead)
            self._claimed.discard(dead)
        self.mend()
        return True

    def mend(self) -> None:
        """Tell the truth about deployments whose workflow broke and will never end them itself."""
        with self._parts.store.read() as tx:
            active = [
                d.id for d in tx.deployments.active() if d.status is not Status.AWAITING_APPROVAL
            ]
        if not active:
            return
        broken = DBOS.list_workflows(
            workflow_ids=active, status=BROKEN, name=ROLLOUT, load_input=False, load_output=False
        )
        for workflow in broken:
            self._end_broken(workflow.workflow_id)

    def _end_broken(self, deployment_id: str) -> None:
        said = "Quarterdeck's own work on it stopped on a fault; see its log."
        with self._parts.store.begin() as tx:
            deployment = tx.deployments.get(deployment_id)
            if deployment is None or deployment.settled:
                return
            running = deployment.status is Status.RUNNING
            ending = Ending(Status.OUTCOME_UNKNOWN if running else Status.FAILED, said, "INTERNAL")
            settle(tx, deployment, ending, self._parts.clock.now())
        log.error("workflow broke", deployment_id=deployment_id)


def take_over(executor_id: str) -> int:
    """Put a dead replica's unfinished workflows back into their queues; returns how many."""
    orphans = DBOS.list_workflows(
        status="PENDING", executor_id=executor_id, load_input=False, load_output=False
    )
    by_queue = sorted(orphans, key=lambda orphan: orphan.queue_name or "")
    for queue, group in groupby(by_queue, key=lambda orphan: orphan.queue_name):
        DBOS.resume_workflows([orphan.workflow_id for orphan in group], queue_name=queue)
    log.info("took over", dead=executor_id, workflows=len(orphans))
    return len(orphans)
