"""Canaries at the page: both versions drawn live, what can be done to them, and who steers them."""

from __future__ import annotations

import re

import pytest

from tests.browser.conftest import Take
from tests.browser.seat import Seat

pytestmark = pytest.mark.xdist_group("playground-canary")

STAGING, PRODUCTION = "backend-staging", "backend-production"
PHONE = (390, 844)


def begun(seat: Seat, number: int, environment: str = "staging", version: str = "v1.5.0") -> str:
    """A canary that has its first share; returns its deployment."""
    deployment = f"backend-{environment}-{number}"
    seat.say(f"/deploy backend {environment} {version} --canary")
    if environment == "production":
        for who in ("bob", "carol"):
            seat.approve(deployment, who)
    seat.canary()
    seat.weighs(environment, "90 : 10")
    seat.sees(seat.card(deployment)).to_contain_text("10% of the traffic")
    return deployment


def test_both_versions_are_drawn_while_levers_are_pulled(seat: Seat) -> None:
    deployment = begun(seat, 1)
    charts = seat.charts("staging")
    seat.sees(charts).to_contain_text(re.compile(r"canary\s+v1\.5\.0\s+weight 10 · 1 of 1 healthy"))
    seat.sees(charts.locator(".c-share").first).to_have_text("10%")
    for side in ("stable", "canary"):
        seat.sees(charts.locator(f".c-line.c-{side}").first).to_have_attribute(
            "d", re.compile(r"^M[\d.]+ [\d.]+ .")
        )

    # With the keyboard alone, and the focus stays where it was.
    everything = seat.lever("errors").get_by_role("button", name="all")
    everything.focus()
    seat.page.keyboard.press("Enter")
    seat.sees(everything).to_have_attribute("aria-pressed", "true")
    seat.sees(everything).to_be_focused()
    seat.sees(seat.page.locator("#note")).to_contain_text("backend v1.5.0: errors all")
    failed = charts.get_by_role("img", name=re.compile("^Failed in the last"))
    seat.sees(failed).to_have_accessible_name(re.compile(r"canary [1-9]\d(\.\d+)? %"))

    # Who is not asked for approval may take it back, by the card's own button.
    seat.press(seat.card(deployment), "Roll back")
    seat.confirm("Roll back")
    seat.shows(deployment, "rolled back")
    seat.weighs("staging", "100 : 0")
    seat.sees(charts.locator(".c-share").nth(1)).to_have_text("0%")


def test_weights_that_somebody_else_changed_are_put_to_people(seat: Seat) -> None:
    deployment = begun(seat, 2)
    seat.pull("weights", "50:50")
    seat.weighs("staging", "50 : 50")
    seat.sees(seat.card(deployment)).to_contain_text(
        "Somebody else changed the rule's weights: 50%"
    )
    seat.say("/canary backend staging status")
    seat.sees(seat.private.last).to_contain_text("A person has to decide")
    seat.say("/canary backend staging abort --reason enough")
    seat.shows(deployment, "rolled back")
    seat.sees(seat.card(deployment)).to_contain_text("Taken back by alice: enough")
    seat.weighs("staging", "100 : 0")


def test_a_killed_bot_goes_on_with_its_canary(seat: Seat) -> None:
    deployment = begun(seat, 1, "production")
    seat.page.click("[data-panel=world]")
    seat.pull("bot", "kill -9")
    seat.sees(seat.lever("bot")).to_contain_text("It is down.")
    seat.pull("bot", "Start again")
    seat.sees(seat.lever("bot")).to_contain_text("It runs.")
    seat.press(seat.card(deployment), "Promote fully")
    seat.confirm("Promote fully")
    seat.shows(deployment, "succeeded")
    seat.runs("backend", "production", "v1.5.0")
    seat.canary()
    seat.weighs("production", "100 : 0")
    seat.sees(seat.charts("production")).to_contain_text("none runs")


