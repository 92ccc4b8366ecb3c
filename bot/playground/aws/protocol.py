"""AWS's wire protocols: JSON 1.1 for ECS and ECR, query and XML for STS.

Shapes come from botocore's own service models, so that what they require is required here.
"""

from __future__ import annotations

import functools
import json
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator

from bot.playground.aws.errors import AwsError, invalid
from bot.playground.aws.records import Json

TARGETS = {
    "AmazonEC2ContainerServiceV20141113": "ecs",
    "AmazonEC2ContainerRegistry_V20150921": "ecr",
}
STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
UNKNOWN = "Unknown parameter in "  # how ParamValidator begins such a complaint
# Values that a model's own text names and the enum beside it lacks, by the enum's name.
DOCUMENTED = {"ServiceDeploymentLifecycleStage": {"PRE_PRODUCTION_TRAFFIC_SHIFT"}}
CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([a-z0-9-]+)/([a-z-]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class Request:
    """A parsed request: which operation of which service, by whom, where."""

    service: str
    operation: str
    parameters: Json
    access_key: str
    region: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back over HTTP."""

    status: int
    content_type: str
    body: bytes


def parse(headers: Mapping[str, str], body: bytes) -> Request:
    """Read a signed request; header names are in lower case. Raises ``AwsError`` otherwise."""
    signed = CREDENTIAL.search(headers.get("authorization", ""))
    if signed is None:
        raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
    key, region, _ = signed.groups()
    target = headers.get("x-amz-target", "")
    if not target:
        return _parse_query(body, key, region)
    prefix, _, name = target.partition(".")
    if prefix not in TARGETS:
        raise AwsError("UnknownOperationException", f"Unknown target {target}.")
    try:
        parameters = json.loads(body or b"{}")
    except ValueError as error:
        raise AwsError("SerializationException", "The request is no valid JSON.") from error
    if not isinstance(parameters, dict):
        raise AwsError("SerializationException", "The request is no JSON object.")
    return Request(TARGETS[prefix], name, parameters, key, region)


def check(request: Request) -> None:
    """Hold a request against its shape. Raises ``AwsError`` where it does not fit."""
    shape = model_of(request.service, request.operation).input_shape
    if shape is None:
        return
    wrong = _faults(shape, request.parameters, UNKNOWN)
    if wrong:
        text = "\n".join(wrong)
        if "Missing required" in text:
            raise invalid(text)
        raise AwsError("SerializationException", text)
    for path, value, allowed in _bad_enums(shape, request.parameters, "request"):
        raise invalid(f"{value} is no valid value for {path}; valid ones: {', '.join(allowed)}")


def complaints(service: str, operation: str, answer: Json) -> list[str]:
    """What is wrong with an answer by its shape; members that it does not know too."""
    shape = model_of(service, operation).output_shape
    if shape is None:
        return []
    # What was registered is kept whole, even fields that this botocore does not know.
    found = _faults(shape, answer, UNKNOWN + "taskDefinition")
    return found + [f"{path}={value}" for path, value, _ in _bad_enums(shape, answer, operation)]


def answer(service: str, operation: str, result: Json, request_id: str) -> Answer:
    """A successful answer."""
    if service == "sts":
        inner = _xml(result)
        return _sts_answer(
            200,
            f"<{operation}Response xmlns='{STS_NAMESPACE}'><{operation}Result>{inner}"
            f"</{operation}Result><ResponseMetadata><RequestId>{request_id}</RequestId>"
            f"</ResponseMetadata></{operation}Response>",
        )
    return Answer(200, "application/x-amz-json-1.1", json.dumps(result).encode())


def refusal(service: str, error: AwsError, request_id: str) -> Answer:
    """An answer that says what is wrong."""
    if service == "sts":
        code, message = escape(error.code), escape(error.message)
        return _sts_answer(
            error.status,
            f"<ErrorResponse xmlns='{STS_NAMESPACE}'><Error><Type>Sender</Type><Code>{code}</Code>"
            f"<Message>{message}</Message></Error><RequestId>{request_id}</RequestId>"
            "</ErrorResponse>",
        )
    content = {"__type": error.code, "message": error.message, **error.extra}
    return Answer(error.status, "application/x-amz-json-1.1", json.dumps(content).encode())


@functools.cache
def model_of(service: str, operation: str) -> OperationModel:
    """The operation's model. Raises ``AwsError`` where the service has none of that name."""
    model = _session().get_service_model(service)
    if operation not in model.operation_names:
        raise AwsError("UnknownOperationException", f"{service} has no operation {operation}.")
    return model.operation_model(operation)


@functools.cache
def _session() -> botocore.session.Session:
    return botocore.session.Session()


def _parse_query(body: bytes, key: str, region: str) -> Request:
    fields = dict(urllib.parse.parse_qsl(body.decode()))
    name = fields.pop("Action", "")
    fields.pop("Version", None)
    parameters: Json = dict(fields)
    if "DurationSeconds" in parameters:
        parameters["DurationSeconds"] = int(parameters["DurationSeconds"])
    return Request("sts", name, parameters, key, region)


def _sts_answer(status: int, text: str) -> Answer:
    return Answer(status, "text/xml", text.encode())


def _xml(value: Json) -> str:
    parts = []
    for key, each in value.items():
        if isinstance(each, dict):
            text = _xml(each)
        elif isinstance(each, float):
            text = datetime.fromtimestamp(each, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        else:
            text = escape(str(each))
        parts.append(f"<{key}>{text}</{key}>")
    return "".join(parts)


def _bad_enums(shape: Shape, value: Any, path: str) -> Iterable[tuple[str, str, list[str]]]:
    if isinstance(shape, StringShape):
        known = {*shape.enum, *DOCUMENTED.get(shape.name, ())}
        if shape.enum and value not in known:
            yield path, str(value), list(shape.enum)
    else:
        for inner, each, where in _inside(shape, value, path):
            yield from _bad_enums(inner, each, where)


def _faults(shape: Shape, value: Json, tolerated: str) -> list[str]:
    report = ParamValidator().validate(value, shape).generate_report()
    return [line for line in report.splitlines() if not line.startswith(tolerated)]


def _inside(shape: Shape, value: Any, path: str) -> Iterable[tuple[Shape, Any, str]]:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for key, each in value.items():
            if key in shape.members:
                yield shape.members[key], each, f"{path}.{key}"
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for index, each in enumerate(value):
            yield shape.member, each, f"{path}[{index}]"
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        for key, each in value.items():
            yield shape.value, each, f"{path}.{key}"
