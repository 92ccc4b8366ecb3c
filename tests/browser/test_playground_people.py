"""Several people, several pages, a keyboard, a small screen."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Take
from tests.browser.demo import Demo
from tests.browser.seat import NARROW, Seat

pytestmark = pytest.mark.xdist_group("playground-people")

#: Whatever scrolls sideways, by its id or class.
SIDEWAYS = """() => [document.documentElement, ...document.querySelectorAll('body *')]
  .filter((each) => {
    const style = getComputedStyle(each);
    return each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0
      && !(each.tagName === 'SELECT' || style.position === 'absolute')
      && (each === document.documentElement || ['auto', 'scroll'].includes(style.overflowX));
  })
  .map((each) => each.tagName + '#' + each.id + '.' + each.className)"""
#: Controls of which a part lies outside of the screen's width.
CUT = """() => [...document.querySelectorAll('button, input, select, textarea, a, summary')]
  .filter((each) => each.checkVisibility() && !each.matches('.skip'))
  .filter((each) => {
    const at = each.getBoundingClientRect();
    return at.left < -1 || at.right > innerWidth + 1;
  })
  .map((each) => each.outerHTML.slice(0, 80))"""

#: Lists of which one option or another has no room, by their names.
SHORT = """() => [...document.querySelectorAll('#who, #levers select')]
  .filter((each) => each.checkVisibility())
  .filter((each) => {
    const free = each.cloneNode(true);
    Object.assign(free.style, { width: 'max-content', position: 'absolute' });
    each.after(free);
    const wanted = free.offsetWidth;
    free.remove();
    return wanted > each.offsetWidth;
  })
  .map((each) => each.id || each.name)"""


def test_what_one_is_told_in_private_nobody_else_sees(seat: Seat) -> None:
    seat.say("/deploy whoami")
    seat.sees(seat.private).to_contain_text("alice")
    seat.be("bob")
    seat.sees(seat.private).to_have_count(0)
    seat.say("/deploy whoami")
    seat.sees(seat.private).to_contain_text("bob")
    seat.be("alice")
    seat.sees(seat.private).to_have_count(1)
    seat.sees(seat.private).to_contain_text("alice")


def test_two_pages_show_the_same_card(take: Take) -> None:
    asking, voting = take(), take()
    asking.say("/deploy backend production v1.5.0")
    for each in (asking, voting):
        each.shows("backend-production-1", "waiting for approval")
    voting.approve("backend-production-1", "bob")
    for each in (asking, voting):
        each.sees(each.card("backend-production-1")).to_contain_text("1 of 2")
    voting.be("carol")
    voting.press(voting.card("backend-production-1"), "Reject")
    voting.sees(voting.modal.get_by_label("Why?")).to_be_focused()
    voting.modal.get_by_label("Why?").fill("not on a Friday")
    voting.press(voting.modal, "Reject")
    for each in (asking, voting):
        each.shows("backend-production-1", "rejected")
    asking.sees(asking.modal).to_have_count(0)
    voting.page.keyboard.press("Escape")
    voting.sees(voting.modal).to_have_count(0)


def test_a_thread_is_read_and_written(seat: Seat) -> None:
    seat.say("Shall we ship?")
    question = seat.log.locator(".message", has_text="Shall we ship?")
    question.hover()
    seat.press(question, "Reply in thread")
    answer = seat.page.locator("#answer-text")
    answer.fill("Yes.")
    answer.press("Enter")
    thread = seat.page.locator("#thread")
    seat.sees(thread.locator(".message")).to_have_count(2)
    seat.sees(question.locator(".replies")).to_have_text("1 reply")

    # A slash command does not work there; a mention does.
    answer.fill("/deploy whoami")
    answer.press("Enter")
    seat.sees(seat.page.locator("#note")).to_contain_text("@quarterdeck deploy whoami")
    answer.fill("@quarterdeck deploy whoami")
    answer.press("Enter")
    seat.sees(thread.locator(".message", has_text="Quarterdeck").last).to_contain_text("alice")
    seat.page.keyboard.press("Escape")
    seat.sees(seat.page.locator("#side-thread")).to_be_hidden()


def test_home_shows_what_waits_for_its_reader(seat: Seat) -> None:
    seat.say("/deploy analytics production v1.5.0")
    seat.shows("analytics-production-1", "waiting for approval")
    seat.go("releases")
    seat.be("bob")
    seat.sees(seat.page.locator("#head h1")).to_contain_text("releases")
    seat.go("Quarterdeck")
    seat.page.click("#head [data-go=home]")
    home = seat.page.locator("#log .home")
    seat.sees(home).to_contain_text("analytics-production-1")
    seat.press(home, "Deploy…")
    seat.sees(seat.modal.get_by_role("heading", name="Deploy")).to_be_visible()
    seat.page.keyboard.press("Escape")
    seat.sees(seat.modal).to_have_count(0)

    # Who is not in that channel is taken to one where they are.
    seat.go("releases")
    seat.be("sven")
    seat.sees(seat.page.locator("#head h1")).to_contain_text("deploys")


def test_escape_turns_a_question_away_and_leaves_the_thread_open(seat: Seat) -> None:
    seat.go("incidents")
    seat.say("/deploy backend production v1.4.0")
    card = seat.log.locator(".message:not(.private)").last
    seat.sees(card).to_contain_text("waiting for approval")
    card.hover()
    seat.press(card, "Reply in thread")
    thread = seat.page.locator("#side-thread")
    seat.press(thread, "Cancel")
    seat.sees(seat.dialog).to_be_visible()
    seat.page.keyboard.press("Escape")
    seat.sees(seat.dialog).to_be_hidden()
    seat.page.locator("#answer-text").fill("Not yet.")
    seat.page.locator("#answer-text").press("Enter")
    seat.sees(thread.locator(".message", has_text="Not yet.")).to_be_visible()
    seat.page.keyboard.press("Escape")
    seat.sees(thread).to_be_hidden()


def test_a_press_counts_though_the_card_is_redrawn_meanwhile(seat: Seat, demo: Demo) -> None:
    title = seat.page.locator("#log .message:not(.private) h3", has_text="analytics-production")
    before = title.count()
    seat.say("/deploy analytics production v1.4.0")
    seat.sees(title).to_have_count(before + 1)
    deployment = title.last.inner_text().split()[1].rstrip(":")
    card = seat.card(deployment)
    seat.be("carol")
    card.get_by_role("button", name="Approve", exact=True).hover()
    seat.page.mouse.down()
    with seat.page.expect_response("**/news") as news:
        demo.act("type", person="bob", channel="C0DEPLOYS", text=f"/deploy approve {deployment}")
    news.value.finished()
    seat.page.evaluate("() => new Promise((done) => setTimeout(done))")
    seat.page.mouse.up()
    seat.sees(seat.dialog).to_be_visible()
    seat.page.keyboard.press("Escape")
    seat.sees(card).to_contain_text("1 of 2")
    seat.be("alice")
    seat.press(card, "Cancel")
    seat.confirm("Cancel it")
    seat.shows(deployment, "cancelled")


def to(seat: Seat, selector: str) -> None:
    """Press Tab until that has the focus."""
    for _ in range(120):
        if seat.page.locator(selector).and_(seat.page.locator(":focus")).count():
            return
        seat.page.keyboard.press("Tab")
    pytest.fail(f"Tab never comes to {selector}")


def test_a_command_and_a_vote_by_the_keyboard(seat: Seat) -> None:
    keys, field = seat.page.keyboard, seat.page.locator("#text")
    to(seat, ".skip")
    keys.press("Enter")
    seat.sees(field).to_be_focused()
    keys.type("/roll")
    keys.press("ArrowDown")
    keys.press("Enter")
    seat.sees(field).to_have_value("/rollback ")
    keys.press("Control+A")
    keys.type("/deploy frontend production v1.5.0")
    keys.press("Enter")
    seat.shows("frontend-production-1", "waiting for approval")

    to(seat, "#who")
    keys.press("c")
    seat.sees(seat.page.locator("#who")).to_have_value("carol")
    seat.sees(seat.page.locator("#who")).to_be_focused()
    to(seat, '#log > div:last-child button[data-confirm*="Approve this"]')
    keys.press("Enter")
    to(seat, "#confirm-yes")
    keys.press("Enter")
    seat.sees(seat.card("frontend-production-1")).to_contain_text("1 of 2")


def test_the_keyboard_stays_in_a_form_and_comes_back(seat: Seat) -> None:
    keys = seat.page.keyboard
    to(seat, "#text")
    keys.type("/deploy")
    keys.press("Enter")
    seat.sees(seat.modal.get_by_label("Services")).to_be_focused()
    for _ in range(8):
        keys.press("Tab")
        seat.sees(seat.modal.locator(":focus")).to_have_count(1)
    keys.press("Escape")
    seat.sees(seat.page.locator("#text")).to_be_focused()
    to(seat, "[data-panel=trail]")
    keys.press("Enter")
    seat.sees(seat.page.locator("#trail .w-verdict")).to_be_visible()


def fits(seat: Seat) -> None:
    """Nothing scrolls sideways, and no control is cut, nor what is chosen in it."""
    assert seat.page.evaluate(SIDEWAYS) == []
    assert seat.page.evaluate(CUT) == []
    assert seat.page.evaluate(SHORT) == []


@pytest.mark.parametrize("width", [1400, 1180, 941])
def test_a_wide_screen_cuts_nothing(take: Take, width: int) -> None:
    seat = take((width, 800))
    seat.sees(seat.page.locator("#levers select").first).to_be_visible()
    fits(seat)


def test_a_narrow_screen_has_all_parts_and_no_sideways_scroll(take: Take) -> None:
    seat = take(NARROW, has_touch=True)
    dock = seat.page.locator("#dock")
    seat.say("/deploy frontend staging v1.5.0")
    seat.shows("frontend-staging-1", "succeeded")
    fits(seat)
    # Cards are higher than the screen; whoever comes sees the last of them to its end.
    seat.page.reload()
    seat.sees(seat.card("frontend-staging-1").locator(".replies")).to_be_in_viewport()
    seat.card("frontend-staging-1").locator(".replies").tap()
    seat.sees(seat.page.locator("#thread .message").first).to_be_visible()
    fits(seat)
    seat.page.locator("[data-close-thread]").tap()
    seat.press(dock, "Channels")
    seat.sees(seat.page.locator("#who")).to_be_visible()
    fits(seat)
    seat.go("general")
    seat.sees(seat.page.locator("#text")).to_be_visible()
    seat.press(dock, "World")
    seat.sees(seat.service("frontend", "staging")).to_be_visible()
    fits(seat)
    seat.page.locator("[data-panel=trail]").tap()
    seat.sees(seat.page.locator("#trail .w-row").first).to_be_visible()
    fits(seat)
    seat.press(dock, "Chat")
    seat.say("/deploy")
    seat.sees(seat.modal.get_by_label("Services")).to_be_visible()
    fits(seat)


def test_on_a_narrow_screen_a_lever_says_what_it_did(take: Take) -> None:
    seat = take(NARROW, has_touch=True)
    note = seat.page.locator("#note")
    seat.press(seat.page.locator("#dock"), "World")
    seat.pull("lag", "Lag reads")
    seat.sees(note).to_contain_text("Reads of ECS show what was true")
    seat.sees(note).to_be_in_viewport(ratio=1)
    seat.sees(seat.log).to_be_hidden()
    fits(seat)
