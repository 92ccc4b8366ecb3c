"""Gathers what a policy decides on, in one read of the database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from bot.model.catalog import Catalog, Policy
from bot.model.deployment import Kind, Requester, Target, Vote
from bot.model.ports import Groups, Transaction
from bot.policy.facts import Facts


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants of a target. ``downtime`` is what its provider says of it, if known."""

    kind: Kind
    target: Target
    requester: Requester
    reason: str = ""
    override_freeze: bool = False
    downtime: tuple[str, ...] = ()


def gather(tx: Transaction, catalog: Catalog, asked: Asked, now: datetime) -> Facts:
    """The facts of this moment about one request."""
    return Facts(
        now=now,
        kind=asked.kind,
        target=asked.target,
        policy=policy_left(catalog, asked.target),
        requester=asked.requester,
        reason=asked.reason,
        override_freeze=asked.override_freeze,
        locks=tuple(tx.holds.locks(now)),
        freezes=tuple(tx.holds.freezes(now)),
        pause=tx.holds.paused(),
        downtime=asked.downtime,
        orphaned=catalog.spec(asked.target) is None,
    )


def policy_left(catalog: Catalog, target: Target) -> Policy:
    """The target's policy. Where the target has left the catalog its environment's, and where that
    has left too one that names nobody."""
    known = catalog.spec(target) is not None or target.environment in catalog.environments
    return catalog.policy_of(target) if known else Policy()


def groups_of(groups: Groups, votes: Iterable[Vote]) -> dict[str, frozenset[str]]:
    """The user groups of everybody who voted, by Slack id. Raises as ``Groups.of`` does."""
    return {person: groups.of(person) for person in {v.person.id for v in votes}}
