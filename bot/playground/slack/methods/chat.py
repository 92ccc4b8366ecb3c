"""``chat.*``. Source: https://docs.slack.dev/reference/methods?family=chat."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from typing import Any

from bot.playground.slack.blocks import MESSAGE_BLOCKS_TEXT, files_in, message_problems, text_length
from bot.playground.slack.records import BOT_USER, DOMAIN, Channel, Message
from bot.playground.slack.refusal import SlackRefusal, detailed
from bot.playground.slack.state import State

LONGEST_TEXT = 40_000
#: ``chat.update`` takes less, counted in bytes after Slack has escaped ``&``, ``<`` and ``>``:
#: https://gitlab.com/gitlab-org/gitlab/-/merge_requests/258898
LONGEST_UPDATE = 4_000
LARGEST_METADATA = 16_000

Args = dict[str, Any]
Answer = dict[str, Any]


def text_of(args: Args, longest: int = LONGEST_TEXT) -> str:
    """The ``text`` argument, checked."""
    text = args.get("text", "")
    if not isinstance(text, str):
        raise SlackRefusal("invalid_arguments", detail="text must be a string")
    if len(text) > longest:
        raise SlackRefusal("msg_too_long")
    return text


def blocks_of(workspace: State, args: Args) -> tuple[dict[str, Any], ...] | None:
    """The ``blocks`` argument, checked, with the ids Slack would give; ``None`` where absent."""
    blocks = args.get("blocks")
    if blocks is None:
        return None
    if not isinstance(blocks, list):
        raise SlackRefusal("invalid_blocks_format")
    if problems := message_problems(blocks):
        raise detailed("invalid_blocks", problems)
    unknown = [
        f"invalid slack file [json-pointer:{pointer}]"
        for pointer, file in files_in(blocks)
        if not workspace.files.can_be_shown(str(file.get("id", "")))
    ]
    if unknown:
        raise detailed("invalid_blocks", unknown)
    if text_length(blocks) > MESSAGE_BLOCKS_TEXT:
        raise SlackRefusal("msg_blocks_too_long")
    return identified(blocks)


def identified(blocks: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The blocks with a ``block_id`` and ``action_id`` everywhere, as Slack hands them back."""
    filled = json.loads(json.dumps(blocks))
    for index, block in enumerate(filled):
        block.setdefault("block_id", f"b{index}")
        elements = block.get("elements", []) if block["type"] == "actions" else []
        for number, element in enumerate([block.get("accessory"), block.get("element"), *elements]):
            if element and element["type"] != "image":
                element.setdefault("action_id", f"a{index}-{number}")
    return tuple(filled)


def _metadata_of(args: Args) -> dict[str, Any] | None:
    metadata = args.get("metadata")
    if metadata is None or metadata == {}:
        return metadata
    if not isinstance(metadata, dict):
        raise SlackRefusal("invalid_metadata_format")
    shaped = isinstance(metadata.get("event_type"), str) and metadata["event_type"]
    if not shaped or not isinstance(metadata.get("event_payload"), dict):
        raise SlackRefusal("invalid_metadata_schema")
    if metadata.keys() - {"event_type", "event_payload", "entities"}:
        raise SlackRefusal("invalid_metadata_format")
    if len(json.dumps(metadata)) > LARGEST_METADATA:
        raise SlackRefusal("metadata_too_large")
    return metadata


def _writable(workspace: State, args: Args) -> Channel:
    identity = args.get("channel")
    if not isinstance(identity, str) or not identity:
        raise SlackRefusal("channel_not_found")
    if identity in workspace.people:
        return workspace.direct(identity)
    channel = workspace.inside(identity)
    if channel.archived:
        raise SlackRefusal("is_archived")
    return channel


def _parent(workspace: State, channel: Channel, args: Args) -> str | None:
    parent = args.get("thread_ts")
    if parent is None:
        return None
    found = workspace.find(channel.id, str(parent))
    if found is None:
        raise SlackRefusal("thread_not_found")
    return found.thread_ts or found.ts


def flag(args: Args, name: str) -> bool:
    """A boolean argument as clients send it, in JSON or in a form."""
    return str(args.get(name)).lower() in {"true", "1"}


def post_message(workspace: State, args: Args) -> Answer:
    """``chat.postMessage``."""
    channel = _writable(workspace, args)
    text, blocks, metadata = text_of(args), blocks_of(workspace, args), _metadata_of(args)
    if not text and not blocks:
        raise SlackRefusal("no_text")
    parent = _parent(workspace, channel, args)
    message = Message(
        channel=channel.id,
        ts=workspace.new_ts(),
        by=BOT_USER,
        text=text,
        blocks=blocks or (),
        thread_ts=parent,
        broadcast=parent is not None and flag(args, "reply_broadcast"),
        metadata=metadata or None,
    )
    workspace.put(message)
    shown = message.json(with_metadata=True)
    return {"channel": channel.id, "ts": message.ts, "message": shown}


def post_ephemeral(workspace: State, args: Args) -> Answer:
    """``chat.postEphemeral``: seen by one member of the channel, and in no history."""
    channel = _writable(workspace, args)
    text, blocks = text_of(args), blocks_of(workspace, args)
    if not text and not blocks:
        raise SlackRefusal("no_text")
    user = str(args.get("user", ""))
    if user not in channel.members:
        raise SlackRefusal("user_not_in_channel")
    message = Message(
        channel=channel.id,
        ts=workspace.new_ts(),
        by=BOT_USER,
        text=text,
        blocks=blocks or (),
        thread_ts=_parent(workspace, channel, args),
        seen_by=user,
    )
    workspace.put(message)
    return {"message_ts": message.ts}


def _own(workspace: State, args: Args, refusal: str) -> Message:
    channel = workspace.known(str(args.get("channel", "")))
    message = workspace.find(channel.id, str(args.get("ts", "")))
    if message is None:
        raise SlackRefusal("message_not_found")
    if message.by != BOT_USER:
        raise SlackRefusal(refusal)
    if channel.archived:
        raise SlackRefusal("is_archived")
    return message


def update(workspace: State, args: Args) -> Answer:
    """``chat.update``: only the app's own; what is not given stays as it was."""
    message = _own(workspace, args, "cant_update_message")
    text, blocks, metadata = text_of(args), blocks_of(workspace, args), _metadata_of(args)
    if len(html.escape(text, quote=False).encode()) > LONGEST_UPDATE:
        raise SlackRefusal("msg_too_long")
    if "text" not in args and blocks is None:
        raise SlackRefusal("no_text")
    changed = replace(
        message,
        text=text if "text" in args else message.text,
        blocks=message.blocks if blocks is None else blocks,
        metadata=message.metadata if metadata is None else metadata or None,
        edited=workspace.new_ts(),
    )
    if not changed.text and not changed.blocks:
        raise SlackRefusal("no_text")
    workspace.put(changed)
    shown = changed.json(with_metadata=True)
    return {"channel": changed.channel, "ts": changed.ts, "text": changed.text, "message": shown}


def delete(workspace: State, args: Args) -> Answer:
    """``chat.delete``: only the app's own."""
    message = _own(workspace, args, "cant_delete_message")
    workspace.remove(message)
    return {"channel": message.channel, "ts": message.ts}


def get_permalink(workspace: State, args: Args) -> Answer:
    """``chat.getPermalink``."""
    channel = workspace.known(str(args.get("channel", "")))
    message = workspace.find(channel.id, str(args.get("message_ts", "")))
    if message is None:
        raise SlackRefusal("message_not_found")
    path = f"https://{DOMAIN}.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.thread_ts:
        path += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": path}
