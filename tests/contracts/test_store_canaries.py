"""Canaries in the database: compare-and-set, claims, and ticks that stay as they were taken."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from bot.model.canary import (
    Act,
    Arms,
    Canary,
    Crew,
    Ended,
    Judgement,
    Measured,
    Past,
    Phase,
    Reading,
    Wish,
)
from bot.model.canary_plan import CanaryPlan, CanaryStep, Native
from bot.model.catalog import TargetSpec
from bot.model.counts import Arm
from bot.model.deployment import Person, Status
from bot.model.errors import Terminal
from bot.model.places import EcsService
from bot.store.database import Database
from tests.contracts.store_examples import STAGING, a_deployment, stored

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PLAN = CanaryPlan(
    native=Native(kind="linear"),
    steps=(CanaryStep(share=0.333), CanaryStep(share=0.666), CanaryStep(share=0.999)),
)
SPEC = TargetSpec(
    service="backend",
    environment="staging",
    timeout=timedelta(minutes=20),
    ecs=EcsService(region="eu-west-1", cluster="main", service="backend", container="app"),
    canary=PLAN,
)
ONE = "backend-staging-1"
FULL = Canary(
    ONE,
    PLAN,
    Phase.BAKING,
    NOON,
    step=1,
    share=0.1,
    past=Past((Arm(100, 1, (25, 5, 1), 2, 1),), 60, (0.1, 0.2, 0.3), (0.08, 9)),
    arms=Arms("stable", "canary", "app/web/1"),
    shifts=(NOON, NOON),
    trouble="Somebody else changed the weights.",
    measured_until=NOON,
    calm_since=NOON,
    canary=Crew(1, 1, 1),
    stable=Crew(4, 4, 4),
    doing="shifting",
    expires_at=NOON,
    judgement=Judgement("hold", "baking", "Baking.", 1.5, (1, 0), (2, 0)),
    held_by=Person("U1", "alice"),
    wish=Wish(Act.ABORT, Person("U2", "bob"), NOON, "too slow"),
    extended=True,
    ending=Ended(Status.ROLLED_BACK, "CANARY_ABORTED", "It failed.", Person("U1", "alice")),
)


def tick(number: int) -> Measured:
    begins = NOON + timedelta(minutes=number)
    return Measured(Reading(begins, 60, Arm(10, 1), Arm(90, 2)), step=0)


def test_everything_comes_back_as_it_was(database: Database) -> None:
    stored(database, a_deployment())
    with database.begin() as tx:
        tx.canaries.add(FULL)
    with database.read() as tx:
        assert tx.canaries.get(ONE) == FULL
        assert tx.canaries.of(STAGING) == FULL
        assert tx.canaries.open() == [FULL]


def test_what_is_little_comes_back_too(database: Database) -> None:
    stored(database, a_deployment())
    little = Canary(ONE, PLAN, Phase.SHIFTING, NOON)
    with database.begin() as tx:
        tx.canaries.add(little)
        assert tx.canaries.get(ONE) == little
        assert tx.canaries.get("backend-staging-2") is None


def test_of_two_changes_of_one_state_one_wins(database: Database) -> None:
    stored(database, a_deployment())
    with database.begin() as tx:
        tx.canaries.add(FULL)
        changed = tx.canaries.change(FULL, phase=Phase.RETURNING, wish=None)
        assert changed == replace(FULL, phase=Phase.RETURNING, wish=None, version=2)
        assert tx.canaries.change(FULL, phase=Phase.PROMOTING) is None
        assert tx.canaries.get(ONE) == changed


def test_what_is_over_is_open_no_more(database: Database) -> None:
    stored(database, a_deployment())
    with database.begin() as tx:
        tx.canaries.add(FULL)
        over = tx.canaries.change(FULL, phase=Phase.OVER)
        assert tx.canaries.open() == []
        assert tx.canaries.of(STAGING) is None
        assert tx.canaries.get(ONE) == over
        assert not tx.canaries.claim(ONE, "a", NOON, NOON + timedelta(minutes=1))


def test_one_replica_conducts_until_its_claim_runs_out(database: Database) -> None:
    stored(database, a_deployment())
    later = NOON + timedelta(seconds=30)
    with database.begin() as tx:
        tx.canaries.add(FULL)
        assert tx.canaries.claim(ONE, "a", NOON, later)
        assert not tx.canaries.claim(ONE, "b", NOON, later)
        assert tx.canaries.claim(ONE, "a", NOON, later + timedelta(seconds=1))
        after = later + timedelta(seconds=2)
        assert tx.canaries.claim(ONE, "b", after, after + timedelta(seconds=30))
        assert not tx.canaries.claim(ONE, "a", after, after + timedelta(seconds=30))


def test_a_tick_is_taken_once(database: Database) -> None:
    stored(database, a_deployment())
    with database.begin() as tx:
        tx.canaries.add(FULL)
        assert tx.canaries.tick(ONE, 1, tick(1))
        assert tx.canaries.tick(ONE, 0, tick(0))
        assert not tx.canaries.tick(ONE, 1, tick(2))
    with database.read() as tx:
        assert tx.canaries.ticks(ONE) == [tick(0), tick(1)]


@pytest.mark.parametrize(
    "verb", ["UPDATE canary_ticks SET body = '{}'", "DELETE FROM canary_ticks"]
)
def test_a_tick_is_never_changed(database: Database, engine: sa.Engine, verb: str) -> None:
    stored(database, a_deployment())
    with database.begin() as tx:
        tx.canaries.add(FULL)
        tx.canaries.tick(ONE, 0, tick(0))
    with pytest.raises(exc.DBAPIError, match="never changed"), engine.begin() as connection:
        connection.execute(sa.text(verb))
    with database.read() as tx:
        assert tx.canaries.ticks(ONE) == [tick(0)]


def test_a_word_waits_for_who_changes_the_canary_and_sees_what_came_of_it(
    database: Database,
) -> None:
    """On PostgreSQL two transactions that read alike would else lose one of their changes."""
    stored(database, a_deployment())
    with database.begin() as tx:
        tx.canaries.add(replace(FULL, wish=None))
    first, second = Event(), Event()

    def tick_and_wait() -> None:
        with database.begin() as tx:
            found = tx.canaries.get_for_update(ONE)
            assert found is not None
            assert tx.canaries.change(found, doing="measured")
            first.set()
            second.wait(1.0)

    with ThreadPoolExecutor(1) as pool:
        measuring = pool.submit(tick_and_wait)
        assert first.wait(10.0)
        with database.begin() as tx:
            found = tx.canaries.get_for_update(ONE)
            assert found is not None
            assert tx.canaries.change(found, extended=False)
        second.set()
        measuring.result()
    with database.read() as tx:
        both = tx.canaries.get(ONE)
    assert both is not None
    assert (both.doing, both.extended) == ("measured", False)


def test_the_targets_entry_comes_back_as_it_was(database: Database) -> None:
    stored(database, a_deployment())
    with database.begin() as tx:
        tx.canaries.add(replace(FULL, spec=SPEC, down_since=NOON))
    with database.read() as tx:
        found = tx.canaries.get(ONE)
    assert found == replace(FULL, spec=SPEC, down_since=NOON)


def test_one_that_cannot_be_read_keeps_nobody_from_the_others(
    database: Database, engine: sa.Engine
) -> None:
    stored(database, a_deployment())
    stored(database, a_deployment(2))
    other = replace(FULL, deployment_id="backend-staging-2")
    with database.begin() as tx:
        tx.canaries.add(FULL)
        tx.canaries.add(other)
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE canaries SET body = '{}' WHERE deployment_id = :id"), {"id": ONE}
        )
    with database.read() as tx:
        assert tx.canaries.open() == [other]
        assert tx.canaries.unreadable() == [ONE]
        with pytest.raises(Terminal, match=ONE):
            tx.canaries.get(ONE)
