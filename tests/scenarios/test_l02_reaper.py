"""L2: what looks abandoned is ended truthfully; what has only just begun is left alone.

shipit-engine#1055, #1038
"""

from __future__ import annotations

import pytest
from dbos import DBOSClient

from bot.model.contract import APPLICATION
from bot.model.deployment import Status
from tests.fakes.fleet import Fleet
from tests.fakes.squadron import WHOLE, true_end

pytestmark = pytest.mark.xdist_group("l2")


def breaks(deck: Fleet, deployment_id: str) -> None:
    """What the engine's own tools, or a fault in our code, do to a workflow."""
    client = DBOSClient(system_database_url=deck.place.database_url, application_name=APPLICATION)
    try:
        client.cancel_workflow(deployment_id)
    finally:
        client.destroy()


def test_l2_a_rollout_whose_workflow_broke_is_not_left_running_for_ever(deck: Fleet) -> None:
    service = deck.service()
    deck.place.push(service, "v3")
    deck.asks("alice", f"{service} staging v2")
    deck.until_row(f"{service}-staging-1", "rollout.tell done")

    breaks(deck, f"{service}-staging-1")

    deck.until_status(f"{service}-staging-1", Status.OUTCOME_UNKNOWN)
    deck.until_card(f"{service}-staging-1", "Look at the service before deploying to it again")
    rows = deck.actions(f"{service}-staging-1")
    assert rows[-1] == "deploy.outcome_unknown failed INTERNAL"
    deck.asks("alice", f"{service} staging v3")
    deck.finish(f"{service}-staging-2")


def test_l2_one_that_broke_in_the_queue_has_changed_nothing(deck: Fleet) -> None:
    service = deck.service()
    deck.place.push(service, "v3")
    deck.asks("alice", f"{service} staging v2")
    deck.asks("alice", f"{service} staging v3")
    deck.until_row(f"{service}-staging-1", "rollout.tell done")

    breaks(deck, f"{service}-staging-2")

    ended = deck.until_status(f"{service}-staging-2", Status.FAILED)
    assert "nothing was changed" in ended.explanation
    deck.finish(f"{service}-staging-1")
    assert deck.updates(f"{service}-staging") == 1


def test_l2_what_is_slow_to_begin_is_not_reaped(deck: Fleet) -> None:
    """One waits for its approval, one for its turn, one for ECS, while the reaper makes a round."""
    service, broken = deck.service(), deck.service()
    deck.place.push(service, "v3")
    deck.shore.throttle_start()
    deck.asks("alice", f"{service} staging v2")
    deck.asks("alice", f"{service} staging v3")
    deck.asks("alice", f"{service} production v2")
    deck.until_card(f"{service}-staging-1", deck.shore.telling)

    deck.asks("alice", f"{broken} staging v2")
    deck.until_row(f"{broken}-staging-1", "deploy.started intent")
    breaks(deck, f"{broken}-staging-1")
    deck.until_status(f"{broken}-staging-1", Status.OUTCOME_UNKNOWN)

    assert deck.get(f"{service}-staging-1").status is Status.RUNNING
    assert deck.get(f"{service}-staging-2").status is Status.QUEUED
    assert deck.get(f"{service}-production-1").status is Status.AWAITING_APPROVAL
    deck.asks("alice", f"cancel {service}-staging-2")
    deck.shore.heal()
    ended = true_end(deck, f"{service}-staging-1")
    assert set(deck.actions(ended.id)) == set(WHOLE)
