"""E4 on the whole bot: a rollout that never settles. TIMED OUT with what is known, never success.

amazon-ecs-deploy-task-definition#838, copilot-cli#1879
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.model.deployment import Status, Target
from tests.fakes.fleet import CLUSTER, Fleet, fleet, fleet_catalog
from tests.fakes.squadron import whole

pytestmark = pytest.mark.xdist_group("e4")


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Every target has ten seconds, by the bot's clock; ECS's own stands still."""
    impatient = fleet_catalog().replace(
        "environment: staging,", "environment: staging, timeout: 10s,"
    )
    with fleet(tmp_path_factory.mktemp("impatient"), catalog=impatient) as deck:
        yield deck


def test_e4_what_never_settles_is_timed_out(deck: Fleet) -> None:
    service = deck.service()
    deck.place.push(service, "v3")
    deck.asks("alice", f"{service} staging v2")
    deck.until_row(f"{service}-staging-1", "rollout.tell done")
    while deck.world.service(CLUSTER, f"{service}-staging").primary.rollout_state != "COMPLETED":
        deck.world.advance(1)
        tasks = deck.world.service(CLUSTER, f"{service}-staging").tasks.values()
        if sum(task.running for task in tasks) > 2:
            break  # new tasks run, and old ones still do

    timed_out = deck.until_status(f"{service}-staging-1", Status.TIMED_OUT)

    assert "after 10 seconds" in timed_out.explanation
    assert "of 2 tasks" in timed_out.explanation
    assert "roll back" in timed_out.explanation
    deck.until_card(timed_out.id, "timed out")
    assert deck.actions(timed_out.id)[-1] == "deploy.timed_out failed TIMED_OUT"
    with deck.database.read() as tx:
        good = tx.releases.known_good(Target(service, "staging"))
    assert [release.image.digest for release in good] == [deck.place.digests["v1"]]
    # The turn is free again.
    deck.asks("alice", f"{service} staging v3")
    deck.finish(f"{service}-staging-2")
    whole(deck)


def test_e4_what_ecs_was_never_told_has_failed(deck: Fleet) -> None:
    """At the deadline ECS still refuses to be told: nothing rolls, and nothing else is claimed."""
    service = deck.service()
    deck.world.faults.throttle("UpdateService", None)
    deck.asks("alice", f"{service} staging v2")

    failed = deck.until_status(f"{service}-staging-1", Status.FAILED)

    assert "ecs:UpdateService" in failed.explanation
    assert "nothing was changed" in failed.explanation
    assert "Trying again" not in failed.explanation
    deck.world.faults.clear("UpdateService")
    assert deck.updates(f"{service}-staging") == 0
    whole(deck)


def test_e4_what_cannot_be_read_at_the_deadline_is_unknown(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} staging v2")
    deck.until_row(f"{service}-staging-1", "rollout.tell done")
    deck.world.faults.deny("DescribeServices")

    unknown = deck.until_status(f"{service}-staging-1", Status.OUTCOME_UNKNOWN)

    deck.world.faults.clear("DescribeServices")
    assert "ecs:DescribeServices" in unknown.explanation
    whole(deck)
