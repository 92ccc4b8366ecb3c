"""Somebody at the page: what they do with keyboard and mouse, and what they see."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.browser.chromium import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

WIDE = (1400, 900)
NARROW = (380, 740)


@dataclass
class Seat:
    """One page. ``troubles`` is what went wrong in it: errors of the script and of the console."""

    page: Page
    context: BrowserContext
    troubles: list[str] = field(default_factory=list)

    @classmethod
    def take(cls, browser: Browser, address: str, size: tuple[int, int], **how: Any) -> Seat:
        """Open the page in a browser of one's own, and wait until it shows something."""
        width, height = size
        context = browser.new_context(viewport={"width": width, "height": height}, **how)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        seat = cls(page, context)
        page.on("pageerror", lambda error: seat.troubles.append(f"error: {error}"))
        page.on("console", lambda said: seat._note(said.type, said.text))
        page.on("dialog", seat._surprised)
        page.goto(address)
        seat.sees(page.locator("#people select")).to_be_attached()
        return seat

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.troubles.append(f"{kind}: {text}")

    def _surprised(self, dialog: Any) -> None:
        self.troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def leave(self) -> None:
        """Close the form that may be open, which belongs to the person, and the browser."""
        if self.modal.count():
            self.page.keyboard.press("Escape")
            self.sees(self.modal).to_have_count(0)
        self.context.close()

    def sees(self, what: Locator) -> Any:
        """Something to be waited for."""
        from playwright.sync_api import expect

        return expect(what)

    # Doing

    def be(self, who: str) -> None:
        """Switch to that person."""
        self.page.select_option("#who", who)
        chosen = self.page.locator(f"#people option[value={who}][selected]")
        self.sees(chosen).to_be_attached()

    def go(self, channel: str) -> None:
        """Open a channel by its name, or the app's messages."""
        self.page.locator("#rail").get_by_role("button", name=channel).click()
        self.sees(self.page.locator("#head h1")).to_contain_text(channel)

    def say(self, text: str) -> None:
        """Type it into the message field, and send it."""
        self.page.fill("#text", text)
        self.page.press("#text", "Enter")

    def press(self, within: Locator, label: str) -> None:
        """Press the button with that label."""
        within.get_by_role("button", name=label, exact=True).click()

    def confirm(self, label: str) -> None:
        """Answer what is asked in the dialog, with its button of that label."""
        self.sees(self.dialog).to_be_visible()
        self.press(self.dialog, label)
        self.sees(self.dialog).to_be_hidden()

    def approve(self, deployment: str, who: str) -> None:
        """Approve it as that person."""
        self.be(who)
        self.press(self.card(deployment), "Approve")
        self.confirm("Approve")

    def pull(self, lever: str, label: str) -> None:
        """Pull a lever beside the chat."""
        self.press(self.lever(lever), label)

    # Seeing

    @property
    def dialog(self) -> Locator:
        """The confirmation that a button asks for."""
        return self.page.locator("#confirm")

    @property
    def modal(self) -> Locator:
        """The form that is open."""
        return self.page.locator("#overlay .modal")

    @property
    def log(self) -> Locator:
        """The messages of the channel."""
        return self.page.locator("#log")

    @property
    def private(self) -> Locator:
        """Messages that only this person sees."""
        return self.page.locator("#log .message.private")

    def card(self, deployment: str) -> Locator:
        """A deployment's card in the channel."""
        heading = self.page.locator("h3", has_text=f"{deployment}:")
        return self.page.locator("#log .message:not(.private)").filter(has=heading)

    def shows(self, deployment: str, state: str) -> None:
        """There is one card of it, and it comes to say so."""
        title = self.card(deployment).locator("h3")
        self.sees(title).to_have_text(re.compile(rf"{deployment}: {re.escape(state)}\s*$"))

    def lever(self, name: str) -> Locator:
        """What can be done to one thing of the world."""
        return self.page.locator(f"#lever-{name}")

    def canary(self) -> None:
        """Turn to what is shown and done beside a canary."""
        self.page.locator("#beside").get_by_role("button", name="Canary", exact=True).click()
        self.sees(self.page.locator("#charts")).to_be_visible()

    def charts(self, environment: str, service: str = "backend") -> Locator:
        """What visitors of the service get there."""
        return self.page.locator(f"#chart-card-{service}-{environment}")

    def weighs(self, environment: str, weights: str, service: str = "backend") -> None:
        """The rule comes to give so much to the stable version and to the canary."""
        self.sees(self.charts(environment, service).locator(".w-state")).to_have_text(weights)

    def service(self, service: str, environment: str) -> Locator:
        """The picture of a service."""
        return self.page.locator(f"#svc-{service}-{environment}")

    def runs(self, service: str, environment: str, version: str) -> None:
        """Only that version runs there: one deployment, which is over."""
        picture = self.service(service, environment)
        self.sees(picture.locator(".w-release")).to_have_count(1)
        self.sees(picture.locator(".w-version")).to_have_text(version)
        self.sees(picture.locator(".w-rollout")).to_have_text("COMPLETED")
