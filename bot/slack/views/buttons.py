"""The buttons of a deployment. What they carry is re-read on every click and never trusted."""

from __future__ import annotations

from slack_sdk.models.blocks import ButtonElement, ConfirmObject, PlainTextObject

from bot.model.deployment import Deployment, Kind, Status
from bot.model.reply import CardFacts
from bot.slack.views.ids import VALUE_LIMIT, Action, Handle
from bot.slack.views.text import BUTTON, plain, short_digest


def of_card(facts: CardFacts) -> list[ButtonElement]:
    """Only what can be done in this state; a terminal state offers at most the way back."""
    deployment = facts.deployment
    match deployment.status:
        case Status.AWAITING_APPROVAL:
            return [
                _approve(deployment),
                _reject(deployment),
                _details(deployment),
                _cancel(deployment),
            ]
        case Status.QUEUED:
            return [_cancel(deployment), _details(deployment)]
        case Status.RUNNING if deployment.kind is Kind.DEPLOY:
            return [_cancel_and_roll_back(deployment), _details(deployment)]
        case Status.RUNNING:
            return [_details(deployment)]
        case Status.SUCCEEDED if facts.current:
            return [roll_back(deployment)]
        case _:
            return [roll_back(deployment)] if facts.stays else []


def roll_back(deployment: Deployment) -> ButtonElement:
    """Opens the modal of known-good versions."""
    return _button("Roll back", Action.ROLL_BACK, deployment, style="danger")


def suggestion(command: str) -> ButtonElement:
    """Runs the command that was probably meant."""
    command = plain(command, VALUE_LIMIT)
    return ButtonElement(text=_label(f"Run {command}"), action_id=Action.SUGGESTION, value=command)


def opener(label: str, action: Action, handle: Handle) -> ButtonElement:
    """Opens a form from a message: a mention has no trigger of its own."""
    return ButtonElement(text=_label(label), action_id=action, value=handle.dump(), style="primary")


def _approve(deployment: Deployment) -> ButtonElement:
    said = f"This lets {_what(deployment)} start as soon as its turn comes."
    confirm = _confirm("Approve this deployment?", said, "Approve", "Not now")
    return _button("Approve", Action.APPROVE, deployment, style="primary", confirm=confirm)


def _reject(deployment: Deployment) -> ButtonElement:
    return _button("Reject", Action.REJECT, deployment, style="danger")


def _details(deployment: Deployment) -> ButtonElement:
    return _button("Details", Action.DETAILS, deployment)


def _cancel(deployment: Deployment) -> ButtonElement:
    said = f"{_what(deployment)} will not start."
    confirm = _confirm("Cancel this deployment?", said, "Cancel it", "Keep it")
    return _button("Cancel", Action.CANCEL, deployment, confirm=confirm)


def _cancel_and_roll_back(deployment: Deployment) -> ButtonElement:
    said = f"{_what(deployment)} stops, and what ran before it is rolled out again."
    confirm = _confirm("Cancel and roll back?", said, "Cancel and roll back", "Keep going")
    return _button(
        "Cancel and roll back",
        Action.CANCEL_AND_ROLL_BACK,
        deployment,
        style="danger",
        confirm=confirm,
    )


def _what(deployment: Deployment) -> str:
    target, image = deployment.target, deployment.image
    version = f"{plain(image.ref, 60)} ({short_digest(image.digest)})"
    return f"{plain(target.service, 60)} {version} on {plain(target.environment, 60)}"


def _label(text: str) -> PlainTextObject:
    return PlainTextObject(text=plain(text, BUTTON), emoji=False)


def _button(
    label: str,
    action: Action,
    deployment: Deployment,
    *,
    style: str | None = None,
    confirm: ConfirmObject | None = None,
) -> ButtonElement:
    return ButtonElement(
        text=_label(label),
        action_id=action,
        value=Handle.of(deployment).dump(),
        style=style,
        confirm=confirm,
    )


def _confirm(title: str, said: str, yes: str, no: str) -> ConfirmObject:
    return ConfirmObject(
        title=PlainTextObject(text=title, emoji=False),
        text=PlainTextObject(text=plain(said, 300), emoji=False),
        confirm=PlainTextObject(text=yes, emoji=False),
        deny=PlainTextObject(text=no, emoji=False),
    )
