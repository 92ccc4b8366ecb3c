"""Finds work that nobody does any more: of replicas that died, and of workflows that broke.

The engine recovers only the workflows of its own executor; a live replica hands a dead one's back
to their queues, from where exactly one replica takes each. What is merely young is left alone: a
deployment's workflow is enqueued in the transaction that makes it due, and is only ever judged by
the state the engine gives it, never by its age.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby

import sqlalchemy as sa
import structlog
from dbos import DBOS, error
from typing_extensions import override

from bot.model.contract import ROLLOUT
from bot.model.deployment import Deployment, Status
from bot.model.errors import QuarterdeckError
from bot.model.ports import Replicas
from bot.workflows.constitution import Constitution
from bot.workflows.ending import Ending, lapsed, settle
from bot.workflows.parts import Parts
from bot.workflows.patrol import Patrol

log = structlog.get_logger(__name__)

#: Seconds between two looks for the dead, and how many of those go to one look for what broke.
EVERY, RARELY = 1.0, 5
#: How long after an approval's time its own timer is given before it counts as lost.
OVERDUE = timedelta(minutes=2)
#: Workflow states of the engine in which nothing will ever happen to a deployment again.
OVER = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


class Reaper(Patrol):
    """One per process, while its engine runs. Without ``replicas`` this process is the only one."""

    def __init__(self, parts: Parts, replicas: Replicas | None) -> None:
        super().__init__("reaper", EVERY)
        self._parts = parts
        self._replicas = replicas
        self._claimed: set[str] = set()
        self._constitution = Constitution(parts)
        self._looks = 0

    @override
    def _round(self) -> float:
        try:
            self.look()
        except (QuarterdeckError, error.DBOSException, sa.exc.SQLAlchemyError) as fault:
            log.warning("cannot look for abandoned work", error=type(fault).__name__)
        return EVERY

    def look(self) -> None:
        """Look once: take over from the dead, and end what broke."""
        if self._replicas is not None:
            self._claim(self._replicas)
        # At every look, not once: a replica that was only paused may take one more turn before it
        # notices that it is fenced. And a fault while handing back is made up for.
        if self._claimed:
            hand_back(sorted(self._claimed))
        self._constitution.record()
        self._looks += 1
        if self._looks % RARELY == 0:
            self.mend()

    def _claim(self, replicas: Replicas) -> None:
        for dead in replicas.dead(self._parts.clock.now()):
            if replicas.claim_dead(dead, self._parts.replica):
                log.info("took over", dead=dead)
                self._claimed.add(dead)

    def mend(self) -> None:
        """Tell the truth about deployments whose workflow will never end them itself."""
        late = self._parts.clock.now() - OVERDUE
        with self._parts.store.read() as tx:
            everything = tx.deployments.active()
        for one in everything:
            if one.status is Status.AWAITING_APPROVAL and one.expires_at and one.expires_at < late:
                self._expire(one)
        active = [one.id for one in everything if one.status is not Status.AWAITING_APPROVAL]
        if not active:
            return
        broken = DBOS.list_workflows(
            workflow_ids=active, status=OVER, name=ROLLOUT, load_input=False, load_output=False
        )
        for workflow in broken:
            self._end_broken(workflow.workflow_id)

    def _expire(self, deployment: Deployment) -> None:
        """Its timer got lost: left as it is, it would keep its image from being asked for again."""
        with self._parts.store.begin() as tx:
            settle(tx, deployment, lapsed(deployment), self._parts.clock.now())
        log.error("expiry was overdue", deployment_id=deployment.id)

    def _end_broken(self, deployment_id: str) -> None:
        with self._parts.store.begin() as tx:
            deployment = tx.deployments.get(deployment_id)
            if deployment is None or deployment.settled:
                return
            if deployment.status is Status.RUNNING:
                said = "Quarterdeck's own work on it stopped on a fault, so its end is not known."
                said = f"{said} Look at the service before deploying to it again."
                ending = Ending(Status.OUTCOME_UNKNOWN, said, "INTERNAL")
            else:
                said = "Quarterdeck's own work on it stopped on a fault; nothing was changed."
                ending = Ending(Status.FAILED, said, "INTERNAL")
            settle(tx, deployment, ending, self._parts.clock.now())
        log.error("workflow broke", deployment_id=deployment_id)


def hand_back(executor_ids: list[str]) -> int:
    """Put unfinished workflows of the dead back into their queues; returns how many."""
    orphans = DBOS.list_workflows(
        status="PENDING", executor_id=executor_ids, load_input=False, load_output=False
    )
    by_queue = sorted(orphans, key=lambda orphan: orphan.queue_name or "")
    for queue, group in groupby(by_queue, key=lambda orphan: orphan.queue_name):
        DBOS.resume_workflows([orphan.workflow_id for orphan in group], queue_name=queue)
    if orphans:
        log.info("handed back", workflows=len(orphans), dead=executor_ids)
    return len(orphans)
