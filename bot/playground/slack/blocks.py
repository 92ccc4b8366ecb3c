"""Block Kit's blocks and views, with Slack's limits; what is not in a table is refused.

Source: https://docs.slack.dev/reference/block-kit/blocks, https://docs.slack.dev/reference/views.
The limit on a message's blocks together is in no documentation, but is enforced:
https://github.com/slackapi/bolt-js/issues/2509.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from bot.playground.slack.elements import (
    IMAGE_ELEMENT,
    IN_ACTIONS,
    IN_INPUT,
    IN_SECTION,
    SLACK_FILE,
    any_text,
    one_source,
    plain_text,
)
from bot.playground.slack.grammar import (
    Checker,
    Problems,
    Shape,
    anything,
    array,
    boolean,
    by_type,
    choice,
    integer,
    string,
)

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
#: All text of a message's blocks together.
MESSAGE_BLOCKS_TEXT = 13_200
_TYPE = {"type": anything}
_ID = {"block_id": string(255)}


def _text_or_fields(value: Any, pointer: str, problems: Problems) -> None:
    if "text" not in value and "fields" not in value:
        problems.say("missing required field: text", pointer)


_STYLE = Shape({}, dict.fromkeys(("bold", "italic", "strike", "code", "underline"), boolean))
_INLINE = by_type(
    {
        "text": Shape(_TYPE | {"text": string(3000)}, {"style": _STYLE}),
        "link": Shape(
            _TYPE | {"url": string(3000)},
            {"text": string(3000), "unsafe": boolean, "style": _STYLE},
        ),
        "emoji": Shape(_TYPE | {"name": string(100)}, {"unicode": string(100), "style": _STYLE}),
        "user": Shape(_TYPE | {"user_id": string(255)}, {"style": _STYLE}),
        "usergroup": Shape(_TYPE | {"usergroup_id": string(255)}, {"style": _STYLE}),
        "channel": Shape(_TYPE | {"channel_id": string(255)}, {"style": _STYLE}),
        "broadcast": Shape(_TYPE | {"range": choice("here", "channel", "everyone")}),
        "date": Shape(
            _TYPE | {"timestamp": integer(0, 2**33), "format": string(255)},
            {"url": string(3000), "fallback": string(255), "style": _STYLE},
        ),
    }
)
_RICH_SECTION = Shape(_TYPE | {"elements": array(_INLINE, 1000, least=0)})
_RICH = by_type(
    {
        "rich_text_section": _RICH_SECTION,
        "rich_text_list": Shape(
            _TYPE
            | {
                "style": choice("bullet", "ordered"),
                "elements": array(by_type({"rich_text_section": _RICH_SECTION}), 1000),
            },
            {"indent": integer(0, 8), "offset": integer(0, 10**6), "border": integer(0, 1)},
        ),
        "rich_text_preformatted": Shape(
            _TYPE | {"elements": array(_INLINE, 1000)},
            {"border": integer(0, 1), "language": string(100)},
        ),
        "rich_text_quote": Shape(
            _TYPE | {"elements": array(_INLINE, 1000)}, {"border": integer(0, 1)}
        ),
    }
)
_CONTEXT_ELEMENT: Checker = by_type(
    {
        "image": IMAGE_ELEMENT,
        "plain_text": any_text(3000),
        "mrkdwn": any_text(3000),
    }
)
BLOCKS: dict[str, Checker] = {
    "section": Shape(
        _TYPE,
        _ID
        | {
            "text": any_text(3000),
            "fields": array(any_text(2000), 10),
            "accessory": by_type(IN_SECTION),
            "expand": boolean,
        },
        also=_text_or_fields,
    ),
    "header": Shape(_TYPE | {"text": plain_text(150)}, _ID),
    "divider": Shape(_TYPE, _ID),
    "context": Shape(_TYPE | {"elements": array(_CONTEXT_ELEMENT, 10)}, _ID),
    "actions": Shape(_TYPE | {"elements": array(by_type(IN_ACTIONS), 25)}, _ID),
    "input": Shape(
        _TYPE | {"label": plain_text(2000), "element": by_type(IN_INPUT)},
        _ID | {"hint": plain_text(2000), "optional": boolean, "dispatch_action": boolean},
    ),
    "image": Shape(
        _TYPE | {"alt_text": string(2000)},
        _ID | {"image_url": string(3000), "slack_file": SLACK_FILE, "title": plain_text(2000)},
        also=one_source,
    ),
    "rich_text": Shape(_TYPE | {"elements": array(_RICH, 1000)}, _ID),
}


def elements_of(blocks: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every (block, element) a person could use, in the order shown."""
    for block in blocks:
        elements = block.get("elements", []) if block.get("type") == "actions" else []
        for element in [block.get("accessory"), block.get("element"), *elements]:
            if isinstance(element, dict) and element.get("type") != "image":
                yield block, element


