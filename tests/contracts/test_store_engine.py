"""Durable work asked for in our transactions, as the workflow engine's own tables tell it."""

# ruff: noqa: S608 - statements are made of constants

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient

from bot.model.contract import (
    APPLICATION,
    APPLICATION_VERSION,
    CONTROL,
    EXPIRY,
    ROLLOUT,
    TIMERS,
    TURNS,
)
from bot.model.deployment import Kind
from bot.store.database import Database
from bot.store.engine import engine_client
from tests.contracts.store_examples import NOON, a_deployment, image, stored


def workflow(engine: sa.Engine, workflow_id: str) -> Any:
    client: DBOSClient = engine_client(engine)
    found = client.list_workflows(workflow_ids=[workflow_id])
    assert len(found) == 1
    return found[0]


def test_a_rollout_takes_its_place_in_its_targets_queue(
    database: Database, engine: sa.Engine
) -> None:
    deployment = a_deployment()
    with database.begin() as tx:
        tx.deployments.add(deployment)
        tx.engine.enqueue_rollout(deployment)
    found = workflow(engine, deployment.id)
    assert (found.name, found.queue_name, found.status) == (ROLLOUT, TURNS, "ENQUEUED")
    assert (found.queue_partition_key, found.priority) == ("backend/staging", 10)
    assert found.app_version == APPLICATION_VERSION
    assert found.application_name == APPLICATION
    assert found.input["args"] == (deployment.id,)


def test_a_rollback_goes_before_every_deploy(database: Database, engine: sa.Engine) -> None:
    rollback = a_deployment(2, kind=Kind.ROLLBACK, image=image("v1"))
    with database.begin() as tx:
        tx.deployments.add(rollback)
        tx.engine.enqueue_rollout(rollback)
    assert workflow(engine, rollback.id).priority == 1


def test_a_rollout_is_enqueued_once(database: Database, engine: sa.Engine) -> None:
    deployment = stored(database, a_deployment())
    for _ in range(2):
        with database.begin() as tx:
            tx.engine.enqueue_rollout(deployment)
    assert workflow(engine, deployment.id).status == "ENQUEUED"


def test_an_approval_expires_in_time(database: Database, engine: sa.Engine) -> None:
    deployment = stored(database, a_deployment())
    with database.begin() as tx:
        tx.engine.expire_at(deployment.id, NOON + timedelta(hours=4))
    found = workflow(engine, f"expiry-{deployment.id}")
    assert (found.name, found.queue_name, found.status) == (EXPIRY, TIMERS, "DELAYED")
    delay = timedelta(milliseconds=found.delay_until_epoch_ms - found.created_at)
    assert abs(delay - timedelta(hours=4)) < timedelta(seconds=60)
    assert found.input["args"] == (deployment.id,)


def test_an_approval_that_is_over_expires_at_once(database: Database, engine: sa.Engine) -> None:
    deployment = stored(database, a_deployment())
    with database.begin() as tx:
        tx.engine.expire_at(deployment.id, NOON - timedelta(hours=4))
    found = workflow(engine, f"expiry-{deployment.id}")
    assert found.delay_until_epoch_ms - found.created_at < 60_000


def test_a_message_reaches_its_workflow_once(database: Database, engine: sa.Engine) -> None:
    deployment = stored(database, a_deployment())
    for _ in range(2):
        with database.begin() as tx:
            tx.engine.enqueue_rollout(deployment)
            tx.engine.tell(deployment.id, CONTROL, {"settled": "failed"}, "key")
    schema = "" if engine.dialect.name == "sqlite" else "dbos."
    query = sa.text(f"SELECT destination_uuid, topic FROM {schema}notifications")
    with engine.connect() as connection:
        assert connection.execute(query).all() == [(deployment.id, CONTROL)]
