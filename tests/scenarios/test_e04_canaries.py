"""E4 for canaries on ECS, the whole bot: never stable, still in progress, or not to be known.

amazon-ecs-deploy-task-definition#838, copilot-cli#1879
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bot.model.canary import Phase
from bot.model.deployment import Status
from tests.fakes.canary_deck import CanaryDeck, canary_deck
from tests.fakes.fleet import CLUSTER

pytestmark = pytest.mark.xdist_group("canaries-e4")
STOP = 6.0  # seconds, as it usually takes


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CanaryDeck]:
    with canary_deck(tmp_path_factory.mktemp("canaries")) as deck:
        yield deck
        assert deck.posted_twice() == []


@contextmanager
def old_tasks_that_linger(deck: CanaryDeck) -> Iterator[None]:
    """Two hours: ECS does not call a deployment complete before they are gone."""
    deck.world.set_timings(stop=7200)
    try:
        yield
    finally:
        deck.world.set_timings(stop=STOP)


def test_e4_what_never_becomes_healthy_goes_back_before_any_visitor_sees_it(
    deck: CanaryDeck,
) -> None:
    service = deck.service()
    deck.place.push(service, "v3", "slow")
    deck.world.set_timings(slow=7200)
    deployment = deck.begin(service, "v3")
    deck.later(lambda: deck.made(service), "its service", leap=1)
    deck.until_card(deployment, "0 of 1 tasks are healthy")
    assert (deck.get(deployment).status, deck.weights(service)) == (Status.RUNNING, (100, 0))
    ended = deck.until_ended(deployment, Status.ROLLED_BACK, leap=60)
    assert ended.reason_code == "TIMED_OUT"
    assert "Not at 10% after 20m" in ended.explanation
    deck.until_card(deployment, "Not at 10% after 20m")
    deck.until_gone(deployment)
    assert deck.weights(service) == (100, 0)
    assert deck.shifts(service) == 0
    assert deck.updates(f"{service}-staging") == 0


def test_e4_counts_that_look_right_are_no_success_while_ecs_is_still_at_it(
    deck: CanaryDeck,
) -> None:
    service = deck.service()
    deployment = deck.begin(service)
    deck.until_phase(deployment, Phase.BAKING, step=0)
    with old_tasks_that_linger(deck):
        deck.conduct("alice", service, "promote --full")
        deck.later(lambda: deck.shown(deployment, "4 of 4 tasks"), "all the new tasks", leap=2)
        primary = deck.world.service(CLUSTER, f"{service}-staging").primary
        assert primary.rollout_state != "COMPLETED"
        assert deck.get(deployment).status is Status.RUNNING
        timed_out = deck.until_ended(deployment, Status.TIMED_OUT, leap=60)
    assert "not on it after 20m" in timed_out.explanation
    assert "canary.promoted done" not in deck.actions(deployment)
    assert "deploy.timed_out failed TIMED_OUT" in deck.actions(deployment)
    deck.until_card(deployment, "timed out")
    deck.until_gone(deployment)
    assert deck.weights(service) == (100, 0)


def test_e4_an_abort_that_cannot_be_read_back_is_not_told_as_done(deck: CanaryDeck) -> None:
    service = deck.service()
    deployment = deck.begin(service)
    deck.until_phase(deployment, Phase.BAKING, step=0)
    deck.world.faults.deny("DescribeRules")
    try:
        deck.conduct("alice", service, "abort")
        words = "elasticloadbalancing:DescribeRules"
        deck.later(lambda: deck.shown(deployment, words), words)
        deck.until_phase(deployment, Phase.RETURNING)
        deck.pass_time(3600)
        assert deck.get(deployment).status is Status.RUNNING
        assert "canary.returned done" not in deck.actions(deployment)
    finally:
        deck.world.faults.clear("DescribeRules")
    ended = deck.until_ended(deployment, Status.ROLLED_BACK)
    assert ended.reason_code == "CANARY_TAKEN_BACK"
    assert deck.weights(service) == (100, 0)
    deck.until_gone(deployment)


def test_e4_a_promotion_whose_outcome_cannot_be_known_is_not_repeated(deck: CanaryDeck) -> None:
    """Killed when ECS was told and had not answered; what it lists afterwards leaves doubt."""
    service = deck.service()
    deployment = deck.begin(service)
    deck.until_phase(deployment, Phase.BAKING, step=0)
    deck.world.faults.no_service_deployments()
    deck.turns_bad(service, "v2")
    deck.world.faults.delay_answer("UpdateService", 600, n=1)
    deck.conduct("alice", service, "promote --full")
    name = f"{service}-staging"
    deck.later(lambda: deck.updates(name) > 0, "ECS to be told", leap=5)
    deck.ship.kill()
    assert deck.world.run_until_steady(CLUSTER, name)
    deck.world.faults.clear("UpdateService")
    deck.sail()
    ended = deck.until_ended(deployment, Status.OUTCOME_UNKNOWN)
    assert "does not say whose it was" in ended.explanation
    deck.until_card(deployment, "outcome unknown, a person must look")
    assert deck.updates(name) == 1
    assert deck.weights(service) == (100, 0)
    assert "canary.promoted done" not in deck.actions(deployment)
    assert deck.running(name) != ended.image.digest
    deck.until_gone(deployment)
