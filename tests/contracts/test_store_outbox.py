"""The outbox, on SQLite and PostgreSQL: at least once, coalesced, in a sensible order."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from bot.model.deployment import Status
from bot.model.ports import Deliveries, Delivery
from bot.store.database import Database
from bot.store.outbox import OutboxDeliveries
from bot.store.session import make_engine
from tests.contracts.store_examples import NOON, PRODUCTION, a_deployment, at_once, stored
from tests.fakes.clock import FakeClock

ID = "backend-staging-1"
SECOND = timedelta(seconds=1)


@pytest.fixture
def deliveries(engine: sa.Engine, clock: FakeClock) -> Deliveries:
    return OutboxDeliveries(engine, clock)


def ask_card(database: Database, deployment_id: str = ID) -> None:
    with database.begin() as tx:
        tx.outbox.card(deployment_id)


def ask_in_vain(database: Database) -> None:
    with database.begin() as tx:
        tx.outbox.card(ID)
        raise ValueError("Somebody changed their mind.")


def ask_thread(database: Database, key: str, text: str = "hello", *, loud: bool = False) -> None:
    with database.begin() as tx:
        tx.outbox.thread(ID, key, text, broadcast=loud)


def claim(deliveries: Deliveries, after: timedelta = timedelta(0)) -> list[Delivery]:
    return list(deliveries.claim("replica-1", 10, NOON + after))


def test_a_card_goes_to_where_it_was_asked_for(database: Database, deliveries: Deliveries) -> None:
    stored(database, a_deployment(channel="C0DEPLOYS"))
    ask_card(database)
    (card,) = claim(deliveries)
    assert (card.deployment_id, card.key, card.channel) == (ID, "card", "C0DEPLOYS")
    assert (card.ts, card.thread_ts, card.attempted_at, card.attempts) == (None, None, None, 0)


def test_who_delivers_is_told_once_it_is_stored(
    engine: sa.Engine, clock: FakeClock, deliveries: Deliveries
) -> None:
    found: list[int] = []
    database = Database(engine, clock, lambda: found.append(len(claim(deliveries))))
    stored(database, a_deployment())
    assert found == []  # nothing was asked for
    with pytest.raises(ValueError, match="changed"):
        ask_in_vain(database)
    assert found == []  # nothing was stored
    ask_card(database)
    assert found == [1]
    ask_thread(database, "approved")
    assert len(found) == 2


def test_many_asks_become_one_update(database: Database, deliveries: Deliveries) -> None:
    stored(database, a_deployment())
    for _ in range(5):
        ask_card(database)
    (card,) = claim(deliveries)
    deliveries.delivered(card, card.channel, "1.1")
    assert claim(deliveries) == []


def test_what_is_asked_while_it_is_delivered_is_not_lost(
    database: Database, deliveries: Deliveries
) -> None:
    stored(database, a_deployment())
    ask_card(database)
    (card,) = claim(deliveries)
    ask_card(database)
    deliveries.delivered(card, card.channel, "1.1")
    (again,) = claim(deliveries)
    assert (again.ts, again.wanted) == ("1.1", 2)


def test_a_slow_delivery_does_not_undo_a_newer_one(
    database: Database, deliveries: Deliveries
) -> None:
    stored(database, a_deployment())
    ask_card(database)
    (slow,) = claim(deliveries)
    ask_card(database)
    (newer,) = claim(deliveries, 31 * SECOND)
    deliveries.delivered(newer, newer.channel, "1.1")
    deliveries.delivered(slow, slow.channel, "1.1")
    assert claim(deliveries, 62 * SECOND) == []


def test_a_claim_lasts_thirty_seconds(database: Database, deliveries: Deliveries) -> None:
    stored(database, a_deployment())
    ask_card(database)
    assert len(claim(deliveries)) == 1
    assert claim(deliveries, 29 * SECOND) == []
    assert len(claim(deliveries, 30 * SECOND)) == 1


def test_two_replicas_never_claim_the_same(
    database_url: str, database: Database, engine: sa.Engine, clock: FakeClock
) -> None:
    other = make_engine(database_url)
    ends = [OutboxDeliveries(engine, clock), OutboxDeliveries(other, clock)]
    for number in range(1, 21):
        deployment = stored(database, a_deployment(number))
        ask_card(database, deployment.id)

    def work(number: int) -> list[int]:
        mine: list[int] = []
        while batch := ends[number % 2].claim(f"replica-{number}", 3, NOON):
            mine += [delivery.id for delivery in batch]
        return mine

    claimed = [number for mine in at_once(4, work) for number in mine]
    other.dispose()
    assert len(claimed) == len(set(claimed)) == 20


def test_a_thread_waits_for_its_card_and_follows_it(
    database: Database, deliveries: Deliveries
) -> None:
    stored(database, a_deployment())
    ask_thread(database, "step", "Rollout started.", loud=True)
    assert claim(deliveries) == []
    ask_card(database)
    (card,) = claim(deliveries)
    deliveries.delivered(card, "C0OTHER", "1.1")
    (message,) = claim(deliveries)
    assert (message.text, message.broadcast) == ("Rollout started.", True)
    assert (message.channel, message.thread_ts, message.ts) == ("C0OTHER", "1.1", None)
    deliveries.delivered(message, "C0OTHER", "1.2")
    assert claim(deliveries) == []


def test_a_key_is_one_message(database: Database, deliveries: Deliveries) -> None:
    stored(database, a_deployment())
    ask_card(database)
    for text in ("first", "again"):
        ask_thread(database, "step", text)
    ask_thread(database, "card", "not the card itself")
    (card,) = claim(deliveries)
    deliveries.delivered(card, card.channel, "1.1")
    assert [one.text for one in claim(deliveries)] == ["first", "not the card itself"]


def test_cards_of_what_has_ended_go_first_then_cards_then_threads(
    database: Database, deliveries: Deliveries
) -> None:
    stored(
        database,
        a_deployment(1, status=Status.RUNNING),
        a_deployment(2),
        a_deployment(3, status=Status.FAILED),
    )
    ask_card(database)
    (card,) = claim(deliveries)
    deliveries.delivered(card, card.channel, "1.1")
    ask_thread(database, "step")
    for deployment_id in ("backend-staging-2", "backend-staging-3", ID):
        ask_card(database, deployment_id)
    order = [(one.deployment_id[-1], one.key == "card") for one in claim(deliveries)]
    assert order == [("3", True), ("1", True), ("2", True), ("1", False)]


def test_what_is_postponed_comes_back_in_time(database: Database, deliveries: Deliveries) -> None:
    stored(database, a_deployment())
    ask_card(database)
    (card,) = claim(deliveries)
    deliveries.attempting(card, NOON)
    deliveries.postpone(card, NOON + 5 * SECOND, "ratelimited", untried=False)
    assert claim(deliveries, 4 * SECOND) == []
    ask_card(database)  # does not jump the queue
    assert claim(deliveries, 4 * SECOND) == []
    (again,) = claim(deliveries, 5 * SECOND)
    assert (again.attempts, again.attempted_at, again.wanted) == (1, NOON, 2)
    deliveries.postpone(again, NOON + 9 * SECOND, "refused", untried=True)
    (third,) = claim(deliveries, 9 * SECOND)
    assert (third.attempts, third.attempted_at) == (2, None)
    deliveries.delivered(third, third.channel, "1.1")
    ask_card(database)
    (fresh,) = claim(deliveries, 9 * SECOND)
    assert fresh.attempts == 0


def test_what_was_put_off_is_due_when_it_has_ended(
    database: Database, deliveries: Deliveries
) -> None:
    one = stored(database, a_deployment(status=Status.QUEUED))
    ask_card(database)
    (card,) = claim(deliveries)
    deliveries.postpone(card, NOON + 60 * SECOND, "Slack cannot be reached.", untried=True)
    ask_card(database)
    assert claim(deliveries, SECOND) == []
    with database.begin() as tx:
        assert tx.deployments.move(one, Status.CANCELLED) is not None
        tx.outbox.card(ID)
    assert len(claim(deliveries, SECOND)) == 1


def test_what_only_waits_for_its_turn_is_looked_at_anew_when_more_is_asked(
    database: Database, deliveries: Deliveries
) -> None:
    stored(database, a_deployment())
    ask_card(database)
    (card,) = claim(deliveries)
    deliveries.postpone(card, NOON + 60 * SECOND, "", untried=True)
    assert claim(deliveries, SECOND) == []
    ask_card(database)
    assert len(claim(deliveries, SECOND)) == 1


def test_what_ends_while_it_is_put_off_is_not_put_off(
    database: Database, deliveries: Deliveries
) -> None:
    stored(database, a_deployment())
    ask_card(database)
    (card,) = claim(deliveries)
    ask_card(database)
    deliveries.postpone(card, NOON + 60 * SECOND, "Slack cannot be reached.", untried=True)
    assert len(claim(deliveries, SECOND)) == 1


def test_an_attempt_that_nobody_finished_is_noticed(
    database: Database, deliveries: Deliveries
) -> None:
    stored(database, a_deployment())
    ask_card(database)
    (card,) = claim(deliveries)
    deliveries.attempting(card, NOON + SECOND)
    (again,) = claim(deliveries, 30 * SECOND)
    assert (again.attempted_at, again.ts) == (NOON + SECOND, None)


def test_a_card_that_is_moved_is_posted_anew_and_its_thread_goes_with_it(
    database: Database, deliveries: Deliveries
) -> None:
    stored(database, a_deployment())
    ask_card(database)
    (card,) = claim(deliveries)
    deliveries.delivered(card, card.channel, "1.1")
    ask_card(database)
    ask_thread(database, "step")
    card, message = claim(deliveries)
    deliveries.move(card, "C0ELSEWHERE")
    deliveries.postpone(message, NOON, "the card is gone", untried=True)
    (moved,) = claim(deliveries)
    assert (moved.key, moved.channel, moved.ts) == ("card", "C0ELSEWHERE", None)
    deliveries.delivered(moved, "C0ELSEWHERE", "2.1")
    (message,) = claim(deliveries)
    assert (message.channel, message.thread_ts) == ("C0ELSEWHERE", "2.1")


def test_a_deployment_that_does_not_exist_has_no_card(database: Database) -> None:
    stored(database, a_deployment(2, target=PRODUCTION))
    with pytest.raises(sa.exc.IntegrityError):
        ask_card(database)


def test_a_chart_is_owed_after_its_words_and_after_everything_else(
    database: Database, deliveries: Deliveries
) -> None:
    stored(database, a_deployment())
    ask_card(database)
    with database.begin() as tx:
        tx.outbox.chart(ID, "step-2", "Step 2 of 3.")
        tx.outbox.chart(ID, "step-2", "Step 2 of 3, once more.")
    (card,) = claim(deliveries)
    deliveries.delivered(card, "C1", "1.1")
    (words,) = claim(deliveries)
    assert (words.key, words.text, words.lacks_chart) == ("chart:step-2", "Step 2 of 3.", False)
    deliveries.delivered(words.words, "C1", "1.2")
    ask_thread(database, "later")
    later, chart = claim(deliveries)
    assert (later.key, chart.key) == ("thread:later", "chart:step-2")
    assert (chart.lacks_chart, chart.ts, chart.attempts) == (True, "1.2", 0)
    deliveries.delivered(later, "C1", "1.3")
    deliveries.postpone(chart, NOON + SECOND, "not yet", untried=True)
    (again,) = claim(deliveries, after=2 * SECOND)
    assert again.attempts == 1
    deliveries.delivered(again, "C1", "1.2")
    assert claim(deliveries, after=timedelta(hours=1)) == []
    with database.read() as tx:
        assert tx.outbox.owed() == 0
        assert tx.outbox.said(ID) == ["Step 2 of 3.", "hello"]


def test_a_chart_stays_with_its_words_when_the_card_is_moved(
    database: Database, deliveries: Deliveries
) -> None:
    stored(database, a_deployment(channel="C1"))
    ask_card(database)
    with database.begin() as tx:
        tx.outbox.chart(ID, "end", "It went well.")
    (card,) = claim(deliveries)
    deliveries.delivered(card, "C1", "1.1")
    (words,) = claim(deliveries)
    deliveries.delivered(words.words, "C1", "1.2")
    ask_card(database)
    (card,) = (each for each in claim(deliveries) if each.key == "card")
    deliveries.move(card, "C2")
    (card,) = (each for each in claim(deliveries, after=40 * SECOND) if each.key == "card")
    deliveries.delivered(card, "C2", "2.1")
    (chart,) = claim(deliveries, after=80 * SECOND)
    assert (chart.channel, chart.ts, chart.thread_ts) == ("C1", "1.2", "2.1")
