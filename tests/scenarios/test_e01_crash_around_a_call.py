"""E1: ``kill -9`` between "ECS was called" and "the result was saved". Told once, ended truthfully.

The intent is written first, what is made for a deployment carries its tag, and on the next start
what became of the call is read back. Where that cannot be known, a human is asked: nothing is
tried again blindly.
"""

from __future__ import annotations

import pytest

from bot.model.deployment import Status
from tests.fakes.fleet import CLUSTER, Fleet
from tests.fakes.squadron import WHOLE, registered, true_end, whole

pytestmark = pytest.mark.xdist_group("e1")


def crash(deck: Fleet) -> None:
    deck.ship.kill()
    deck.ship.start()


def test_e1_killed_after_ecs_was_told_and_before_it_answered(deck: Fleet) -> None:
    service = deck.service()
    deck.world.faults.delay_answer("UpdateService", 600, n=1)
    deck.asks("alice", f"{service} staging v2")
    deck.until_told(f"{service}-staging")
    assert deck.get(f"{service}-staging-1").handle is None

    crash(deck)

    ended = true_end(deck, f"{service}-staging-1")
    assert ended.handle
    assert deck.actions(ended.id) == WHOLE
    (done,) = deck.rows(deployment_id=ended.id, action="rollout.tell")[1:]
    assert "read back" in done.entry.reason
    assert registered(deck, f"{service}-staging") == 1


def test_e1_the_answer_is_lost_and_nobody_dies(deck: Fleet) -> None:
    service = deck.service()
    deck.world.faults.lose_answer("UpdateService", 1, after_effect=True)
    deck.asks("alice", f"{service} staging v2")

    ended = true_end(deck, f"{service}-staging-1")
    assert deck.actions(ended.id) == WHOLE


def test_e1_the_call_never_arrived_and_is_made_again(deck: Fleet) -> None:
    service = deck.service()
    deck.world.faults.lose_answer("UpdateService", 1, after_effect=False)
    deck.asks("alice", f"{service} staging v2")

    ended = true_end(deck, f"{service}-staging-1")
    assert ended.attempts == 2
    assert deck.actions(ended.id).count("rollout.tell intent") == 2
    assert deck.actions(ended.id).count("rollout.tell done") == 1


def test_e1_killed_between_the_task_definition_and_the_service(deck: Fleet) -> None:
    service = deck.service()
    deck.world.faults.throttle("UpdateService", None)
    deck.asks("alice", f"{service} staging v2")
    deck.until_card(f"{service}-staging-1", "ecs:UpdateService")
    assert registered(deck, f"{service}-staging") == 1

    deck.ship.kill()
    deck.world.faults.clear("UpdateService")
    deck.ship.start()

    true_end(deck, f"{service}-staging-1")
    assert registered(deck, f"{service}-staging") == 1


def test_e1_killed_before_the_task_definition_s_name_came_back(deck: Fleet) -> None:
    service = deck.service()
    deck.world.faults.delay_answer("RegisterTaskDefinition", 600, n=1)
    deck.asks("alice", f"{service} staging v2")
    deck.until(lambda: registered(deck, f"{service}-staging"), "a task definition")
    assert deck.get(f"{service}-staging-1").revision is None

    crash(deck)

    ended = true_end(deck, f"{service}-staging-1")
    assert deck.actions(ended.id) == WHOLE
    assert registered(deck, f"{service}-staging") == 1


def test_e1_ecs_took_it_back_while_nobody_watched(deck: Fleet) -> None:
    service = deck.service()
    deck.place.push(service, "v3", "crashing")
    deck.world.faults.delay_answer("UpdateService", 600, n=1)
    deck.asks("alice", f"{service} staging v3")
    deck.until_told(f"{service}-staging")

    deck.ship.kill()
    assert deck.world.run_until_steady(CLUSTER, f"{service}-staging")
    deck.ship.start()

    ended = true_end(deck, f"{service}-staging-1", Status.ROLLED_BACK)
    assert "circuit breaker" in ended.explanation


def test_e1_somebody_else_deployed_while_nobody_watched(deck: Fleet) -> None:
    service = deck.service()
    third = deck.place.push(service, "v3")
    deck.world.faults.delay_answer("UpdateService", 600, n=1)
    deck.asks("alice", f"{service} staging v2")
    deck.until_told(f"{service}-staging")

    deck.ship.kill()
    deck.world.deploy_out_of_band(CLUSTER, f"{service}-staging", third)
    assert deck.world.run_until_steady(CLUSTER, f"{service}-staging")
    deck.ship.start()

    true_end(deck, f"{service}-staging-1", Status.SUPERSEDED)
    assert deck.running(f"{service}-staging") == third


@pytest.fixture
def forgetful(own_deck: Fleet) -> Fleet:
    """ECS without service deployments: a narrow policy, an old region."""
    own_deck.world.faults.no_service_deployments()
    return own_deck


def test_e1_what_cannot_be_known_is_said_and_not_tried_again(forgetful: Fleet) -> None:
    deck, service = forgetful, forgetful.service()
    deck.place.push(service, "v3", "crashing")
    deck.world.faults.delay_answer("UpdateService", 600, n=1)
    deck.asks("alice", f"{service} staging v3")
    deck.until_told(f"{service}-staging")

    deck.ship.kill()
    assert deck.world.run_until_steady(CLUSTER, f"{service}-staging")
    deck.ship.start()

    ended = true_end(deck, f"{service}-staging-1", Status.OUTCOME_UNKNOWN)
    assert ended.reason_code == "OUTCOME_UNKNOWN"
    deck.until_card(ended.id, "Look at the service before deploying to it again")
    assert deck.actions(ended.id)[-1] == "deploy.outcome_unknown failed OUTCOME_UNKNOWN"
    assert "deploy.succeeded done" not in deck.actions(ended.id)
    whole(deck)
