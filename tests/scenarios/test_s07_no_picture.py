"""S7: no chart holds up a message, whatever becomes of its upload, and none comes twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import structlog

from bot.model.deployment import Status
from bot.model.errors import AccessDenied, Terminal, Throttled, Unknown, Unreachable
from bot.slack.messenger import ChannelGone, MessageGone, Picture, Unshowable
from bot.slack.pictures import TRIES
from tests.unit.slack.drawn import Outbox

ID = "backend-production-7"
CHART = Picture(f"{ID}.png", "Canary 2.1 % errors.", b"\x89PNG")
NO_SCOPE = AccessDenied("Slack refused files upload: missing_scope.")
NOT_READY = Unshowable("Slack refused chat.update: invalid_blocks.")


def staged() -> Outbox:
    """The card is posted, and a step's words with a chart are owed."""
    outbox = Outbox(charts={ID: CHART})
    outbox.owe_card()
    outbox.deliver(seconds=5)
    outbox.deliveries.owe(ID, "chart:step-2", "C1", "Step 2 of 3: 25% of the traffic.")
    return outbox


def shown(outbox: Outbox) -> list[list[dict[str, Any]]]:
    """The blocks of what is in the thread."""
    return [
        [block.to_dict() for block in stored.message.blocks]
        for stored in outbox.messenger.messages.values()
        if stored.letter.thread_ts
    ]


def pictures(outbox: Outbox) -> list[str]:
    return [
        block["slack_file"]["id"]
        for blocks in shown(outbox)
        for block in blocks
        if block["type"] == "image"
    ]


def owed(outbox: Outbox) -> int:
    rows, done = outbox.deliveries.rows, outbox.deliveries.shown
    return sum(row.wanted > done.get(row.id, 0) for row in rows.values()) + sum(
        row.key.startswith("chart:") and done.get(row.id, 0) < 2 for row in rows.values()
    )


def test_words_first_and_then_the_chart_under_them() -> None:
    outbox = staged()
    assert outbox.deliver() == 1
    assert [block["type"] for block in shown(outbox)[0]] == ["section"]
    assert outbox.deliver() == 1
    ((words, image),) = shown(outbox)
    assert words["text"]["text"] == "Step 2 of 3: 25% of the traffic."
    assert image["slack_file"] == {"id": "F1"}
    assert image["alt_text"] == "Canary 2.1 % errors."
    outbox.deliver(passes=5, seconds=60)
    assert len(outbox.messenger.pictures) == 1
    assert owed(outbox) == 0


def test_slack_looks_at_a_file_before_it_shows_it_and_it_is_uploaded_once() -> None:
    outbox = staged()
    outbox.deliver()
    outbox.messenger.update_faults = [NOT_READY] * 3
    outbox.deliver(passes=20, seconds=5)
    assert pictures(outbox) == ["F1"]
    assert outbox.messenger.calls.count("upload") == 1
    assert outbox.messenger.calls.count("update") == 4


def test_a_lost_answer_makes_no_second_message() -> None:
    outbox = staged()
    outbox.messenger.lost = [Unknown("Slack gave no answer to chat.postMessage.")]
    outbox.messenger.upload_faults = [Unreachable("Slack gave no answer.")] * 2
    outbox.deliver(passes=30, seconds=5)
    assert len(shown(outbox)) == 1
    assert len(pictures(outbox)) == 1
    assert owed(outbox) == 0


def test_a_restart_between_words_and_chart_loses_neither() -> None:
    outbox = staged()
    outbox.deliver()
    outbox.restart()
    outbox.deliver()
    assert len(shown(outbox)) == 1
    assert pictures(outbox) == ["F1"]


def test_without_the_scope_the_words_stand_alone_and_the_log_says_so_once() -> None:
    outbox = staged()
    outbox.messenger.upload_faults = [NO_SCOPE] * 3
    with structlog.testing.capture_logs() as told:
        outbox.deliver(passes=2, seconds=5)
        for step in ("step-3", "end"):
            outbox.deliveries.owe(ID, f"chart:{step}", "C1", "words")
            outbox.deliver(passes=2, seconds=5)
    assert [line["why"] for line in told if line["event"] == "chart_not_shown"] == [
        "Slack refused files upload: missing_scope."
    ]
    assert len(shown(outbox)) == 3
    assert pictures(outbox) == []
    assert owed(outbox) == 0
    assert outbox.deliverer.trouble() == ""


@pytest.mark.parametrize(
    "faults",
    [
        [Unreachable("Slack cannot be reached.")] * 500,
        [Terminal("Slack refused files upload: file_uploads_disabled.")],
        [ChannelGone("gone")],
        [MessageGone("gone")],
    ],
    ids=["away", "disabled", "no channel", "no message"],
)
def test_it_is_given_up_and_the_words_stay(faults: Sequence[Exception]) -> None:
    outbox = staged()
    outbox.messenger.upload_faults = list(faults)
    outbox.deliver(passes=120, seconds=5)
    assert len(shown(outbox)) == 1
    assert pictures(outbox) == []
    assert owed(outbox) == 0
    assert outbox.messenger.calls.count("upload") <= TRIES + 1


def test_a_mistake_of_ours_in_drawing_is_given_up_too() -> None:
    outbox = staged()
    outbox.chart_fault = ZeroDivisionError()
    outbox.deliver(passes=120, seconds=5)
    assert len(shown(outbox)) == 1
    assert owed(outbox) == 0


def test_slacks_limit_is_kept_to() -> None:
    outbox = staged()
    outbox.deliver()
    limit = Throttled("Slack limits how often files may be uploaded.")
    limit.retry_after = 30.0
    outbox.messenger.upload_faults = [limit]
    outbox.deliver(passes=29, seconds=1)
    assert outbox.messenger.calls.count("upload") == 1
    outbox.deliver(passes=3, seconds=1)
    assert pictures(outbox) == ["F1"]


def test_no_chart_goes_before_a_message() -> None:
    outbox = staged()
    outbox.deliver()
    outbox.deliveries.owe(ID, "thread:later", "C1", "later words")
    outbox.owe_card(Status.SUCCEEDED)
    outbox.deliver()
    assert outbox.messenger.calls[-4:] == ["update", "post", "upload", "update"]


def test_a_canary_that_measured_nothing_has_words_alone() -> None:
    outbox = staged()
    outbox.charts.clear()
    outbox.deliver(passes=3)
    assert len(shown(outbox)) == 1
    assert owed(outbox) == 0


def test_a_card_that_moved_leaves_the_chart_where_its_words_are() -> None:
    outbox = staged()
    outbox.announce_in = "C2"
    outbox.deliver()
    outbox.messenger.gone.add("C1")
    outbox.owe_card(Status.SUCCEEDED)
    outbox.deliver(passes=20, seconds=5)
    assert outbox.messenger.in_channel("C2")
    assert len(shown(outbox)) == 1
    assert owed(outbox) == 0
