"""The stand-in over HTTP: the Web API, response URLs, Socket Mode and the control endpoints."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from typing_extensions import override

from bot.playground.slack import api, responses
from bot.playground.slack.records import Outage
from bot.playground.slack.refusal import SlackRefusal
from bot.playground.slack.sockets import accept_key
from bot.playground.slack.state import State

#: What answers ``/_control/...``: (path, arguments) to a status and a JSON value.
Control = Callable[[str, dict[str, Any]], tuple[int, Any]]
#: Where the bytes of files go.
UPLOAD = "/upload/v1/"
_STRUCTURED = ("blocks", "view", "metadata", "attachments")


@dataclass(frozen=True, slots=True)
class Bound:
    """What a handler works on. ``over`` is set when silent connections are to be let go."""

    workspace: State
    control: Control | None
    over: threading.Event


class Handler(BaseHTTPRequestHandler):
    """One request. HTTP/1.0: the connection closes after each answer, so outages are clean."""

    bound: ClassVar[Bound]

    @override
    def log_message(self, *_args: object) -> None:
        """Say nothing: calls are kept in the workspace."""

    def do_GET(self) -> None:
        """Reads, and the WebSocket's handshake."""
        if self.path.startswith("/link"):
            self._link()
        else:
            self._route()

    def do_POST(self) -> None:
        """Everything else."""
        self._route()

    def _route(self) -> None:
        url = urlsplit(self.path)
        if url.path.startswith(UPLOAD):
            self._upload(url.path.removeprefix(UPLOAD))
            return
        args = dict(parse_qsl(url.query, keep_blank_values=True)) | self._body()
        first, _, rest = url.path.lstrip("/").partition("/")
        if first == "api":
            self._call(rest, args)
        elif first == "response":
            self._respond(rest, args)
        elif first == "_control" and self.bound.control is not None:
            status, value = self.bound.control(rest, args)
            self._send(status, value)
        else:
            self._send(404, {"ok": False, "error": "not_found"})

    def _body(self) -> dict[str, Any]:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if not raw:
            return {}
        if self.headers.get_content_type() == "application/json":
            parsed = json.loads(raw)
            return parsed if isinstance(parsed, dict) else {}
        form: dict[str, Any] = dict(parse_qsl(raw, keep_blank_values=True))
        for name in _STRUCTURED:
            if name in form:
                form[name] = _parsed(form[name])
        return form

    def _call(self, name: str, args: dict[str, Any]) -> None:
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        token = str(args.pop("token", "") or bearer)
        fault = self.bound.workspace.next_fault(name)
        outage = (fault.outage if fault else None) or self.bound.workspace.outage
        if outage in {Outage.UNAVAILABLE, Outage.SILENT}:
            self._down(outage)
            return
        if fault is not None and fault.error:
            self._send(200, {"ok": False, "error": fault.error})
            return
        answered = api.call(self.bound.workspace, name, args, token)
        if outage is Outage.ANSWER_LOST:
            self._down(outage)
            return
        extra = {"X-OAuth-Scopes": ",".join(sorted(self.bound.workspace.scopes))}
        if answered.retry_after:
            extra["Retry-After"] = str(answered.retry_after)
        self._send(answered.status, answered.body, extra)

    def _upload(self, ticket: str) -> None:
        """The bytes of a file; a fault of ``upload`` stands for one of Slack's file service."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.bound.workspace.next_fault("upload")
        outage = (fault.outage if fault else None) or self.bound.workspace.outage
        if outage in {Outage.UNAVAILABLE, Outage.SILENT}:
            self._down(outage)
            return
        status = 500 if fault is not None and fault.error else 200
        if status == HTTPStatus.OK:
            status = self.bound.workspace.files.receive(ticket, body)
        if outage is Outage.ANSWER_LOST:
            self._down(outage)
            return
        self._send(status, f"OK - {len(body)}" if status == HTTPStatus.OK else "failed")

    def _down(self, outage: Outage | None) -> None:
        """Say 503, or say nothing and hang up: for ``SILENT`` only once the outage is over."""
        if outage is Outage.UNAVAILABLE:
            self._send(503, {"ok": False, "error": "service_unavailable"})
            return
        if outage is Outage.SILENT:
            self.bound.over.wait(30)
        self.close_connection = True

    def _respond(self, identity: str, body: dict[str, Any]) -> None:
        try:
            responses.respond(self.bound.workspace, identity, body)
        except SlackRefusal as refusal:
            self._send(404 if refusal.error.endswith("_url") else 400, refusal.answer())
        else:
            self._send(200, {"ok": True})

    def _link(self) -> None:
        key = self.headers.get("Sec-WebSocket-Key", "")
        lines = (
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept_key(key)}",
        )
        self.wfile.write("\r\n".join((*lines, "", "")).encode())
        self.bound.workspace.sockets.attach(self.connection, self.rfile)
        self.close_connection = True

    def _send(self, status: int, value: Any, extra: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, content in (extra or {}).items():
            self.send_header(name, content)
        self.end_headers()
        self.wfile.write(body)


def _parsed(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value  # the method's own check names what is wrong


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no error of the stand-in; anything else must be seen."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Server:
    """Listens on loopback until stopped, and can stop and start again on the same port."""

    def __init__(self, workspace: State, control: Control | None = None) -> None:
        self._over = threading.Event()
        bound = Bound(workspace, control, self._over)
        self._handler = type("BoundHandler", (Handler,), {"bound": bound})
        self._listener: _Listener | None = None
        self._thread: threading.Thread | None = None
        self.port = 0

    def start(self, port: int = 0) -> str:
        """Listen; ``OSError`` where the port is taken. Returns the base URL."""
        self._over.clear()
        self._listener = _Listener(("127.0.0.1", port or self.port), self._handler)
        self.port = self._listener.server_address[1]
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(0.01,), name="stand-in Slack", daemon=True
        )
        self._thread.start()
        return f"http://127.0.0.1:{self.port}"

    def release(self) -> None:
        """Let every silent connection go."""
        self._over.set()
        self._over.clear()

    def stop(self) -> None:
        """Close the port: from now on connections are refused."""
        self._over.set()
        if self._listener is not None and self._thread is not None:
            self._listener.shutdown()
            self._listener.server_close()
            self._thread.join()
        self._listener = None
