"""ECS's JSON as it came over the wire, past boto3's model of it.

boto3 drops members that its version does not know. A task definition that is read and registered
again must not lose any, so the body of an answer is kept beside the parsed one, and the body of a
request can be given whole. Both use botocore's documented events; the request is still signed, sent
and parsed by the client itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.client import BaseClient

#: The parameter that carries a whole request body, and the key under which an answer's body is.
RAW = "QuarterdeckRawJson"

_READ = ("DescribeTaskDefinition", "DescribeServices")
_WRITTEN = ("RegisterTaskDefinition", "UpdateService", "CreateService")


def keep_raw_json(client: BaseClient) -> None:
    """Prepare an ECS client for ``body_of`` and ``RAW``."""
    events = client.meta.events
    for operation in _READ:
        events.register(f"before-parse.ecs.{operation}", _keep_body)
    for operation in _WRITTEN:
        events.register(f"provide-client-params.ecs.{operation}", _take_body)
        events.register(f"before-call.ecs.{operation}", _put_body)


def body_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON document of an answer to one of the operations above."""
    document: dict[str, Any] = json.loads(answer[RAW])
    return document


def with_body(document: Mapping[str, Any]) -> dict[str, Any]:
    """The extra parameter that makes a call send ``document`` instead of what boto3 builds."""
    return {RAW: json.dumps(document).encode()}


def _keep_body(
    response_dict: Mapping[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    if response_dict["status_code"] == HTTPStatus.OK:
        customized_response_dict[RAW] = response_dict["body"]


def _take_body(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    if RAW in params:
        context[RAW] = params.pop(RAW)


def _put_body(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    if RAW in context:
        params["body"] = context[RAW]
