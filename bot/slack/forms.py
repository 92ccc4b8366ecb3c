"""Modals: opened at once, filled when their facts are there, and read back when submitted."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from slack_bolt import Ack
from slack_sdk.models.views import View

from bot.commands.model import Deploy, OpenDeployForm, OpenRollbackForm, Reject, Rollback
from bot.commands.typography import tidy
from bot.commands.values import read_reason, read_version
from bot.model.deployment import Target
from bot.model.errors import QuarterdeckError
from bot.model.reply import DeployForm, Refused, Reply, RollbackForm
from bot.policy.reasons import ReasonCode
from bot.slack.answers import Answers, explain
from bot.slack.edge import Edge
from bot.slack.requests import Asked, by_view
from bot.slack.submission import submit
from bot.slack.views import deploy_form, notice, reject_form, rollback_form
from bot.slack.views.ids import INPUT, Field, Form, Handle
from bot.slack.views.message import message
from bot.slack.views.replies import draw
from bot.slack.views.text import plain

OpenForm = OpenDeployForm | OpenRollbackForm

#: Which input a reason code is about; where the form has it, the message stands under it.
BLAMED: Mapping[str, Field] = {
    ReasonCode.UNKNOWN_SERVICE: Field.SERVICES,
    ReasonCode.UNKNOWN_ENVIRONMENT: Field.ENVIRONMENT,
    ReasonCode.UNKNOWN_TARGET: Field.ENVIRONMENT,
    ReasonCode.BAD_VERSION: Field.VERSION,
    ReasonCode.IMAGE_NOT_FOUND: Field.VERSION,
    ReasonCode.AMBIGUOUS_VERSION: Field.VERSION,
    ReasonCode.UNKNOWN_VERSION: Field.RELEASE,
    ReasonCode.RELEASE_UNUSABLE: Field.RELEASE,
    ReasonCode.TOO_LONG: Field.REASON,
    ReasonCode.CONTROL_CHARACTER: Field.REASON,
}
ERROR = 300  # characters of an error under an input
HEADINGS: Mapping[str, str] = {
    Form.DEPLOY: deploy_form.HEADING,
    Form.ROLLBACK: rollback_form.HEADING,
    Form.REJECT: reject_form.HEADING,
}
WORKING = message("⏳ Still working on it. The answer follows here.")


@dataclass(frozen=True, slots=True)
class Forms:
    """The modals of the edge."""

    edge: Edge
    answers: Answers

    def open(self, command: OpenForm, asked: Asked) -> None:
        """A loading view first: the trigger would expire while the facts are gathered (S8)."""
        deploying = isinstance(command, OpenDeployForm)
        heading = deploy_form.HEADING if deploying else rollback_form.HEADING
        view_id = self.edge.desk.open_modal(asked.trigger_id, notice.loading(heading))
        self.answers.afterwards(asked, lambda: self.fill(view_id, command, asked))

    def fill(self, view_id: str, command: OpenForm, asked: Asked) -> None:
        """Ask intake for the form's facts and show them, or why there are none."""
        reply = self.edge.bench.inline(lambda: submit(self.edge, command, asked))
        self.edge.desk.update_modal(view_id, self._view(reply, asked))

    def open_reject(self, handle: Handle, asked: Asked) -> None:
        """Nothing needs to be gathered to ask why."""
        self.edge.desk.open_modal(asked.trigger_id, reject_form.reject_form(handle))

    def submitted(self, ack: Ack, body: Mapping[str, Any]) -> None:
        """Any of the forms: the same commands through the same door as when typed."""
        view = body["view"]
        asked = by_view(body, "")
        future = self.edge.bench.start(lambda: self._submit(body))
        if self.edge.bench.settled(future):
            ack(**_verdict(future, view, self._drawn(future, view, asked)))
            return
        heading = HEADINGS[view["callback_id"]]
        ack(response_action="update", view=notice.notice(heading, WORKING))
        view_id = str(view["id"])
        self.answers.afterwards(
            asked,
            lambda: self.edge.desk.update_modal(view_id, self._drawn(future, view, asked)),
        )

    def _submit(self, body: Mapping[str, Any]) -> Reply:
        view = body["view"]
        handle = Handle.load(str(view.get("private_metadata") or ""))
        return submit(self.edge, read_command(view, handle), by_view(body, handle.channel))

    def _drawn(self, future: Future[Reply], view: Mapping[str, Any], asked: Asked) -> View:
        heading = HEADINGS[view["callback_id"]]
        fault = future.exception()
        if fault is not None:
            return notice.notice(heading, explain(fault, asked.id))
        return notice.notice(heading, draw(future.result(), self.edge.clock.now()))

    def _view(self, future: Future[Reply], asked: Asked) -> View:
        fault = future.exception()
        if fault is not None:
            return notice.notice("Not possible", explain(fault, asked.id))
        handle = Handle(channel=asked.place.channel)
        match future.result():
            case DeployForm() as form:
                return deploy_form.deploy_form(form, handle)
            case RollbackForm() as form:
                return rollback_form.rollback_form(form, handle)
            case reply:
                return notice.notice("Not possible", draw(reply, self.edge.clock.now()))


def read_command(view: Mapping[str, Any], handle: Handle) -> Deploy | Rollback | Reject:
    """What a submitted form asks for, by the rules for what is typed. Raises ``UserError``."""
    values = view["state"]["values"]
    reason = read_reason(tidy(_text(values, Field.REASON)))
    match view["callback_id"]:
        case Form.DEPLOY:
            environment = _chosen(values, Field.ENVIRONMENT)
            services = (values[Field.SERVICES][INPUT].get("selected_options")) or ()
            return Deploy(
                targets=tuple(Target(str(one["value"]), environment) for one in services),
                version=read_version(tidy(_text(values, Field.VERSION)) or "latest"),
                reason=reason,
            )
        case Form.ROLLBACK:
            target = Target(handle.service, handle.environment)
            return Rollback(target, _chosen(values, Field.RELEASE), reason)
        case _:
            return Reject(handle.id, reason, handle.digest)


def _text(values: Mapping[str, Any], field: Field) -> str:
    # Empty inputs arrive as null.
    return str((values.get(field) or {}).get(INPUT, {}).get("value") or "").strip()


def _chosen(values: Mapping[str, Any], field: Field) -> str:
    return str((values[field][INPUT].get("selected_option") or {}).get("value") or "")


def _verdict(future: Future[Reply], view: Mapping[str, Any], drawn: View) -> dict[str, Any]:
    """Errors under the input that is to blame, else the answer in the modal's place."""
    field, said = _blame(future)
    if field is not None and field in view["state"]["values"]:
        return {"response_action": "errors", "errors": {str(field): plain(said, ERROR)}}
    return {"response_action": "update", "view": drawn}


def _blame(future: Future[Reply]) -> tuple[Field | None, str]:
    fault = future.exception()
    if isinstance(fault, QuarterdeckError):
        return BLAMED.get(fault.reason_code), f"{fault.message} {fault.hint}"
    if fault is not None:
        return None, ""
    reply = future.result()
    if isinstance(reply, Refused):
        return BLAMED.get(reply.reason_code), f"{reply.text} {reply.hint}"
    return None, ""
