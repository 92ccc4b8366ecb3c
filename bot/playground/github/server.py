"""The HTTP side: loopback only, GitHub's paths, status codes and words."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from typing_extensions import override

from bot.playground.github.api import Answer, Api, Asked
from bot.playground.github.pulls import Refusal
from bot.playground.github.shapes import VERSIONS

if TYPE_CHECKING:
    from bot.playground.github.host import GitHub

LOOPBACK = "127.0.0.1"


class Server:
    """Serves one GitHub until it is stopped."""

    def __init__(self, github: GitHub, port: int = 0) -> None:
        self._listener = _Listener(github, port)
        self.url = f"http://{LOOPBACK}:{self._listener.server_address[1]}"
        self._thread = threading.Thread(
            target=self._listener.serve_forever, name="local-github", daemon=True, args=(0.02,)
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, github: GitHub, port: int) -> None:
        self.github = github
        super().__init__((LOOPBACK, port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Listener

    @override
    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: calls are recorded."""

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
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
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
            self._send(status, content)
            return
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

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

    def _send(self, status: int, content: Any) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        self.wfile.flush()


def _json(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body or b"{}")
    except ValueError:
        raise Refusal(400, "Problems parsing JSON") from None
    if not isinstance(given, dict):
        raise Refusal(400, "Body should be a JSON object")
    return given
