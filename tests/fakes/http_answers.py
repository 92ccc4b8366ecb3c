"""An HTTP server on loopback that answers as it is told, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

from typing_extensions import override


@dataclass
class HttpAnswers:
    """``status``, ``headers`` and ``body`` of every answer from now on.

    ``asked`` are paths, headers and forms of what was asked. ``reply`` makes a body of path and
    form where it is given.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, str], Mapping[str, str]]] = field(default_factory=list)
    url: str = ""
    reply: Callable[[str, Mapping[str, str]], bytes] | None = None


@contextmanager
def http_answers() -> Iterator[HttpAnswers]:
    """A server until the block ends."""
    answers = HttpAnswers()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            form = parse_qs(self.rfile.read(length).decode())
            asked = {name: values[0] for name, values in form.items()}
            answers.asked.append((self.path, dict(self.headers), asked))
            self.send_response(answers.status)
            for name, value in answers.headers.items():
                self.send_header(name, value)
            body = answers.reply(self.path, asked) if answers.reply else answers.body
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        @override
        def log_message(self, format: str, *args: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        @override
        def handle_error(self, request: Any, client_address: Any) -> None:
            return  # whoever asked hung up

    server = Server(("127.0.0.1", 0), Handler)
    answers.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield answers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
