"""``conversations.*``. Source: https://docs.slack.dev/reference/methods?family=conversations."""

from __future__ import annotations

from typing import Any

from bot.playground.slack.methods.chat import Answer, Args, flag
from bot.playground.slack.records import BOT_USER, Message
from bot.playground.slack.refusal import SlackRefusal
from bot.playground.slack.state import State

LARGEST_PAGE = 999
_FIRST = "0000000000.000000"
_LAST = "9999999999.999999"


def _limit(args: Args, default: int) -> int:
    try:
        limit = int(args.get("limit", default))
    except (TypeError, ValueError):
        raise SlackRefusal("invalid_limit") from None
    if not 1 <= limit <= LARGEST_PAGE:
        raise SlackRefusal("invalid_limit")
    return limit


def page(items: list[Any], args: Args, default: int = 100) -> tuple[list[Any], str]:
    """One page and the cursor of the next, empty on the last."""
    cursor = str(args.get("cursor") or "")
    digits = cursor.removeprefix("next:")
    if cursor and (digits == cursor or not digits.isdigit()):
        raise SlackRefusal("invalid_cursor")
    start, limit = int(digits or 0), _limit(args, default)
    more = start + limit < len(items)
    return items[start : start + limit], f"next:{start + limit}" if more else ""


def _within(messages: list[Message], args: Args) -> list[Message]:
    oldest, latest = str(args.get("oldest") or _FIRST), str(args.get("latest") or _LAST)
    try:
        low, high = float(oldest), float(latest)
    except ValueError:
        raise SlackRefusal("invalid_ts_oldest") from None
    at_the_ends = {oldest, latest} if flag(args, "inclusive") else set()
    return [each for each in messages if low < float(each.ts) < high or each.ts in at_the_ends]


def _shown(workspace: State, messages: list[Message], args: Args) -> list[dict[str, Any]]:
    with_metadata = flag(args, "include_all_metadata")
    shown = []
    for message in messages:
        item = message.json(with_metadata=with_metadata)
        replies = workspace.thread(message.channel, message.ts)
        if replies:
            item |= {
                "thread_ts": message.ts,
                "reply_count": len(replies),
                "latest_reply": replies[-1].ts,
            }
        shown.append(item)
    return shown


def history(workspace: State, args: Args) -> Answer:
    """``conversations.history``: newest first, replies only where broadcast."""
    channel = workspace.inside(str(args.get("channel", "")))
    found = _within(workspace.messages(channel)[::-1], args)
    shown, cursor = page(found, args)
    return {
        "messages": _shown(workspace, shown, args),
        "has_more": bool(cursor),
        "response_metadata": {"next_cursor": cursor},
    }


def replies(workspace: State, args: Args) -> Answer:
    """``conversations.replies``: the parent, then its replies, oldest first."""
    channel = workspace.inside(str(args.get("channel", "")))
    parent = workspace.find(channel.id, str(args.get("ts", "")))
    if parent is None:
        raise SlackRefusal("thread_not_found")
    below = _within(workspace.thread(channel, parent.ts), args)
    shown, cursor = page([parent, *below], args, default=LARGEST_PAGE)
    return {
        "messages": _shown(workspace, shown, args),
        "has_more": bool(cursor),
        "response_metadata": {"next_cursor": cursor},
    }


def open_(workspace: State, args: Args) -> Answer:
    """``conversations.open``: the direct message with one person."""
    users = [each for each in str(args.get("users", "")).split(",") if each]
    if not users:
        raise SlackRefusal("users_list_not_supplied")
    if len(users) > 1:
        raise SlackRefusal("method_not_supported_for_channel_type")
    if users[0] not in workspace.people:
        raise SlackRefusal("user_not_found")
    member = workspace.people[users[0]]
    if member.deleted:
        raise SlackRefusal("user_disabled")
    if member.bot:
        raise SlackRefusal("cannot_dm_bot")
    channel = workspace.direct(member.id)
    return {"channel": channel.json() if flag(args, "return_im") else {"id": channel.id}}


def info(workspace: State, args: Args) -> Answer:
    """``conversations.info``: private channels only for their members."""
    channel = workspace.known(str(args.get("channel", "")))
    if channel.private and BOT_USER not in channel.members:
        raise SlackRefusal("channel_not_found")
    return {"channel": channel.json()}


def members(workspace: State, args: Args) -> Answer:
    """``conversations.members``."""
    channel = workspace.known(str(args.get("channel", "")))
    if channel.private and BOT_USER not in channel.members:
        raise SlackRefusal("channel_not_found")
    shown, cursor = page(sorted(channel.members), args)
    return {"members": shown, "response_metadata": {"next_cursor": cursor}}
