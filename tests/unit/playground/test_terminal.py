from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from bot.playground.slack.crew import ALICE, DEPLOYMENTS, RELEASE_CAPTAINS, muster
from bot.playground.slack.records import BOT_USER, Message, View
from bot.playground.slack.state import State
from bot.playground.terminal.blocks import Numbering
from bot.playground.terminal.mrkdwn import rich_text
from bot.playground.terminal.screen import Screen

NAMES = {"U1": "alice", "S1": "captains", "C1": "general"}


@pytest.mark.parametrize(
    ("source", "drawn"),
    [
        ("*bold* _and_ ~so~ `on`", "bold and so on"),
        ("a*b*c and snake_case_name", "a*b*c and snake_case_name"),
        ("*not closed", "*not closed"),
        ("<@U1> <!subteam^S1> <#C1> <!here>", "@alice @captains #general @here"),
        ("<@U9>", "@U9"),
        ("<https://a.example|the log>", "the log"),
        ("<https://a.example>", "https://a.example"),
        ("&lt;!channel&gt; &amp;", "<!channel> &"),
        (":rocket: :nonsense_name:", "🚀 :nonsense_name:"),
        ("```\ncode *as is*\n```", "code *as is*"),
        ("<!date^no^{time}|later>", "later"),
        ("> said\nheard", "▏ said\nheard"),
    ],
)
def test_mrkdwn_reads_as_in_slack(source: str, drawn: str) -> None:
    assert rich_text(source, NAMES).plain == drawn


def test_a_date_is_a_clock_or_a_day() -> None:
    stamp = "<!date^1700000000^{}|fallback>"
    assert len(rich_text(stamp.format("{time}"), {}).plain) == len("12:34")
    assert rich_text(stamp.format("{date}"), {}).plain.endswith("Nov 2023")


def test_a_pretty_day_is_in_words() -> None:
    now = int(datetime.now(UTC).timestamp())
    drawn = rich_text(f"<!date^{now}^{{date_short_pretty}} {{time}}|fallback>", {}).plain
    assert drawn.split()[0] in {"today", "yesterday"}  # midnight may pass in between


def test_bold_is_bold() -> None:
    spans = rich_text("say *this*", {}).spans
    assert [(span.start, span.end) for span in spans] == [(4, 8)]


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


CARD: tuple[dict[str, Any], ...] = (
    {"type": "header", "text": plain("✅ backend-staging-1: succeeded")},
    {
        "type": "section",
        "fields": [
            {"type": "mrkdwn", "text": f"*Requested by*\n<@{ALICE}>"},
            {"type": "mrkdwn", "text": f"*Approvers*\n<!subteam^{RELEASE_CAPTAINS}>"},
        ],
    },
    {"type": "context", "elements": [{"type": "mrkdwn", "text": "Expires soon."}]},
    {
        "type": "actions",
        "elements": [
            {"type": "button", "text": plain("Approve"), "action_id": "a", "style": "primary"},
            {"type": "button", "text": plain("Reject"), "action_id": "r"},
        ],
    },
)


def drawing(*, numbered: bool = False) -> tuple[Screen, io.StringIO]:
    workspace = State()
    muster(workspace)
    paper = io.StringIO()
    console = Console(file=paper, width=88, markup=False, emoji=False)
    return Screen(workspace, console, Numbering(shown=numbered)), paper


def message(text: str = "", **more: Any) -> Message:
    return Message(DEPLOYMENTS, "1700000000.000001", BOT_USER, text, **more)


def test_a_card_is_drawn_whole() -> None:
    screen, paper = drawing()
    reply = message("ECS said: *fine*", thread_ts="1700000000.000001")
    screen.message(message("fallback", blocks=CARD), [reply])
    drawn = paper.getvalue()
    for words in ("quarterdeck APP", "#deploys", "backend-staging-1: succeeded", "@alice"):
        assert words in drawn
    assert "[ Approve ]" in drawn
    assert "↳" in drawn
    assert "fallback" not in drawn


def test_nothing_is_wider_than_the_screen_and_nothing_is_coloured() -> None:
    screen, paper = drawing()
    screen.message(message("x" * 500, blocks=CARD))
    assert max(len(line) for line in paper.getvalue().splitlines()) <= 88
    assert "\x1b" not in paper.getvalue()


def test_fields_stand_side_by_side() -> None:
    screen, paper = drawing()
    screen.message(message(blocks=CARD))
    line = next(each for each in paper.getvalue().splitlines() if "Requested by" in each)
    assert "Approvers" in line


def test_brackets_are_words_not_markup() -> None:
    screen, paper = drawing()
    screen.message(message("[red]not red[/red]"))
    screen.note("[Y/n]")
    assert "[red]not red[/red]" in paper.getvalue()
    assert "[Y/n]" in paper.getvalue()


def test_buttons_are_numbered_over_all_messages() -> None:
    screen, paper = drawing(numbered=True)
    screen.message(message(blocks=CARD))
    screen.message(message(blocks=CARD))
    assert "4:[ Reject ]" in paper.getvalue()


def test_a_private_message_says_so() -> None:
    screen, paper = drawing()
    screen.message(message("No.", seen_by=ALICE))
    assert "only visible to alice" in paper.getvalue()


def test_a_modal() -> None:
    screen, paper = drawing()
    options = [{"text": plain("v1"), "value": "1"}, {"text": plain("v2"), "value": "2"}]
    radio = {"type": "radio_buttons", "action_id": "x", "options": options}
    content = {
        "type": "modal",
        "title": plain("Roll back"),
        "submit": plain("Do it"),
        "blocks": [
            {
                "type": "input",
                "block_id": "b",
                "label": plain("Version"),
                "element": radio | {"initial_option": options[1]},
            }
        ],
    }
    screen.view(View("V1", ALICE, content, "1.a", "V1"))
    drawn = paper.getvalue()
    for words in ("Roll back", "○ v1", "◉ v2", "[ Do it ]"):
        assert words in drawn
