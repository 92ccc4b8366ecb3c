"""``why``: each rule that spoke, and what it said."""

from __future__ import annotations

from bot.model.reply import Why
from bot.slack.views.message import Message, message, paragraphs, section
from bot.slack.views.text import escaped


def why(reply: Why) -> Message:
    """One paragraph per rule: its code, what it means, what to do."""
    said = f"Why: {escaped(reply.subject, 120)}."
    lines = [
        f"*{escaped(code, 60)}* {escaped(meaning)}" + (f"\n→ {escaped(todo)}" if todo else "")
        for code, meaning, todo in reply.lines
    ]
    body = paragraphs(lines) or [section("No rule stands in the way.")]
    return message(said, [section(f"*{escaped(reply.subject, 120)}*"), *body])
