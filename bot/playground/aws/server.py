"""The HTTP side: loopback only, a thread per connection, faults applied on the way."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from bot.playground.aws import control, protocol
from bot.playground.aws.errors import AwsError
from bot.playground.aws.faults import Fault

if TYPE_CHECKING:
    from bot.playground.aws.world import World

LOOPBACK = "127.0.0.1"
#: How policies name the services whose client has another name.
ACTIONS_OF = {"elbv2": "elasticloadbalancing"}


class Dropped(Exception):
    """The caller is to get no answer."""


class Server:
    """Serves one world until it is stopped."""

    def __init__(self, world: World, port: int = 0) -> None:
        self._listener = _Listener(world, port)
        self.url = f"http://{LOOPBACK}:{self._listener.server_address[1]}"
        self._thread = threading.Thread(
            target=self._listener.serve_forever, name="local-aws", daemon=True, args=(0.02,)
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more, and hang up on whoever is still connected."""
        self._listener.closing.set()
        self._listener.shutdown()
        self._thread.join()
        self._listener.hang_up()
        self._listener.server_close()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True
    request_queue_size = 256

    def __init__(self, world: World, port: int) -> None:
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
        # A client that hangs up, or a server that does, ends the connection and nothing else.
        with contextlib.suppress(ConnectionError):
            super().handle()

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: the world records its calls itself."""

    def do_GET(self) -> None:
        """Answer the control interface's reads."""
        self._control(None)

    def do_POST(self) -> None:
        """Answer an AWS call, or one of the control interface."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path.startswith(control.PREFIX):
            self._control(body)
            return
        try:
            self._send(self._aws(body))
        except Dropped:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def _aws(self, body: bytes) -> protocol.Answer:
        request_id = str(uuid.uuid4())
        world = self.server.world
        try:
            headers = {k.lower(): v for k, v in self.headers.items()}
            request = protocol.parse(headers, body, self.path)
        except AwsError as error:
            return protocol.refusal(None, error, request_id)
        faults = world.faults.take(request.service, request.operation)
        drop_after = False
        try:
            for fault in faults:
                self._suffer(fault, request)
                drop_after |= fault.kind == "drop_after"
            result = world.call(request)
        except AwsError as error:
            world.record(request, error.code)
            return protocol.refusal(request, error, request_id)
        world.record(request, "lost_after" if drop_after else "ok")
        self.server.closing.wait(sum(f.seconds for f in faults if f.kind == "delay_answer"))
        if drop_after:
            raise Dropped
        return protocol.answer(request, result, request_id)

    def _suffer(self, fault: Fault, request: protocol.Request) -> None:
        world = self.server.world
        if fault.kind == "delay":
            world.faults.delaying.set()
            self.server.closing.wait(fault.seconds)
        elif fault.kind == "drop_before":
            world.record(request, "lost_before")
            raise Dropped
        elif fault.kind == "deny":
            raise denied(world.identity(request.access_key).arn, request)
        elif fault.error is not None:
            raise fault.error

    def _control(self, body: bytes | None) -> None:
        status, content = control.answer(self.server.world, self.path, body)
        self._send(protocol.Answer(status, "application/json", json.dumps(content).encode()))

    def _send(self, answer: protocol.Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()


def denied(caller: str, request: protocol.Request) -> AwsError:
    """AWS's refusal where a policy does not allow the action."""
    action = f"{ACTIONS_OF.get(request.service, request.service)}:{request.operation}"
    parameters = request.parameters
    resource = "*"
    account = caller.split(":")[4]
    where = f"arn:aws:{request.service}:{request.region}:{account}"
    if request.service == "ecr" and "repositoryName" in parameters:
        resource = f"{where}:repository/{parameters['repositoryName']}"
    elif "RuleArn" in parameters:
        resource = str(parameters["RuleArn"])
    elif "service" in parameters:
        name = str(parameters["service"]).rpartition("/")[2]
        cluster = str(parameters.get("cluster", "default")).rpartition("/")[2]
        resource = f"{where}:service/{cluster}/{name}"
    code = "AccessDenied" if request.service == "sts" else "AccessDeniedException"
    return AwsError(
        code,
        f"User: {caller} is not authorized to perform: {action} on resource: {resource} because "
        f"no identity-based policy allows the {action} action",
        403 if request.service == "sts" else 400,
    )
