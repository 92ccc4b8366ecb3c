"""L6: a rollback while a deployment runs. The running one is ended first, then ECS is told.

shipit-engine#1086, #1244
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from bot.model.deployment import Status
from tests.conftest import postgres_copy
from tests.fakes.fleet import Fleet, fleet
from tests.fakes.shore import ShoreMaker
from tests.fakes.squadron import told, whole

pytestmark = pytest.mark.xdist_group("l6")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def deck(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shore: ShoreMaker
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("rollback")
    with ExitStack() as stack:
        url = ""
        if request.param == "postgresql":
            server = str(request.getfixturevalue("postgres_server"))
            url = stack.enter_context(contextmanager(postgres_copy)(server, ""))
        yield stack.enter_context(fleet(folder, database_url=url, shore=shore))


def taken_back(deck: Fleet, service: str) -> None:
    """The first ended CANCELLED, then ECS was told the old version; the target is held."""
    running, back = f"{service}-staging-1", f"{service}-staging-2"
    ended = deck.finish(back)
    cancelled = deck.get(running)
    assert cancelled.status is Status.CANCELLED
    assert cancelled.ended_by is not None
    assert cancelled.ended_by.name == "iris"
    assert cancelled.previous is not None
    assert ended.image.digest == cancelled.previous.digest
    assert told(deck, f"{service}-staging")[-1] == ended.image.digest
    assert deck.running(f"{service}-staging") == ended.image.digest
    order = [
        row.entry.action
        for row in deck.rows(target=f"{service}/staging")
        if row.entry.action in {"deploy.cancelled", "rollback.started", "rollback.succeeded"}
    ]
    assert order == ["deploy.cancelled", "rollback.started", "rollback.succeeded"]
    deck.until_card(running, "cancelled")
    deck.until_card(back, "succeeded")
    refused = deck.asks("alice", f"{service} staging v3")
    assert "LOCKED" in refused
    whole(deck)


def begun(deck: Fleet) -> str:
    service = deck.service()
    deck.place.push(service, "v3")
    deck.asks("alice", f"{service} staging v2")
    deck.until_row(f"{service}-staging-1", "rollout.tell done")
    return service


def test_l6_a_rollback_takes_a_running_one_back(deck: Fleet) -> None:
    service = begun(deck)
    deck.asks("iris", f"{service} staging --reason errors", slash="/rollback")
    taken_back(deck, service)
    assert len(told(deck, f"{service}-staging")) == 2


def test_l6_cancel_and_roll_back_is_the_same(deck: Fleet) -> None:
    service = begun(deck)
    deck.asks("iris", f"cancel {service}-staging-1 --roll-back --reason errors")
    taken_back(deck, service)
    assert len(told(deck, f"{service}-staging")) == 2


def test_l6_what_waits_behind_does_not_ship_afterwards(deck: Fleet) -> None:
    service = begun(deck)
    deck.asks("alice", f"{service} staging v3")
    deck.asks("iris", f"{service} staging --reason errors", slash="/rollback")
    back = deck.finish(f"{service}-staging-3")

    queued = deck.until_status(f"{service}-staging-2", Status.REFUSED)
    assert queued.reason_code == "LOCKED"
    assert deck.running(f"{service}-staging") == back.image.digest


def test_l6_while_ecs_is_being_told(deck: Fleet) -> None:
    """The call that is under way cannot be called back: it ends, and the rollback comes after."""
    service = deck.service()
    deck.place.push(service, "v3")
    deck.shore.delay_start(3)
    deck.asks("alice", f"{service} staging v2")
    assert deck.shore.delaying(30)

    deck.asks("iris", f"{service} staging --reason errors", slash="/rollback")

    assert deck.get(f"{service}-staging-1").status is Status.CANCELLED
    assert deck.updates(f"{service}-staging") == 0
    taken_back(deck, service)
    assert told(deck, f"{service}-staging")[0] == deck.get(f"{service}-staging-1").image.digest


def test_l6_before_ecs_was_told_at_all(deck: Fleet) -> None:
    service = deck.service()
    deck.place.push(service, "v3")
    deck.shore.throttle_start()
    deck.asks("alice", f"{service} staging v2")
    deck.until_card(f"{service}-staging-1", deck.shore.telling)

    deck.asks("iris", f"cancel {service}-staging-1 --roll-back --reason errors")
    deck.shore.heal()

    taken_back(deck, service)
    bad = deck.get(f"{service}-staging-1").image.digest
    assert bad not in told(deck, f"{service}-staging")


def test_l6_a_rollback_that_could_not_begin_is_replaced_by_the_next_one(deck: Fleet) -> None:
    """The person who typed the wrong version corrects it, while ECS does not answer."""
    service = deck.service()
    first = deck.running(f"{service}-staging")
    deck.asks("alice", f"{service} staging v2")
    wrong = deck.finish(f"{service}-staging-1").image.digest
    deck.place.push(service, "v3")
    deck.asks("alice", f"{service} staging v3")
    deck.until_row(f"{service}-staging-2", "rollout.tell done")
    deck.shore.throttle_reads()
    deck.asks("iris", f"{service} staging v2", slash="/rollback")
    deck.until_card(f"{service}-staging-3", deck.shore.reading)

    deck.asks("iris", f"{service} staging {first}", slash="/rollback")
    replaced = deck.get(f"{service}-staging-3")
    deck.shore.heal()

    assert (replaced.status, replaced.reason_code) == (Status.CANCELLED, "ROLLED_BACK_BY_HAND")
    assert deck.finish(f"{service}-staging-4").image.digest == first
    assert deck.running(f"{service}-staging") == first
    assert told(deck, f"{service}-staging").count(wrong) == 1
    deck.until_card(replaced.id, "before it began")
    whole(deck)
