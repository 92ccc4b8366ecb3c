"""A button that opens a form, for where one was asked for in a message: those cannot open it."""

from __future__ import annotations

from bot.model.reply import RollbackForm
from bot.slack.views import buttons
from bot.slack.views.ids import Action, Handle
from bot.slack.views.message import Message, actions, message, section


def invite_to_deploy() -> Message:
    """Offers the deploy form."""
    said = "Choose what to deploy in a form, or type `deploy <service> <environment> [version]`."
    button = buttons.opener("Deploy…", Action.OPEN_DEPLOY_FORM, Handle())
    return message("Choose what to deploy in a form.", [section(_code(said)), *actions([button])])


def invite_to_roll_back(form: RollbackForm) -> Message:
    """Offers the rollback form, for the target where one was named."""
    target = form.target
    handle = Handle(service=target.service, environment=target.environment) if target else Handle()
    said = "Choose what to roll back in a form, or type `rollback <service> <environment>`."
    button = buttons.opener("Roll back…", Action.OPEN_ROLLBACK_FORM, handle)
    text = "Choose what to roll back in a form."
    return message(text, [section(_code(said)), *actions([button])])


def _code(said: str) -> str:
    return said.replace("<", "&lt;").replace(">", "&gt;")
