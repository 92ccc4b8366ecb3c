"""The modal that asks why; the reason is audited and shown on the card."""

from __future__ import annotations

from slack_sdk.models.views import View

from bot.slack.views.ids import Field, Form, Handle
from bot.slack.views.inputs import REASON, asked, line
from bot.slack.views.message import section
from bot.slack.views.notice import words
from bot.slack.views.text import escaped, short_digest

HEADING = "Reject"


def reject_form(handle: Handle) -> View:
    """It carries the digest that the card showed, so that the ballot stays bound to it."""
    said = f"*{escaped(handle.id, 90)}* ({short_digest(handle.digest)}) will not be deployed."
    return View(
        type="modal",
        callback_id=Form.REJECT,
        title=words(HEADING),
        submit=words("Reject"),
        close=words("Back"),
        private_metadata=handle.dump(),
        blocks=[section(said), asked(Field.REASON, "Why?", line(REASON, multiline=True))],
    )
