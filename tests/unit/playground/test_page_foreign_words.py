"""The page never executes what a message contains: no word becomes an element or an attribute."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.playground.page.blocks import draw_message, draw_view
from bot.playground.page.mrkdwn import Names, may_link, mrkdwn
from bot.playground.slack.blocks import BLOCKS
from bot.playground.slack.elements import IN_ACTIONS, IN_INPUT
from bot.playground.slack.records import Message, View
from tests.unit.playground.reading import NAMES, Block, Page, marked, plain, read


def everything(word: str) -> list[Block]:
    """Every block and element, with ``word`` wherever an app or a person may write."""
    words = plain(word)
    option = {"text": words, "value": word, "description": words}
    confirm = {"title": words, "text": marked(word), "confirm": words, "deny": words}
    placed = {"action_id": word, "placeholder": words, "confirm": confirm}
    chosen = {"initial_option": option, "initial_options": [option]}
    own: dict[str, Block] = {
        "button": {"text": words, "url": word, "accessibility_label": word},
        "overflow": {"options": [option | {"url": word}]},
        "datepicker": {"initial_date": word},
        "users_select": {"initial_user": word},
        "plain_text_input": {"initial_value": word},
    }
    listed: Block = {"options": [option]} | chosen
    elements: list[Block] = [
        {"type": kind} | placed | own.get(kind, listed) for kind in {**IN_ACTIONS, **IN_INPUT}
    ]
    grouped: Block = {
        "type": "static_select",
        "option_groups": [{"label": words, "options": [option]}],
    }
    elements += [grouped | placed, own["plain_text_input"] | placed | _LONG]
    picture: Block = {"type": "image", "image_url": word, "alt_text": word}
    told = {"label": words, "hint": words, "dispatch_action": True}
    rich: list[Block] = [
        {"type": "text", "text": word, "style": {"bold": True, "code": True}},
        {"type": "link", "url": word, "text": word},
        {"type": "emoji", "name": word},
        {"type": "user", "user_id": word},
        {"type": "channel", "channel_id": word},
        {"type": "date", "timestamp": 1, "format": word, "fallback": word},
    ]
    item = {"type": "rich_text_section", "elements": rich}
    texts: list[Block] = [
        {"type": "rich_text_list", "style": "ordered", "elements": [item]},
        {"type": "rich_text_quote", "elements": rich},
        {"type": "rich_text_preformatted", "elements": rich},
        item,
    ]
    inputs = [each for each in elements if each["type"] in IN_INPUT]
    pressed = [each for each in elements if each["type"] in IN_ACTIONS]
    blocks: list[Block] = [
        {"type": "header", "text": words},
        {"type": "section", "text": marked(word), "fields": [marked(word), words]},
        *({"type": "section", "text": words, "accessory": each} for each in [*pressed, picture]),
        {"type": "context", "elements": [picture, marked(word), words]},
        {"type": "divider"},
        {"type": "actions", "elements": pressed},
        *({"type": "input", "element": each} | told for each in inputs),
        picture | {"title": words},
        {"type": "rich_text", "elements": texts},
    ]
    return [{"block_id": word} | block for block in blocks]


_LONG = {"type": "plain_text_input", "multiline": True}


def drawing(word: str) -> list[Page]:
    names = Names({word: word, "U1": word}, {word: word}, {word: word})
    blocks = tuple(everything(word))
    view = View(word, "U1", {"type": "home", "blocks": list(blocks)}, "h", "V1")
    return [
        read(draw_message(Message(word, word, "U1", "", blocks), names)),
        read(draw_message(Message(word, word, "U1", word), names)),
        read(draw_view(view, names)),
    ]


def skeleton(word: str) -> list[list[tuple[str, tuple[str, ...]]]]:
    return [
        [(each.tag, tuple(each.attributes)) for each in page.elements] for page in drawing(word)
    ]


def test_the_security_tests_draw_every_kind() -> None:
    blocks = everything("word")
    assert {each["type"] for each in blocks} == set(BLOCKS)
    pressed = next(each["elements"] for each in blocks if each["type"] == "actions")
    assert {each["type"] for each in pressed} == set(IN_ACTIONS)
    filled = [each["element"]["type"] for each in blocks if each["type"] == "input"]
    assert set(filled) == set(IN_INPUT)


@pytest.mark.parametrize(
    "word",
    [
        "<script>alert(1)</script>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        '"><img src=x onerror=alert(1)>',
        "'><svg onload=alert(1)>",
        '" onmouseover="alert(1)" x="',
        "' autofocus onfocus='alert(1)",
        "x onclick=alert(1)",
        "</textarea></option></select></fieldset></div><iframe src=//evil.example>",
        "--><!-- <style>*{display:none}</style>",
        "]]><?php ?>",
        "javascript:alert(1)",
        "JaVaScRiPt&colon;alert(1)",
        "java\tscript:alert(1)",
        "data:text/html;base64,PHNjcmlwdD4=",
        "vbscript:x",
        "<javascript:alert(1)|here>",
        "<data:text/html,x|here>",
        "{{ 7 * 7 }}{% raw %}",
        "{target.upper} {0}",
        "\x00\x01\ud7ff\u202e",
    ],
)
def test_no_word_becomes_an_element_or_an_attribute(word: str) -> None:
    assert skeleton(word) == skeleton("word")


@pytest.mark.parametrize(
    "source",
    [
        '<https://a.example/"onmouseover="alert(1)|x>',
        "<https://a.example|</a><script>alert(1)</script>>",
        "`</code><script>alert(1)</script>`",
        "```</code></pre><script>alert(1)</script>```",
        "*<script>alert(1)</script>*",
        "> </blockquote><script>alert(1)</script>",
        '<@U1|"><script>alert(1)</script>>',
        '<#"onclick="alert(1)|x>',
        '<!date^1700000000^"><script>alert(1)</script>{date}^javascript:alert(1)|x>',
        '<!"><script>alert(1)</script>>',
        'https://a.example/"onclick="alert(1)',
    ],
)
def test_formatted_words_stay_words(source: str) -> None:
    harmless(read(mrkdwn(source, NAMES)))


ALLOWED = {
    "a": {"class", "href", "target", "rel"},
    "span": {"class", "role", "aria-label", "title", "data-channel"},
    "time": {"datetime", "title"},
    **{tag: {"class"} for tag in ("strong", "em", "s", "u", "code", "pre", "blockquote", "br")},
}


def harmless(page: Page) -> None:
    for each in page.elements:
        assert set(each.attributes) <= ALLOWED[each.tag]
        assert may_link(each.attributes.get("href", "https://fine"))


_SIGNS = ["*", "_", "~", "`", "```", "<", ">", "|", "&gt;", "\n", " ", ":", '"', "'", "{time}"]
_WORDS = ["a", "@U1", "#C1", "!here", "!date^1^", "https://x", "javascript:x", "<script>", "rocket"]
PIECES = st.lists(st.sampled_from(_SIGNS + _WORDS), max_size=60).map("".join)


@settings(deadline=None)  # no test depends on how fast a machine is
@given(PIECES)
@example("*_~" * 800 + "x" + "~_*" * 800)
@example(" *a" * 1000)
@example("<" * 3000)
def test_any_mrkdwn_is_harmless(source: str) -> None:
    harmless(read(mrkdwn(source, NAMES)))
