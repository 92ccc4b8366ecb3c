"""Words about a canary in the very instant in which it is measured, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

from bot.model.canary import Act, Canary, Phase
from bot.model.canary_plan import CanaryPlan, Native
from bot.model.deployment import Status
from bot.store.database import Database
from bot.workflows.canary.opening import supersede
from tests.contracts.store_examples import NOON, a_deployment, stored


def test_a_word_is_not_lost_to_a_tick_of_the_same_instant(database: Database) -> None:
    older, newer = a_deployment(1, status=Status.RUNNING), a_deployment(2)
    stored(database, older, newer)
    with database.begin() as tx:
        tx.canaries.add(Canary(older.id, CanaryPlan(native=Native()), Phase.BAKING, NOON))
    measured, told = Event(), Event()

    def measure() -> None:
        with database.begin() as tx:
            canary = tx.canaries.get(older.id)
            assert canary is not None
            assert tx.canaries.change(canary, measured_until=NOON + timedelta(minutes=1))
            measured.set()
            told.wait(1.0)

    with ThreadPoolExecutor(1) as pool:
        measuring = pool.submit(measure)
        assert measured.wait(10.0)
        with database.begin() as tx:
            supersede(tx, newer, NOON)
        told.set()
        measuring.result()
    with database.read() as tx:
        found = tx.canaries.get(older.id)
    assert found is not None
    assert found.measured_until is not None
    assert found.wish is not None
    assert found.wish.act is Act.ABORT
