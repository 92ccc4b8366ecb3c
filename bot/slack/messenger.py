"""What the edge needs of Slack's Web API, in our verbs, and the faults that matter to it.

``web.py`` is the adapter. Nothing is retried here: the outbox and the person decide.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from slack_sdk.models.views import View

from bot.model.errors import Terminal, UserError
from bot.slack.views.message import Message


class ChannelGone(Terminal):
    """The bot is not in the channel, or the channel is archived or deleted."""

    reason_code = "SLACK_CHANNEL_UNREACHABLE"


class MessageGone(Terminal):
    """The message, or the thread's first message, was deleted or may not be changed any more."""

    reason_code = "SLACK_MESSAGE_GONE"


class Unshowable(Terminal):
    """Slack refuses the message as we drew it: a mistake of ours."""

    reason_code = "SLACK_MESSAGE_REFUSED"


class TriggerExpired(UserError):
    """A modal can be opened only within three seconds of the click."""

    reason_code = "TRIGGER_EXPIRED"


@dataclass(frozen=True, slots=True)
class Posted:
    """Where a message really is: a post to a user goes to a direct message with its own id."""

    channel: str
    ts: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A message on its way. ``key`` is put into its metadata, to be found again by."""

    channel: str
    key: str
    message: Message
    thread_ts: str | None = None
    broadcast: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG; ``alt`` says in words what is on it, in at most 1000 characters."""

    name: str
    alt: str
    png: bytes = field(repr=False)


class Messenger(Protocol):
    """Public messages. Every verb raises ``Throttled``, ``Unreachable``, ``AccessDenied``,
    ``ChannelGone``, ``MessageGone`` or ``Unshowable``; nothing was changed then."""

    def post(self, letter: Letter) -> Posted:
        """Also raises ``Unknown``: whether it was posted must be read back with ``find``."""
        ...

    def update(self, at: Posted, message: Message) -> None:
        """Idempotent; a lost answer is ``Unreachable``."""
        ...

    def find(self, letter: Letter, since: datetime) -> Posted | None:
        """The message with the letter's key that we posted at or after ``since``, if any."""
        ...

    def upload(self, picture: Picture) -> str:
        """Keep a picture that no message shows yet; returns its file's id.

        Slack looks at it first, for seconds: until then a message with it is ``Unshowable``. A
        lost answer is ``Unreachable``: what is then kept twice is seen by nobody.
        """
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody asked something, and so where the private answer goes."""

    user: str
    channel: str = ""
    thread_ts: str | None = None
    response_url: str = ""


class Desk(Protocol):
    """Private answers, modals and Home. Raises as ``Messenger`` does, and ``TriggerExpired``."""

    def whisper(self, place: Place, message: Message) -> None:
        """Only that person sees it: in place where possible, else as a direct message."""
        ...

    def open_modal(self, trigger_id: str, view: View) -> str:
        """Returns the view's id."""
        ...

    def update_modal(self, view_id: str, view: View) -> None:
        """Replace what an open modal shows; one that was closed meanwhile is ``MessageGone``."""
        ...

    def publish_home(self, user: str, view: View) -> None:
        """Replace what that user sees on the bot's Home tab."""
        ...
