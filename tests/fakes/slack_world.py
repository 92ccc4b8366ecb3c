"""A strict local Slack for tests: the demo's people, a clock set by hand, and a bare app.

``slack_world()`` gives the workspace served on loopback with a ``WebClient`` for it.
``BareApp`` answers Slack's requests with whatever a test sets, to test Slack's own side.
"""

from __future__ import annotations

import http.client
import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

from slack_sdk import WebClient
from typing_extensions import override

from bot.playground.slack.crew import muster
from bot.playground.slack.person import Person
from bot.playground.slack.workspace import Workspace


@dataclass(slots=True)
class HandClock:
    """Stands still until told."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True, slots=True)
class SlackWorld:
    """The workspace, its clock (``None`` where it is the wall's), and the app's own client."""

    workspace: Workspace
    client: WebClient
    clock: HandClock

    def person(self, name: str) -> Person:
        return self.workspace.person(name)

    def client_with(self, token: str) -> WebClient:
        return WebClient(token=token, base_url=self.workspace.api_url, timeout=5)


@contextmanager
def slack_world(*, limited: bool = False) -> Iterator[SlackWorld]:
    """The demo's workspace. ``limited`` keeps Slack's rate limits, on the clock set by hand."""
    clock = HandClock()
    with Workspace(clock=clock) as workspace:
        muster(workspace)
        workspace.limits.factor = 1.0 if limited else math.inf
        workspace.serve()
        token = workspace.secrets.bot_token
        client = WebClient(token=token, base_url=workspace.api_url, timeout=5)
        yield SlackWorld(workspace, client, clock)


@dataclass(slots=True)
class BareApp:
    """An app's request URL. ``answers`` are (status, body) in turn; then 200 with nothing."""

    answers: list[tuple[int, str]] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    hold: threading.Event | None = None
    _server: ThreadingHTTPServer | None = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        app = self

        class Handler(BaseHTTPRequestHandler):
            @override
            def log_message(self, *_: object) -> None:
                return

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                app.requests.append((dict(self.headers), body))
                if app.hold is not None:
                    app.hold.wait(10)
                status, text = app.answers.pop(0) if app.answers else (200, "")
                try:
                    self.send_response(status)
                    self.end_headers()
                    self.wfile.write(text.encode())
                except ConnectionError:
                    return  # Slack did not wait for it

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.hold is not None:
            self.hold.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}/slack/events"

    def answer(self, body: dict[str, Any]) -> None:
        """What the next request is acknowledged with."""
        self.answers.append((200, json.dumps(body)))


def fetch(url: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """Status and JSON of a GET, or of a POST with a JSON body."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        path = f"{parts.path}?{parts.query}"
        sent = None if body is None else json.dumps(body)
        method = "GET" if body is None else "POST"
        connection.request(method, path, sent, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()
