"""A private no: what is wrong, the reason code, what to do, and the command that was meant."""

from __future__ import annotations

from collections.abc import Iterator

from slack_sdk.models.blocks import Block, MarkdownTextObject, SectionBlock

from bot.model.errors import UserError
from bot.model.reply import Refused
from bot.slack.views import buttons
from bot.slack.views.message import Message, actions, context, literal, message
from bot.slack.views.text import advice, escaped


def refusal(refused: Refused) -> Message:
    """The refusal; its words may quote what was typed, so all of them are foreign."""
    return message(f"⛔ {escaped(refused.text, 600)}", _blocks(refused))


def usage(error: UserError) -> Message:
    """What could not be understood, in the same shape as a refusal."""
    return refusal(Refused(error.reason_code, error.message, error.hint, error.suggestion))


def _blocks(refused: Refused) -> Iterator[Block]:
    yield SectionBlock(text=literal(f"⛔ {refused.text}"))
    if refused.hint:
        # Whom to ask is named by the policy, as mentions; a private reply notifies nobody.
        yield SectionBlock(text=MarkdownTextObject(text=advice(refused.hint), verbatim=True))
    yield from actions([buttons.suggestion(refused.suggestion)] if refused.suggestion else [])
    yield context(f"Reason code {escaped(refused.reason_code, 60)}. Nothing was changed.")
