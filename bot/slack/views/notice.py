"""Modals that only say something: loading, a refusal, a result."""

from __future__ import annotations

from slack_sdk.models.blocks import PlainTextObject
from slack_sdk.models.views import View

from bot.slack.views.ids import Form
from bot.slack.views.message import Message, section
from bot.slack.views.text import TITLE, plain


def loading(heading: str) -> View:
    """Opened at once, before anything is looked up: a trigger expires after three seconds."""
    return notice(heading, Message("Loading …", (section("⏳ Loading …"),)))


def notice(heading: str, said: Message) -> View:
    """A modal that shows a message and can only be closed."""
    return View(
        type="modal",
        callback_id=Form.NOTICE,
        title=words(heading),
        close=words("Close"),
        blocks=list(said.blocks),
    )


def words(text: str) -> PlainTextObject:
    """A modal's title or button."""
    return PlainTextObject(text=plain(text, TITLE), emoji=False)
