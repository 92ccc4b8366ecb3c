"""E3 on the whole bot: ECS takes a deployment back. Card, thread, trail and releases say so.

fabfuel/ecs-deploy#185, amazon-ecs-deploy-task-definition#191, #494
"""

from __future__ import annotations

import pytest

from bot.model.deployment import Status, Target
from tests.fakes.fleet import CHANNEL, CLUSTER, Fleet
from tests.fakes.squadron import true_end

pytestmark = pytest.mark.xdist_group("e3")


def thread(deck: Fleet, deployment_id: str) -> str:
    notes = deck.workspace.thread(CHANNEL, deck.card(deployment_id).ts)
    return "\n".join(message.text for message in notes)


@pytest.mark.parametrize("behaviour", ["crashing", "unpullable"])
def test_e3_the_breaker_took_it_back(deck: Fleet, behaviour: str) -> None:
    service = deck.service()
    deck.place.push(service, "bad", behaviour)
    deck.asks("alice", f"{service} staging bad")

    ended = true_end(deck, f"{service}-staging-1", Status.ROLLED_BACK)

    assert "circuit breaker" in ended.explanation
    deck.until_card(ended.id, "circuit breaker")
    deck.until(lambda: "Task stopped" in thread(deck, ended.id), "why the tasks stopped")
    deck.until(lambda: "taken back" in thread(deck, ended.id), "the end in the thread")
    assert deck.actions(ended.id)[-1] == "deploy.rolled_back failed ROLLED_BACK"
    assert deck.running(f"{service}-staging") == deck.place.digests["v1"]
    with deck.database.read() as tx:
        good = tx.releases.known_good(Target(service, "staging"))
    assert [release.image.digest for release in good] == [deck.place.digests["v1"]]
    refused = deck.asks("iris", f"{service} staging bad", slash="/rollback")
    assert "UNKNOWN_VERSION" in refused or "NO_KNOWN_GOOD" in refused


def test_e3_an_alarm_took_it_back(deck: Fleet) -> None:
    service = deck.service()
    deck.world.update_out_of_band(
        CLUSTER,
        f"{service}-staging",
        deploymentConfiguration={
            "alarms": {"alarmNames": ["errors-high"], "enable": True, "rollback": True},
            "bakeTimeInMinutes": 10,
        },
    )
    deck.asks("alice", f"{service} staging v2")
    deck.until_row(f"{service}-staging-1", "rollout.tell done")
    deck.world.advance(60)
    deck.world.trip_alarm("errors-high")

    ended = true_end(deck, f"{service}-staging-1", Status.ROLLED_BACK)
    assert "errors-high" in ended.explanation
