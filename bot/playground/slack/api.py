"""The Web API: one table of methods with the scopes they need, and the checks before each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.playground.slack.methods import chat, conversations, files, people, views
from bot.playground.slack.records import Call
from bot.playground.slack.refusal import SlackRefusal
from bot.playground.slack.state import State

_READ = "channels:read"
_HISTORY = "channels:history"


@dataclass(frozen=True, slots=True)
class Method:
    """``needed`` is the scope for a channel or for everything; ``app`` asks for the app's token."""

    run: Callable[[State, dict[str, Any]], dict[str, Any]]
    needed: str = ""
    app: bool = False


def _connect(workspace: State, _args: dict[str, Any]) -> dict[str, Any]:
    return {"url": f"{workspace.url.replace('http', 'ws', 1)}/link"}


METHODS: dict[str, Method] = {
    "auth.test": Method(people.auth_test),
    "apps.connections.open": Method(_connect, app=True),
    "chat.postMessage": Method(chat.post_message, "chat:write"),
    "chat.postEphemeral": Method(chat.post_ephemeral, "chat:write"),
    "chat.update": Method(chat.update, "chat:write"),
    "chat.delete": Method(chat.delete, "chat:write"),
    "chat.getPermalink": Method(chat.get_permalink),
    "conversations.history": Method(conversations.history, _HISTORY),
    "conversations.replies": Method(conversations.replies, _HISTORY),
    "conversations.open": Method(conversations.open_, "im:write"),
    "conversations.info": Method(conversations.info, _READ),
    "conversations.members": Method(conversations.members, _READ),
    "files.getUploadURLExternal": Method(files.get_upload_url, "files:write"),
    "files.completeUploadExternal": Method(files.complete, "files:write"),
    "users.info": Method(people.info, "users:read"),
    "users.list": Method(people.list_users, "users:read"),
    "usergroups.list": Method(people.list_groups, "usergroups:read"),
    "usergroups.users.list": Method(people.group_members, "usergroups:read"),
    "views.open": Method(views.open_),
    "views.push": Method(views.push),
    "views.update": Method(views.update),
    "views.publish": Method(views.publish),
}


@dataclass(frozen=True, slots=True)
class Answered:
    """An HTTP answer: the JSON body, the status and, when limited, the seconds to wait."""

    body: dict[str, Any]
    status: int = 200
    retry_after: int | None = None


def _scope_for(workspace: State, method: Method, args: dict[str, Any]) -> str:
    """``channels:`` scopes are those of public channels; each other kind has its own."""
    family, _, verb = method.needed.partition(":")
    channel = workspace.channels.get(str(args.get("channel", "")))
    if family != "channels" or channel is None:
        return method.needed
    if channel.user:
        return f"im:{verb}"
    return f"groups:{verb}" if channel.private else method.needed


def _authorize(workspace: State, method: Method, args: dict[str, Any], token: str) -> None:
    if not token:
        raise SlackRefusal("not_authed")
    known = {workspace.secrets.bot_token, workspace.secrets.app_token}
    if token not in known:
        raise SlackRefusal("invalid_auth")
    if (token == workspace.secrets.app_token) != method.app:
        raise SlackRefusal("not_allowed_token_type")
    needed = _scope_for(workspace, method, args)
    if needed and needed not in workspace.scopes:
        provided = ",".join(sorted(workspace.scopes))
        raise SlackRefusal("missing_scope", needed=needed, provided=provided)


def call(workspace: State, name: str, args: dict[str, Any], token: str) -> Answered:
    """One Web API call, checked in Slack's order: method, token, scope, rate, arguments."""
    answered = _answer(workspace, name, args, token)
    workspace.note(Call(name, args, answered.body, workspace.clock()))
    return answered


def _answer(workspace: State, name: str, args: dict[str, Any], token: str) -> Answered:
    method = METHODS.get(name)
    if method is None:
        return Answered(SlackRefusal("unknown_method", req_method=name).answer())
    try:
        with workspace.lock:
            _authorize(workspace, method, args, token)
            wait = workspace.limits.take(name, str(args.get("channel", "")), workspace.clock())
            if wait:
                return Answered({"ok": False, "error": "ratelimited"}, 429, wait)
            return Answered({"ok": True} | method.run(workspace, args))
    except SlackRefusal as refusal:
        return Answered(refusal.answer())
