from __future__ import annotations

import json
from typing import Any

import pytest

from bot.playground.page.blocks import draw_message, draw_view
from bot.playground.page.mrkdwn import in_words, may_link, mrkdwn
from bot.playground.slack.blocks import message_problems, view_problems
from bot.playground.slack.records import Message, View
from tests.unit.playground.reading import NAMES, Block, Page, marked, plain, read


def message(*blocks: Block, text: str = "") -> Page:
    named = tuple({"block_id": f"b{at}"} | block for at, block in enumerate(blocks))
    assert message_problems(list(named)) == []
    return read(draw_message(Message("C1", "1.1", "U1", text, named), NAMES))


def modal(*blocks: Block) -> Page:
    content = {"type": "modal", "title": plain("T"), "submit": plain("Go"), "blocks": list(blocks)}
    assert view_problems(content) == []
    return read(draw_view(View("V1", "U1", content, "h", "V1"), NAMES))


def action(**element: Any) -> Block:
    return {"type": "actions", "elements": [{"action_id": "a"} | element]}


def asked(block_id: str = "i", /, **element: Any) -> Block:
    return {
        "type": "input",
        "block_id": block_id,
        "label": plain("Version"),
        "element": {"action_id": "x"} | element,
    }


OPTIONS = [
    {"text": plain("One"), "value": "1"},
    {"text": plain("Two"), "value": "2", "description": plain("the better")},
]
CONFIRM = {"title": plain("Sure?"), "text": marked("*Really*, <@U1>?"), "confirm": plain("Do it")}


# Text ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "drawn"),
    [
        ("*b* _i_ ~s~", "<strong>b</strong> <em>i</em> <s>s</s>"),
        ("*b _i_*", "<strong>b <em>i</em></strong>"),
        ("_snake_case_", "<em>snake_case</em>"),
        ("2 * 3 * 4, a*b*c", "2 * 3 * 4, a*b*c"),
        ("*a `*` b*", '<strong>a <code class="bk-code">*</code> b</strong>'),
        ("one\ntwo", "one<br>two"),
        ("a\n> q\n&gt; _r_\nb", 'a<blockquote class="bk-quote">q<br><em>r</em></blockquote>b'),
        ("a\n```\n*x*\n  y\n```\nb", 'a<pre class="bk-pre"><code>*x*\n  y</code></pre>b'),
        ("<!subteam^S1>", '<span class="bk-mention">@captains</span>'),
        ("<@U9|nobody>", '<span class="bk-mention">@nobody</span>'),
        ("<@U9>", '<span class="bk-mention">@U9</span>'),
        ("<#C1>", '<span class="bk-mention bk-channel" data-channel="C1">#general</span>'),
        ("<!here>", '<span class="bk-mention bk-broadcast">@here</span>'),
        ("&lt;b&gt; &amp;amp;", "&lt;b&gt; &amp;amp;"),
        (":nonsense: 12:30:45", ":nonsense: 12:30:45"),
    ],
)  # fmt: skip
def test_mrkdwn_reads_as_in_slack(source: str, drawn: str) -> None:
    assert mrkdwn(source, NAMES) == drawn


def test_links_open_elsewhere() -> None:
    page = read(mrkdwn("<https://a.example/?x=1&amp;y|the *log*>", NAMES))
    link = page.one("a", href="https://a.example/?x=1&y")
    assert link.text == "the *log*"
    assert link.attributes["target"] == "_blank"
    assert link.attributes["rel"] == "noopener noreferrer"


def test_a_bare_address_is_a_link_unless_verbatim() -> None:
    source = "(see https://a.example/x_y.)"
    assert read(mrkdwn(source, NAMES)).one("a").text == "https://a.example/x_y"
    assert mrkdwn(source, NAMES, verbatim=True) == source


def test_emoji_have_names() -> None:
    shown = read(mrkdwn(":rocket:", NAMES)).one("span", role="img", aria_label="rocket")
    assert shown.text == "🚀"


def test_a_date_is_a_time_element() -> None:
    page = read(mrkdwn("<!date^1700000000^{date}|then>", NAMES))
    assert page.one("time").text.endswith("Nov 2023")
    linked = read(mrkdwn("<!date^1700000000^{date}^https://a.example|then>", NAMES))
    assert linked.one("a", href="https://a.example").text.endswith("Nov 2023")


