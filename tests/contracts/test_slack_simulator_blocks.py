"""The stand-in refuses what Block Kit refuses.

Every limit is Slack's: https://docs.slack.dev/reference/block-kit/blocks, .../block-elements,
.../composition-objects and https://docs.slack.dev/reference/views/modal-views.
"""

from __future__ import annotations

from typing import Any

import pytest

from bot.playground.slack.blocks import message_problems, text_length, view_problems

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def section(**more: Any) -> Json:
    return {"type": "section", "text": mrkdwn("hello")} | more


def button(**more: Any) -> Json:
    return {"type": "button", "text": plain("Go"), "action_id": "go", "value": "1"} | more


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def option(value: str = "v", text: str = "Text") -> Json:
    return {"text": plain(text), "value": value}


def select(kind: str = "static_select", **more: Any) -> Json:
    return {"type": kind, "action_id": "pick", "options": [option("a"), option("b")]} | more


def field(element: Json, **more: Any) -> Json:
    return {"type": "input", "label": plain("Label"), "element": element} | more


def typed(**more: Any) -> Json:
    return {"type": "plain_text_input", "action_id": "text"} | more


def buttons(count: int) -> list[Json]:
    return [button(action_id=f"go{number}") for number in range(count)]


def options(count: int) -> list[Json]:
    return [option(str(number)) for number in range(count)]


CONFIRM = {"title": plain("Sure?"), "text": plain("Really?"), "confirm": plain("Yes")}
CONFIRM |= {"deny": plain("No")}

GOOD: dict[str, Json] = {
    "section": section(),
    "section at its limit": section(text=mrkdwn("x" * 3000)),
    "section of fields": {"type": "section", "fields": [mrkdwn("x" * 2000)] * 10},
    "section with a button": section(accessory=button()),
    "section with an image": section(
        accessory={"type": "image", "image_url": "https://a/b", "alt_text": "b"}
    ),
    "header at its limit": {"type": "header", "text": plain("x" * 150)},
    "divider": {"type": "divider"},
    "context of ten": {"type": "context", "elements": [mrkdwn("x")] * 10},
    "context with an image": {
        "type": "context",
        "elements": [{"type": "image", "image_url": "https://a/b", "alt_text": "b"}, plain("x")],
    },
    "25 buttons": actions(*buttons(25)),
    "button with a confirmation": actions(button(confirm=CONFIRM, style="danger")),
    "button at its limits": actions(
        button(text=plain("x" * 75), value="x" * 2000, action_id="x" * 255)
    ),
    "select with 100 options": actions(select(options=options(100))),
    "select with groups": actions(
        {
            "type": "static_select",
            "action_id": "pick",
            "option_groups": [{"label": plain("G"), "options": [option()]}],
        }
    ),
    "select with a preselection": actions(select(initial_option=option("b"))),
    "multi select": section(accessory=select("multi_static_select", max_selected_items=1)),
    "overflow": actions(select("overflow")),
    "radio buttons": actions(select("radio_buttons", initial_option=option("a"))),
    "checkboxes": actions(select("checkboxes", initial_options=[option("a")])),
    "text input": field(typed(multiline=True, min_length=1, max_length=3000), optional=True),
    "input with a menu": field(select(), hint=plain("hint")),
    "image": {"type": "image", "image_url": "https://a/b", "alt_text": "b", "title": plain("t")},
    "rich text": {
        "type": "rich_text",
        "elements": [
            {
                "type": "rich_text_section",
                "elements": [
                    {"type": "text", "text": "bold", "style": {"bold": True}},
                    {"type": "link", "url": "https://a"},
                    {"type": "emoji", "name": "tada"},
                    {"type": "user", "user_id": "U1"},
                ],
            },
            {
                "type": "rich_text_preformatted",
                "elements": [{"type": "text", "text": "code"}],
            },
        ],
    },
}


@pytest.mark.parametrize("block", GOOD.values(), ids=GOOD.keys())
def test_what_slack_takes_is_taken(block: Json) -> None:
    assert message_problems([block]) == []


