"""The HTTP side: loopback only, a thread per connection, faults applied on the way."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import urllib.parse
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from bot.playground.kube import refusals
from bot.playground.kube.access import denial
from bot.playground.kube.faults import Fault
from bot.playground.kube.refusals import ApiError
from bot.playground.kube.routing import Place, Request, place_of, query_of, verb_of
from bot.playground.kube.streaming import Stream

if TYPE_CHECKING:
    from bot.playground.kube.world import KubeWorld

LOOPBACK = "127.0.0.1"


class Dropped(Exception):
    """The caller is to get no answer."""


class Server:
    """Serves one world until it is stopped."""

    def __init__(self, world: KubeWorld, port: int = 0) -> None:
        self._listener = Listener(world, port)
        self.url = f"http://{LOOPBACK}:{self._listener.server_address[1]}"
        self._thread = threading.Thread(
            target=self._listener.serve_forever, name="local-kube", daemon=True, args=(0.02,)
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more, and hang up on whoever is still connected."""
        self._listener.closing.set()
        self._listener.wake()
        self._listener.shutdown()
        self._thread.join()
        self._listener.hang_up()
        self._listener.server_close()


class Listener(ThreadingHTTPServer):
    """The socket, and the connections that it has open."""

    daemon_threads = True
    block_on_close = True
    request_queue_size = 256

    def __init__(self, world: KubeWorld, port: int) -> None:
        self.world = world
        self.closing = threading.Event()
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

    def wake(self) -> None:
        """Let open watches look whether they are to end."""
        with self.world.store.changed:
            self.world.store.changed.notify_all()

    def hang_up(self) -> None:
        """Close every connection that is still open."""
        with self._guard:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one packet
    server: Listener

    @override
    def handle(self) -> None:
        # A client that hangs up, or a server that does, ends the connection and nothing else.
        with contextlib.suppress(ConnectionError):
            super().handle()

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: the world records its calls itself."""

    def do_GET(self) -> None:
        """Answer a read, or open a watch."""
        self._serve()

    def do_POST(self) -> None:
        """Answer a create."""
        self._serve()

    def do_PUT(self) -> None:
        """Answer an update."""
        self._serve()

    def do_PATCH(self) -> None:
        """Answer a patch."""
        self._serve()

    def do_DELETE(self) -> None:
        """Answer a delete."""
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self._answer(body)
        except ApiError as error:
            self._send(error.code, error.status(), error.headers)
        except Dropped:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, body: bytes) -> None:
        world = self.server.world
        request = self._request(body)
        title = request.place.title if request.place else ""
        faults = world.faults.take(request.verb, title) if request.place else []
        try:
            self._authenticate(request)
            for fault in faults:
                self._suffer(fault, request)
            if request.verb == "watch" and request.place:
                self._stream(request, request.place)
                return
            code, content = world.answer(request)
        except ApiError as error:
            world.record(request, error.reason or str(error.code))
            raise
        lost = any(each.kind == "drop_after" for each in faults)
        said = "ok" if code < HTTPStatus.BAD_REQUEST else str(code)
        world.record(request, "lost_after" if lost else said)
        self.server.closing.wait(sum(f.seconds for f in faults if f.kind == "delay_answer"))
        if lost:
            raise Dropped
        self._send(code, content, {})

    def _request(self, body: bytes) -> Request:
        url = urllib.parse.urlsplit(self.path)
        query = query_of(url.query)
        place = place_of(url.path)
        try:
            parsed = json.loads(body) if body else None
        except ValueError as error:
            raise refusals.bad_request(f"error decoding the body: {error}") from error
        return Request(
            method=self.command,
            path=url.path,
            verb=verb_of(self.command, place, query) if place else "get",
            place=place,
            query=query,
            body=parsed,
            content_type=self.headers.get("Content-Type", "application/json"),
            user=self.server.world.access.user(self.headers.get("Authorization", "")) or "",
            user_agent=self.headers.get("User-Agent", ""),
        )

    def _authenticate(self, request: Request) -> None:
        if not request.user:
            raise refusals.unauthorized()

    def _suffer(self, fault: Fault, request: Request) -> None:
        world = self.server.world
        place = request.place
        if fault.kind == "delay":
            world.faults.delaying.set()
            self.server.closing.wait(fault.seconds)
        elif fault.kind == "drop_before":
            world.record(request, "lost_before")
            raise Dropped
        elif fault.kind == "deny" and place:
            raise denial(request.user, place.resource, request.attributes(place))
        elif fault.kind == "conflict" and place:
            raise refusals.conflict(place.resource, place.name)
        elif fault.error is not None:
            raise fault.error

    def _stream(self, request: Request, place: Place) -> None:
        world = self.server.world
        try:
            watch = world.open_watch(request, place)
        except ApiError as error:
            if error.code != HTTPStatus.GONE:
                raise
            # A watch from too far back begins well and tells so in its first event.
            world.record(request, error.reason)
            self._begin_stream()
            self._chunk({"type": "ERROR", "object": error.status()})
            self._end_stream()
            return
        world.record(request, "ok")
        try:
            self._begin_stream()
            stream = Stream(world, watch, request, self._over)
            if stream.run(self._chunk):
                self._end_stream()
            else:
                raise Dropped
        finally:
            world.close_watch(watch)

    def _over(self) -> bool:
        # A client that has hung up is told by its socket, which then has an end to read.
        if self.server.closing.is_set():
            return True
        with contextlib.suppress(BlockingIOError):
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        return False

    def _begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()

    def _chunk(self, event: dict[str, Any]) -> None:
        line = json.dumps(event).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.flush()

    def _end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _send(self, code: int, content: dict[str, Any] | str, headers: dict[str, str]) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        kind = "text/plain" if isinstance(content, str) else "application/json"
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
