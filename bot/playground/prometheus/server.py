"""The HTTP side: queries in a URL or in a form."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from bot.playground.loopback import LoopbackHandler, LoopbackServer
from bot.playground.prometheus.api import Api


class Server(LoopbackServer):
    """Serves one API until it is stopped."""

    def __init__(self, api: Api, port: int = 0) -> None:
        self.api = api
        super().__init__(_Handler, "local-prometheus", port)


class _Handler(LoopbackHandler):
    server: Server

    def do_GET(self) -> None:
        """Answer a query that stands in the URL."""
        self._answer("")

    def do_POST(self) -> None:
        """Answer a query that stands in a form, or in the URL."""
        self._answer(self.content().decode("utf-8", "replace"))

    def _answer(self, form: str) -> None:
        asked = urlsplit(self.path)
        given = dict(parse_qsl(asked.query, keep_blank_values=True))
        answer = self.server.api.answer(asked.path, given | dict(parse_qsl(form)))
        self.send(answer.status, answer.content_type, answer.body)
