"""The one place where the edge hands a command to intake."""

from __future__ import annotations

from bot.commands.model import Command
from bot.model.reply import Reply
from bot.slack.edge import Edge
from bot.slack.requests import Asked


def submit(edge: Edge, command: Command, asked: Asked) -> Reply:
    """Who asks is looked up on every request, so that rights are never older than Slack says.

    Raises what the directory and intake raise.
    """
    requester = edge.people.requester(asked.place.user, asked.place.channel, asked.team)
    return edge.intake.submit(command, requester, asked.id)
