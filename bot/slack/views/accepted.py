"""A private yes: what was done and recorded, and what of it was refused."""

from __future__ import annotations

from collections.abc import Iterator

from slack_sdk.models.blocks import Block, SectionBlock

from bot.model.reply import Accepted
from bot.slack.views.message import Message, context, literal, message, paragraphs
from bot.slack.views.states import mark, words
from bot.slack.views.text import escaped, image, target


def accepted(reply: Accepted) -> Message:
    """One line per deployment that exists now, and one per target that was refused."""
    return message(escaped(reply.text, 900), _blocks(reply))


def _blocks(reply: Accepted) -> Iterator[Block]:
    yield SectionBlock(text=literal(reply.text))
    yield from paragraphs(
        f"{mark(one.status)} *{escaped(one.id)}* {target(one.target)} "
        f"{image(one.image)}: {words(one.status)}"
        for one in reply.deployments
    )
    for refused in reply.refused:
        yield SectionBlock(text=literal(f"⛔ {refused.text} {refused.hint}"))
        yield context(f"Reason code {escaped(refused.reason_code, 60)}.")
