"""L1: the holder of a rollout dies, or only seems to. Lease, heartbeat and fencing; no lost turn.

branch-deploy#133, #218, shipit-engine#562
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.model.deployment import AuditRow, Deployment, Progress, Status
from tests.fakes.fleet import Fleet
from tests.fakes.shore import ShoreMaker
from tests.fakes.squadron import WHOLE, Squadron, squadron, true_end, whole

pytestmark = pytest.mark.xdist_group("l1")

#: The exit code of a replica whose work another one does by now.
FENCED = 75


def known(deck: Fleet, deployment: str) -> tuple[Deployment, list[AuditRow]]:
    """What is recorded, but for how far it has come: its owner goes on writing that."""
    recorded = deck.get(deployment)
    return replace(recorded, progress=Progress(), version=0), deck.rows(deployment_id=deployment)


@pytest.fixture
def squad(postgres_url: str, tmp_path: Path, shore: ShoreMaker) -> Iterator[Squadron]:
    with squadron(tmp_path, postgres_url, "a", "b", shore=shore) as squad:
        yield squad


def test_l1_the_other_replica_finishes_what_a_dead_one_began(squad: Squadron) -> None:
    deck, service = squad.deck, squad.deck.service()
    deck.asks("alice", f"{service} staging v2")
    deployment = f"{service}-staging-1"
    deck.until_row(deployment, "rollout.tell done")
    owner = squad.owner(deployment)
    survivor = squad.other(owner)

    owner.kill()
    squad.face(survivor)

    ended = true_end(deck, deployment)
    assert ended.owner == survivor.replica
    assert deck.actions(deployment) == WHOLE


def test_l1_a_frozen_replica_is_fenced_and_touches_nothing_more(squad: Squadron) -> None:
    """It wakes up in the middle of telling ECS, long after the other one did that."""
    deck, service = squad.deck, squad.deck.service()
    deck.shore.throttle_start()
    deck.asks("alice", f"{service} staging v2")
    deployment = f"{service}-staging-1"
    deck.until_card(deployment, deck.shore.telling)
    sleeper = squad.owner(deployment)
    other = squad.other(sleeper)

    sleeper.pause()
    squad.face(other)
    deck.shore.heal()
    deck.until_row(deployment, "rollout.tell done")
    assert deck.get(deployment).owner == other.replica
    before = known(deck, deployment)
    sleeper.resume()

    assert sleeper.ended() == FENCED
    assert known(deck, deployment) == before
    assert deck.get(deployment).status is Status.RUNNING
    true_end(deck, deployment)


def test_l1_a_queued_one_that_is_cancelled_lets_go_of_its_turn(deck: Fleet) -> None:
    service = deck.service()
    deck.place.push(service, "v3")
    deck.place.push(service, "v4")
    for version in ("v2", "v3", "v4"):
        deck.asks("alice", f"{service} staging {version}")
    deck.until_row(f"{service}-staging-1", "rollout.tell done")

    deck.asks("alice", f"cancel {service}-staging-2")

    deck.finish(f"{service}-staging-1")
    deck.finish(f"{service}-staging-3")
    assert deck.get(f"{service}-staging-2").status is Status.CANCELLED
    assert deck.updates(f"{service}-staging") == 2
    whole(deck)
