"""The demo's page in a real browser: from Enter to the card, in an empty channel and in a full one.

Somebody types and presses Enter; a script inside the page notes when the card was painted. What
the bot needs of that is measured in turn with it: the same command straight from the stand-in
Slack, until its acknowledgement and until the bot has posted the card.
"""

from __future__ import annotations

import http.client
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.databases import NewDatabase
from benchmarks.processes import Child
from benchmarks.verdict import Verdict, at_most, below, share
from bot.playground.page.play import page as served
from bot.playground.slack.crew import ALICE, DEPLOYMENTS, INCIDENTS, RELEASES
from bot.playground.tour.fleet import SERVICES
from bot.playground.tour.stage import Stage

if TYPE_CHECKING:
    from playwright.sync_api import Page

SAMPLES, WARM_UP, MESSAGES, STARTS = 30, 3, 500, 3
ENTER_MS, READY, FRAME_MS = 300.0, 10.0, 34.0
#: What an empty channel may be exceeded by: nobody must notice which of them it is.
FULLER = 1.5
#: Seconds between commands, so that all is at rest again when the next one is typed.
APART = 0.3
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
#: Resolves to the milliseconds from the key that sends to the painted card.
_WATCH = """(wanted) => {
  const log = document.querySelector("#log");
  let began = 0;
  const note = (event) => { began = event.timeStamp; };
  addEventListener("keydown", note, { once: true, capture: true });
  window.sawCard = new Promise((resolve) => {
    const looking = new MutationObserver(() => {
      const shown = [...log.querySelectorAll("article.message:not(.private)")].slice(-3);
      if (!shown.some((message) => message.textContent.includes(wanted))) return;
      looking.disconnect();
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began)));
    });
    looking.observe(log, { childList: true, subtree: true });
  });
}"""
#: Resolves to the milliseconds of each frame while the log is scrolled from top to end.
_SCROLL = """() => new Promise((resolve) => {
  const log = document.querySelector("#log"), frames = [];
  let last = 0;
  log.scrollTop = 0;
  const step = (now) => {
    if (last) frames.push(now - last);
    last = now;
    if (log.scrollTop + log.clientHeight >= log.scrollHeight - 1) return resolve(frames);
    log.scrollTop += 500;
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""
_OPENED = """([channel, least]) => {
  const all = document.querySelectorAll("#log article").length;
  const here = document.querySelectorAll(`#log article[data-channel="${channel}"]`).length;
  return here >= least && here === all;
}"""


@dataclass
class Took:
    """Milliseconds from Enter to the card in either channel, and of the bot's part of it."""

    empty: list[float] = field(default_factory=list)
    full: list[float] = field(default_factory=list)
    acknowledged: list[float] = field(default_factory=list)
    posted: list[float] = field(default_factory=list)


def measure(_databases: dict[str, NewDatabase]) -> Iterator[Verdict]:
    """On SQLite, as the demo has it."""
    starts = [_start() for _ in range(STARTS)]
    yield below("quarterdeck demo until its page answers: median", median(starts), "s", READY)
    browser = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if browser is None:
        sys.stderr.write("playground: no Chromium on this machine, so no page was measured.\n")
        return
    with Stage() as stage, served(stage, 0) as address, _opened(browser, address) as page:
        _furnish(stage)
        took = _take(stage, page)
        frames = page.evaluate(_SCROLL)
    yield from _verdicts(took, frames)


def _verdicts(took: Took, frames: list[float]) -> Iterator[Verdict]:
    whole, full = median(took.empty), median(took.full)
    name = f"page, {SAMPLES} samples: from Enter to the card"
    yield below(f"{name}: median", whole, "ms", ENTER_MS)
    yield share("  of that the bot, until it acknowledges", median(took.acknowledged), whole, "ms")
    yield share("  of that the bot, until it has posted", median(took.posted), whole, "ms")
    yield below(f"{name} under {MESSAGES} others: median", full, "ms", ENTER_MS)
    yield at_most(f"{name} under {MESSAGES} others, against none", full, whole, "ms", FULLER)
    yield below(f"page, {MESSAGES} cards scrolled through: frame", median(frames), "ms", FRAME_MS)


def _start() -> float:
    """Seconds from the start of the process until the page is answered."""
    with TemporaryDirectory() as name:
        began = time.monotonic()
        command = ["bot", "demo", "--no-open", "--port", "0"]
        with Child("demo", Path(name), command, {}) as demo:
            address = urlsplit(demo.first_line().rpartition(" ")[2])
            connection = http.client.HTTPConnection(str(address.hostname), address.port)
            connection.request("GET", "/")
            if connection.getresponse().status != http.client.OK:
                raise AssertionError("The page was not answered.")
            return time.monotonic() - began


@contextmanager
def _opened(browser: str, address: str) -> Iterator[Page]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - a browser is not always there

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page()
        page.goto(address)
        yield page
        chromium.close()


def _furnish(stage: Stage) -> None:
    """Images for every command, and a card that stands in #releases many times."""
    for number in range(WARM_UP + SAMPLES):
        for service in SERVICES:
            stage.aws.push(service, _tag(number))
    stage.slack.person(ALICE).command("/deploy", "backend production v1.5.0", channel=INCIDENTS)
    card = stage.slack.until(lambda: stage.slack.messages(INCIDENTS), 10, "a card")[0]
    for _ in range(MESSAGES):
        stage.slack.put(replace(card, channel=RELEASES, ts=stage.slack.new_ts()))


def _tag(number: int) -> str:
    return f"bench-{number:03}"


def _take(stage: Stage, page: Page) -> Took:
    took = Took()
    for number in range(WARM_UP + SAMPLES):
        empty = _enter(page, DEPLOYMENTS, f"/deploy backend production {_tag(number)}", 0)
        full = _enter(page, RELEASES, f"/deploy analytics production {_tag(number)}", MESSAGES)
        acknowledged, posted = _command(stage, f"frontend production {_tag(number)}")
        if number >= WARM_UP:
            took.empty.append(empty)
            took.full.append(full)
            took.acknowledged.append(acknowledged)
            took.posted.append(posted)
    return took


def _enter(page: Page, channel: str, command: str, least: int) -> float:
    page.click(f'[data-go="{channel}"]')
    page.wait_for_function(_OPENED, arg=[channel, least])
    page.evaluate(_WATCH, command.rpartition(" ")[2])
    page.fill("#text", command)
    page.wait_for_timeout(APART * 1000)
    page.press("#text", "Enter")
    return float(page.evaluate("window.sawCard"))


def _command(stage: Stage, text: str) -> tuple[float, float]:
    """Milliseconds until the acknowledgement, and until the call that posts the card."""
    slack = stage.slack
    before = len(slack.calls("chat.postMessage"))
    Event().wait(APART)
    began = slack.clock()
    did = slack.person(ALICE).command("/deploy", text, channel=INCIDENTS)
    posted = slack.until(lambda: slack.calls("chat.postMessage")[before:], 10, "a card")[0]
    return did.delivered.seconds * 1000, (posted.at - began) * 1000
