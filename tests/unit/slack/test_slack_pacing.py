"""What is shown first where not everything can be: what people act upon, then mere figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.model.canary import Act, Phase, Wish
from bot.model.deployment import Ballot, Progress, Status, Vote
from bot.model.reply import CardFacts
from bot.slack.pacing import (
    CHANGES_AT_ONCE,
    LONGEST_LINE,
    REFRESHES_AT_ONCE,
    UPDATES_EVERY,
    Pacing,
)
from bot.slack.views.card import gist
from tests.unit.slack.drawn import ALICE, BOB, NOON, WORSE, Outbox, a_canary, deployment, dump

BUSY = [f"app{number}-staging-1" for number in range(12)]
WAITS = "shop-production-1"
SECOND = timedelta(seconds=1)


def renew(outbox: Outbox, running: int) -> None:
    for card in BUSY:
        outbox.owe_card(id=card, progress=Progress(desired=100, running=running))


def a_busy_channel(status: Status = Status.AWAITING_APPROVAL) -> Outbox:
    """Twelve cards with new figures each second for half a minute, and one beside them."""
    outbox = Outbox()
    renew(outbox, 0)
    outbox.owe_card(status, id=WAITS)
    outbox.deliver(passes=3, seconds=1)
    for second in range(30):
        renew(outbox, second)
        outbox.deliver(passes=2, seconds=0.5)
    return outbox


def text_of(outbox: Outbox, name: str) -> str:
    return next(one.text for one in outbox.messenger.in_channel("C1") if name in one.text)


def test_what_was_approved_is_not_waiting_for_approval_on_its_card_any_more() -> None:
    outbox = a_busy_channel()
    assert "waiting for approval" in text_of(outbox, WAITS)
    outbox.owe_card(Status.RUNNING, id=WAITS)
    outbox.deliver(passes=2)
    assert "waiting for approval" not in text_of(outbox, WAITS)


def test_a_card_in_line_for_its_figures_leaves_the_line_with_a_change() -> None:
    outbox = a_busy_channel(Status.RUNNING)
    for running in (1, 2):
        outbox.owe_card(id=WAITS, progress=Progress(desired=3, running=running))
        outbox.deliver(passes=2, seconds=1)
    (number,) = (one.id for one in outbox.deliveries.rows.values() if one.deployment_id == WAITS)
    assert outbox.deliveries.due_at[number] > outbox.clock.now() + 2 * SECOND
    canary = a_canary(Phase.ASKING)
    outbox.facts[WAITS] = CardFacts(deployment(id=WAITS), canary=canary)
    outbox.deliveries.owe(WAITS)
    outbox.deliver(passes=2)
    assert "waiting for a person" in text_of(outbox, WAITS)


def test_in_one_pass_changes_come_before_figures() -> None:
    outbox = Outbox()
    for card in BUSY[:3]:
        outbox.owe_card(id=card)
    outbox.owe_card(Status.QUEUED, id=WAITS)
    outbox.deliver(seconds=60)
    renew(outbox, 1)
    outbox.owe_card(Status.RUNNING, id=WAITS)
    made_way: list[str] = []
    outbox.deliverer.deliver_due(lambda: made_way.append(text_of(outbox, WAITS)))
    updated_after = [number for number, text in enumerate(made_way) if "running" in text]
    assert updated_after[0] == 1, "others were updated before it"


def test_a_note_in_the_thread_does_not_cost_its_card_the_place_in_the_line() -> None:
    outbox = a_busy_channel(Status.RUNNING)
    outbox.owe_card(id=WAITS, progress=Progress(desired=3, running=2))
    outbox.deliver(passes=2)
    (number,) = (one.id for one in outbox.deliveries.rows.values() if one.deployment_id == WAITS)
    place = outbox.deliveries.due_at[number]
    outbox.deliveries.owe(WAITS, "thread:step", text="Step 2.")
    outbox.deliver()
    outbox.deliveries.owe(WAITS)
    outbox.deliver(passes=2)
    assert outbox.deliveries.due_at[number] == place


@pytest.mark.parametrize(
    "changes",
    [
        {"step": 2},
        {"phase": Phase.RETURNING},
        {"held_by": BOB},
        {"flows": 0.1},
        {"wish": Wish(Act.ABORT, ALICE, NOON)},
        {"trouble": "Somebody else changed the weights."},
    ],
    ids=str,
)
def test_news_of_a_canary_are_a_change(changes: dict[str, object]) -> None:
    before = CardFacts(deployment(), canary=a_canary())
    assert gist(before) != gist(replace(before, canary=replace(a_canary(), **changes)))  # type: ignore[arg-type]


def test_a_vote_is_a_change_and_figures_are_none() -> None:
    before = CardFacts(deployment(), canary=a_canary())
    vote = Vote(before.deployment.id, BOB, Ballot.APPROVE, "", NOON)
    assert gist(replace(before, votes=(vote,))) != gist(before)
    figures = replace(a_canary(), judgement=WORSE, measured_until=NOON, doing="It drains.")
    progress = deployment(progress=Progress(desired=3, running=1))
    assert gist(CardFacts(progress, canary=figures)) == gist(before)


def shown(pacing: Pacing, cards: int) -> None:
    for number in range(cards):
        pacing.updated(f"card{number}", "before", NOON - timedelta(hours=1))


def test_refreshes_leave_most_of_the_burst_to_changes() -> None:
    pacing = Pacing()
    shown(pacing, 40)
    refreshed = [pacing.update_due(f"card{number}", "before", NOON) for number in range(20)]
    assert refreshed[:REFRESHES_AT_ONCE] == [None] * REFRESHES_AT_ONCE
    assert refreshed[REFRESHES_AT_ONCE] == NOON + UPDATES_EVERY
    changed = [pacing.update_due(f"card{number}", "after", NOON) for number in range(20, 40)]
    assert changed[:CHANGES_AT_ONCE] == [None] * CHANGES_AT_ONCE
    assert changed[CHANGES_AT_ONCE] == NOON + UPDATES_EVERY


def test_changes_push_refreshes_back_but_never_for_good() -> None:
    pacing = Pacing()
    shown(pacing, 60)
    for number in range(50):
        pacing.update_due(f"card{number}", "after", NOON)
    due = pacing.update_due("card50", "before", NOON)
    assert due is not None
    assert NOON + LONGEST_LINE / 2 < due <= NOON + LONGEST_LINE
    assert pacing.update_due("card50", "before", due) is None


def test_changes_and_figures_together_stay_below_what_slack_allows() -> None:
    outbox = a_busy_channel()
    others = [f"job{number}-staging-1" for number in range(12)]
    for card in others:
        outbox.owe_card(Status.QUEUED, id=card)
    outbox.deliver(passes=4, seconds=1)
    outbox.messenger.calls.clear()
    for second in range(60):
        renew(outbox, 31 + second)
        if second % 10 == 0:
            for card in others:
                status = Status.QUEUED if second % 20 else Status.RUNNING
                outbox.owe_card(status, id=card)
        outbox.deliver(passes=2, seconds=0.5)
    assert 20 <= outbox.messenger.calls.count("update") <= 50
    for _ in range(90):
        outbox.deliver(seconds=1)
    drawn = [dump(card) for card in outbox.messenger.in_channel("C1")]
    assert sum("90/100" in card for card in drawn) == len(BUSY)
