"""A demo and a browser for each module; a seat at the page for each test.

The modules are groups of pytest-xdist, so each worker runs one demo at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser import chromium
from tests.browser.demo import Demo, running_demo
from tests.browser.seat import WIDE, Seat

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: Takes a seat of that size.
Take = Callable[..., Seat]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; tests are skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = chromium.found()
    if path is None:
        pytest.skip(f"There is none of {', '.join(chromium.NAMES)} on this machine")
    with chromium.browser(sync_api, path) as started:
        yield started


@pytest.fixture(scope="module")
def started(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that the module's tests share: each takes services of its own."""
    assert browser.is_connected()
    with running_demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.fixture
def demo(started: Demo) -> Iterator[Demo]:
    """The demo; whatever a test breaks is mended after it."""
    yield started
    started.mend()


@pytest.fixture
def take(browser: Browser, demo: Demo) -> Iterator[Take]:
    """Seats at the page, in which nothing may have gone wrong at the end."""
    taken: list[Seat] = []

    def take_one(size: tuple[int, int] = WIDE, **how: object) -> Seat:
        seat = Seat.take(browser, demo.address, size, **how)
        taken.append(seat)
        # The test before may have killed the bot, and mending only begins its start.
        seat.sees(seat.lever("bot")).to_contain_text("It runs.")
        return seat

    yield take_one
    for seat in taken:
        seat.leave()
    assert [trouble for seat in taken for trouble in seat.troubles] == []


@pytest.fixture
def seat(take: Take) -> Seat:
    """One seat at a wide screen."""
    return take()
