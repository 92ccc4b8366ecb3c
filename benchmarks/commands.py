"""Slash commands as Slack sends them: form-encoded, signed, each under a trigger of its own."""

from __future__ import annotations

import itertools
import time
from urllib.parse import urlencode

from bot.playground.slack.crew import ALICE, BOB, CAROL, DAVE, DEPLOYMENTS
from bot.playground.slack.delivery import signature
from bot.playground.slack.records import APP, DOMAIN, TEAM
from bot.playground.slack.state import Secrets

SECRET = Secrets().signing
_CREW = (ALICE, BOB, CAROL, DAVE)
_numbers = itertools.count(1)


def typed(text: str, slash: str = "/deploy") -> str:
    """The body of a request in which somebody types this; no two are alike."""
    number = next(_numbers)
    return urlencode(
        {
            "token": "stand-in",
            "team_id": TEAM,
            "team_domain": DOMAIN,
            "channel_id": DEPLOYMENTS,
            "channel_name": "deployments",
            "user_id": _CREW[number % len(_CREW)],
            "user_name": "somebody",
            "command": slash,
            "text": text,
            "api_app_id": APP,
            "is_enterprise_install": "false",
            "response_url": "http://127.0.0.1:1/unused",
            "trigger_id": f"{time.time_ns()}.{number}",
        }
    )


def signed(body: str, host: str) -> bytes:
    """The whole HTTP request, on a connection that is kept."""
    stamp = str(int(time.time()))
    lines = (
        "POST /slack/events HTTP/1.1",
        f"Host: {host}",
        "User-Agent: Slackbot 1.0 (+https://api.slack.com/robots)",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
        f"X-Slack-Request-Timestamp: {stamp}",
        f"X-Slack-Signature: {signature(SECRET, stamp, body.encode())}",
    )
    return "\r\n".join((*lines, "", body)).encode()
