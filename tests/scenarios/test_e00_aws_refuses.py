"""What AWS refuses is said on the card, with the permission that fails; the truth does not suffer.

Not in the list of failure scenarios by number, but among what bad input gets: throttling, expired
credentials, access denied.
"""

from __future__ import annotations

import pytest

from bot.model.deployment import Status
from bot.playground.aws.errors import AwsError
from tests.fakes.fleet import Fleet
from tests.fakes.squadron import registered, true_end, whole

pytestmark = pytest.mark.xdist_group("e0")


@pytest.mark.parametrize(
    "operation", ["DescribeServices", "RegisterTaskDefinition", "UpdateService"]
)
def test_e_throttling_is_said_and_the_rollout_goes_on(deck: Fleet, operation: str) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} production v2")
    deployment = f"{service}-production-1"
    card = deck.card(deployment)
    deck.world.faults.throttle(operation, None)
    deck.clicks("bob", card, "Approve")

    deck.until_card(deployment, f"AWS limits the rate of ecs:{operation}")
    deck.world.faults.clear(operation)

    ended = true_end(deck, deployment)
    assert "limits the rate" not in ended.explanation
    assert "limits the rate" not in str(deck.card(deployment).blocks)
    assert registered(deck, f"{service}-production") == 1


@pytest.mark.parametrize("operation", ["RegisterTaskDefinition", "UpdateService"])
def test_e_a_missing_permission_ends_it_and_is_named(deck: Fleet, operation: str) -> None:
    service = deck.service()
    deck.world.faults.deny(operation, 1)
    deck.asks("alice", f"{service} staging v2")

    ended = deck.finish(f"{service}-staging-1", Status.FAILED)

    assert ended.reason_code == "ACCESS_DENIED"
    deck.until_card(ended.id, f"AWS denied ecs:{operation}")
    assert deck.actions(ended.id)[-1] == "deploy.failed failed ACCESS_DENIED"
    assert deck.updates(f"{service}-staging") == 0
    assert deck.running(f"{service}-staging") == deck.place.digests["v1"]
    whole(deck)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("deny", "AWS denied ecs:DescribeServices"),
        ("expire_credentials", "did not accept the credentials used for ecs:DescribeServices"),
        ("throttle", "AWS limits the rate of ecs:DescribeServices"),
    ],
)
def test_e_what_cannot_be_watched_is_said_and_goes_on(deck: Fleet, broken: str, said: str) -> None:
    """ECS works on while nobody may look; the end is told as soon as somebody may."""
    service = deck.service()
    deck.asks("alice", f"{service} staging v2")
    deployment = f"{service}-staging-1"
    deck.until(lambda: deck.get(deployment).progress.desired == 2, "the first look")

    getattr(deck.world.faults, broken)("DescribeServices", n=None)
    deck.until_card(deployment, said)
    assert deck.get(deployment).status is Status.RUNNING
    deck.world.faults.clear("DescribeServices")

    deck.until(lambda: said not in str(deck.card(deployment).blocks), "the card to be clean again")
    assert deck.get(deployment).status is Status.RUNNING
    assert said not in true_end(deck, deployment).explanation


def test_e_expired_credentials_refuse_a_request_and_change_nothing(deck: Fleet) -> None:
    service = deck.service()
    deck.world.faults.expire_credentials()

    answer = deck.asks("alice", f"{service} staging v2")

    deck.world.faults.clear()
    assert "ACCESS_DENIED" in answer
    assert "credentials" in answer
    assert deck.of(service) == []
    (row,) = deck.rows(target=f"{service}/staging")
    assert (row.entry.decision, row.entry.reason_code) == ("denied", "ACCESS_DENIED")


def test_e_a_failing_aws_is_asked_again(deck: Fleet) -> None:
    service = deck.service()
    deck.world.faults.fail("UpdateService", AwsError("ServerException", "Try later.", 500), n=1)
    deck.asks("alice", f"{service} staging v2")

    ended = true_end(deck, f"{service}-staging-1")
    assert ended.attempts == 2