@pytest.mark.parametrize("stamp", ["no", "9" * 30, "²", ""])
def test_a_date_that_is_none_reads_as_its_fallback(stamp: str) -> None:
    assert mrkdwn(f"<!date^{stamp}^{{date}}|then>", NAMES) == "then"


def test_a_label_has_no_markup() -> None:
    assert in_words("*Ask* <@U1>\n:rocket:", NAMES) == "Ask @alice\n🚀"


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("https://a.example", True),
        ("HTTP://a.example", True),
        ("mailto:a@b.example", True),
        ("slack://channel?id=C1", True),
        ("javascript:alert(1)", False),
        ("java\tscript:alert(1)", False),
        (" https://a.example", False),
        ("data:text/html,x", False),
        ("//a.example", False),
        ("/local", False),
        ("https://", False),
        ("", False),
    ],
)
def test_four_schemes_may_be_linked(address: str, *, may: bool) -> None:
    assert may_link(address) is may


# Blocks -------------------------------------------------------------------------------------


def test_a_message_without_blocks_is_its_text() -> None:
    assert message(text="*hello*").one("div", class_="bk-text").text == "hello"


def test_a_section() -> None:
    fields = [marked("*Service*\nbackend"), plain("*not bold* :tada:")]
    button = {"type": "button", "text": plain("Press"), "action_id": "p"}
    page = message({"type": "section", "text": marked("x"), "fields": fields, "accessory": button})
    cells = page.all("div", class_="bk-field")
    assert [each.text for each in cells] == ["Servicebackend", "*not bold* 🎉"]
    assert page.one("button", data_block="b0", data_action="p").text == "Press"


def test_header_context_divider_and_image() -> None:
    picture = {"type": "image", "image_url": "https://a.example/i.png", "alt_text": "a cat"}
    page = message(
        {"type": "header", "text": plain("Hello")},
        {"type": "context", "elements": [picture, marked("small")]},
        {"type": "divider"},
        picture | {"title": plain("Cat")},
    )
    assert page.one("h3").text == "Hello"
    assert page.one("div", class_="bk-small").text == "small"
    assert len(page.all("img", alt="a cat", src="https://a.example/i.png")) == 2
    assert page.one("figcaption").text == "Cat"
    assert page.all("hr")


def test_rich_text() -> None:
    def text(words: str, **style: bool) -> Block:
        return {"type": "text", "text": words} | ({"style": style} if style else {})

    section = {"type": "rich_text_section", "elements": [text("item")]}
    page = message(
        {
            "type": "rich_text",
            "elements": [
                {
                    "type": "rich_text_section",
                    "elements": [
                        text("bold", bold=True, italic=True, strike=True, underline=True),
                        text("code", code=True),
                        {"type": "link", "url": "https://a.example", "text": "site"},
                        {"type": "link", "url": "javascript:alert(1)", "text": "trap"},
                        {"type": "emoji", "name": "rocket"},
                        {"type": "user", "user_id": "U1"},
                        {"type": "usergroup", "usergroup_id": "S1"},
                        {"type": "channel", "channel_id": "C1"},
                        {"type": "broadcast", "range": "here"},
                        {"type": "date", "timestamp": 1700000000, "format": "{date}"},
                    ],
                },
                {"type": "rich_text_list", "style": "ordered", "offset": 2, "elements": [section]},
                {"type": "rich_text_list", "style": "bullet", "indent": 1, "elements": [section]},
                {"type": "rich_text_quote", "elements": [text("quoted")]},
                {"type": "rich_text_preformatted", "elements": [text("a\n  b")]},
            ],
        }
    )
    assert [page.one(tag).text for tag in ("strong", "em", "s", "u")] == ["bold"] * 4
    assert page.one("a").text == "site"
    assert "<javascript:alert(1)|trap>" in page.text
    assert "@alice@captains#general@here" in page.text
    assert page.one("ol", start="3").text.strip() == "item"
    assert page.one("ul", class_="bk-list bk-indent-1")
    assert page.one("blockquote").text == "quoted"
    assert page.one("pre").text.startswith("a")


# Controls -----------------------------------------------------------------------------------


def test_a_button_says_what_it_is_for_and_what_to_ask_first() -> None:
    page = message(action(type="button", text=plain("Go"), style="danger", confirm=CONFIRM))
    button = page.one("button", type="button", class_="bk-button bk-danger", data_action="a")
    assert json.loads(button.attributes["data-confirm"]) == {
        "title": "Sure?",
        "text": "Really, @alice?",
        "confirm": "Do it",
        "deny": "Cancel",
        "style": "primary",
    }


