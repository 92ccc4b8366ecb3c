"""S7: Slack is down, the bot is not in the channel, the channel is archived, the card deleted."""

from __future__ import annotations

import pytest

from bot.model.deployment import Status
from bot.model.errors import AccessDenied, Unknown, Unreachable
from bot.slack.messenger import Unshowable
from tests.unit.slack.drawn import Outbox, dump


def test_a_card_waits_for_slack_and_shows_the_end() -> None:
    outbox = Outbox()
    outbox.owe_card()
    outbox.messenger.faults = [Unreachable("Slack cannot be reached.")] * 6
    outbox.deliver(passes=5, seconds=10)
    assert outbox.messenger.messages == {}
    outbox.owe_card(Status.SUCCEEDED)
    outbox.deliver(passes=60, seconds=10)
    (card,) = outbox.messenger.in_channel("C1")
    assert "succeeded" in card.text


def test_waiting_grows_while_slack_is_down() -> None:
    outbox = Outbox()
    outbox.owe_card()
    outbox.messenger.faults = [Unreachable("Slack cannot be reached.")] * 100
    outbox.deliver(passes=3600, seconds=1)
    assert 10 <= len(outbox.messenger.calls) <= 130


def test_a_lost_answer_does_not_make_two_cards() -> None:
    outbox = Outbox()
    outbox.owe_card()
    outbox.messenger.lost = [Unknown("Slack gave no answer to chat.postMessage.")]
    outbox.deliver(seconds=5)
    outbox.owe_card(Status.SUCCEEDED)
    outbox.deliver(passes=3, seconds=5)
    assert outbox.messenger.calls[:2] == ["post", "find"]
    (card,) = outbox.messenger.in_channel("C1")
    assert "succeeded" in card.text


def test_a_crash_between_post_and_record_does_not_make_two_cards() -> None:
    outbox = Outbox()
    number = outbox.owe_card()
    outbox.deliver()
    # As it stands in the table when the process died after the post.
    row = outbox.deliveries.rows[number]
    outbox.deliveries.attempting(row, outbox.clock.now())
    posted = outbox.deliveries.rows[number]
    object.__setattr__(posted, "ts", None)
    outbox.deliveries.shown.clear()
    outbox.restart()
    outbox.deliver(passes=2, seconds=2)
    assert len(outbox.messenger.in_channel("C1")) == 1


def test_an_archived_channel_moves_the_card_to_the_catalogs_channel() -> None:
    outbox = Outbox(announce_in="C0OPS")
    outbox.messenger.gone = {"C1"}
    outbox.owe_card()
    outbox.deliver(passes=2)
    (card,) = outbox.messenger.in_channel("C0OPS")
    assert "<#C1> cannot be reached" in dump(card)


def test_without_such_a_channel_the_requester_gets_the_card() -> None:
    outbox = Outbox(announce_in="C0OPS")
    outbox.messenger.gone = {"C1", "C0OPS"}
    outbox.owe_card()
    outbox.deliver(passes=3)
    (card,) = outbox.messenger.in_channel("DU0ALICE")
    assert "cannot be reached" in dump(card)
    outbox.owe_card(Status.SUCCEEDED)
    outbox.deliver()
    assert "succeeded" in outbox.messenger.in_channel("DU0ALICE")[0].text


def test_with_nowhere_to_go_it_waits_and_does_not_run_in_circles() -> None:
    outbox = Outbox(announce_in="C0OPS")
    outbox.messenger.gone = {"C1", "C0OPS", "U0ALICE"}
    outbox.owe_card()
    outbox.deliver(passes=60, seconds=1)
    assert len(outbox.messenger.calls) < 12
    outbox.messenger.gone = set()
    outbox.deliver(passes=40, seconds=10)
    assert len(outbox.messenger.in_channel("DU0ALICE")) == 1


def test_a_deleted_card_is_posted_anew_and_says_so() -> None:
    outbox = Outbox()
    outbox.owe_card()
    outbox.deliver(seconds=2)
    outbox.messenger.messages.clear()
    outbox.owe_card(Status.SUCCEEDED)
    outbox.deliver(passes=2)
    (card,) = outbox.messenger.in_channel("C1")
    assert "Posted anew" in dump(card)


@pytest.mark.parametrize("gone", ["card", "channel"])
def test_a_lost_card_of_a_version_that_was_replaced_is_left_alone(gone: str) -> None:
    outbox = Outbox(announce_in="C0OPS")
    outbox.owe_card(Status.SUCCEEDED)
    outbox.deliver(seconds=2)
    outbox.messenger.messages.clear()
    outbox.messenger.gone = {"C1"} if gone == "channel" else set()
    outbox.owe_card(Status.SUCCEEDED, current=False)
    outbox.deliver(passes=3, seconds=60)
    assert outbox.messenger.messages == {}
    assert outbox.messenger.calls == ["post", "update"]


def test_a_note_whose_thread_is_gone_stands_alone_and_names_its_deployment() -> None:
    outbox = Outbox()
    outbox.owe_card()
    outbox.deliver()
    outbox.deliveries.owe("backend-production-7", "event:1", text="A task was stopped.")
    outbox.messenger.messages.clear()
    outbox.deliver()
    (note,) = outbox.messenger.in_channel("C1")
    assert note.text == "backend-production-7: A task was stopped."


def test_a_note_for_an_archived_channel_finds_its_reader_elsewhere() -> None:
    outbox = Outbox(announce_in="C0OPS")
    outbox.owe_card()
    outbox.deliver()
    outbox.deliveries.owe("backend-production-7", "event:1", text="A task was stopped.")
    outbox.messenger.gone = {"C1"}
    outbox.deliver(passes=5, seconds=1)
    (note,) = outbox.messenger.in_channel("C0OPS")
    assert note.text == "backend-production-7: A task was stopped."


def test_a_card_that_slack_refuses_is_told_in_a_sentence() -> None:
    outbox = Outbox()
    outbox.owe_card()
    outbox.messenger.faults = [Unshowable("Slack refused chat.postMessage: invalid_blocks.")]
    outbox.deliver()
    (card,) = outbox.messenger.in_channel("C1")
    assert card.blocks == ()
    assert "backend-production-7" in card.text


def test_a_revoked_token_is_told_by_readiness_until_it_works_again() -> None:
    outbox = Outbox()
    outbox.owe_card()
    outbox.messenger.faults = [AccessDenied("Slack refused chat.postMessage: token_revoked.")]
    outbox.deliver()
    assert "token_revoked" in outbox.deliverer.trouble()
    outbox.deliver(passes=10, seconds=10)
    assert outbox.deliverer.trouble() == ""
    assert len(outbox.messenger.in_channel("C1")) == 1


def test_one_card_that_cannot_be_drawn_does_not_hold_up_the_others() -> None:
    outbox = Outbox()
    outbox.owe_card(id="broken-production-1", created_at="not a time")
    outbox.owe_card()
    assert outbox.deliver() == 1
    assert len(outbox.messenger.in_channel("C1")) == 1


def test_a_lost_database_is_the_callers_to_wait_for() -> None:
    outbox = Outbox()
    outbox.deliveries.fault = Unreachable("The database does not answer.")
    with pytest.raises(Unreachable):
        outbox.deliver()
