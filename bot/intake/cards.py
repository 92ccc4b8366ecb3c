"""The facts behind a deployment's card, gathered in one read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from bot.model.canary import Canary
from bot.model.catalog import Catalog
from bot.model.deployment import Deployment, Kind, Status
from bot.model.errors import Terminal
from bot.model.ports import Transaction
from bot.model.reply import CardFacts, ChartFacts
from bot.policy.roles import called, promoters
from bot.workflows.drift import LEFT, last_told

#: How many earlier rollouts the usual duration is taken from.
SAMPLE = 20


def card_facts(
    tx: Transaction, catalog: Catalog, deployment_id: str, now: datetime
) -> CardFacts | None:
    """Everything a card shows; ``None`` for an id that names nothing."""
    deployment = tx.deployments.get(deployment_id)
    if deployment is None:
        return None
    spec = catalog.spec(deployment.target)
    policy = catalog.policy_of(deployment.target) if spec is not None else None
    active = tx.deployments.active(deployment.target)
    return CardFacts(
        deployment,
        votes=tuple(tx.votes.on(deployment_id)),
        position=position(deployment, active),
        required_group=policy.required_group if policy else None,
        usual=usual_duration(tx.deployments.history(deployment.target, SAMPLE)),
        current=is_current(tx, deployment),
        warnings=deployment.notes,
        stays=stays(tx, deployment),
        lock=next((k for k in tx.holds.locks(now) if k.covers(deployment.target, now)), None),
        canary=_canary(tx, deployment_id),
        promoters=promoters(policy) if policy else "",
        called=called(policy) if policy else "",
    )


def _canary(tx: Transaction, deployment_id: str) -> Canary | None:
    """One that cannot be read must not keep its card and thread from saying so."""
    try:
        return tx.canaries.get(deployment_id)
    except Terminal:
        return None


def chart_facts(tx: Transaction, deployment_id: str) -> ChartFacts | None:
    """What its canary's chart is drawn from; ``None`` where it has no canary."""
    deployment, canary = tx.deployments.get(deployment_id), tx.canaries.get(deployment_id)
    if deployment is None or canary is None:
        return None
    return ChartFacts(deployment, canary, tuple(tx.canaries.ticks(deployment_id)))


def stays(tx: Transaction, deployment: Deployment) -> bool:
    """Whether it ended badly and is the last thing its target was told: it may still run there."""
    if deployment.status not in LEFT - {Status.CANCELLED}:
        return False
    last = last_told(tx, deployment.target)
    return last is not None and last.id == deployment.id


def position(deployment: Deployment, active: Sequence[Deployment]) -> int | None:
    """Its place in its target's queue, 1 for the next to start; ``None`` when it does not wait."""
    if deployment.status is not Status.QUEUED:
        return None
    queued = [other.id for other in active if other.status is Status.QUEUED]
    return queued.index(deployment.id) + 1 if deployment.id in queued else None


def usual_duration(history: Sequence[Deployment]) -> timedelta | None:
    """The median duration of earlier rollouts that succeeded."""
    seconds = [
        (d.finished_at - d.started_at).total_seconds()
        for d in history
        if d.status is Status.SUCCEEDED and d.started_at and d.finished_at
    ]
    return timedelta(seconds=median(seconds)) if seconds else None


def is_current(tx: Transaction, deployment: Deployment) -> bool:
    """Whether it is the newest deployment known to have run well on its target.

    What is under way there does not count: nothing redraws this card when that comes to nothing.
    """
    if deployment.status is not Status.SUCCEEDED or deployment.kind is Kind.ROLLBACK:
        return False
    good = tx.releases.known_good(deployment.target, 1)
    return bool(good) and good[0].deployment_id == deployment.id