def _duplicates(blocks: list[Any], pointer: str, problems: Problems) -> None:
    """No two blocks share a ``block_id``, no two elements of a block an ``action_id``."""
    shaped = [block for block in blocks if isinstance(block, dict)]
    counted = Counter(block["block_id"] for block in shaped if "block_id" in block)
    for block_id, times in counted.items():
        if times > 1:
            problems.say(f"block_id already exists: {block_id}", pointer)
    actions = Counter(
        (index, element["action_id"])
        for index, block in enumerate(shaped)
        for _, element in elements_of([block])
        if "action_id" in element
    )
    for (index, action_id), times in actions.items():
        if times > 1:
            problems.say(f"action_id already exists: {action_id}", f"{pointer}/{index}")


def message_problems(blocks: Any) -> list[str]:
    """What Slack would refuse in a message's blocks; an empty list where nothing is wrong."""
    problems = Problems()
    array(by_type(BLOCKS), MESSAGE_BLOCKS, least=0)(blocks, "/blocks", problems)
    if isinstance(blocks, list):
        _duplicates(blocks, "/blocks", problems)
    return problems.found


def files_in(value: Any, pointer: str = "/blocks") -> Iterator[tuple[str, dict[str, Any]]]:
    """Where blocks show uploaded files, and which."""
    if isinstance(value, dict):
        if isinstance(value.get("slack_file"), dict):
            yield f"{pointer}/slack_file", value["slack_file"]
        for name, member in value.items():
            yield from files_in(member, f"{pointer}/{name}")
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from files_in(item, f"{pointer}/{index}")


def text_length(value: Any) -> int:
    """How many characters of text a message's blocks hold together."""
    if isinstance(value, dict):
        own = value.get("text")
        below = sum(text_length(member) for member in value.values())
        return below + (len(own) if isinstance(own, str) else 0)
    if isinstance(value, list):
        return sum(text_length(item) for item in value)
    return 0


def _submittable(value: Any, pointer: str, problems: Problems) -> None:
    blocks = value.get("blocks")
    if not isinstance(blocks, list):
        return
    _duplicates(blocks, f"{pointer}/blocks", problems)
    inputs = any(isinstance(block, dict) and block.get("type") == "input" for block in blocks)
    if inputs and value.get("type") == "modal" and "submit" not in value:
        problems.say("missing required field: submit", pointer)


_SHARED = {"private_metadata": string(3000, shortest=0), "callback_id": string(255, shortest=0)}
_VIEW = by_type(
    {
        "modal": Shape(
            _TYPE
            | {"title": plain_text(24), "blocks": array(by_type(BLOCKS), VIEW_BLOCKS, least=0)},
            _SHARED
            | {
                "close": plain_text(24),
                "submit": plain_text(24),
                "clear_on_close": boolean,
                "notify_on_close": boolean,
                "submit_disabled": boolean,
                "external_id": string(255, shortest=0),
            },
            also=_submittable,
        ),
        "home": Shape(
            _TYPE | {"blocks": array(by_type(BLOCKS), VIEW_BLOCKS, least=0)},
            _SHARED | {"external_id": string(255, shortest=0)},
            also=_submittable,
        ),
    }
)


def view_problems(view: Any) -> list[str]:
    """What Slack would refuse in a modal or an App Home."""
    problems = Problems()
    _VIEW(view, "/view", problems)
    return problems.found
