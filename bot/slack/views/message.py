"""What a view draws, and the few shapes that all of them draw with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ContextBlock,
    HeaderBlock,
    InteractiveElement,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
    TextObject,
)

from bot.slack.views.text import FIELD, HEADER, SECTION, TEXT, bounded, plain

#: Slack refuses messages with more blocks.
BLOCKS = 50


@dataclass(frozen=True, slots=True)
class Message:
    """``text`` is a whole sentence in mrkdwn: it is the notification, and all that some see."""

    text: str
    blocks: tuple[Block, ...] = ()


def message(text: str, blocks: Iterable[Block] = ()) -> Message:
    """A message within Slack's limits; blocks beyond them are counted, not silently lost."""
    drawn = tuple(blocks) or (section(text),)
    if len(drawn) > BLOCKS:
        left_out = len(drawn) - BLOCKS + 1
        drawn = (*drawn[: BLOCKS - 1], context(f"… and {left_out} more parts are not shown."))
    return Message(bounded(text, TEXT), drawn)


def mrkdwn(text: str, limit: int = SECTION) -> MarkdownTextObject:
    """Our own words with escaped foreign ones; nothing in it is turned into a link or a mention."""
    return MarkdownTextObject(text=bounded(text, limit) or " ", verbatim=True)


def literal(text: str, limit: int = SECTION) -> PlainTextObject:
    """Foreign words, shown exactly as they are."""
    return PlainTextObject(text=plain(text, limit, lines=True) or " ", emoji=False)


def header(text: str) -> HeaderBlock:
    """The big line on top."""
    return HeaderBlock(text=PlainTextObject(text=plain(text, HEADER), emoji=False))


def section(text: str) -> SectionBlock:
    """A paragraph of mrkdwn."""
    return SectionBlock(text=mrkdwn(text))


def quoted(label: str, words: str) -> list[Block]:
    """A label of ours and, under it, foreign words as plain text; nothing where there are none."""
    if not words.strip():
        return []
    return [context(f"*{label}*"), SectionBlock(text=literal(words, 1500))]


def fields(pairs: Sequence[tuple[str, str]]) -> SectionBlock:
    """A table of at most ten labelled values in mrkdwn."""
    return SectionBlock(fields=[mrkdwn(f"*{name}*\n{value}", FIELD) for name, value in pairs[:10]])


def context(*lines: str) -> ContextBlock:
    """Small print."""
    elements: list[TextObject] = [mrkdwn(line, FIELD) for line in lines[:10]]
    return ContextBlock(elements=elements)


def actions(elements: Sequence[InteractiveElement]) -> list[Block]:
    """A row of buttons, or nothing: Slack refuses an empty row."""
    return [ActionsBlock(elements=list(elements))] if elements else []


def paragraphs(lines: Iterable[str]) -> list[Block]:
    """Lines of mrkdwn in as few sections as their limit allows."""
    blocks: list[Block] = []
    page = ""
    for line in lines:
        if page and len(page) + 1 + len(line) > SECTION:
            blocks.append(section(page))
            page = ""
        page = f"{page}\n{line}" if page else line
    return [*blocks, section(page)] if page else blocks
