"""``why``: each rule that spoke, and what it said."""

from __future__ import annotations

from bot.model.reply import Why
from bot.slack.views.message import Message, message, paragraphs, section
from bot.slack.views.text import advice, escaped


def why(reply: Why) -> Message:
    """One paragraph per rule: its code, what it means, what to do."""
    subject = escaped(reply.subject, 300)
    lines = [
        f"*{escaped(code, 60)}* {escaped(meaning)}" + (f"\n→ {advice(todo, 600)}" if todo else "")
        for code, meaning, todo in reply.lines
    ]
    body = paragraphs(lines) or [section("No rule stands in the way.")]
    return message(f"Why: {subject}", [section(f"*{subject}*"), *body])