LONG = "must be less than {} characters"
BAD: dict[str, tuple[Json, str]] = {
    "no type": ({"text": plain("x")}, "missing required field: type"),
    "unknown block": ({"type": "marquee"}, "unsupported type: marquee"),
    "unknown member": (section(colour="red"), "invalid additional property: colour"),
    "section of nothing": ({"type": "section"}, "missing required field: text"),
    "empty section": (section(text=mrkdwn("")), "must be more than 0 characters"),
    "long section": (section(text=mrkdwn("x" * 3001)), LONG.format(3001)),
    "text of no kind": (section(text={"type": "markdown", "text": "x"}), "unsupported type"),
    "text that is a string": (section(text="x"), "must provide an object"),
    "text that is a number": (section(text=mrkdwn(7)), "must provide a string"),  # type: ignore[arg-type]
    "emoji in mrkdwn": (
        section(text=mrkdwn("x") | {"emoji": True}),
        "invalid additional property: emoji",
    ),
    "verbatim in plain text": (
        section(text=plain("x") | {"verbatim": True}),
        "invalid additional property: verbatim",
    ),
    "eleven fields": (section(fields=[plain("x")] * 11), "no more than 10 items allowed"),
    "no fields": (section(fields=[]), "no less than 1 items allowed"),
    "long field": (section(fields=[plain("x" * 2001)]), LONG.format(2001)),
    "input in a section": (section(accessory=typed()), "unsupported type: plain_text_input"),
    "long header": ({"type": "header", "text": plain("x" * 151)}, LONG.format(151)),
    "header in mrkdwn": ({"type": "header", "text": mrkdwn("x")}, "unsupported type: mrkdwn"),
    "context of eleven": ({"type": "context", "elements": [plain("x")] * 11}, "no more than 10"),
    "context of nothing": ({"type": "context", "elements": []}, "no less than 1"),
    "button in a context": ({"type": "context", "elements": [button()]}, "unsupported type"),
    "26 buttons": (actions(*buttons(26)), "no more than 25 items allowed"),
    "no buttons": (actions(), "no less than 1 items allowed"),
    "long button": (actions(button(text=plain("x" * 76))), LONG.format(76)),
    "button in mrkdwn": (actions(button(text=mrkdwn("x"))), "unsupported type: mrkdwn"),
    "long value": (actions(button(value="x" * 2001)), LONG.format(2001)),
    "long action id": (actions(button(action_id="x" * 256)), LONG.format(256)),
    "unknown style": (actions(button(style="default")), "must be one of: primary, danger"),
    "confirmation without text": (
        actions(button(confirm={"title": plain("x")})),
        "missing required field: text",
    ),
    "long confirmation": (
        actions(button(confirm=CONFIRM | {"text": plain("x" * 301)})),
        LONG.format(301),
    ),
    "long confirmation title": (
        actions(button(confirm=CONFIRM | {"title": plain("x" * 101)})),
        LONG.format(101),
    ),
    "long confirmation button": (
        actions(button(confirm=CONFIRM | {"deny": plain("x" * 31)})),
        LONG.format(31),
    ),
    "101 options": (actions(select(options=options(101))), "no more than 100 items"),
    "no options": (actions(select(options=[])), "no less than 1 items"),
    "neither options nor groups": (
        actions({"type": "static_select", "action_id": "pick"}),
        "exactly one of",
    ),
    "the same option twice": (actions(select(options=[option("a")] * 2)), "must be unique"),
    "long option": (actions(select(options=[option("a", "x" * 76)])), LONG.format(76)),
    "long option value": (actions(select(options=[option("x" * 151)])), LONG.format(151)),
    "a link on a menu's option": (
        actions(select(options=[option() | {"url": "https://a"}])),
        "invalid additional property: url",
    ),
    "preselected but not offered": (
        actions(select(initial_option=option("c"))),
        "exactly match",
    ),
    "long placeholder": (actions(select(placeholder=plain("x" * 151))), LONG.format(151)),
    "six in an overflow": (actions(select("overflow", options=options(6))), "no more than 5"),
    "eleven radio buttons": (
        actions(select("radio_buttons", options=options(11))),
        "no more than 10",
    ),
    "button in an input": (field(button()), "unsupported type: button"),
    "input without a label": (
        {"type": "input", "element": typed()},
        "missing required field: label",
    ),
    "long label": (field(typed(), label=plain("x" * 2001)), LONG.format(2001)),
    "label in mrkdwn": (field(typed(), label=mrkdwn("x")), "unsupported type: mrkdwn"),
    "input too long": (field(typed(max_length=3001)), "must be between 1 and 3000"),
    "least over most": (field(typed(min_length=5, max_length=4)), "must not exceed"),
    "optional as a string": (field(typed(), optional="yes"), "must provide a boolean"),
    "image without words": (
        {"type": "image", "image_url": "https://a"},
        "missing required field: alt_text",
    ),
    "long block id": (section(block_id="x" * 256), LONG.format(256)),
    "unknown rich text": (
        {"type": "rich_text", "elements": [{"type": "rich_text_table", "elements": []}]},
        "unsupported type: rich_text_table",
    ),
    "the same action twice": (actions(button(), button()), "action_id already exists: go"),
}


