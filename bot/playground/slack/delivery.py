"""Slack's side of talking to an app: signed requests, three seconds, and what comes back.

Source: https://docs.slack.dev/authentication/verifying-requests-from-slack and
https://docs.slack.dev/apis/events-api#retries.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from bot.playground.slack.state import State

PATIENCE = 3.0
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Request:
    """What Slack has to tell the app. ``kind`` is Socket Mode's envelope type."""

    kind: str
    payload: dict[str, Any]

    def encoded(self) -> tuple[str, bytes]:
        """Content type and body over HTTP: commands and interactions are forms, events JSON."""
        if self.kind == "slash_commands":
            return _FORM, urlencode(self.payload).encode()
        body = json.dumps(self.payload)
        if self.kind == "interactive":
            return _FORM, urlencode({"payload": body}).encode()
        return "application/json", body.encode()


@dataclass(frozen=True, slots=True)
class Posting:
    """How one delivery differs from the usual: a retry, a wrong secret, an old signature."""

    retry: int = 0
    reason: str = "http_timeout"
    secret: str | None = None
    signed_at: float | None = None
    patience: float = PATIENCE


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one delivery.

    ``failure`` is what Slack shows the person (``operation_timeout``, ``dispatch_failed``,
    ``http_service_error``, ``http_client_error``), empty when the app acknowledged in time.
    ``body`` is the acknowledgement's, ``seconds`` how long it took.
    """

    request: Request
    failure: str = ""
    status: int | None = None
    body: str = ""
    seconds: float = field(default=0.0, compare=False)

    @property
    def json(self) -> dict[str, Any]:
        """The acknowledgement as an object; empty where it is none."""
        try:
            parsed = json.loads(self.body)
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """``X-Slack-Signature`` of a body: HMAC-SHA256 over ``v0:timestamp:body``."""
    base = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def headers(workspace: State, request: Request, posting: Posting) -> tuple[dict[str, str], bytes]:
    """The signed request that Slack would send right now."""
    kind, body = request.encoded()
    stamp = str(int(time.time() if posting.signed_at is None else posting.signed_at))
    sent = {
        "Content-Type": kind,
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": signature(posting.secret or workspace.secrets.signing, stamp, body),
    }
    if posting.retry:
        sent["X-Slack-Retry-Num"] = str(posting.retry)
        sent["X-Slack-Retry-Reason"] = posting.reason
    return sent, body


def deliver(workspace: State, request: Request, posting: Posting | None = None) -> Delivered:
    """Tell the app, over its socket if it opened one, else at its request URL."""
    posting = posting or Posting()
    if workspace.sockets.connected:
        return _over_socket(workspace, request, posting)
    return _over_http(workspace, request, posting)


def _over_socket(workspace: State, request: Request, posting: Posting) -> Delivered:
    began = time.monotonic()
    retry = {"retry_attempt": posting.retry, "retry_reason": posting.reason}
    answer = workspace.sockets.exchange(
        request.kind, request.payload, retry if posting.retry else {}, posting.patience
    )
    took = time.monotonic() - began
    if answer is None:
        return Delivered(request, "operation_timeout", seconds=took)
    body = json.dumps(answer) if answer else ""
    return Delivered(request, "", 200, body, took)


def _over_http(workspace: State, request: Request, posting: Posting) -> Delivered:
    sent, body = headers(workspace, request, posting)
    url = urlsplit(workspace.app_url)
    began = time.monotonic()
    connection = http.client.HTTPConnection(
        url.hostname or "127.0.0.1", url.port, timeout=posting.patience
    )
    try:
        connection.request("POST", url.path or "/", body, sent)
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
    except TimeoutError:
        return Delivered(request, "operation_timeout", seconds=time.monotonic() - began)
    except (OSError, http.client.HTTPException):
        return Delivered(request, "dispatch_failed", seconds=time.monotonic() - began)
    finally:
        connection.close()
    return Delivered(
        request, _failure(response.status), response.status, text, time.monotonic() - began
    )


def _failure(status: int) -> str:
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own classes
        return ""
    return "http_client_error" if status < 500 else "http_service_error"  # noqa: PLR2004 - HTTP
