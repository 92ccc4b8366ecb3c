"""Slack's Web API behind the edge's ports: one call each, with a time limit, and typed faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.views import View
from slack_sdk.webhook import WebhookClient

from bot.slack.calls import call, read
from bot.slack.messenger import ChannelGone, Letter, Picture, Place, Posted, Unshowable
from bot.slack.views.message import Message

TIMEOUT = 10  # seconds
EVENT_TYPE = "quarterdeck"
#: How far Slack's clock and ours may be apart when a message is looked for.
SKEW = timedelta(minutes=2)
#: Pages of 100 messages that are searched for a lost one.
PAGES = 5


def web_client(token: str, base_url: str) -> WebClient:
    """A client without retries of its own: they would hide throttling and repeat posts."""
    return WebClient(
        token=token, base_url=base_url.rstrip("/") + "/", timeout=TIMEOUT, retry_handlers=[]
    )


@dataclass(frozen=True, slots=True)
class WebMessenger:
    """``Messenger`` over the Web API."""

    client: WebClient

    def post(self, letter: Letter) -> Posted:
        """Post with metadata; see the port."""
        blocks = _blocks(letter.message)
        payload = {"event_type": EVENT_TYPE, "event_payload": {"key": letter.key}}
        answer = call(
            "chat.postMessage",
            lambda: self.client.chat_postMessage(
                channel=letter.channel,
                text=letter.message.text,
                blocks=blocks,
                thread_ts=letter.thread_ts,
                reply_broadcast=True if letter.broadcast and letter.thread_ts else None,
                metadata=payload,
                unfurl_links=False,
                unfurl_media=False,
            ),
        )
        return Posted(str(answer["channel"]), str(answer["ts"]))

    def update(self, at: Posted, message: Message) -> None:
        """Replace the message's text and blocks; its metadata stays."""
        blocks = _blocks(message)
        read(
            "chat.update",
            lambda: self.client.chat_update(
                channel=at.channel, ts=at.ts, text=message.text, blocks=blocks
            ),
        )

    def find(self, letter: Letter, since: datetime) -> Posted | None:
        """Read the channel or the thread back, by metadata."""
        channel = self._conversation(letter.channel)
        cursor = ""
        for _ in range(PAGES):
            answer = self._page(channel, letter.thread_ts, since, cursor)
            for found in answer.get("messages") or ():
                if _key(found) == letter.key:
                    return Posted(channel, str(found["ts"]))
            cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return None
        return None

    def upload(self, picture: Picture) -> str:
        """Slack's three steps: an address, the bytes, the end of it, in no channel."""
        answer = read(
            "files.completeUploadExternal",
            lambda: self.client.files_upload_v2(
                filename=picture.name, content=picture.png, title=picture.name, alt_txt=picture.alt
            ),
        )
        return str(answer["files"][0]["id"])

    def _conversation(self, channel: str) -> str:
        """A user's id stands for the direct message with that user."""
        if not channel.startswith(("U", "W")):
            return channel
        answer = read("conversations.open", lambda: self.client.conversations_open(users=[channel]))
        return str(answer["channel"]["id"])

    def _page(
        self, channel: str, thread_ts: str | None, since: datetime, cursor: str
    ) -> Mapping[str, Any]:
        window: dict[str, Any] = {
            "oldest": f"{(since - SKEW).timestamp():.6f}",
            "limit": 100,
            "include_all_metadata": True,
            "cursor": cursor or None,
        }
        if thread_ts is None:
            return _data(
                read(
                    "conversations.history",
                    lambda: self.client.conversations_history(channel=channel, **window),
                )
            )
        return _data(
            read(
                "conversations.replies",
                lambda: self.client.conversations_replies(channel=channel, ts=thread_ts, **window),
            )
        )


def _data(answer: Any) -> Mapping[str, Any]:
    return answer.data if isinstance(answer.data, Mapping) else {}


def _blocks(message: Message) -> list[dict[str, Any]]:
    try:
        return [block.to_dict() for block in message.blocks]
    except SlackObjectFormationError as error:
        raise Unshowable(f"The message was drawn beyond Slack's limits: {error}.") from error


def _key(found: Mapping[str, Any]) -> str:
    metadata = found.get("metadata") or {}
    if metadata.get("event_type") != EVENT_TYPE:
        return ""
    return str((metadata.get("event_payload") or {}).get("key", ""))


@dataclass(frozen=True, slots=True)
class WebDesk:
    """``Desk`` over the Web API and response URLs."""

    client: WebClient

    def whisper(self, place: Place, message: Message) -> None:
        """By response URL if there is one, else ephemeral in the channel, else directly."""
        if place.response_url and self._respond(place.response_url, message):
            return
        if place.channel.startswith("D"):
            self._direct(place.channel, message)
        elif place.channel:
            try:
                self._ephemeral(place, message)
            except ChannelGone:
                self._direct(place.user, message)
        else:
            self._direct(place.user, message)

    def _respond(self, url: str, message: Message) -> bool:
        """False where Slack refuses it: the URL lives 30 minutes and answers five times."""
        blocks = _blocks(message)
        webhook = WebhookClient(url, timeout=TIMEOUT, retry_handlers=[])
        answer = read(
            "response_url",
            lambda: webhook.send(
                text=message.text,
                blocks=blocks,
                response_type="ephemeral",
                replace_original=False,
            ),
        )
        return answer.status_code == HTTPStatus.OK

    def _ephemeral(self, place: Place, message: Message) -> None:
        blocks = _blocks(message)
        read(
            "chat.postEphemeral",
            lambda: self.client.chat_postEphemeral(
                channel=place.channel,
                user=place.user,
                thread_ts=place.thread_ts,
                text=message.text,
                blocks=blocks,
            ),
        )

    def _direct(self, to: str, message: Message) -> None:
        blocks = _blocks(message)
        read(
            "chat.postMessage",
            lambda: self.client.chat_postMessage(
                channel=to,
                text=message.text,
                blocks=blocks,
                unfurl_links=False,
                unfurl_media=False,
            ),
        )

    def open_modal(self, trigger_id: str, view: View) -> str:
        """views.open."""
        answer = read(
            "views.open", lambda: self.client.views_open(trigger_id=trigger_id, view=view.to_dict())
        )
        return str(answer["view"]["id"])

    def update_modal(self, view_id: str, view: View) -> None:
        """views.update."""
        read("views.update", lambda: self.client.views_update(view_id=view_id, view=view.to_dict()))

    def publish_home(self, user: str, view: View) -> None:
        """views.publish."""
        read("views.publish", lambda: self.client.views_publish(user_id=user, view=view.to_dict()))