@pytest.mark.parametrize(("block", "said"), BAD.values(), ids=BAD.keys())
def test_what_slack_refuses_is_refused(block: Json, said: str) -> None:
    problems = message_problems([block])

    assert any(said in problem for problem in problems), problems


def test_a_problem_names_its_place_as_slack_does() -> None:
    problems = message_problems([section(), section(text=mrkdwn("x" * 3001))])

    assert problems == ["must be less than 3001 characters [json-pointer:/blocks/1/text/text]"]


def test_every_problem_is_said_at_once() -> None:
    assert len(message_problems([section(text=mrkdwn("")), {"type": "nothing"}])) == 2


def test_fifty_blocks_fit_into_a_message_and_a_hundred_into_a_modal() -> None:
    assert message_problems([section()] * 50) == []
    assert message_problems([section()] * 51) == [
        "no more than 50 items allowed [json-pointer:/blocks]"
    ]
    assert view_problems(modal(blocks=[section()] * 100)) == []
    assert len(view_problems(modal(blocks=[section()] * 101))) == 1


def test_a_block_id_is_given_once() -> None:
    problems = message_problems([section(block_id="a"), section(block_id="a")])

    assert problems == ["block_id already exists: a [json-pointer:/blocks]"]


def test_the_same_action_may_stand_in_two_blocks() -> None:
    assert message_problems([actions(button()), actions(button())]) == []


def test_text_is_counted_over_all_blocks() -> None:
    assert text_length([section(text=mrkdwn("four")), actions(button(text=plain("xx")))]) == 6


def modal(**more: Any) -> Json:
    return {"type": "modal", "title": plain("Title"), "blocks": [section()]} | more


BAD_VIEWS: dict[str, tuple[Json, str]] = {
    "unknown kind": ({"type": "drawer", "blocks": []}, "unsupported type: drawer"),
    "no title": ({"type": "modal", "blocks": []}, "missing required field: title"),
    "long title": (modal(title=plain("x" * 25)), LONG.format(25)),
    "long submit": (modal(submit=plain("x" * 25)), LONG.format(25)),
    "long close": (modal(close=plain("x" * 25)), LONG.format(25)),
    "title in mrkdwn": (modal(title=mrkdwn("x")), "unsupported type: mrkdwn"),
    "long metadata": (modal(private_metadata="x" * 3001), LONG.format(3001)),
    "long callback": (modal(callback_id="x" * 256), LONG.format(256)),
    "input without submit": (modal(blocks=[field(typed())]), "missing required field: submit"),
    "title on a home": ({"type": "home", "blocks": [], "title": plain("x")}, "title"),
    "bad block": (modal(blocks=[{"type": "marquee"}]), "[json-pointer:/view/blocks/0/type]"),
    "unknown member": (modal(width=3), "invalid additional property: width"),
}


@pytest.mark.parametrize(("view", "said"), BAD_VIEWS.values(), ids=BAD_VIEWS.keys())
def test_a_view_that_slack_refuses_is_refused(view: Json, said: str) -> None:
    problems = view_problems(view)

    assert any(said in problem for problem in problems), problems


def test_views_that_slack_takes_are_taken() -> None:
    assert view_problems(modal(title=plain("x" * 24), private_metadata="x" * 3000)) == []
    assert view_problems(modal(blocks=[field(typed())], submit=plain("Send"))) == []
    assert view_problems({"type": "home", "blocks": [field(typed())]}) == []
