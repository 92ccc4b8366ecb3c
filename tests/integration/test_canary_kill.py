"""``kill -9`` at every boundary of a weighted canary: no traffic is left where nobody watches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.model.canary import Phase
from bot.model.deployment import Status
from tests.fakes.canary_deck import CanaryDeck, canary_deck

pytestmark = pytest.mark.xdist_group("canary-kill")


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CanaryDeck]:
    with canary_deck(tmp_path_factory.mktemp("killed")) as deck:
        yield deck
        assert deck.posted_twice() == []


def ends_well(deck: CanaryDeck, service: str, deployment: str) -> None:
    """It goes on to the whole traffic, once, and nothing of the canary is left."""
    deck.until_ended(deployment, Status.SUCCEEDED)
    deck.until_gone(deployment)
    assert deck.weights(service) == (100, 0)
    assert deck.made(service) == 1
    assert deck.updates(f"{service}-staging") == 1
    assert deck.running(f"{service}-staging") == deck.get(deployment).image.digest
    assert deck.card(deployment)


def while_answer_is_due(deck: CanaryDeck, operation: str) -> None:
    """Kill once AWS has done what it was told, and before the bot hears of it."""
    before = deck.world.count(operation)
    deck.world.faults.delay_answer(operation, 600, n=1)
    deck.later(lambda: deck.world.count(operation) > before, f"{operation}", leap=5)
    deck.crash()
    deck.world.faults.clear()


@pytest.mark.parametrize("operation", ["CreateService", "ModifyRule"])
def test_killed_on_the_way_to_the_first_share(deck: CanaryDeck, operation: str) -> None:
    service = deck.service()
    deployment = deck.begin(service)
    while_answer_is_due(deck, operation)
    ends_well(deck, service, deployment)


def test_killed_while_it_bakes_and_on_the_way_to_the_next_step(deck: CanaryDeck) -> None:
    service = deck.service()
    deployment = deck.begin(service)
    deck.until_phase(deployment, Phase.BAKING, step=0)
    deck.crash()
    assert deck.weights(service) == (90, 10)
    while_answer_is_due(deck, "ModifyRule")
    deck.until_phase(deployment, Phase.BAKING, step=1)
    deck.crash()
    ends_well(deck, service, deployment)


def test_killed_while_the_whole_service_is_told(deck: CanaryDeck) -> None:
    service = deck.service()
    deployment = deck.begin(service)
    deck.until_phase(deployment, Phase.BAKING, step=0)
    deck.conduct("alice", service, "promote --full")
    before = deck.updates(f"{service}-staging")
    deck.world.faults.delay_answer("UpdateService", 600, n=1)
    deck.later(lambda: deck.updates(f"{service}-staging") > before, "the telling", leap=5)
    deck.crash()
    deck.world.faults.clear()
    ends_well(deck, service, deployment)


@pytest.mark.parametrize("operation", ["ModifyRule", "UpdateService", "DeleteService"])
def test_killed_while_it_is_taken_back_and_removed(deck: CanaryDeck, operation: str) -> None:
    service = deck.service()
    deployment = deck.begin(service)
    deck.until_phase(deployment, Phase.BAKING, step=0)
    before = deck.world.count(operation)
    deck.world.faults.delay_answer(operation, 600, n=1)
    deck.conduct("alice", service, "abort")
    deck.later(lambda: deck.world.count(operation) > before, operation, leap=5)
    deck.crash()
    deck.world.faults.clear()
    deck.until_ended(deployment, Status.ROLLED_BACK)
    deck.until_gone(deployment)
    assert deck.weights(service) == (100, 0)
    assert deck.made(service) == 1
    assert deck.updates(f"{service}-staging") == 0


def test_a_bad_canary_is_taken_back_by_the_next_start(deck: CanaryDeck) -> None:
    """Ten minutes without a bot: what was measured meanwhile counts."""
    service = deck.service()
    deployment = deck.begin(service)
    deck.until_phase(deployment, Phase.BAKING, step=0)
    deck.ship.kill()
    deck.world.traffic.version(deck.get(deployment).image.digest).errors = 0.3
    deck.pass_time(600)
    deck.sail()
    ended = deck.until_ended(deployment, Status.ROLLED_BACK)
    assert ended.reason_code == "CANARY_WORSE"
    deck.until_gone(deployment)
