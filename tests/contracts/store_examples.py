"""Deployments and entries to store, and threads that start at one instant."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from threading import Barrier
from typing import Any, TypeVar

from bot.model.deployment import (
    AuditEntry,
    Deployment,
    Image,
    Kind,
    Person,
    Status,
    Target,
)
from bot.store.database import Database

T = TypeVar("T")

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
STAGING = Target("backend", "staging")
PRODUCTION = Target("backend", "production")
ALICE, BOB = Person("U0ALICE01", "alice"), Person("U0BOB0001", "bob")


def image(version: str = "v2") -> Image:
    return Image("123.dkr.ecr.eu-west-1.amazonaws.com/backend", f"sha256:{version:0>64}", version)


def a_deployment(number: int = 1, **changes: Any) -> Deployment:
    """A queued deployment of the version that its number says, so that no two are alike."""
    deployment = Deployment(
        id=f"backend-staging-{number}",
        kind=Kind.DEPLOY,
        target=STAGING,
        requester=ALICE,
        requester_is_bot=False,
        channel="C0DEPLOYS",
        image=image(f"v{number}"),
        previous=None,
        previous_revision=None,
        reason="because",
        status=Status.QUEUED,
        created_at=NOON,
        request_id=f"request-{number}",
    )
    return replace(deployment, **changes)


def stored(database: Database, *deployments: Deployment) -> Deployment:
    """Store them; returns the last one."""
    with database.begin() as tx:
        for deployment in deployments:
            tx.deployments.add(deployment)
    return deployments[-1]


def an_entry(reason: str = "", **changes: Any) -> AuditEntry:
    entry = AuditEntry(
        actor=ALICE, action="deploy.requested", decision="allowed", target=str(STAGING)
    )
    return replace(entry, reason=reason, **changes)


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    """What ``act(0)`` to ``act(count - 1)`` return, started together in as many threads."""
    line = Barrier(count)

    def start(number: int) -> T:
        line.wait(timeout=30)
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))
