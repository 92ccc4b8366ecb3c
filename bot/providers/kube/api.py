"""``Cluster`` over the official client. Imported late: whoever rolls nothing there pays nothing.

The client's own models are not used: the API server's JSON is, as it stands. Each call is made
once, with a deadline for the connection and for the answer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus
from typing import Any, NoReturn

import urllib3
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from typing_extensions import override
from urllib3 import exceptions as wire

from bot.model.errors import AccessDenied, QuarterdeckError
from bot.providers.kube.cluster import (
    ACCESS_REVIEWS,
    ALL,
    Change,
    Cluster,
    Listing,
    Raw,
    Resource,
    Select,
    Stream,
)
from bot.providers.kube.faults import Answer, Call, NotThere, refused, unanswered, unreadable

#: Seconds for a connection to be made, and for an answer to begin.
CONNECT, ANSWER = 5.0, 20.0
#: Seconds for the whole of an answer, however steadily it comes.
WHOLE = 60.0
#: Seconds after a watch was to end before its silence is taken for a lost connection.
SILENCE = 10.0
#: Objects per page of a list.
PAGE = 500
_CHUNK = 1 << 16
_NOT_SENT = (wire.NewConnectionError, wire.ConnectTimeoutError, wire.ProxyError, wire.SSLError)
_AUTH = ["BearerToken"]


class ApiCluster(Cluster):
    """One API server, reached as ``configuration`` says."""

    def __init__(self, name: str, configuration: Configuration, whole: float = WHOLE) -> None:
        configuration.retries = False  # retries belong to the workflow engine
        self._name = name
        self._whole = whole
        self._client = ApiClient(configuration)
        self._client.user_agent = "quarterdeck"

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    def get(self, resource: Resource, namespace: str, name: str) -> Raw | None:
        call = Call(self._name, "get", resource, namespace, name)
        try:
            return self._json(call, "GET", {})
        except NotThere:
            return None

    @override
    def list(self, resource: Resource, namespace: str, select: Select = ALL) -> Listing:
        call = Call(self._name, "list", resource, namespace)
        query: dict[str, Any] = {"limit": select.limit or PAGE}
        query |= {"labelSelector": select.labels} if select.labels else {}
        query |= {"fieldSelector": select.fields} if select.fields else {}
        items: list[Raw] = []
        while True:
            page = self._json(call, "GET", query)
            metadata = _mapping(page.get("metadata"), call)
            items += [_mapping(each, call) for each in _list(page.get("items"), call)]
            following = metadata.get("continue")
            if not following or select.limit:
                return Listing(tuple(items), str(metadata.get("resourceVersion", "")))
            query["continue"] = following

    @override
    def patch(self, resource: Resource, namespace: str, name: str, body: Raw) -> Raw:
        call = Call(self._name, "patch", resource, namespace, name)
        return self._json(call, "PATCH", {}, body)

    @override
    def watch(
        self, resource: Resource, namespace: str, version: str, seconds: int
    ) -> AbstractContextManager[Stream]:
        call = Call(self._name, "watch", resource, namespace)
        return self._watching(call, version, seconds)

    @override
    def allowed(self, verb: str, resource: Resource, namespace: str) -> bool:
        call = Call(self._name, "create", ACCESS_REVIEWS, "")
        wanted = {
            "verb": verb,
            "group": resource.group,
            "resource": resource.plural,
            "namespace": namespace,
        }
        wanted |= {"subresource": resource.subresource} if resource.subresource else {}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": ACCESS_REVIEWS.kind,
            "spec": {"resourceAttributes": wanted},
        }
        review = self._json(call, "POST", {}, body)
        return _mapping(review.get("status"), call).get("allowed") is True

    def close(self) -> None:
        """Close connections that are kept."""
        self._client.close()  # type: ignore[no-untyped-call]  # as the vendor left it

    @contextmanager
    def _watching(self, call: Call, version: str, seconds: int) -> Iterator[Stream]:
        query = {
            "watch": "true",
            "resourceVersion": version,
            "timeoutSeconds": seconds,
            "allowWatchBookmarks": "true",
        }
        response = self._send(call, "GET", query, None, seconds + SILENCE)
        try:
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise refused(self._answer(response, call), call)
            yield _Lines(response, call)
        finally:
            response.close()

    def _json(
        self, call: Call, method: str, query: Mapping[str, Any], body: Raw | None = None
    ) -> Raw:
        response = self._send(call, method, query, body, ANSWER)
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise refused(self._answer(response, call), call)
        return _mapping(_parsed(self._read(response, call), call), call)

    def _read(self, response: urllib3.HTTPResponse, call: Call) -> bytes:
        until, parts = time.monotonic() + self._whole, []
        try:
            while chunk := response.read1(_CHUNK):
                parts.append(chunk)
                if time.monotonic() > until:
                    response.close()
                    raise unanswered("it came too slowly", call, sent=True)
        except (wire.HTTPError, OSError) as error:
            raise unanswered(type(error).__name__, call, sent=True) from None
        finally:
            response.release_conn()
        return b"".join(parts)

    def _answer(self, response: urllib3.HTTPResponse, call: Call) -> Answer:
        body = self._read(response, call)
        retry_after = response.headers.get("Retry-After", "")
        try:
            status = json.loads(body)
        except ValueError:
            status = {}  # a proxy's page, or "404 page not found"
        return Answer(response.status, status if isinstance(status, dict) else {}, retry_after)

    def _send(
        self,
        call: Call,
        method: str,
        query: Mapping[str, Any],
        body: Raw | None,
        within: float,
    ) -> urllib3.HTTPResponse:
        headers = {"Accept": "application/json"}
        if body is not None:
            kind = "merge-patch+json" if method == "PATCH" else "json"
            headers["Content-Type"] = f"application/{kind}"
        try:
            _, url, headers, _, _ = self._client.param_serialize(
                method,
                _path(call),
                query_params=list(query.items()),
                header_params=headers,
                auth_settings=_AUTH,
            )
            answered = self._client.call_api(
                method,
                url,
                headers,
                body,
                _request_timeout=(CONNECT, within),
            )
        except (wire.HTTPError, ApiException) as error:
            _lost(error, call)
        except (ConfigException, OSError) as error:
            # The token is read anew now and then, from a file or from a program.
            raise _no_credentials(error, call) from None
        response: urllib3.HTTPResponse = answered.response
        return response


class _Lines(Stream):
    """The events of one watch, each as soon as its line is there."""

    def __init__(self, response: urllib3.HTTPResponse, call: Call) -> None:
        self._response = response
        self._call = call

    @override
    def __iter__(self) -> Iterator[Change]:
        rest = b""
        while chunk := self._chunk():
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (self._change(line) for line in lines if line.strip())

    @override
    def close(self) -> None:
        try:
            self._response.shutdown()
        except (ValueError, RuntimeError, OSError):
            return  # it has ended by itself

    def _chunk(self) -> bytes:
        try:
            return self._response.read1(_CHUNK)
        except (wire.HTTPError, OSError) as error:
            raise unanswered(type(error).__name__, self._call, sent=True) from None

    def _change(self, line: bytes) -> Change:
        event = _mapping(_parsed(line, self._call), self._call)
        found = _mapping(event.get("object"), self._call)
        if event.get("type") == "ERROR":
            code = found.get("code")
            raise refused(Answer(code if isinstance(code, int) else 500, found), self._call)
        return Change(str(event.get("type")), found)


def _path(call: Call) -> str:
    inside = f"/namespaces/{call.namespace}" if call.namespace else ""
    named = f"/{call.name}" if call.name else ""
    part = f"/{call.resource.subresource}" if call.resource.subresource else ""
    return f"{call.resource.base}{inside}/{call.resource.plural}{named}{part}"


def _parsed(text: bytes, call: Call) -> object:
    try:
        parsed: object = json.loads(text)
    except ValueError as error:
        raise unreadable(type(error).__name__, call) from None
    return parsed


def _mapping(value: object, call: Call) -> Raw:
    if not isinstance(value, dict):
        raise unreadable("no JSON object", call)
    return value


def _list(value: object, call: Call) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise unreadable("no JSON list", call)
    return value


def _lost(error: Exception, call: Call) -> NoReturn:
    kind = type(error).__name__
    # The client has an exception of its own for what TLS refuses, and nothing else here.
    sent = not isinstance(error, (*_NOT_SENT, ApiException))
    raise unanswered("SSLError" if isinstance(error, ApiException) else kind, call, sent=sent)


def _no_credentials(error: Exception, call: Call) -> QuarterdeckError:
    return AccessDenied(
        f"No usable credentials were found to {call.text} ({type(error).__name__}).",
        hint="Check the user of the context in the kubeconfig.",
    )
