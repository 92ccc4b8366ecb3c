"""More than one process on one PostgreSQL: each piece of work is done by exactly one of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.playground.slack import payloads
from bot.playground.slack.delivery import Request
from bot.playground.slack.forms import action, control
from bot.store.migrate import LOCK
from tests.fakes.fleet import Fleet, at_once
from tests.fakes.squadron import WHOLE, Squadron, squadron, true_end, whole

pytestmark = pytest.mark.xdist_group("replicas")


@pytest.fixture
def squad(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Squadron]:
    with squadron(tmp_path_factory.mktemp("replicas"), postgres_url, "a", "b") as squad:
        yield squad


def press(deck: Fleet, name: str, deployment: str) -> Request:
    """A press of Approve that Slack is about to deliver."""
    card = deck.card(deployment)
    pressed = action(control(card, "Approve"), None)
    return payloads.block_action(deck.workspace, deck.workspace.member(name), card, pressed)


def test_two_approvers_in_one_instant_through_two_replicas(squad: Squadron) -> None:
    deck, service = squad.deck, squad.deck.service()
    deck.asks("alice", f"{service} production v2")
    deployment = f"{service}-production-1"
    clicks = [press(deck, name, deployment) for name in ("bob", "carol")]

    routes = zip(clicks, squad.ships.values(), strict=True)
    at_once(*[partial(deck.send, click, url=ship.url) for click, ship in routes])

    true_end(deck, deployment)
    rows = deck.actions(deployment)
    assert rows.count("deploy.approved done") == 1
    assert rows.count("deploy.started intent") == 1


def test_many_rollouts_are_shared_out_and_each_is_done_once(squad: Squadron) -> None:
    deck = squad.deck
    services = [deck.service() for _ in range(8)]
    ships = list(squad.ships.values())
    requests = [deck.typed("alice", f"{service} staging v2") for service in services]
    at_once(
        *[
            partial(deck.send, request, url=ships[number % 2].url)
            for number, request in enumerate(requests)
        ]
    )
    for service in services:
        deck.until_row(f"{service}-staging-1", "rollout.tell done")

    ships[0].kill()
    squad.face(ships[1])

    for service in services:
        ended = true_end(deck, f"{service}-staging-1")
        assert deck.actions(ended.id) == WHOLE


def test_a_turn_that_a_fenced_replica_took_is_handed_back(squad: Squadron) -> None:
    """A replica that wakes up may take one more turn before it notices that it is fenced.

    So its name is put on a queued workflow, as the engine writes it, after it was taken over from.
    """
    deck, service = squad.deck, squad.deck.service()
    gone = squad.ships.pop("a")
    name = gone.replica
    gone.kill()
    squad.face(squad.ships["b"])
    deck.until(lambda: f'"dead": "{name}"' in squad.ships["b"].log(), "the takeover")

    deck.place.push(service, "v3")
    for version in ("v2", "v3"):
        deck.asks("alice", f"{service} staging {version}")
    deck.until_row(f"{service}-staging-1", "rollout.tell done")
    with deck.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE dbos.workflow_status SET status = 'PENDING', executor_id = %s, "
            "owner_xid = 'gone' WHERE workflow_uuid = %s AND status = 'ENQUEUED'",
            (name, f"{service}-staging-2"),
        )

    deck.finish(f"{service}-staging-1")
    ended = deck.finish(f"{service}-staging-2")

    assert ended.owner == squad.ships["b"].replica
    assert deck.updates(f"{service}-staging") == 2


def test_a_worker_carries_out_what_the_front_accepted(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The front takes the request and dies; the worker beside it, which no Slack knows, goes on."""
    folder = tmp_path_factory.mktemp("worker")
    with squadron(folder, postgres_url, "front") as squad:
        worker = squad.launch("worker", command="worker")
        deck, service = squad.deck, squad.deck.service()
        deck.asks("alice", f"{service} production v2")
        deployment = f"{service}-production-1"
        deck.clicks("bob", deck.card(deployment), "Approve")
        squad.ships["front"].kill()

        ended = deck.finish(deployment)

        assert ended.owner == worker.replica
        assert deck.updates(f"{service}-production") == 1
        squad.face(squad.launch("new front"))
        deck.until_card(deployment, "succeeded")
        whole(deck)


def test_a_worker_that_dies_is_taken_over_from(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("worker")
    with squadron(folder, postgres_url, "front") as squad:
        deck, service = squad.deck, squad.deck.service()
        squad.launch("worker", command="worker")
        services = [service, *(deck.service() for _ in range(3))]
        for each in services:
            deck.asks("alice", f"{each} staging v2")
            deck.until_row(f"{each}-staging-1", "rollout.tell done")

        squad.ships["worker"].kill()

        for each in services:
            true_end(deck, f"{each}-staging-1")


def test_replicas_that_start_together_on_an_empty_database_all_come_up(
    empty_postgres_url: str, tmp_path: Path
) -> None:
    """One migrates, the others wait for it: here all wait for somebody who began before them."""
    with squadron(tmp_path, empty_postgres_url) as squad, ThreadPoolExecutor(2) as pool:
        with squad.deck.engine.connect() as first:
            first.execute(sa.select(sa.func.pg_advisory_lock(LOCK)))
            first.commit()
            starting = [pool.submit(squad.launch, name) for name in ("a", "b")]
            squad.deck.until(lambda: waiting(squad.deck) == len(starting), "both to wait")
            first.execute(sa.select(sa.func.pg_advisory_unlock(LOCK)))
            first.commit()
        squad.face(starting[0].result())
        starting[1].result()

        service = squad.deck.service()
        squad.deck.asks("alice", f"{service} staging v2")
        true_end(squad.deck, f"{service}-staging-1")


def waiting(deck: Fleet) -> int:
    """How many replicas wait for their turn to migrate."""
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with deck.engine.connect() as connection:
        return int(connection.execute(sa.text(query)).scalar_one())
