"""What goes wrong by the levers ends truthfully on the page."""

from __future__ import annotations

import pytest

from tests.browser.seat import Seat

pytestmark = pytest.mark.xdist_group("playground-mishaps")


def in_mid_rollout(seat: Seat, service: str) -> str:
    """A deployment to staging that stands still; returns its id."""
    deployment = f"{service}-staging-1"
    seat.pull("pace", "standstill")
    seat.say(f"/deploy {service} staging v1.5.0")
    seat.shows(deployment, "running")
    seat.sees(seat.service(service, "staging").locator(".w-release")).to_have_count(2)
    return deployment


def test_killed_in_mid_rollout_it_ends_truthfully_with_one_card(seat: Seat) -> None:
    deployment = in_mid_rollout(seat, "frontend")

    seat.pull("bot", "kill -9")
    seat.sees(seat.lever("bot")).to_contain_text("It is down.")
    # Nobody looks while ECS goes on: the bot finds out when it is there again.
    seat.pull("pace", "x20")
    seat.runs("frontend", "staging", "v1.5.0")
    seat.shows(deployment, "running")
    seat.pull("bot", "Start again")
    seat.sees(seat.lever("bot")).to_contain_text("It runs.")

    seat.shows(deployment, "succeeded")
    seat.runs("frontend", "staging", "v1.5.0")


def test_a_command_to_a_bot_that_is_down_is_answered_by_slack(seat: Seat) -> None:
    seat.pull("bot", "kill -9")
    seat.sees(seat.lever("bot")).to_contain_text("It is down.")
    seat.say("/deploy whoami")
    seat.sees(seat.page.locator("#note")).to_contain_text("dispatch_failed")


def test_what_slack_missed_is_on_the_card_when_it_is_back(seat: Seat) -> None:
    deployment = in_mid_rollout(seat, "backend")

    seat.pull("slack", "Take down")
    seat.sees(seat.lever("slack")).to_contain_text("503")
    seat.pull("pace", "x60")  # the longer it is down, the longer the bot waits to try again
    seat.runs("backend", "staging", "v1.5.0")
    seat.shows(deployment, "running")
    seat.pull("slack", "Bring back")

    seat.shows(deployment, "succeeded")


def test_without_a_database_nothing_is_begun(seat: Seat) -> None:
    seat.pull("database", "Lose it")
    seat.sees(seat.lever("database")).to_contain_text("Nothing can be recorded.")
    seat.say("/deploy analytics staging v1.5.0")
    seat.sees(seat.private.last).to_contain_text("Still working on it")
    seat.runs("analytics", "staging", "v1.4.0")
    seat.pull("database", "Bring back")
    seat.sees(seat.lever("database")).to_contain_text("It takes what is recorded.")
    seat.page.click("[data-panel=trail]")
    seat.sees(seat.page.locator("#trail .w-verdict")).to_contain_text("intact")
