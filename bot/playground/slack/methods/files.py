"""``files.*``: uploads in three steps, of which the second is a plain POST to an address.

Source: https://docs.slack.dev/reference/methods/files.getUploadURLExternal and
https://docs.slack.dev/reference/methods/files.completeUploadExternal.
"""

from __future__ import annotations

import json
import re
from typing import Any

from bot.playground.slack.files import File
from bot.playground.slack.methods.chat import Answer, Args
from bot.playground.slack.records import BOT_USER, Channel, Message
from bot.playground.slack.refusal import SlackRefusal, detailed
from bot.playground.slack.state import State

LONGEST_ALT = 1000
#: A direct message has to be named by its own id, and no person's will do.
_CHANNEL = re.compile(r"[CGDZ][A-Z0-9]{7,}")


def get_upload_url(workspace: State, args: Args) -> Answer:
    """``files.getUploadURLExternal``."""
    missing = [name for name in ("filename", "length") if not args.get(name)]
    if "length" in args and str(args["length"]) == "0":
        raise SlackRefusal("missing_argument")
    if missing:
        problems = [f"missing required field: {name}" for name in missing]
        raise detailed("invalid_arguments", problems)
    if not str(args["length"]).isdecimal():
        raise detailed("invalid_arguments", ["must provide a number [json-pointer:/length]"])
    alt = str(args.get("alt_txt") or "")
    if len(alt) > LONGEST_ALT:
        raise SlackRefusal("alt_txt_too_large")
    file = File(workspace.new_id("F"), str(args["filename"]), int(args["length"]), alt)
    ticket = workspace.files.announce(file)
    return {"upload_url": f"{workspace.url}/upload/v1/{ticket}", "file_id": file.id}


def complete(workspace: State, args: Args) -> Answer:
    """``files.completeUploadExternal``; where no channel is named the file is the app's alone."""
    titles = _titles(args.get("files"))
    channel = _channel(workspace, args)
    parent = _parent(workspace, channel, args)
    done = workspace.files.complete(titles)
    if channel is not None:
        message = Message(
            channel=channel.id,
            ts=workspace.new_ts(),
            by=BOT_USER,
            text=str(args.get("initial_comment") or ""),
            thread_ts=parent,
            files=tuple(each.id for each in done),
        )
        workspace.put(message)
    return {"files": [{"id": each.id, "title": each.title} for each in done]}


def _titles(files: Any) -> dict[str, str]:
    try:
        listed = json.loads(files) if isinstance(files, str) else files
        titles = {str(each["id"]): str(each.get("title") or "") for each in listed}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise detailed("invalid_arguments", ["must provide files [json-pointer:/files]"]) from None
    if not titles:
        raise detailed("invalid_arguments", ["no more than 0 items allowed [json-pointer:/files]"])
    return titles


def _channel(workspace: State, args: Args) -> Channel | None:
    identity = args.get("channel_id")
    if identity is None:
        return None
    if not _CHANNEL.fullmatch(str(identity)):
        wrong = "input must match regex pattern: ^[CGDZ][A-Z0-9]{8,}$ [json-pointer:/channel_id]"
        raise detailed("invalid_arguments", [wrong])
    channel = workspace.inside(str(identity))
    if channel.archived:
        raise SlackRefusal("posting_to_channel_denied")
    return channel


def _parent(workspace: State, channel: Channel | None, args: Args) -> str | None:
    """The thread's first message; one that is a reply, or is gone, is none."""
    thread = args.get("thread_ts")
    if thread is None or channel is None:
        return None
    found = workspace.find(channel.id, str(thread))
    if found is None or found.thread_ts not in {None, found.ts}:
        raise SlackRefusal("invalid_arguments", detail="thread_ts")
    return found.ts
