"""Plays the story and writes what the page shows into ``docs/images``: ``make pictures``."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from playwright import sync_api

from tests.browser import chromium
from tests.browser.demo import running_demo
from tests.browser.seat import NARROW, Seat

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

FOLDER = Path(__file__).parents[2] / "docs" / "images"
#: Larger than this is not worth its place in the repository.
LARGEST = 200_000
SIZE = (1240, 760)


@dataclass(frozen=True)
class Album:
    """Where pictures go."""

    folder: Path

    def take(self, name: str, seat: Seat, part: Locator | None = None) -> None:
        """The page, or only a part of it, once everything on it has settled."""
        path = self.folder / f"{name}.png"
        seat.page.mouse.move(1, 1)
        (part or seat.page).screenshot(path=path, animations="disabled", caret="hide")
        assert path.stat().st_size < LARGEST, f"{path} is too large"
        sys.stdout.write(f"{path}\n")


def production(seat: Seat, album: Album) -> None:
    """A deployment that waits, is refused to an outsider, approved, and rolls."""
    card = seat.card("backend-production-1")
    seat.say('/deploy backend production v1.5.0 --reason "new search"')
    seat.shows("backend-production-1", "waiting for approval")
    album.take("awaiting-approval", seat)
    seat.approve("backend-production-1", "sven")
    seat.sees(seat.private.last).to_contain_text("OUTSIDER")
    album.take("refusal", seat)
    seat.approve("backend-production-1", "bob")
    seat.sees(card).to_contain_text("1 of 2")
    seat.pull("pace", "standstill")
    seat.be("carol")
    seat.press(card, "Approve")
    seat.sees(seat.dialog).to_be_visible()
    album.take("confirmation", seat)
    rolling(seat, album)


def rolling(seat: Seat, album: Album) -> None:
    """The same while it runs, beside another that waits its turn, and at its end."""
    card = seat.card("backend-production-1")
    seat.confirm("Approve")
    seat.shows("backend-production-1", "running")
    picture = seat.service("backend", "production")
    seat.sees(picture.locator(".w-task.w-new.w-pending").first).to_be_visible()
    seat.sees(card).to_contain_text("pending")
    seat.page.locator("#beside summary", has_text="Levers").click()
    album.take("running", seat)
    seat.be("alice")
    seat.say("/deploy backend production v1.4.0")
    for who in ("bob", "carol"):
        seat.approve("backend-production-2", who)
    seat.shows("backend-production-2", "queued")
    album.take("queued", seat, seat.card("backend-production-2"))
    seat.press(seat.card("backend-production-2"), "Cancel")
    seat.confirm("Cancel it")
    seat.shows("backend-production-2", "cancelled")
    seat.page.locator("#beside summary", has_text="Levers").click()
    seat.pull("pace", "x20")
    seat.shows("backend-production-1", "succeeded")
    card.hover()
    album.take("succeeded", seat, card)


def broken(seat: Seat, album: Album) -> None:
    """A release that crashes, and comes back by itself."""
    seat.be("alice")
    seat.say('/deploy frontend staging v1.6.0 --reason "summer theme"')
    seat.shows("frontend-staging-1", "rolled back")
    seat.sees(seat.card("frontend-staging-1").locator(".replies")).to_be_visible()
    album.take("rolled-back", seat, seat.card("frontend-staging-1"))
    seat.page.locator("#beside summary", has_text="Levers").click()
    album.take("world", seat, seat.page.locator("#beside"))
    seat.page.locator("#beside summary", has_text="Levers").click()
    seat.card("frontend-staging-1").locator(".replies").click()
    seat.sees(seat.page.locator("#thread .message").nth(1)).to_be_visible()
    album.take("thread", seat, seat.page.locator("#side-thread"))
    seat.page.locator("[data-close-thread]").click()


def canary(seat: Seat, album: Album) -> None:
    """Both versions of a canary, at half of the traffic."""
    seat.be("alice")
    seat.say("/deploy backend staging v1.5.0 --canary")
    seat.canary()
    seat.weighs("staging", "90 : 10")
    seat.page.wait_for_timeout(45_000)  # so that there is something to be seen
    seat.press(seat.card("backend-staging-1"), "Promote to 50%")
    seat.weighs("staging", "50 : 50")
    seat.page.wait_for_timeout(45_000)
    seat.card("backend-staging-1").scroll_into_view_if_needed()
    album.take("canary", seat)
    seat.page.click("[data-panel=world]")


def degraded(seat: Seat, album: Album) -> None:
    """The same under Argo CD, which takes nothing back: a commit does."""
    seat.say('/deploy analytics staging v1.6.0 --reason "new parser"')
    seat.shows("analytics-staging-1", "failed")
    card = seat.card("analytics-staging-1")
    seat.sees(card.get_by_role("button", name="Roll back")).to_be_visible()
    seat.sees(card.locator(".replies")).to_contain_text("replies")
    album.take("degraded", seat, card)
    album.take("degraded-world", seat, seat.service("analytics", "staging"))
    seat.page.locator("#beside summary", has_text="Levers").scroll_into_view_if_needed()
    seat.say("/rollback analytics staging")
    seat.shows("analytics-staging-2", "succeeded")


def back(seat: Seat, album: Album) -> None:
    """The way back, the form of a deployment, Home and the audit trail."""
    seat.press(seat.card("backend-production-1"), "Roll back")
    seat.sees(seat.modal.get_by_label("Reason")).to_be_visible()
    seat.modal.get_by_label("Reason").fill("wrong totals")
    album.take("rollback", seat)
    seat.press(seat.modal, "Roll back")
    seat.shows("backend-production-3", "succeeded")
    seat.page.keyboard.press("Escape")
    seat.say("/deploy")
    seat.sees(seat.modal.get_by_label("Services")).to_be_visible()
    album.take("deploy-form", seat)
    seat.page.keyboard.press("Escape")
    seat.say("/deploy analytics production v1.5.0")
    seat.shows("analytics-production-1", "waiting for approval")
    seat.be("bob")
    seat.go("Quarterdeck")
    seat.page.click("#head [data-go=home]")
    seat.sees(seat.page.locator("#log .home")).to_contain_text("analytics-production-1")
    album.take("home", seat)
    seat.go("deploys")
    seat.page.click("[data-panel=trail]")
    seat.sees(seat.page.locator("#trail .w-row", has_text="wrong totals").first).to_be_visible()
    album.take("audit-trail", seat, seat.page.locator("#beside"))


def dark(seat: Seat, album: Album) -> None:
    """The same channel by night."""
    seat.shows("analytics-production-1", "waiting for approval")
    album.take("dark", seat)


def narrow(seat: Seat, album: Album) -> None:
    """On a phone."""
    seat.shows("analytics-production-1", "waiting for approval")
    album.take("narrow", seat)
    seat.press(seat.page.locator("#dock"), "World")
    seat.sees(seat.page.locator("#levers")).to_be_visible()
    album.take("narrow-world", seat)


def shoot(browser: Browser, address: str, album: Album) -> None:
    """All chapters, each at the seat where it is seen."""
    wide: tuple[Callable[[Seat, Album], None], ...] = (production, broken, canary, degraded, back)
    seat = Seat.take(browser, address, SIZE)
    for chapter in wide:
        chapter(seat, album)
    by_night = Seat.take(browser, address, SIZE, color_scheme="dark")
    dark(by_night, album)
    phone = Seat.take(browser, address, NARROW)
    narrow(phone, album)
    for each in (seat, by_night, phone):
        each.leave()
        assert each.troubles == []


def main() -> None:
    """Write all pictures anew."""
    path = chromium.found()
    if path is None:
        sys.exit(f"Pictures need one of {', '.join(chromium.NAMES)}.")
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        chromium.browser(sync_api, path) as browser,
        running_demo(Path(folder)) as demo,
    ):
        shoot(browser, demo.address, Album(FOLDER))


if __name__ == "__main__":
    main()
