from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from threading import Event

from bot.model.errors import Unreachable
from bot.model.ports import Delivery
from bot.slack.courier import Courier
from bot.slack.pacing import FIRST_WAIT, LONGEST_WAIT, Pacing
from tests.unit.slack.drawn import NOON, Outbox


def test_a_woken_courier_delivers_at_once_and_stops() -> None:
    outbox = Outbox()
    looked = Event()
    claim = outbox.deliveries.claim

    def noting(claimant: str, limit: int, now: datetime) -> Sequence[Delivery]:
        found = claim(claimant, limit, now)
        if not found:
            looked.set()
        return found

    object.__setattr__(outbox.deliveries, "claim", noting)
    woken = Event()
    courier = Courier(outbox.deliverer, woken, idle=3600)
    assert courier.trouble() == ""
    courier.start()
    assert looked.wait(30)
    looked.clear()
    outbox.owe_card()
    woken.set()
    assert looked.wait(30)
    assert len(outbox.messenger.in_channel("C1")) == 1
    courier.stop()
    assert "not being delivered" in courier.trouble()


def test_it_makes_way_before_each_message() -> None:
    outbox = Outbox()
    outbox.owe_card()
    asked, made_way = Event(), Event()

    def make_way() -> None:
        asked.set()
        assert made_way.wait(30)

    courier = Courier(outbox.deliverer, Event(), idle=3600, make_way=make_way)
    courier.start()
    assert asked.wait(30)
    assert outbox.messenger.in_channel("C1") == []
    made_way.set()
    courier.stop()
    assert len(outbox.messenger.in_channel("C1")) == 1


def test_a_lost_database_does_not_end_the_courier() -> None:
    outbox = Outbox()
    outbox.owe_card()
    outbox.deliveries.fault = Unreachable("The database does not answer.")
    courier = Courier(outbox.deliverer, Event(), idle=0.01)
    assert courier._round() > 0
    outbox.deliveries.fault = None
    assert courier._round() == 0
    assert len(outbox.messenger.in_channel("C1")) == 1


def test_waiting_doubles_with_jitter_up_to_a_limit() -> None:
    longest = Pacing(jitter=lambda: 1.0)
    waits = [(longest.failed(1, NOON) - NOON).total_seconds() for _ in range(12)]
    assert waits[:3] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert waits[-1] == LONGEST_WAIT
    shortest = Pacing(jitter=lambda: 0.0)
    assert (shortest.failed(1, NOON) - NOON).total_seconds() == FIRST_WAIT / 2
    longest.succeeded(1)
    assert (longest.failed(1, NOON) - NOON).total_seconds() == FIRST_WAIT
