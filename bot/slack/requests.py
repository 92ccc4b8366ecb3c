"""What the listeners read from Slack's payloads, and the id under which a request is known.

The id is the idempotency key: a delivery that Slack repeats has the same one (failure scenario
S1), and two clicks of a person have two.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.slack.messenger import Place


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: its id, who and where, and the workspace of the person where Slack says it."""

    id: str
    place: Place
    team: str = ""
    trigger_id: str = ""


def _key(kind: str, *parts: str) -> str:
    return f"{kind}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}"


def by_slash(body: Mapping[str, Any]) -> Asked:
    """A slash command."""
    place = Place(
        user=str(body["user_id"]),
        channel=str(body.get("channel_id") or ""),
        response_url=str(body.get("response_url") or ""),
    )
    trigger = str(body.get("trigger_id") or "")
    return Asked(_key("slash", place.user, trigger), place, trigger_id=trigger)


def by_click(body: Mapping[str, Any]) -> Asked:
    """A button or a select, in a message or in a view."""
    user, trigger = body["user"], str(body.get("trigger_id") or "")
    container = body.get("container") or {}
    channel = (body.get("channel") or {}).get("id") or container.get("channel_id") or ""
    message = body.get("message") or {}
    place = Place(
        user=str(user["id"]),
        channel=str(channel),
        thread_ts=message.get("thread_ts"),
        response_url=str(body.get("response_url") or ""),
    )
    return Asked(_key("click", place.user, trigger), place, str(user.get("team_id") or ""), trigger)


def by_view(body: Mapping[str, Any], channel: str) -> Asked:
    """A modal that was submitted; ``channel`` is where it was opened from.

    A form that was turned away and mended is the same view: what was filled in tells them apart.
    """
    user, view = body["user"], body["view"]
    filled = json.dumps((view.get("state") or {}).get("values"), sort_keys=True)
    key = _key("view", str(user["id"]), str(view["id"]), str(view.get("hash") or ""), filled)
    place = Place(user=str(user["id"]), channel=channel)
    return Asked(key, place, str(user.get("team_id") or ""), str(body.get("trigger_id") or ""))


def by_event(body: Mapping[str, Any]) -> Asked:
    """A mention, a direct message, an opened Home."""
    event = body["event"]
    place = Place(
        user=str(event["user"]),
        channel=str(event.get("channel") or ""),
        thread_ts=event.get("thread_ts"),
    )
    team = str(event.get("user_team") or event.get("source_team") or event.get("team") or "")
    return Asked(_key("event", str(body["event_id"])), place, team)
