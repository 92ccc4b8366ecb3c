"""AWS's wire protocols: JSON for ECS and ECR, query and XML for STS and ELB, CBOR for CloudWatch.

Which service is meant is told by the target (JSON), by the path (CBOR) or, for query, by the
scope of the signature. CloudWatch answers in whichever of the three it was asked. Shapes come from
botocore's own service models, so that what they require is required here.
"""

from __future__ import annotations

import functools
import json
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from xml.sax.saxutils import escape

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator

from bot.playground.aws import cbor, query
from bot.playground.aws.errors import AwsError, invalid
from bot.playground.aws.records import Json

TARGETS = {
    "AmazonEC2ContainerServiceV20141113": "ecs",
    "AmazonEC2ContainerRegistry_V20150921": "ecr",
    "GraniteServiceVersion20100801": "cloudwatch",
}
#: How signatures name the services that speak the query protocol.
SIGNED_AS = {"sts": "sts", "elasticloadbalancing": "elbv2", "monitoring": "cloudwatch"}
RPC = re.compile(r"/service/(\w+)/operation/(\w+)")
#: What services of the query protocol call errors that the others name otherwise.
QUERY_ERRORS = {
    "AccessDeniedException": ("AccessDenied", 403),
    "ExpiredTokenException": ("ExpiredToken", 403),
    "InvalidParameterException": ("ValidationError", 400),
    "SerializationException": ("ValidationError", 400),
    "ServerException": ("ServiceUnavailable", 503),
    "ThrottlingException": ("Throttling", 400),
    "UnknownOperationException": ("InvalidAction", 400),
}
FAULT = 500  # from this HTTP status on it is the service's fault, not the sender's
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
    wire: Literal["json", "query", "cbor"] = "json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back over HTTP."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def parse(headers: Mapping[str, str], body: bytes, path: str = "/") -> Request:
    """Read a signed request; header names are in lower case. Raises ``AwsError`` otherwise."""
    signed = CREDENTIAL.search(headers.get("authorization", ""))
    if signed is None:
        raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
    key, region, scope = signed.groups()
    target = headers.get("x-amz-target", "")
    rpc = RPC.fullmatch(path)
    if rpc is not None:
        prefix, name = rpc.groups()
    elif target:
        prefix, _, name = target.partition(".")
    else:
        return _parse_query(body, key, region, SIGNED_AS.get(scope, "sts"))
    if prefix not in TARGETS:
        raise AwsError("UnknownOperationException", f"Unknown target {prefix}.{name}.")
    wire: Literal["json", "cbor"] = "json" if rpc is None else "cbor"
    kind = wire.upper()
    try:
        parameters = json.loads(body or b"{}") if rpc is None else cbor.decode(body or b"\xa0")
    except ValueError as error:
        raise AwsError("SerializationException", f"The request is no valid {kind}.") from error
    if not isinstance(parameters, dict):
        raise AwsError("SerializationException", f"The request is no {kind} object.")
    return Request(TARGETS[prefix], name, parameters, key, region, wire)


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


def answer(request: Request, result: Json, request_id: str) -> Answer:
    """A successful answer, in the protocol of the request."""
    model = model_of(request.service, request.operation)
    if request.wire == "query":
        name, inner = request.operation, query.encode(model.output_shape, result)
        return _xml_answer(
            200,
            f"<{name}Response xmlns='{_namespace(request.service)}'><{name}Result>{inner}"
            f"</{name}Result><ResponseMetadata><RequestId>{request_id}</RequestId>"
            f"</ResponseMetadata></{name}Response>",
        )
    if request.wire == "cbor":
        return _cbor_answer(200, _dated(model.output_shape, result))
    return Answer(200, "application/x-amz-json-1.1", json.dumps(result).encode())


def refusal(request: Request | None, error: AwsError, request_id: str) -> Answer:
    """An answer that says what is wrong; without a request, as ECS would say it."""
    wire = request.wire if request else "json"
    code, status = error.code, error.status
    if request is not None and request.service in {"elbv2", "cloudwatch"}:
        code, status = QUERY_ERRORS.get(code, (code, status))
    side = "Sender" if status < FAULT else "Receiver"
    if request is not None and wire == "query":
        return _xml_answer(
            status,
            f"<ErrorResponse xmlns='{_namespace(request.service)}'><Error><Type>{side}</Type>"
            f"<Code>{escape(code)}</Code><Message>{escape(error.message)}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>",
        )
    content = {"__type": error.code, "message": error.message, **error.extra}
    if request is None or request.service != "cloudwatch":
        return Answer(status, "application/x-amz-json-1.1", json.dumps(content).encode())
    # Clients that knew CloudWatch's query protocol still find its codes.
    kept = ("x-amzn-query-error", f"{code};{side}")
    if wire == "cbor":
        return _cbor_answer(status, content, kept)
    return Answer(status, "application/x-amz-json-1.0", json.dumps(content).encode(), (kept,))


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


def _parse_query(body: bytes, key: str, region: str, service: str) -> Request:
    fields = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
    name = fields.pop("Action", "")
    fields.pop("Version", None)
    model = _session().get_service_model(service)
    shape = model.operation_model(name).input_shape if name in model.operation_names else None
    try:
        parameters = query.decode(shape, fields)
    except (ValueError, KeyError) as error:
        raise AwsError("ValidationError", f"The request is malformed: {error}") from error
    return Request(service, name, parameters, key, region, "query")


def _namespace(service: str) -> str:
    return str(_session().get_service_model(service).metadata["xmlNamespace"])


def _xml_answer(status: int, text: str) -> Answer:
    return Answer(status, "text/xml", text.encode())


def _cbor_answer(status: int, content: Json, *more: tuple[str, str]) -> Answer:
    headers = (("smithy-protocol", "rpc-v2-cbor"), *more)
    return Answer(status, "application/cbor", cbor.encode(content), headers)


def _dated(shape: Shape | None, value: Any) -> Any:
    """With seconds since 1970 as dates, where the shape says that they are."""
    if shape is not None and shape.type_name == "timestamp":
        return datetime.fromtimestamp(value, UTC)
    if isinstance(shape, StructureShape):
        return {key: _dated(shape.members.get(key), each) for key, each in value.items()}
    if isinstance(shape, ListShape):
        return [_dated(shape.member, each) for each in value]
    return value


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
