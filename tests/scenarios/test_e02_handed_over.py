"""E2: SIGTERM during a deployment, such as the bot's own. It is handed over; nothing is lost."""

from __future__ import annotations

import pytest

from bot.model.deployment import Status
from tests.fakes.fleet import CLUSTER, Fleet
from tests.fakes.squadron import WHOLE, true_end

pytestmark = pytest.mark.xdist_group("e2")


def test_e2_the_next_start_goes_on_with_what_was_under_way(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} staging v2")
    deployment = f"{service}-staging-1"
    deck.until_row(deployment, "rollout.tell done")
    card = deck.card(deployment)

    assert deck.ship.terminate() == 0
    assert deck.get(deployment).status is Status.RUNNING
    deck.ship.start()

    ended = true_end(deck, deployment)
    assert deck.actions(ended.id) == WHOLE
    assert deck.card(deployment).ts == card.ts
    # Its turn is over too.
    deck.place.push(service, "v3")
    deck.asks("alice", f"{service} staging v3")
    deck.finish(f"{service}-staging-2")


def test_e2_a_call_that_is_under_way_is_not_left_behind(deck: Fleet) -> None:
    """A planned stop waits for ECS's answer: nobody has to guess what became of the call."""
    service = deck.service()
    deck.world.faults.delaying.clear()
    deck.world.faults.delay("UpdateService", 2, n=1)
    deck.asks("alice", f"{service} staging v2")
    deployment = f"{service}-staging-1"
    assert deck.world.faults.delaying.wait(30)

    assert deck.ship.terminate() == 0
    assert deck.get(deployment).handle
    deck.ship.start()

    ended = true_end(deck, deployment)
    assert ended.attempts == 1
    assert deck.actions(ended.id) == WHOLE
    (done,) = deck.rows(deployment_id=ended.id, action="rollout.tell")[1:]
    assert done.entry.reason == ""


def test_e2_the_bot_deploys_itself(deck: Fleet) -> None:
    """ECS starts the new bot, then stops the old one, whose own deployment is not over yet."""
    itself = deck.service()
    deck.asks("alice", f"{itself} staging v2")
    deployment = f"{itself}-staging-1"
    deck.until_row(deployment, "rollout.tell done")
    while deck.world.service(CLUSTER, f"{itself}-staging").primary.rollout_state != "COMPLETED":
        deck.world.advance(1)
        tasks = deck.world.service(CLUSTER, f"{itself}-staging").tasks.values()
        if any(task.desired_status == "STOPPED" for task in tasks):
            break

    assert deck.ship.terminate() == 0
    assert deck.get(deployment).status is Status.RUNNING
    deck.ship.start()

    assert deck.actions(true_end(deck, deployment).id) == WHOLE


def test_e2_requests_made_meanwhile_are_not_half_done(deck: Fleet) -> None:
    """What was accepted before the stop is carried out after it; nothing else was changed."""
    service = deck.service()
    deck.asks("alice", f"{service} staging v2")

    assert deck.ship.terminate() == 0
    with deck.database.read() as tx:
        assert [d.id for d in tx.deployments.active()] == [f"{service}-staging-1"]
    deck.ship.start()

    true_end(deck, f"{service}-staging-1")
