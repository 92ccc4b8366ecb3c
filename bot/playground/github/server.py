"""The HTTP side: GitHub's paths, status codes and words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from typing_extensions import override

from bot.playground.github.api import Answer, Api, Asked
from bot.playground.github.pulls import Refusal
from bot.playground.github.shapes import VERSIONS
from bot.playground.loopback import LOOPBACK, LoopbackHandler, LoopbackServer

if TYPE_CHECKING:
    from bot.playground.github.host import GitHub


class Server(LoopbackServer):
    """Serves one GitHub until it is stopped."""

    def __init__(self, github: GitHub, port: int = 0) -> None:
        self.github = github
        super().__init__(_Handler, "local-github", port)


class _Handler(LoopbackHandler):
    server: Server

    @override
    def version_string(self) -> str:
        return "github.com"

    def do_GET(self) -> None:
        """Read."""
        self._answer()

    def do_POST(self) -> None:
        """Make something."""
        self._answer()

    def do_PATCH(self) -> None:
        """Change something."""
        self._answer()

    def do_PUT(self) -> None:
        """Merge."""
        self._answer()

    def _answer(self) -> None:
        body = self.content()
        github = self.server.github
        fault = github.failing()
        if fault is not None and not fault[1]:
            status, content = fault[0], {"message": "Server Error"}
        else:
            status, content = self._served(body)
            if fault is not None:
                status = fault[0]
        path = urlsplit(self.path).path
        github.record(self.command, path, status)
        if status:
            kind = "application/json; charset=utf-8"
            self.send(status, kind, json.dumps(content).encode())
        else:
            self.drop()

    def _served(self, body: bytes) -> Answer:
        try:
            version = self.headers.get("X-GitHub-Api-Version", VERSIONS[0])
            asked = Asked(
                self.command,
                self.path,
                self.headers.get("Authorization", "").partition(" ")[2].strip(),
                _json(body),
            )
            with self.server.github.host.lock:
                return Api(self.server.github, self._api(), version).serve(asked)
        except Refusal as refusal:
            told: dict[str, Any] = {
                "message": refusal.message,
                "documentation_url": "https://docs.github.com/rest",
                "status": str(refusal.status),
            }
            if refusal.errors:
                told["errors"] = list(refusal.errors)
            return refusal.status, told

    def _api(self) -> str:
        return f"http://{self.headers.get('Host', LOOPBACK)}"


def _json(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body or b"{}")
    except ValueError:
        raise Refusal(400, "Problems parsing JSON") from None
    if not isinstance(given, dict):
        raise Refusal(400, "Body should be a JSON object")
    return given
