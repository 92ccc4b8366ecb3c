"""S6: chat.update is limited in a mass deploy; updates coalesce and the end is always shown."""

from __future__ import annotations

from bot.model.deployment import Progress, Status
from bot.model.errors import Throttled
from bot.model.reply import CardFacts
from tests.unit.slack.drawn import Outbox, deployment, dump


def throttled(seconds: float) -> Throttled:
    fault = Throttled("Slack limits how often chat.update may be called.")
    fault.retry_after = seconds
    return fault


def test_many_changes_in_one_second_are_one_update() -> None:
    outbox = Outbox()
    outbox.owe_card()
    outbox.deliver(seconds=2)
    for running in range(10):
        outbox.owe_card(progress=Progress(desired=10, running=running))
        outbox.deliver(seconds=0.05)
    outbox.deliver(passes=3, seconds=1)
    assert outbox.messenger.calls.count("update") <= 2
    (card,) = outbox.messenger.in_channel("C1")
    assert "9/10" in dump(card)


def test_retry_after_is_honoured_for_every_card() -> None:
    outbox = Outbox()
    for number in (1, 2):
        outbox.owe_card(id=f"backend-production-{number}")
    outbox.deliver(seconds=2)
    for number in (1, 2):
        outbox.owe_card(id=f"backend-production-{number}")
    outbox.messenger.calls.clear()
    outbox.messenger.faults = [throttled(30)]
    outbox.deliver(passes=25, seconds=1)
    assert outbox.messenger.calls == ["update"]
    outbox.deliver(passes=10, seconds=1)
    assert outbox.messenger.calls == ["update"] * 3


def test_the_end_is_shown_at_once_and_before_cards_that_still_change() -> None:
    outbox = Outbox()
    for number in (1, 2):
        outbox.owe_card(id=f"backend-production-{number}")
    outbox.deliver(seconds=0.1)
    outbox.owe_card(id="backend-production-1")
    ended = deployment(Status.SUCCEEDED, id="backend-production-2")
    outbox.facts[ended.id] = CardFacts(ended)
    outbox.deliveries.owe(ended.id)
    outbox.deliveries.settled.add(ended.id)
    outbox.messenger.calls.clear()
    assert outbox.deliver() == 1
    assert "succeeded" in outbox.messenger.in_channel("C1")[1].text


def test_the_end_survives_being_limited_for_long() -> None:
    outbox = Outbox()
    outbox.owe_card()
    outbox.deliver(seconds=2)
    outbox.owe_card(Status.FAILED, explanation="The circuit breaker gave up.")
    outbox.messenger.faults = [throttled(60), throttled(60), throttled(0)]
    outbox.deliver(passes=200, seconds=1)
    (card,) = outbox.messenger.in_channel("C1")
    assert "failed" in card.text
    assert "The circuit breaker gave up." in dump(card)


def test_cards_that_still_change_leave_room_for_those_that_end() -> None:
    outbox = Outbox()
    cards = [f"app{number}-staging-1" for number in range(20)]
    for card in cards:
        outbox.owe_card(id=card)
    outbox.deliver(passes=3, seconds=0.1)
    outbox.messenger.calls.clear()
    for second in range(60):
        for card in cards:
            outbox.owe_card(id=card, progress=Progress(desired=100, running=second))
        outbox.deliver(passes=2, seconds=0.5)
    assert 20 <= outbox.messenger.calls.count("update") <= 30
    shown = [dump(card) for card in outbox.messenger.in_channel("C1")]
    assert all("/100" in card for card in shown)
    outbox.messenger.calls.clear()
    outbox.deliveries.settled.update(cards)
    for card in cards:
        outbox.owe_card(Status.SUCCEEDED, id=card)
    outbox.deliver(passes=2, seconds=0.1)
    assert outbox.messenger.calls.count("update") == 20
