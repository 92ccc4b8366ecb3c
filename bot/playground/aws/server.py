"""The HTTP side: faults are applied on the way."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from bot.playground.aws import control, protocol
from bot.playground.aws.errors import AwsError
from bot.playground.aws.faults import Fault
from bot.playground.loopback import Dropped, LoopbackHandler, LoopbackServer

if TYPE_CHECKING:
    from bot.playground.aws.world import World

#: How policies name the services whose client has another name.
ACTIONS_OF = {"elbv2": "elasticloadbalancing"}


class Server(LoopbackServer):
    """Serves one world until it is stopped."""

    def __init__(self, world: World, port: int = 0) -> None:
        self.world = world
        super().__init__(_Handler, "local-aws", port)


class _Handler(LoopbackHandler):
    server: Server

    def do_GET(self) -> None:
        """Answer the control interface's reads."""
        self._control(None)

    def do_POST(self) -> None:
        """Answer an AWS call, or one of the control interface."""
        body = self.content()
        if self.path.startswith(control.PREFIX):
            self._control(body)
            return
        try:
            self._answer(self._aws(body))
        except Dropped:
            self.drop()

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
        self._answer(protocol.Answer(status, "application/json", json.dumps(content).encode()))

    def _answer(self, answer: protocol.Answer) -> None:
        self.send(answer.status, answer.content_type, answer.body, answer.headers)


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