def test_an_incident_is_begun_and_ended(seat: Seat) -> None:
    seat.canary()
    lever = seat.lever("incident")
    seat.pull("incident", "Begin")
    seat.sees(lever).to_contain_text("Every version fails a tenth more")
    failed = seat.charts("production").get_by_role("img", name=re.compile("^Failed in the last"))
    seat.sees(failed).to_have_accessible_name(re.compile(r"stable ([5-9]|1\d)(\.\d+)? %"))
    seat.pull("incident", "End it")
    seat.sees(lever).to_contain_text("There is none.")


def test_on_a_phone_everything_fits(take: Take) -> None:
    seat = take(PHONE)
    seat.press(seat.page.locator("#dock"), "World")
    seat.canary()
    seat.sees(seat.charts("production")).to_be_in_viewport()
    seat.lever("weights").scroll_into_view_if_needed()
    seat.sees(seat.lever("weights")).to_be_in_viewport()
    too_wide = seat.page.evaluate(
        """() => [...document.querySelectorAll("#beside *")]
            .filter((each) => !each.closest(".w-said") && each.getBoundingClientRect().right > 390)
            .map((each) => each.outerHTML.slice(0, 200))"""
    )
    assert too_wide == []


def test_ecs_itself_shifts_the_traffic_of_another_service(seat: Seat) -> None:
    deployment = "frontend-production-1"
    seat.say("/deploy frontend production v1.5.0 --canary")
    for who in ("bob", "carol"):
        seat.approve(deployment, who)
    seat.canary()
    seat.press(seat.lever("watch"), "frontend")
    seat.weighs("production", "90 : 10", "frontend")
    card, charts = seat.card(deployment), seat.charts("production", "frontend")
    seat.sees(card).to_contain_text("ECS waits for an answer until")
    seat.sees(charts).to_contain_text(re.compile(r"canary\s+v1\.5\.0\s+weight 10 · 4 of 4 healthy"))
    seat.sees(seat.lever("errors")).to_contain_text("of frontend v1.5.0")
    seat.press(card, "Promote fully")
    seat.confirm("Promote fully")
    seat.shows(deployment, "succeeded")
    # What was the canary is the stable version now, in the target group that it was shifted to.
    seat.weighs("production", "100 : 0", "frontend")
    seat.sees(charts).to_contain_text(re.compile(r"stable\s+v1\.5\.0\s+weight 100"))
    seat.sees(charts.locator(".c-share").last).to_have_text("100%")


def test_a_rollout_in_the_cluster_is_brought_on_by_its_steps(seat: Seat) -> None:
    for number, end in (("1", "rolled back"), ("2", "succeeded")):
        deployment = f"search-production-{number}"
        seat.be("alice")
        seat.say("/deploy search production v1.5.0 --canary")
        for who in ("bob", "carol"):
            seat.approve(deployment, who)
        seat.canary()
        seat.press(seat.lever("watch"), "search")
        seat.weighs("production", "90 : 10", "search")
        card, charts = seat.card(deployment), seat.charts("production", "search")
        seat.sees(card).to_contain_text("10% of the traffic")
        seat.sees(card).to_contain_text("requests/s this canary can rule out")
        seat.sees(charts).to_contain_text(
            re.compile(r"canary\s+v1\.5\.0\s+weight 10 · 1 of 1 healthy")
        )
        seat.sees(seat.lever("errors")).to_contain_text("of search v1.5.0")
        if end == "rolled back":
            seat.pull("weights", "abort")
        else:
            seat.press(card, "Promote fully")
            seat.confirm("Promote fully")
        seat.shows(deployment, end)
        seat.weighs("production", "100 : 0", "search")
    seat.sees(charts).to_contain_text(re.compile(r"stable\s+v1\.5\.0\s+weight 100 · 4 of 4"))
    seat.page.click("[data-panel=world]")
    seat.runs("search", "production", "v1.5.0")
