"""What Slack sends to an app, built from the workspace: commands, interactions and events.

Source: https://docs.slack.dev/interactivity/implementing-slash-commands,
https://docs.slack.dev/reference/interaction-payloads and https://docs.slack.dev/apis/events-api.
"""

from __future__ import annotations

from typing import Any

from bot.playground.slack.delivery import Request
from bot.playground.slack.records import APP, BOT_USER, DOMAIN, TEAM, Channel, Member, Message, View
from bot.playground.slack.state import State

VERIFICATION = "stand-in-verification-token"


def command(workspace: State, member: Member, channel: Channel, typed: tuple[str, str]) -> Request:
    """A slash command; ``typed`` is its name with the slash, and the text after it."""
    name, text = typed
    answer = workspace.tickets.response(member.id, channel.id)
    return Request(
        "slash_commands",
        {
            "token": VERIFICATION,
            "team_id": member.team,
            "team_domain": DOMAIN,
            "channel_id": channel.id,
            "channel_name": channel.name or "directmessage",
            "user_id": member.id,
            "user_name": member.name,
            "command": name,
            "text": text,
            "api_app_id": APP,
            "is_enterprise_install": "false",
            "response_url": f"{workspace.url}/response/{answer}",
            "trigger_id": workspace.tickets.trigger(member.id),
        },
    )


def _interaction(workspace: State, member: Member, kind: str, view: View | None) -> dict[str, Any]:
    team = TEAM if member.stranger else member.team
    return {
        "type": kind,
        "user": {
            "id": member.id,
            "username": member.name,
            "name": member.name,
            "team_id": member.team,
        },
        "api_app_id": APP,
        "token": VERIFICATION,
        "trigger_id": workspace.tickets.trigger(member.id, view.id if view else None),
        "team": {"id": team, "domain": DOMAIN},
        "enterprise": None,
        "is_enterprise_install": False,
    }


def block_action(
    workspace: State, member: Member, source: Message | View, action: dict[str, Any]
) -> Request:
    """A button pressed or an option chosen, in a message or in a modal."""
    action = action | {"action_ts": workspace.new_ts()}
    if isinstance(source, View):
        body = _interaction(workspace, member, "block_actions", source)
        body |= {
            "container": {"type": "view", "view_id": source.id},
            "view": source.json(),
            "actions": [action],
        }
        return Request("interactive", body)
    body = _interaction(workspace, member, "block_actions", None)
    answer = workspace.tickets.response(member.id, source.channel, source.ts)
    channel = workspace.known(source.channel)
    body |= {
        "container": {
            "type": "message",
            "message_ts": source.ts,
            "channel_id": source.channel,
            "is_ephemeral": source.seen_by is not None,
        },
        "channel": {"id": channel.id, "name": channel.name or "directmessage"},
        "state": {"values": {}},
        "response_url": f"{workspace.url}/response/{answer}",
        "actions": [action],
    }
    if source.thread_ts:
        body["container"]["thread_ts"] = source.thread_ts
    if source.seen_by is None:  # Slack leaves the message out of what only one person saw
        body["message"] = source.json(with_metadata=True)
    return Request("interactive", body)


def view_submission(
    workspace: State, member: Member, view: View, values: dict[str, Any]
) -> Request:
    """A modal sent with what was filled in."""
    body = _interaction(workspace, member, "view_submission", view)
    return Request("interactive", body | {"view": view.json(values), "response_urls": []})


def view_closed(workspace: State, member: Member, view: View, *, cleared: bool) -> Request:
    """A modal closed without sending it, where the app asked to be told."""
    body = _interaction(workspace, member, "view_closed", view)
    del body["trigger_id"]
    return Request("interactive", body | {"view": view.json(), "is_cleared": cleared})


def event(workspace: State, member: Member, content: dict[str, Any]) -> Request:
    """The Events API's envelope around one event."""
    stamp = workspace.new_ts()
    return Request(
        "events_api",
        {
            "token": VERIFICATION,
            "team_id": TEAM,
            "context_team_id": TEAM,
            "api_app_id": APP,
            "type": "event_callback",
            "event_id": workspace.new_id("Ev"),
            "event_time": int(float(stamp)),
            "is_ext_shared_channel": member.stranger,
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": TEAM,
                    "user_id": BOT_USER,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "event": content | {"event_ts": stamp},
        },
    )


def mention(workspace: State, member: Member, message: Message) -> Request:
    """Somebody wrote ``@quarterdeck`` in a channel that the app is in."""
    content: dict[str, Any] = {
        "type": "app_mention",
        "user": member.id,
        "text": message.text,
        "ts": message.ts,
        "channel": message.channel,
        "team": member.team,
    }
    if member.team != TEAM:
        content |= {"user_team": member.team, "source_team": member.team}
    if message.thread_ts:
        content["thread_ts"] = message.thread_ts
    return event(workspace, member, content)


def direct_message(workspace: State, member: Member, message: Message) -> Request:
    """Somebody wrote to the app in their direct messages."""
    content: dict[str, Any] = {
        "type": "message",
        "channel_type": "im",
        "user": member.id,
        "text": message.text,
        "ts": message.ts,
        "channel": message.channel,
        "team": member.team,
    }
    if message.thread_ts:
        content["thread_ts"] = message.thread_ts
    return event(workspace, member, content)


def home_opened(workspace: State, member: Member) -> Request:
    """Somebody opened the app's home tab."""
    content = {
        "type": "app_home_opened",
        "user": member.id,
        "channel": workspace.direct(member.id).id,
        "tab": "home",
    }
    return event(workspace, member, content)
