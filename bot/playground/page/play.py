"""The page on a stage: everything it needs, put together, until somebody stops it."""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bot.commands.grammar import COMMANDS, SLASHES
from bot.playground.page.acts import Acts
from bot.playground.page.applications import Applications
from bot.playground.page.arms import Watch
from bot.playground.page.cast import CAST
from bot.playground.page.charts import Charts
from bot.playground.page.levers import Levers
from bot.playground.page.live import Scene
from bot.playground.page.scene import Painter
from bot.playground.page.server import Content, PageServer
from bot.playground.page.sites import sites_of
from bot.playground.page.templating import draw
from bot.playground.page.trail import Verified, draw_trail
from bot.playground.page.world import draw_all, draw_legend, services
from bot.playground.slack.crew import DEPLOYMENTS
from bot.playground.slack.refusal import CannotDo
from bot.playground.tour.stage import Stage
from bot.settings.clock import SystemClock
from bot.store.database import Database
from bot.store.session import make_engine


@contextmanager
def page(stage: Stage, port: int) -> Iterator[str]:
    """Serve the page; gives its address. Raises ``OSError`` where the port is taken."""
    engine = make_engine(stage.database_url)
    database, verified = Database(engine, SystemClock()), Verified()
    applications, watch = Applications(stage.cluster), Watch(sites_of(stage))
    levers, charts = Levers(stage, watch), Charts(watch)

    def beside() -> Scene:
        return {
            "services": [
                *draw_all([*services(stage.aws), *applications.pictures()]),
                ("world-legend", draw_legend()),
            ],
            "levers": levers.elements(),
            "watched": levers.watched(),
            "charts": charts.elements(),
            "visitors": levers.beside_canaries(),
            "trail": [("trail-all", draw_trail(database, verified))],
        }

    acts = Acts(stage.slack, SLASHES)

    def act(verb: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        if verb == "lever":
            return {"note": levers.pull(*_lever(asked))}
        return acts.do(verb, asked)

    server = PageServer(
        Content(
            _page,
            Painter(stage.slack, beside).scene,
            act,
            stage.slack.changed_since,
            stage.slack.files.content,
        )
    )
    address = server.start(port)
    try:
        yield address
    finally:
        server.close()
        levers.close()
        engine.dispose()


def _page() -> str:
    return draw(
        "page.html", channel=DEPLOYMENTS, person=CAST[0].name, completions=json.dumps(completions())
    )


def completions() -> list[dict[str, str]]:
    """What the composer offers: every command of the grammar, as the manifest has them."""
    return [
        {
            "insert": f"{spec.slash} {spec.verb}".strip(),
            "usage": spec.usage,
            "summary": spec.summary,
        }
        for spec in COMMANDS
    ]


def _lever(asked: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    arguments = asked.get("arguments")
    if not isinstance(arguments, dict):
        raise CannotDo("the arguments of a lever are an object")
    return str(asked.get("lever", "")), {str(k): str(v) for k, v in arguments.items()}


def opened(address: str, find: Callable[[], webbrowser.BaseBrowser] = webbrowser.get) -> bool:
    """Open it in a browser with windows, where there is one; one in the terminal would hide us."""
    try:
        browser = find()
    except webbrowser.Error:
        return False
    in_terminal = isinstance(browser, webbrowser.GenericBrowser) and not isinstance(
        browser, webbrowser.BackgroundBrowser
    )
    return not in_terminal and browser.open(address)
