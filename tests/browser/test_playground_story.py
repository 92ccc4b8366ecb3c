"""The story that somebody plays who opens the playground for the first time."""

from __future__ import annotations

import re

import pytest

from tests.browser.seat import Seat

pytestmark = pytest.mark.xdist_group("playground-story")


CARD = "backend-production-1"


def test_from_the_first_keystroke_to_the_audit(seat: Seat) -> None:
    asked(seat)
    refused(seat)
    approved(seat)
    rolled(seat)
    rolled_back(seat)
    audited(seat)


def asked(seat: Seat) -> None:
    """A command is completed while it is typed, and its card appears."""
    field = seat.page.locator("#text")
    seat.sees(seat.log).to_contain_text("Type /deploy backend production v1.5.0")
    field.press_sequentially("/depl")
    seat.sees(seat.page.locator("#hints li").first).to_contain_text("/deploy <service>")
    field.press("Tab")
    seat.sees(field).to_have_value("/deploy ")
    field.press_sequentially("backend production v1.5.0")
    field.press("Enter")
    seat.shows(CARD, "waiting for approval")
    seat.sees(field).to_have_value("")
    # Messages and cards tell the time in the same way.
    clock = seat.card(CARD).locator(".by time")
    seat.sees(clock).to_have_text(re.compile(r"^\d\d:\d\d$"))


def refused(seat: Seat) -> None:
    """Who may not approve is told so in private, and nothing moves."""
    for outsider in ("sven", "gus"):
        seat.approve(CARD, outsider)
        seat.sees(seat.private.last).to_contain_text("OUTSIDER")
        seat.sees(seat.private.last).to_contain_text("Only visible to you")
    seat.runs("backend", "production", "v1.4.0")


def approved(seat: Seat) -> None:
    """The dialog can be turned away; then two approvers say yes."""
    card = seat.card(CARD)
    seat.be("bob")
    seat.sees(seat.private).to_have_count(0)
    seat.press(card, "Approve")
    seat.sees(seat.dialog).to_contain_text("Approve this deployment?")
    seat.confirm("Not now")
    seat.sees(card).to_contain_text("0 of 2")
    seat.approve(CARD, "bob")
    seat.sees(card).to_contain_text("1 of 2")
    seat.pull("pace", "standstill")
    seat.approve(CARD, "carol")
    seat.shows(CARD, "running")


def rolled(seat: Seat) -> None:
    """The new tasks wait for their image while time stands still, then take over."""
    picture = seat.service("backend", "production")
    seat.sees(picture).to_be_in_viewport()
    seat.sees(picture.locator(".w-release")).to_have_count(2)
    seat.sees(picture.locator(".w-task.w-new").first).to_be_visible()
    seat.sees(picture.locator(".w-task.w-old.w-healthy").first).to_be_visible()
    seat.pull("pace", "x20")
    seat.shows(CARD, "succeeded")
    seat.runs("backend", "production", "v1.5.0")
    seat.sees(picture.locator(".w-task.w-new.w-healthy")).to_have_count(4)
    seat.sees(picture.locator(".w-task.w-old")).to_have_count(0)


def rolled_back(seat: Seat) -> None:
    """The way back is the card's button and the form that it opens."""
    seat.press(seat.card(CARD), "Roll back")
    seat.sees(seat.modal).to_contain_text("v1.4.0")
    seat.modal.get_by_label("Reason").fill("wrong totals")
    seat.press(seat.modal, "Roll back")
    seat.sees(seat.modal).to_contain_text("its card follows it")
    seat.page.keyboard.press("Escape")
    seat.sees(seat.modal).to_have_count(0)
    seat.shows("backend-production-2", "succeeded")
    seat.runs("backend", "production", "v1.4.0")
    seat.sees(seat.card(CARD).get_by_role("button", name="Roll back")).to_have_count(0)


def audited(seat: Seat) -> None:
    """The audit trail has all of it, and its chain is intact."""
    seat.page.click("[data-panel=trail]")
    trail = seat.page.locator("#trail")
    intact = re.compile(r"The chain of \d+ rows is intact")
    seat.sees(trail.locator(".w-verdict")).to_have_text(intact)
    for words in ("alice", "bob", "carol", "sven", "gus", "wrong totals"):
        seat.sees(trail.locator(".w-row", has_text=words).first).to_be_visible()
    seat.sees(trail.locator(".w-decision.w-bad", has_text="denied")).to_have_count(2)


def test_the_form_says_what_is_missing_and_escape_closes_it(seat: Seat) -> None:
    seat.say("/deploy")
    seat.sees(seat.modal.get_by_role("heading", name="Deploy")).to_be_visible()
    seat.sees(seat.modal.get_by_label("Services")).to_be_focused()

    seat.press(seat.modal, "Deploy")
    missing = seat.modal.locator("[data-input] .bk-error:visible")
    seat.sees(missing).to_have_text(["Please complete this required field."] * 2)

    seat.page.keyboard.press("Escape")
    seat.sees(seat.modal).to_have_count(0)
    seat.sees(seat.page.locator("#text")).to_be_focused()


def test_a_deployment_is_put_together_in_the_form(seat: Seat) -> None:
    modal = seat.modal
    seat.say("/deploy")
    modal.get_by_label("Services").locator("option", has_text="analytics").click()
    modal.get_by_label("Environment").select_option(label="staging")
    modal.get_by_label("Version").fill("v9.9.9")
    seat.press(modal, "Deploy")
    complaint = modal.locator("[data-input=version] .bk-error")
    seat.sees(complaint).to_contain_text("v9.9.9")
    modal.get_by_label("Version").fill("v1.5.0")
    modal.get_by_label("Reason").fill("monthly numbers")
    seat.press(modal, "Deploy")
    seat.sees(modal).to_contain_text("its card follows it")
    modal.locator("footer").get_by_role("button", name="Close").click()
    seat.sees(modal).to_have_count(0)
    seat.shows("analytics-staging-1", "succeeded")
    seat.sees(seat.card("analytics-staging-1")).to_contain_text("monthly numbers")
    seat.runs("analytics", "staging", "v1.5.0")


def test_a_crashing_release_comes_back_and_the_card_says_so(seat: Seat) -> None:
    release = seat.lever("release")
    release.get_by_label("Service").select_option("frontend")
    release.get_by_label("Image").select_option("crashing")
    seat.press(release, "Push image")
    seat.sees(seat.page.locator("#note")).to_contain_text("Pushed frontend v1.7.0 (crashing)")

    seat.say("/deploy frontend staging v1.7.0")
    seat.shows("frontend-staging-1", "rolled back")
    seat.sees(seat.card("frontend-staging-1")).to_contain_text("circuit breaker")
    seat.runs("frontend", "staging", "v1.4.0")
    seat.sees(seat.service("frontend", "staging").locator(".w-state")).to_contain_text("ROLLBACK")
