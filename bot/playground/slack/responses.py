"""``response_url`` and acknowledgements that carry a message.

Source: https://docs.slack.dev/interactivity/handling-user-interaction#message_responses.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.playground.slack.methods.chat import blocks_of, flag, text_of
from bot.playground.slack.records import BOT_USER, Message
from bot.playground.slack.refusal import SlackRefusal
from bot.playground.slack.state import State


def respond(workspace: State, identity: str, body: dict[str, Any]) -> None:
    """Use a ``response_url`` once. Raises ``SlackRefusal`` where Slack answers with an error."""
    where = workspace.tickets.redeem_response(identity)
    original = _original(workspace, where.channel, where.ts)
    if flag(body, "delete_original"):
        if original is not None:
            workspace.remove(original)
        return
    if flag(body, "replace_original") and original is not None:
        _replace(workspace, original, body)
        return
    say(workspace, where.person, where.channel, body)


def _original(workspace: State, channel: str, ts: str | None) -> Message | None:
    if ts is None:
        return None
    return workspace.find(channel, ts) or workspace.find_ephemeral(ts)


def _replace(workspace: State, original: Message, body: dict[str, Any]) -> None:
    text, blocks = text_of(body), blocks_of(workspace, body)
    if not text and not blocks:
        raise SlackRefusal("no_text")
    workspace.put(replace(original, text=text, blocks=blocks or (), edited=workspace.new_ts()))


def say(workspace: State, person: str, channel: str, body: dict[str, Any]) -> Message:
    """A message to one person, or to all with ``response_type: in_channel``."""
    text, blocks = text_of(body), blocks_of(workspace, body)
    if not text and not blocks:
        raise SlackRefusal("no_text")
    kind = body.get("response_type", "ephemeral")
    if kind not in {"ephemeral", "in_channel"}:
        raise SlackRefusal("invalid_arguments", detail="response_type")
    message = Message(
        channel=channel,
        ts=workspace.new_ts(),
        by=BOT_USER,
        text=text,
        blocks=blocks or (),
        thread_ts=body.get("thread_ts"),
        seen_by=None if kind == "in_channel" else person,
    )
    workspace.put(message)
    return message
