"""A message in a card's thread: a step, a vote, a provider's event."""

from __future__ import annotations

from slack_sdk.models.blocks import SectionBlock

from bot.model.deployment import Deployment
from bot.slack.views.message import Message, literal, message
from bot.slack.views.text import TEXT, escaped


def thread_note(deployment: Deployment, text: str, *, alone: bool = False) -> Message:
    """``text`` is foreign: it quotes ECS. ``alone`` says whose it is, outside of the thread."""
    said = f"{deployment.id}: {text}" if alone else text
    return message(escaped(said, TEXT), [SectionBlock(text=literal(said))])
