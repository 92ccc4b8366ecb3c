"""The HTTP side: loopback only, a thread per connection."""

from __future__ import annotations

import contextlib
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from typing_extensions import override

from bot.playground.prometheus.api import Answer, Api

LOOPBACK = "127.0.0.1"


class Server:
    """Serves one API until it is stopped."""

    def __init__(self, api: Api, port: int = 0) -> None:
        self._listener = _Listener(api, port)
        self.url = f"http://{LOOPBACK}:{self._listener.server_address[1]}"
        self._thread = threading.Thread(
            target=self._listener.serve_forever, name="local-prometheus", daemon=True, args=(0.02,)
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more, and hang up on whoever is still connected."""
        self._listener.shutdown()
        self._thread.join()
        self._listener.hang_up()
        self._listener.server_close()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True
    request_queue_size = 256

    def __init__(self, api: Api, port: int) -> None:
        self.api = api
        self._connections: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__((LOOPBACK, port), _Handler)

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._connections.add(request)
        super().process_request(request, client_address)

    @override
    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        with self._guard:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one packet
    server: _Listener

    @override
    def handle(self) -> None:
        # A client that hangs up ends the connection and nothing else.
        with contextlib.suppress(ConnectionError):
            super().handle()

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: a query is no event."""

    def do_GET(self) -> None:
        """Answer a query that stands in the URL."""
        self._answer("")

    def do_POST(self) -> None:
        """Answer a query that stands in a form, or in the URL."""
        length = int(self.headers.get("Content-Length") or "0")
        self._answer(self.rfile.read(length).decode("utf-8", "replace"))

    def _answer(self, form: str) -> None:
        asked = urlsplit(self.path)
        given = dict(parse_qsl(asked.query, keep_blank_values=True))
        answer = self.server.api.answer(asked.path, given | dict(parse_qsl(form)))
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.send_response(HTTPStatus(answer.status))
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()
