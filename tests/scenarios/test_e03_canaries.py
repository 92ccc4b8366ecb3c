"""Canaries on ECS, the whole bot: brought on or taken back by evidence, by people, by mishaps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.model.canary import Phase
from bot.model.deployment import Status
from tests.fakes.canary_deck import CanaryDeck, canary_deck

pytestmark = pytest.mark.xdist_group("canaries")


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CanaryDeck]:
    with canary_deck(tmp_path_factory.mktemp("canaries")) as deck:
        yield deck
        assert deck.posted_twice() == []


def test_a_good_canary_goes_to_the_whole_traffic(deck: CanaryDeck) -> None:
    service = deck.service()
    deployment = deck.begin(service)
    deck.until_phase(deployment, Phase.BAKING, step=0)
    assert deck.weights(service) == (90, 10)
    deck.until_phase(deployment, Phase.BAKING, step=1)
    assert deck.weights(service) == (50, 50)
    deck.until_ended(deployment, Status.SUCCEEDED)
    assert deck.weights(service) == (100, 0)
    deck.until_gone(deployment)
    assert deck.running(f"{service}-staging") == deck.get(deployment).image.digest


def test_a_bad_canary_is_taken_back_with_its_evidence(deck: CanaryDeck) -> None:
    service = deck.service()
    deployment = deck.begin(service)
    deck.world.traffic.version(deck.get(deployment).image.digest).errors = 0.2
    ended = deck.until_ended(deployment, Status.ROLLED_BACK)
    assert ended.reason_code == "CANARY_WORSE"
    assert "the odds against chance are" in ended.explanation
    assert deck.weights(service) == (100, 0)
    deck.until_card(deployment, "the odds against chance are")
    deck.until_gone(deployment)
    assert deck.running(f"{service}-staging") != ended.image.digest


def test_e3_tasks_that_do_not_start_end_it_before_any_visitor_sees_them(deck: CanaryDeck) -> None:
    service = deck.service()
    deck.place.push(service, "v3", "crashing")
    deployment = deck.begin(service, "v3")
    deck.until_ended(deployment, Status.FAILED)
    deck.until_gone(deployment)
    assert (deck.weights(service), deck.shifts(service)) == ((100, 0), 0)


def test_e3_the_breaker_takes_back_what_was_promoted(deck: CanaryDeck) -> None:
    service = deck.service()
    deployment = deck.begin(service)
    deck.until_phase(deployment, Phase.BAKING, step=0)
    deck.turns_bad(service, "v2")
    deck.conduct("alice", service, "promote --full")
    ended = deck.until_ended(deployment, Status.ROLLED_BACK)
    assert "circuit breaker" in ended.explanation
    assert deck.weights(service) == (100, 0)
    assert deck.running(f"{service}-staging") != ended.image.digest
    deck.until_gone(deployment)


def test_e6_weights_that_somebody_else_changed_are_told_and_left(deck: CanaryDeck) -> None:
    service = deck.service()
    deployment = deck.begin(service)
    deck.until_phase(deployment, Phase.BAKING, step=0)
    front = deck.fronts[service]
    deck.world.balancers.set_weights(front.rule, {front.stable: 30, front.canary: 70})
    deck.until_phase(deployment, Phase.ASKING)
    deck.until_card(deployment, "Somebody else changed the rule")
    assert deck.weights(service) == (30, 70)
    deck.conduct("alice", service, "abort --reason not mine")
    ended = deck.until_ended(deployment, Status.ROLLED_BACK)
    assert ended.reason_code == "CANARY_TAKEN_BACK"
    assert deck.weights(service) == (100, 0)


def test_e6_a_service_somebody_deployed_to_meanwhile_is_not_overruled(deck: CanaryDeck) -> None:
    service = deck.service()
    deployment = deck.begin(service)
    deck.until_phase(deployment, Phase.BAKING, step=0)
    deck.place.push(service, "v9")
    deck.shore.deploy_aside(f"{service}-staging", "v9")
    deck.conduct("alice", service, "promote --full")
    deck.until_ended(deployment, Status.SUPERSEDED, Status.FAILED)
    assert deck.updates(f"{service}-staging") == 0
    assert deck.weights(service) == (100, 0)


def test_l6_a_rollback_ends_it_and_waits_for_the_traffic_alone(deck: CanaryDeck) -> None:
    service = deck.service()
    first = deck.begin(service)
    deck.until_phase(first, Phase.BAKING, step=0)
    deck.conduct("alice", service, "promote --full")
    deck.until_ended(first, Status.SUCCEEDED)
    deck.until_gone(first)
    deck.place.push(service, "v3")
    second = deck.begin(service, "v3")
    deck.until_phase(second, Phase.BAKING, step=0)
    deck.world.faults.delay("ModifyRule", 4, n=1)
    deck.asks("alice", f"{service} staging", slash="/rollback")
    assert deck.get(second).status is Status.CANCELLED
    deck.until_ended(f"{service}-staging-3", Status.SUCCEEDED)
    rows = [f"{row.entry.action} {row.entry.deployment_id}" for row in deck.rows()]
    off, told = f"canary.returned {second}", f"rollout.tell {service}-staging-3"
    assert off in rows[: rows.index(told)]
    assert deck.weights(service) == (100, 0)
    assert deck.running(f"{service}-staging") == deck.get(first).image.digest
    deck.until_gone(second)


def test_s3_a_word_that_comes_too_late_is_told_so(deck: CanaryDeck) -> None:
    service = deck.service()
    deployment = deck.begin(service)
    deck.until_phase(deployment, Phase.BAKING, step=0)
    first = deck.until_card(deployment, "Promote to 50%")
    deck.until_phase(deployment, Phase.BAKING, step=1)
    said = deck.clicks("alice", first, "Promote to 50%", as_seen=True)
    assert "That button belonged to an earlier step" in said
    assert deck.denied(service)[-1].reason_code == "STALE_BUTTON"
    deck.conduct("bob", service, "abort")
    deck.until_ended(deployment, Status.ROLLED_BACK)
    assert "NOT_RUNNING" in deck.clicks("alice", first, "Promote to 50%", as_seen=True)
    deck.until_gone(deployment)
    assert "No canary runs" in deck.conduct("alice", service, "promote")
    assert deck.denied(service)[-1].reason_code == "NOT_RUNNING"


def test_a_shared_incident_is_held(deck: CanaryDeck) -> None:
    service = deck.service()
    deployment = deck.begin(service)
    deck.until_phase(deployment, Phase.BAKING, step=0)
    deck.world.traffic.incident(
        deck.fronts[service].load_balancer, errors=0.3, latency=1.0, seconds=3600
    )

    def held() -> bool:
        found = deck.canary(deployment)
        judgement = found.judgement if found else None
        return judgement is not None and judgement.because == "shared_incident"

    deck.later(held, "the incident to be seen")
    assert deck.weights(service) == (90, 10)
    assert deck.get(deployment).status is Status.RUNNING
    deck.conduct("alice", service, "abort")
    deck.until_ended(deployment, Status.ROLLED_BACK)
