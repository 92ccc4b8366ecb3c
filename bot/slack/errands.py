"""Carrying one request to intake and back: the person is looked up, the command is submitted."""

from __future__ import annotations

from dataclasses import dataclass

from structlog.contextvars import bound_contextvars

from bot.commands.model import Command, OpenDeployForm, OpenRollbackForm
from bot.commands.parse import parse, parse_mention
from bot.model.reply import Reply
from bot.slack.edge import Edge
from bot.slack.forms import Forms
from bot.slack.requests import Asked
from bot.slack.submission import submit
from bot.slack.views.message import Message
from bot.slack.views.replies import draw


@dataclass(frozen=True, slots=True)
class Errands:
    """What listeners and buttons have done for a person."""

    edge: Edge
    forms: Forms

    def run_typed(self, slash: str, text: str, asked: Asked) -> Message | None:
        """A slash command, or the whole text of a suggestion."""
        return self.run(parse(slash, text, self.edge.catalog(), self.edge.clock.now()), asked)

    def run_said(self, text: str, asked: Asked) -> Message | None:
        """What follows a mention."""
        return self.run(parse_mention(text, self.edge.catalog(), self.edge.clock.now()), asked)

    def run(self, command: Command, asked: Asked) -> Message | None:
        """The answer as a message; ``None`` where a form was opened instead."""
        if isinstance(command, OpenDeployForm | OpenRollbackForm) and asked.trigger_id:
            self.forms.open(command, asked)
            return None
        return draw(self.ask(command, asked), self.edge.clock.now())

    def ask(self, command: Command, asked: Asked) -> Reply:
        """Intake's reply."""
        with bound_contextvars(request_id=asked.id):
            return submit(self.edge, command, asked)