def test_a_button_with_an_address_is_a_link() -> None:
    page = message(action(type="button", text=plain("Log"), url="https://a.example"))
    link = page.one("a", href="https://a.example", data_block="b0", data_action="a")
    assert link.text == "Log"
    trap = message(action(type="button", text=plain("Log"), url="javascript:alert(1)"))
    assert trap.one("button", data_action="a").text == "Log"


def test_a_menu_offers_its_options_after_its_placeholder() -> None:
    menu = {"type": "static_select", "placeholder": plain("Which?"), "initial_option": OPTIONS[1]}
    page = message(action(**menu, options=OPTIONS))
    assert page.one("select", aria_label="Which?", data_action="a")
    assert [each.attributes["value"] for each in page.all("option")] == ["", "1", "2"]
    assert page.one("option", selected="").attributes["value"] == "2"


def test_grouped_options_and_several_of_them() -> None:
    groups = [{"label": plain("All"), "options": OPTIONS}]
    page = message(
        action(type="multi_static_select", option_groups=groups, initial_options=OPTIONS)
    )
    assert page.one("optgroup", label="All")
    assert len(page.all("option", selected="")) == 2
    assert page.one("select", multiple="")


def test_people_can_be_chosen() -> None:
    page = message(action(type="users_select", initial_user="U2"))
    assert [each.text.strip() for each in page.all("option")][1:] == ["alice", "bob"]
    assert page.one("option", selected="").attributes["value"] == "U2"


def test_an_overflow_menu_has_a_button_for_each_option() -> None:
    linked = OPTIONS[0] | {"url": "https://a.example"}
    page = message(action(type="overflow", options=[linked, OPTIONS[1]]))
    assert page.one("summary", aria_label="More")
    assert page.one("a", href="https://a.example", data_option="1")
    assert page.one("button", data_action="a", data_option="2")


def test_choices_outside_of_a_form() -> None:
    page = message(
        action(type="radio_buttons", options=OPTIONS, initial_option=OPTIONS[0]),
        action(type="checkboxes", options=OPTIONS, initial_options=OPTIONS),
        action(type="datepicker", initial_date="2026-03-02"),
    )
    assert len(page.all("fieldset", data_action="a")) == 2
    assert page.one("input", type="radio", checked="").attributes["value"] == "1"
    assert len(page.all("input", type="checkbox", checked="")) == 2
    names = {each.attributes["name"] for each in page.all("input") if "name" in each.attributes}
    assert len(names) == 2
    assert page.one("input", type="date", data_block="b2").attributes["value"] == "2026-03-02"


def test_an_input_is_a_labelled_part_of_a_form() -> None:
    line = asked(type="plain_text_input", max_length=9, placeholder=plain("v1"))
    page = modal(line | {"optional": True, "hint": plain("A tag.")})
    assert page.one("div", data_input="i")
    control = page.one("input", name="i", maxlength="9", placeholder="v1").attributes
    assert "data-action" not in control
    assert "required" not in control
    assert control["aria-describedby"].split() == [
        page.one("p", class_="bk-hint").attributes["id"],
        page.one("p", class_="bk-error", role="alert", hidden="").attributes["id"],
    ]
    assert page.one("label").text.split() == ["Version", "(optional)"]


def test_an_input_may_tell_the_app_at_once() -> None:
    page = modal(asked(type="datepicker") | {"dispatch_action": True})
    assert page.one("input", type="date", name="i", data_block="i", data_action="x", required="")


def test_a_long_text_keeps_its_first_line_end() -> None:
    source = {"type": "plain_text_input", "multiline": True, "initial_value": "\n</textarea>"}
    page = modal(asked(**source, focus_on_load=True))
    assert page.one("textarea", name="i", autofocus="").text == "\n\n</textarea>"


def test_choices_of_a_form_share_its_name() -> None:
    page = modal(asked(type="radio_buttons", options=OPTIONS, initial_option=OPTIONS[0]))
    assert len(page.all("input", type="radio", name="i", required="")) == 2
    assert page.one("legend").text.strip() == "Version"
    assert "data-action" not in page.one("fieldset").attributes
