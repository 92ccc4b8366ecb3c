"""L3: a start that is delivered again does not overwrite a finished state. spinnaker#7921"""

from __future__ import annotations

import pytest
from dbos import DBOSClient

from bot.model.contract import APPLICATION, APPLICATION_VERSION
from bot.model.deployment import Status
from tests.fakes.fleet import Fleet
from tests.fakes.squadron import true_end

pytestmark = pytest.mark.xdist_group("l3")


def delivered_again(deck: Fleet, deployment_id: str) -> None:
    """Run the deployment's workflow once more from its first step, and wait for its end."""
    client = DBOSClient(system_database_url=deck.place.database_url, application_name=APPLICATION)
    try:
        again = client.fork_workflow(deployment_id, 1, application_version=APPLICATION_VERSION)
        deck.until(lambda: again.get_status().status == "SUCCESS", "the second delivery to be over")
    finally:
        client.destroy()


@pytest.mark.parametrize("version", ["v2", "bad"])
def test_l3_a_start_delivered_again_changes_nothing(deck: Fleet, version: str) -> None:
    service = deck.service()
    end = Status.SUCCEEDED if version == "v2" else deck.shore.taken_back
    deck.place.push(service, "bad", "crashing")
    deck.asks("alice", f"{service} staging {version}")
    before = true_end(deck, f"{service}-staging-1", end)
    rows = deck.rows(deployment_id=before.id)

    delivered_again(deck, before.id)

    assert deck.get(before.id) == before
    assert deck.rows(deployment_id=before.id) == rows
    assert deck.updates(f"{service}-staging") == 1


def test_l3_a_cancelled_one_does_not_start_when_it_is_delivered_again(deck: Fleet) -> None:
    service = deck.service()
    deck.place.push(service, "v3")
    deck.asks("alice", f"{service} staging v2")
    deck.until_row(f"{service}-staging-1", "rollout.tell done")
    deck.asks("alice", f"{service} staging v3")
    deck.asks("alice", f"cancel {service}-staging-2")
    deck.finish(f"{service}-staging-1")

    delivered_again(deck, f"{service}-staging-2")

    assert deck.get(f"{service}-staging-2").status is Status.CANCELLED
    assert deck.updates(f"{service}-staging") == 1


def test_l3_a_late_approval_does_not_reopen_what_was_rejected(deck: Fleet) -> None:
    service = deck.service()
    deck.asks("alice", f"{service} production v2")
    deployment = f"{service}-production-1"
    card = deck.card(deployment)
    deck.asks("bob", f"reject {deployment} --reason no")

    answer = deck.clicks("carol", card, "Approve", as_seen=True)

    assert "ALREADY_DECIDED" in answer
    assert "rejected, by bob" in answer
    assert deck.get(deployment).status is Status.REJECTED
    assert deck.updates(f"{service}-production") == 0
