"""Help: the one text that is mrkdwn already, because it comes from the grammar alone."""

from __future__ import annotations

from bot.model.reply import Help
from bot.slack.views.message import Message, message, paragraphs


def help_text(reply: Help) -> Message:
    """The help in as many sections as it needs."""
    return message("How to talk to Quarterdeck.", paragraphs(reply.text.split("\n")))
