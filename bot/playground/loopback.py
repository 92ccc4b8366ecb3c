"""HTTP as stand-ins serve it: on loopback only, a thread per connection, with an orderly end."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override

LOOPBACK = "127.0.0.1"
_LOOK = 0.02  # seconds between looks at whether to stop


class Dropped(Exception):
    """The caller is to get no answer."""


class LoopbackServer(ThreadingHTTPServer):
    """Serves from ``start`` to ``stop``. ``closing`` is set when whoever waits is to be let go.

    ``port`` 0 is any that is free. Raises ``OSError`` where it is taken.
    """

    daemon_threads = True
    block_on_close = True
    request_queue_size = 256

    def __init__(self, handler: type[LoopbackHandler], name: str, port: int = 0) -> None:
        self.closing = threading.Event()
        self._connections: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__((LOOPBACK, port), handler)
        self.url = f"http://{LOOPBACK}:{self.server_address[1]}"
        self._thread = threading.Thread(
            target=self.serve_forever, name=name, daemon=True, args=(_LOOK,)
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more, and hang up on whoever is still connected."""
        self.closing.set()
        self.shutdown()
        self._thread.join()
        with self._guard:
            for connection in self._connections:
                _hang_up(connection)
        self.server_close()

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


class LoopbackHandler(BaseHTTPRequestHandler):
    """One connection. What is answered, and recorded, is its subclass's."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one packet

    @override
    def handle(self) -> None:
        # A client that hangs up, or a server that does, ends the connection and nothing else.
        with contextlib.suppress(ConnectionError):
            super().handle()

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: stand-ins record their calls themselves."""

    def content(self) -> bytes:
        """The request's body."""
        return self.rfile.read(int(self.headers.get("Content-Length") or "0"))

    def send(
        self, status: int, kind: str, body: bytes, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """A whole answer; ``kind`` is its content type."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def drop(self) -> None:
        """No answer at all: the caller finds its connection closed."""
        self.close_connection = True
        _hang_up(self.connection)


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
