"""The modal in which a deployment is put together. Overriding a freeze is not offered: type it."""

from __future__ import annotations

from slack_sdk.models.blocks import PlainTextObject, StaticMultiSelectElement, StaticSelectElement
from slack_sdk.models.views import View

from bot.model.reply import DeployForm
from bot.slack.views.ids import INPUT, Field, Form, Handle
from bot.slack.views.inputs import REASON, asked, grouped, line, offered, options
from bot.slack.views.notice import words

HEADING = "Deploy"


def deploy_form(form: DeployForm, handle: Handle) -> View:
    """Nothing is preselected: neither a service nor an environment is ever a default."""
    return View(
        type="modal",
        callback_id=Form.DEPLOY,
        title=words(HEADING),
        submit=words("Deploy"),
        close=words("Cancel"),
        private_metadata=handle.dump(),
        blocks=[
            asked(Field.SERVICES, "Services", _services(form)),
            asked(Field.ENVIRONMENT, "Environment", _environments(form)),
            offered(
                Field.VERSION,
                "Version",
                line(300),
                "A tag, a commit sha or a digest. Empty means latest.",
            ),
            offered(Field.REASON, "Reason", line(REASON, multiline=True)),
        ],
    )


def _services(form: DeployForm) -> StaticMultiSelectElement:
    choices = options(form.services)
    groups = grouped(choices)
    return StaticMultiSelectElement(
        action_id=INPUT,
        placeholder=PlainTextObject(text="Choose one or more", emoji=False),
        options=None if groups else choices,
        option_groups=groups,
    )


def _environments(form: DeployForm) -> StaticSelectElement:
    choices = options(form.environments)
    groups = grouped(choices)
    return StaticSelectElement(
        action_id=INPUT,
        placeholder=PlainTextObject(text="Choose one", emoji=False),
        options=None if groups else choices,
        option_groups=groups,
    )
