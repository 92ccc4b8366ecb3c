"""What the stand-in workspace holds: people, channels, messages, modals, calls and faults."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

TEAM = "T0QDECK01"
OTHER_TEAM = "T0ELSEW01"
APP = "A0QDECK01"
BOT_USER = "U0QDBOT01"
BOT = "B0QDBOT01"
BOT_NAME = "quarterdeck"
#: What Slack's Events API calls the enterprise-wide id of the installing workspace's domain.
DOMAIN = "standin"
_LOUD = re.compile(r"<!(channel|here|everyone)(?:\|[^>]*)?>|<!subteam\^")


@dataclass(slots=True)
class Member:
    """A user. ``team`` differs from the workspace's for a Slack Connect stranger."""

    id: str
    name: str
    team: str = TEAM
    guest: bool = False
    bot: bool = False
    stranger: bool = False
    deleted: bool = False

    def json(self) -> dict[str, Any]:
        """As ``users.info`` shows one."""
        shown: dict[str, Any] = {
            "id": self.id,
            "team_id": self.team,
            "name": self.name,
            "real_name": self.name.capitalize(),
            "deleted": self.deleted,
            "is_bot": self.bot,
            "is_app_user": False,
            "is_admin": False,
            "is_owner": False,
            "is_primary_owner": False,
            "is_restricted": self.guest,
            "is_ultra_restricted": False,
            "tz": "Europe/Amsterdam",
            "tz_offset": 3600,
            "profile": {"real_name": self.name.capitalize(), "display_name": self.name},
            "updated": 1_700_000_000,
        }
        return shown | {"is_stranger": True} if self.stranger else shown


@dataclass(slots=True)
class Channel:
    """A conversation and who is in it; ``user`` is the other side of a direct message."""

    id: str
    name: str
    members: set[str] = field(default_factory=set)
    private: bool = False
    archived: bool = False
    shared: bool = False
    user: str = ""

    def json(self) -> dict[str, Any]:
        """As ``conversations.info`` shows one."""
        shown: dict[str, Any] = {
            "id": self.id,
            "created": 1_700_000_000,
            "is_archived": self.archived,
            "is_im": bool(self.user),
            "is_org_shared": False,
            "context_team_id": TEAM,
        }
        if self.user:
            return shown | {"user": self.user}
        return shown | {
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": not self.private,
            "is_group": self.private,
            "is_private": self.private,
            "is_mpim": False,
            "is_general": False,
            "is_shared": self.shared,
            "is_ext_shared": self.shared,
            "is_member": BOT_USER in self.members,
            "num_members": len(self.members),
        }


@dataclass(slots=True)
class Group:
    """A user group."""

    id: str
    handle: str
    members: list[str] = field(default_factory=list)
    disabled: bool = False

    def json(self, *, with_users: bool) -> dict[str, Any]:
        """As ``usergroups.list`` shows one."""
        shown: dict[str, Any] = {
            "id": self.id,
            "team_id": TEAM,
            "is_usergroup": True,
            "name": self.handle,
            "handle": self.handle,
            "description": "",
            "is_external": False,
            "date_delete": 1 if self.disabled else 0,
            "user_count": len(self.members),
        }
        return shown | {"users": list(self.members)} if with_users else shown


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it stands. ``seen_by`` is set for an ephemeral one. ``by`` is a user id.

    ``files`` are the ids of those that were shared with it.
    """

    channel: str
    ts: str
    by: str
    text: str
    blocks: tuple[dict[str, Any], ...] = ()
    thread_ts: str | None = None
    broadcast: bool = False
    metadata: dict[str, Any] | None = None
    edited: str | None = None
    seen_by: str | None = None
    files: tuple[str, ...] = ()

    @property
    def loud(self) -> bool:
        """Whether it notifies a channel or a group: unescaped ``<!channel>`` and the like."""
        return bool(_LOUD.search(self.text) or _LOUD.search(str(self.blocks)))

    @property
    def key(self) -> str:
        """What the bot wrote into the message's metadata to recognise it by, or nothing."""
        payload = (self.metadata or {}).get("event_payload", {})
        return str(payload.get("key", ""))

    def json(self, *, with_metadata: bool = False) -> dict[str, Any]:
        """As ``conversations.history`` shows one."""
        shown: dict[str, Any] = {
            "type": "message",
            "user": self.by,
            "text": self.text,
            "ts": self.ts,
            "team": TEAM,
        }
        if self.by == BOT_USER:
            shown |= {"bot_id": BOT, "app_id": APP}
        if self.blocks:
            shown["blocks"] = list(self.blocks)
        if self.thread_ts:
            shown["thread_ts"] = self.thread_ts
        if self.broadcast:
            shown["subtype"] = "thread_broadcast"
        if self.files:
            shown["files"] = [{"id": each} for each in self.files]
        if self.edited:
            shown["edited"] = {"user": self.by, "ts": self.edited}
        if with_metadata and self.metadata:
            shown["metadata"] = self.metadata
        return shown


@dataclass(frozen=True, slots=True)
class View:
    """A modal or an App Home as one person sees it. ``content`` is what the app sent."""

    id: str
    person: str
    content: dict[str, Any]
    hash: str
    root: str
    previous: str | None = None

    @property
    def title(self) -> str:
        """The modal's title; an App Home has none."""
        return str(self.content.get("title", {}).get("text", ""))

    @property
    def blocks(self) -> tuple[dict[str, Any], ...]:
        """What it shows."""
        return tuple(self.content["blocks"])

    def json(self, values: dict[str, Any] | None = None) -> dict[str, Any]:
        """As ``views.open`` and interaction payloads show one."""
        empty = {
            "private_metadata": "",
            "callback_id": "",
            "external_id": "",
            "close": None,
            "submit": None,
            "clear_on_close": False,
            "notify_on_close": False,
        }
        return (
            empty
            | self.content
            | {
                "id": self.id,
                "team_id": TEAM,
                "app_id": APP,
                "app_installed_team_id": TEAM,
                "bot_id": BOT,
                "hash": self.hash,
                "root_view_id": self.root,
                "previous_view_id": self.previous,
                "state": {"values": values or {}},
            }
        )


@dataclass(frozen=True, slots=True)
class Call:
    """One Web API call that arrived, and what it was told. ``at`` is the workspace's clock."""

    method: str
    args: dict[str, Any]
    answer: dict[str, Any]
    at: float

    @property
    def ok(self) -> bool:
        """Whether Slack did it."""
        return bool(self.answer.get("ok"))


class Outage(StrEnum):
    """How Slack is down."""

    REFUSED = "refused"  # nothing listens
    UNAVAILABLE = "unavailable"  # HTTP 503
    SILENT = "silent"  # no answer until it is over
    ANSWER_LOST = "answer_lost"  # it is done, but the answer never arrives


@dataclass(slots=True)
class Fault:
    """The next ``times`` calls of ``method`` (``*``: any) meet this instead of an answer.

    Either ``error``, a Slack error code with nothing done, or ``outage``.
    """

    method: str
    error: str = ""
    outage: Outage | None = None
    times: int = 1
