"""Whatever a message contains, the page runs none of it; and many messages do not slow it down."""

from __future__ import annotations

import pytest

from bot.playground.slack.crew import RELEASES
from tests.browser.demo import Demo
from tests.browser.seat import Seat

pytestmark = pytest.mark.xdist_group("playground-safety")

#: Each sets a flag of the window where it is run.
HOSTILE = (
    "<script>window.pwned = 1</script>",
    "<img src=x onerror=window.pwned=1>",
    '"><svg onload=window.pwned=1>',
    "<iframe srcdoc='<script>parent.pwned=1</script>'></iframe>",
    "<javascript:window.pwned=1|click me>",
    "<data:text/html,<script>window.pwned=1</script>|click me>",
    "*<b onclick=window.pwned=1>bold</b>* `<script>window.pwned=1</script>`",
    "</div></article><style>*{display:none}</style>",
    "{{ 7 * 191 }} ${7 * 191}",
)
#: What a message must never become.
MADE = "script, img[onerror], svg, iframe, style, object, embed, link, base, form"
ELEMENTS = "(where) => document.querySelectorAll(where).length"
ON = """() => [...document.querySelectorAll('#log *, #thread *, #overlay *, #beside *')]
  .filter((each) => [...each.attributes].some((one) => /^on/i.test(one.name)
    || /^\\s*(javascript|data|vbscript):/i.test(one.value) && ['href', 'src'].includes(one.name)))
  .map((each) => each.outerHTML)"""


#: Scrolls up in the frame after something arrived; tells later how far down one is all the same.
UP = """() => {
  const log = document.querySelector('#log');
  window.up = new Promise((resolve) => new MutationObserver((_, seen) => {
    seen.disconnect();
    requestAnimationFrame(() => {
      log.scrollTop = 0;
      setTimeout(() => resolve(log.scrollTop), 1000);
    });
  }).observe(log, { childList: true }));
}"""


def unharmed(seat: Seat) -> None:
    page = seat.page
    assert page.evaluate("() => window.pwned") is None
    inside = ", ".join(f"#log {each}" for each in MADE.split(", "))
    assert page.evaluate(ELEMENTS, inside) == 0
    assert page.evaluate(ON) == []


@pytest.mark.parametrize("where", ["channel", "thread"])
def test_a_message_is_shown_and_never_run(seat: Seat, where: str) -> None:
    seat.say(f"first of {where}")
    shown, field = seat.log, seat.page.locator("#text")
    if where == "thread":
        message = seat.log.locator(".message", has_text="first of thread")
        message.hover()
        seat.press(message, "Reply in thread")
        shown, field = seat.page.locator("#thread"), seat.page.locator("#answer-text")
    for text in HOSTILE:
        field.fill(text)
        field.press("Enter")
        seat.sees(field).to_have_value("")
    seat.sees(shown.locator(".message", has_text="{{ 7 * 191 }} ${7 * 191}")).to_have_count(1)
    seat.sees(shown.locator(".message", has_text="<script>window.pwned = 1")).to_have_count(1)
    for each in shown.locator(".message", has_text="click me").all():
        each.locator(".body").click()
    unharmed(seat)


def test_what_the_bot_repeats_is_not_run(seat: Seat) -> None:
    page, reason = seat.page, "<img src=x onerror=window.pwned=1>"
    seat.say(f'/deploy backend staging v1.5.0 --reason "{reason}"')
    seat.shows("backend-staging-1", "succeeded")
    seat.sees(seat.card("backend-staging-1")).to_contain_text(reason)
    for nonsense in ("/deploy <script>window.pwned=1</script> staging", "/deploy backend '\"<b>"):
        seat.say(nonsense)
    seat.sees(seat.private.nth(2)).to_be_visible()
    seat.say("/<script>window.pwned=1</script>")
    seat.sees(page.locator("#note")).to_contain_text("is not a valid command")
    page.click("[data-panel=trail]")
    seat.sees(page.locator("#trail .w-row", has_text=reason).first).to_be_visible()
    unharmed(seat)


def test_five_hundred_messages_scroll_and_a_new_one_arrives(seat: Seat, demo: Demo) -> None:
    # Elsewhere, so that what is drawn is the channel as it is opened.
    spoken = {"person": "bob", "channel": RELEASES}
    seat.page.goto("about:blank")
    demo.acts("type", [spoken | {"text": f"message {number}"} for number in range(500)])
    seat.page.goto(f"{demo.address}/#{RELEASES}")
    messages = seat.log.locator(".message")
    seat.sees(messages.last).to_contain_text("message 499")
    seat.sees(messages.last).to_be_in_viewport()
    there = messages.count()  # more than these where this is the second try
    assert there >= 500

    demo.act("type", **spoken, text="one more")
    seat.sees(messages).to_have_count(there + 1)
    seat.sees(messages.last).to_contain_text("one more")
    seat.sees(messages.last).to_be_in_viewport()

    # Who turns away from what has just arrived is not pulled back to it.
    seat.page.evaluate(UP)
    demo.act("type", **spoken, text="once more")
    assert seat.page.evaluate("() => window.up") == 0
    seat.sees(messages).to_have_count(there + 2)

    # Who reads further up stays there while others write.
    messages.first.scroll_into_view_if_needed()
    seat.sees(messages.first).to_be_in_viewport()
    demo.act("type", **spoken, text="and another")
    seat.sees(messages).to_have_count(there + 3)
    seat.sees(messages.first).to_be_in_viewport()
    seat.say("mine")
    seat.sees(messages.last).to_contain_text("mine")
    seat.sees(messages.last).to_be_in_viewport()
