"""``show``: the card, and under it what the audit trail says."""

from __future__ import annotations

from datetime import datetime

from bot.model.reply import Details
from bot.slack.views.audit import row_line
from bot.slack.views.card import card
from bot.slack.views.message import Message, message, paragraphs, section


def details(reply: Details, now: datetime) -> Message:
    """The card's parts with its buttons, then the rows, as they came."""
    drawn = card(reply.facts, now)
    rows = paragraphs(map(row_line, reply.rows)) or [section("No audit rows.")]
    return message(drawn.text, [*drawn.blocks, section("*Audit trail*"), *rows])
