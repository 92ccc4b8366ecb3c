"""A message in a card's thread: a step, a vote, a provider's event."""

from __future__ import annotations

from dataclasses import dataclass

from slack_sdk.models.blocks import Block, ImageBlock, SectionBlock

from bot.model.deployment import Deployment
from bot.slack.views.message import Message, literal, message, section
from bot.slack.views.text import ALT, TEXT, advice, escaped, plain


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture that Slack keeps, by its file's id, and what it shows in words."""

    file_id: str
    alt: str


def thread_note(
    deployment: Deployment, text: str, *, alone: bool = False, called: str = ""
) -> Message:
    """``text`` is foreign: it quotes ECS. ``alone`` says whose it is, outside of the thread.

    ``called`` are the policy's mentions of those who are to look at it.
    """
    said = f"{deployment.id}: {text}" if alone else text
    blocks: list[Block] = [SectionBlock(text=literal(said))]
    if not called:
        return message(escaped(said, TEXT), blocks)
    calls = advice(called, 800)
    return message(f"{escaped(said, TEXT - len(calls) - 1)} {calls}", [*blocks, section(calls)])


def with_picture(note: Message, picture: Shown) -> Message:
    """The same, and under it the picture."""
    image = ImageBlock(slack_file={"id": picture.file_id}, alt_text=plain(picture.alt, ALT))
    blocks: tuple[Block, ...] = (*note.blocks, image)
    return message(note.text, blocks)
