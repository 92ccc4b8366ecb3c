"""What people click. A button only names things; everything is read again from the database.

A stale click gets intake's refusal, which says who decided and when, and intake has the card
redrawn; nothing here trusts what the card showed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slack_bolt import Ack

from bot.commands.model import (
    Approve,
    Cancel,
    Command,
    Conduct,
    OpenDeployForm,
    OpenRollbackForm,
    ShowDeployment,
)
from bot.model.canary import Act
from bot.model.deployment import Target
from bot.model.errors import UserError
from bot.slack.answers import Answers
from bot.slack.errands import Errands
from bot.slack.forms import Forms
from bot.slack.messenger import Place
from bot.slack.requests import Asked, by_click
from bot.slack.views.ids import Action, Handle
from bot.slack.views.message import Message

#: Buttons that are a command.
COMMANDS: Mapping[Action, Callable[[Handle], Command]] = {
    Action.APPROVE: lambda handle: Approve(handle.id, handle.digest),
    Action.CANCEL: lambda handle: Cancel(handle.id),
    Action.CANCEL_AND_ROLL_BACK: lambda handle: Cancel(handle.id, roll_back=True),
    Action.CANARY_PROMOTE: lambda handle: _conduct(handle, Act.PROMOTE),
    Action.CANARY_PROMOTE_FULLY: lambda handle: _conduct(handle, Act.PROMOTE_FULLY),
    Action.CANARY_HOLD: lambda handle: _conduct(handle, Act.HOLD),
    Action.CANARY_GO_ON: lambda handle: _conduct(handle, Act.GO_ON),
    Action.CANARY_ABORT: lambda handle: _conduct(handle, Act.ABORT),
    Action.DETAILS: lambda handle: ShowDeployment(handle.id),
    Action.ROLL_BACK: lambda handle: OpenRollbackForm(_target(handle)),
    Action.OPEN_DEPLOY_FORM: lambda _handle: OpenDeployForm(),
    Action.OPEN_ROLLBACK_FORM: lambda handle: OpenRollbackForm(_target(handle)),
}


@dataclass(frozen=True, slots=True)
class Actions:
    """The one listener of every button and select."""

    answers: Answers
    errands: Errands
    forms: Forms
    others: Mapping[Action, Callable[[Asked, Mapping[str, Any]], Message | None]] = field(
        init=False
    )

    def __post_init__(self) -> None:
        """The clicks that are more than a command."""
        others = {
            Action.REJECT: self._reject,
            Action.SUGGESTION: self._suggested,
            Action.PICK_ROLLBACK_TARGET: self._picked,
        }
        object.__setattr__(self, "others", others)

    def clicked(self, ack: Ack, body: dict[str, Any]) -> None:
        """Any block action."""
        asked, clicked = by_click(body), body["actions"][0]
        self.answers.privately(ack, asked, lambda: self._run(asked, clicked, body))

    def _run(
        self, asked: Asked, clicked: Mapping[str, Any], body: Mapping[str, Any]
    ) -> Message | None:
        action = _known(str(clicked["action_id"]))
        if action in self.others:
            return self.others[action](asked, {**clicked, "view": body.get("view") or {}})
        handle = Handle.load(str(clicked.get("value") or ""))
        return self.errands.run(COMMANDS[action](handle), asked)

    def _reject(self, asked: Asked, clicked: Mapping[str, Any]) -> None:
        handle = Handle.load(str(clicked.get("value") or ""))
        here = Handle(handle.id, handle.digest, channel=asked.place.channel)
        self.forms.open_reject(here, asked)

    def _suggested(self, asked: Asked, clicked: Mapping[str, Any]) -> Message | None:
        slash, _, text = str(clicked.get("value") or "").partition(" ")
        return self.errands.run_typed(slash, text, asked)

    def _picked(self, asked: Asked, clicked: Mapping[str, Any]) -> None:
        value = str((clicked.get("selected_option") or {}).get("value") or "")
        service, slash, environment = value.partition("/")
        if not slash:
            raise UserError("No target was chosen.", hint="Choose one from the list.")
        view = clicked["view"]
        asked = _where_opened(asked, Handle.load(str(view.get("private_metadata") or "")))
        command = OpenRollbackForm(Target(service, environment))
        self.answers.afterwards(asked, lambda: self.forms.fill(str(view["id"]), command, asked))


def _known(action_id: str) -> Action:
    try:
        return Action(action_id)
    except ValueError:
        raise UserError(
            "This button was made by another version of Quarterdeck.",
            reason_code="STALE_BUTTON",
            hint="Type the command instead.",
        ) from None


def _conduct(handle: Handle, act: Act) -> Command:
    step = int(handle.step) if handle.step.isdecimal() else None
    return Conduct(act, id=handle.id, step=step)


def _target(handle: Handle) -> Target | None:
    return Target(handle.service, handle.environment) if handle.service else None


def _where_opened(asked: Asked, handle: Handle) -> Asked:
    """A click in a modal names no channel; the modal remembers the one it was opened from."""
    place = Place(asked.place.user, handle.channel)
    return Asked(asked.id, place, asked.team, asked.trigger_id)
