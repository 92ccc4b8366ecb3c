"""Ids that name nothing: what was probably meant, and that it was tried."""

from __future__ import annotations

from collections.abc import Iterator

from rapidfuzz import process
from rapidfuzz.distance import OSA

from bot.commands.line import nearest
from bot.intake.ask import Ask, Subject, answered, deny
from bot.model.catalog import Catalog
from bot.model.deployment import Target
from bot.model.ports import Transaction
from bot.model.reply import Refused

#: Ended deployments of a target that an id is held against, newest first.
RECENT = 15


def unknown_deployment(
    tx: Transaction, catalog: Catalog, deployment_id: str, verb: str = "show"
) -> Refused:
    """The id names nothing; ``verb`` is offered for the one that comes nearest, if any does.

    What only asks offers itself again. What would change something offers a look: nobody should
    approve with one click what they have not seen.
    """
    said = f"There is no deployment {deployment_id[:60]}."
    meant = _nearest(tx, catalog, deployment_id)
    if not meant:
        hint = "Ids look like backend-staging-142; /deploy history lists them."
        return Refused("UNKNOWN_DEPLOYMENT", said, hint)
    hint = f"Did you mean {meant}? /deploy history lists the others."
    return Refused("UNKNOWN_DEPLOYMENT", said, hint, f"/deploy {verb} {meant}")


def deny_unknown(
    tx: Transaction, catalog: Catalog, ask: Ask, action: str, deployment_id: str
) -> Refused:
    """As ``unknown_deployment``, for what would have changed something: recorded, once."""
    subject = Subject(action, deployment_id=deployment_id)
    refusal = unknown_deployment(tx, catalog, deployment_id)
    if answered(tx, ask, subject) is None:
        deny(tx, ask, subject, refusal)
    return refusal


def _nearest(tx: Transaction, catalog: Catalog, deployment_id: str) -> str:
    """The likeliest of the active and recent deployments of the target that was likely meant."""
    active = tx.deployments.active()
    targets = {spec.key for spec in catalog.targets} | {one.target for one in active}
    by_name = {
        f"{target.service}-{target.environment}": target for target in sorted(targets, key=str)
    }
    target = by_name.get(nearest(deployment_id.rpartition("-")[0], list(by_name)))
    if target is None:
        return ""
    found = process.extractOne(
        deployment_id, list(_ids(tx, target)), scorer=OSA.normalized_similarity
    )
    return found[0] if found is not None else ""


def _ids(tx: Transaction, target: Target) -> Iterator[str]:
    """The active ones first: of equally likely ones, one of them was meant."""
    for one in (*tx.deployments.active(target), *tx.deployments.history(target, RECENT)):
        yield one.id
