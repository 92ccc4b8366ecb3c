"""Durable work, asked for in the transaction that records why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient, EnqueueOptions, error

from bot.model.contract import (
    APPLICATION,
    APPLICATION_VERSION,
    EXPIRY,
    ROLLOUT,
    TIMERS,
    TURNS,
)
from bot.model.deployment import Deployment, Kind
from bot.model.ports import Clock

#: The lower, the earlier: a rollback overtakes whatever waits for the same target.
PRIORITY = {Kind.ROLLBACK: 1, Kind.DEPLOY: 10}


def engine_client(engine: sa.Engine) -> DBOSClient:
    """The workflow engine's client on our own connections. It does not connect by itself."""
    return DBOSClient(
        system_database_engine=engine,
        application_name=APPLICATION,
        lazy=True,
        retry_connection_errors=False,
    )


class TransactionalEngine:
    """``Engine`` over one transaction: what is asked for happens if, and only if, it commits."""

    def __init__(self, client: DBOSClient, connection: sa.Connection, clock: Clock) -> None:
        self._client = client
        self._connection = connection
        self._clock = clock

    def enqueue_rollout(self, deployment: Deployment) -> None:
        """See ``Engine.enqueue_rollout``."""
        options: EnqueueOptions = {
            "workflow_name": ROLLOUT,
            "queue_name": TURNS,
            "workflow_id": deployment.id,
            "queue_partition_key": str(deployment.target),
            "priority": PRIORITY[deployment.kind],
            "app_version": APPLICATION_VERSION,
        }
        self._client.enqueue_in_transaction(self._connection, options, deployment.id)

    def expire_at(self, deployment_id: str, when: datetime) -> None:
        """See ``Engine.expire_at``."""
        options: EnqueueOptions = {
            "workflow_name": EXPIRY,
            "queue_name": TIMERS,
            "workflow_id": f"expiry-{deployment_id}",
            "delay_seconds": max(0.0, (when - self._clock.now()).total_seconds()),
            "app_version": APPLICATION_VERSION,
        }
        self._client.enqueue_in_transaction(self._connection, options, deployment_id)

    def tell(self, deployment_id: str, topic: str, message: Mapping[str, Any], key: str) -> None:
        """See ``Engine.tell``. A deployment that was never enqueued has nobody to wake."""
        try:
            with self._connection.begin_nested():
                self._client.send_in_transaction(
                    self._connection, deployment_id, dict(message), topic, idempotency_key=key
                )
        except error.DBOSNonExistentWorkflowError:
            return
