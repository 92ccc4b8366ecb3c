"""One call to Slack's Web API, and what each of its failures means to us.

The codes are those of https://docs.slack.dev/reference/methods/ for the methods we use.
"""

from __future__ import annotations

import http.client
import re
import ssl
import urllib.error
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from slack_sdk.errors import SlackApiError, SlackClientError

from bot.model.errors import (
    AccessDenied,
    QuarterdeckError,
    Terminal,
    Throttled,
    Unknown,
    Unreachable,
)
from bot.slack.messenger import ChannelGone, MessageGone, TriggerExpired, Unshowable

T = TypeVar("T")

#: Tells Slack's silence from the database's, which means something else to the person asking.
SLACK_UNREACHABLE = "SLACK_UNREACHABLE"

_CHANNEL_GONE = frozenset(
    {
        "not_in_channel",
        "channel_not_found",
        "is_archived",
        "restricted_action",
        "restricted_action_read_only_channel",
        "messages_tab_disabled",
        "cannot_dm_bot",
        "user_not_found",
        "user_disabled",
        "user_not_in_channel",
        "method_not_supported_for_channel_type",
        "team_access_not_granted",
    }
)
_MESSAGE_GONE = frozenset(
    {
        "message_not_found",
        "cant_update_message",
        "edit_window_closed",
        "thread_not_found",
        "cannot_reply_to_message",
        "not_found",
        "hash_conflict",
        "view_not_found",
    }
)
_UNSHOWABLE = frozenset(
    {
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_attachments",
        "msg_too_long",
        "msg_blocks_too_long",
        "no_text",
        "invalid_arguments",
        "markdown_text_conflict",
        "metadata_too_large",
        "view_too_large",
    }
)
_DENIED = frozenset(
    {
        "missing_scope",
        "invalid_auth",
        "not_authed",
        "token_revoked",
        "token_expired",
        "account_inactive",
        "org_login_required",
        "no_permission",
        "not_allowed_token_type",
        "access_denied",
        "ekm_access_denied",
        "two_factor_setup_required",
    }
)
#: Slack says of these that the call may have worked in part.
_UNCERTAIN = frozenset({"fatal_error", "internal_error", "request_timeout"})
_CODE = re.compile(r"[a-z0-9_]{1,60}")
_TRIGGER = frozenset({"expired_trigger_id", "trigger_expired", "trigger_exchanged"})


def call(method: str, send: Callable[[], T]) -> T:
    """Make one call. A lost answer is ``Unknown``; reads and idempotent writes use ``read``."""
    try:
        return send()
    except SlackApiError as error:
        raise _fault(method, error) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionRefusedError | ssl.SSLError) or _unresolved(error):
            raise _unreachable(f"Slack cannot be reached for {method}.") from error
        raise Unknown(f"Slack gave no answer to {method}.") from error
    except (http.client.HTTPException, OSError, SlackClientError, ValueError) as error:
        raise Unknown(f"Slack gave no usable answer to {method}.") from error


def read(method: str, send: Callable[[], T]) -> T:
    """Make a call that can be repeated without harm: a lost answer is ``Unreachable``."""
    try:
        return call(method, send)
    except Unknown as error:
        raise _unreachable(error.message) from error


def _unreachable(message: str) -> Unreachable:
    return Unreachable(message, reason_code=SLACK_UNREACHABLE, hint="Try again in a minute.")


def _unresolved(error: urllib.error.URLError) -> bool:
    # socket.gaierror: the name was not found, so nothing was sent.
    return isinstance(error.reason, OSError) and type(error.reason).__name__ == "gaierror"


def _fault(method: str, error: SlackApiError) -> QuarterdeckError:
    answer = error.response
    status, code, body = _parts(answer)
    if status == http.HTTPStatus.TOO_MANY_REQUESTS or code in {"ratelimited", "rate_limited"}:
        throttled = Throttled(
            f"Slack limits how often {method} may be called.", reason_code="SLACK_THROTTLED"
        )
        throttled.retry_after = _retry_after(getattr(answer, "headers", {}))
        return throttled
    if code in _DENIED:
        needed = f" (it needs the scope {body['needed']})" if body.get("needed") else ""
        return AccessDenied(f"Slack refused {method}: {code}{needed}.")
    if code in _UNCERTAIN or status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unknown(f"Slack failed in {method} ({code or status}).")
    if code == "service_unavailable":
        return _unreachable(f"Slack cannot serve {method} now ({code}).")
    return _terminal(method, code or str(status))


def _terminal(method: str, code: str) -> QuarterdeckError:
    if code in _TRIGGER:
        return TriggerExpired(
            "This took too long to open in Slack, which allows three seconds.", hint="Try again."
        )
    kinds: tuple[tuple[frozenset[str], type[Terminal]], ...] = (
        (_CHANNEL_GONE, ChannelGone),
        (_MESSAGE_GONE, MessageGone),
        (_UNSHOWABLE, Unshowable),
    )
    kind = next((kind for codes, kind in kinds if code in codes), Terminal)
    return kind(f"Slack refused {method}: {code}.")


def _parts(answer: Any) -> tuple[int, str, Mapping[str, Any]]:
    """The SDK gives an object with headers and data, or for some failures a plain dict."""
    body = getattr(answer, "data", answer)
    body = body if isinstance(body, Mapping) else {}
    status = getattr(answer, "status_code", 200)
    code = str(body.get("error", ""))
    # Behind a proxy the SDK puts a whole page of HTML here.
    return int(status), code if _CODE.fullmatch(code) else "", body


def _retry_after(headers: Mapping[str, Any]) -> float:
    for name, value in headers.items():
        if name.lower() == "retry-after":
            seconds = str(value[0] if isinstance(value, list) else value)
            return float(seconds) if seconds.isdigit() else 0.0
    return 0.0
