"""A message in a card's thread: a step, a vote, a provider's event."""

from __future__ import annotations

from dataclasses import dataclass

from slack_sdk.models.blocks import Block, ImageBlock, SectionBlock

from bot.model.deployment import Deployment
from bot.slack.views.message import Message, literal, message
from bot.slack.views.text import ALT, TEXT, escaped, plain


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture that Slack keeps, by its file's id, and what it shows in words."""

    file_id: str
    alt: str


def thread_note(deployment: Deployment, text: str, *, alone: bool = False) -> Message:
    """``text`` is foreign: it quotes ECS. ``alone`` says whose it is, outside of the thread."""
    said = f"{deployment.id}: {text}" if alone else text
    return message(escaped(said, TEXT), [SectionBlock(text=literal(said))])


def with_picture(note: Message, picture: Shown) -> Message:
    """The same, and under it the picture."""
    image = ImageBlock(slack_file={"id": picture.file_id}, alt_text=plain(picture.alt, ALT))
    blocks: tuple[Block, ...] = (*note.blocks, image)
    return message(note.text, blocks)
