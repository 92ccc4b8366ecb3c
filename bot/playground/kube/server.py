"""The HTTP side: faults are applied on the way."""

from __future__ import annotations

import contextlib
import json
import socket
import urllib.parse
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from bot.playground.kube import refusals
from bot.playground.kube.access import denial
from bot.playground.kube.faults import Fault
from bot.playground.kube.refusals import ApiError
from bot.playground.kube.routing import Place, Request, place_of, query_of, verb_of
from bot.playground.kube.streaming import Stream
from bot.playground.loopback import Dropped, LoopbackHandler, LoopbackServer

if TYPE_CHECKING:
    from bot.playground.kube.world import KubeWorld


class Server(LoopbackServer):
    """Serves one world until it is stopped."""

    def __init__(self, world: KubeWorld, port: int = 0) -> None:
        self.world = world
        super().__init__(_Handler, "local-kube", port)

    @override
    def stop(self) -> None:
        """Answer no more; open watches end, too."""
        self.closing.set()
        with self.world.store.changed:  # they look whether they are to end
            self.world.store.changed.notify_all()
        super().stop()


class _Handler(LoopbackHandler):
    server: Server

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
        body = self.content()
        try:
            self._answer(body)
        except ApiError as error:
            self._send(error.code, error.status(), error.headers)
        except Dropped:
            self.drop()

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
        self.send(code, kind, text.encode(), headers.items())
