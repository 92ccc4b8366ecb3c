"""The buttons of a deployment. What they carry is re-read on every click and never trusted."""

from __future__ import annotations

from dataclasses import replace

from slack_sdk.models.blocks import ButtonElement, ConfirmObject, PlainTextObject

from bot.model.canary import Act, Canary, Phase
from bot.model.canary_plan import in_percent
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
        case Status.RUNNING:
            return [*_of_running(facts), _details(deployment)]
        case Status.SUCCEEDED if facts.current:
            return [roll_back(deployment)]
        case _:
            return [roll_back(deployment)] if facts.stays else []


def _of_running(facts: CardFacts) -> list[ButtonElement]:
    if facts.canary is not None:
        return of_canary(facts.deployment, facts.canary)
    is_deploy = facts.deployment.kind is Kind.DEPLOY
    return [_cancel_and_roll_back(facts.deployment)] if is_deploy else []


def of_canary(deployment: Deployment, canary: Canary) -> list[ButtonElement]:
    """What a person may tell it, while it is on trial and not about to go back; and the way back
    from what a word to the canary does not help with any more."""
    shown = replace(Handle.of(deployment), step=str(canary.step))
    aborted = canary.wish is not None and canary.wish.act is Act.ABORT
    match canary.phase:
        case Phase.SHIFTING | Phase.BAKING | Phase.ASKING if not aborted:
            ways = _promote(deployment, canary, shown)
            return [*ways, _hold(canary, shown), _abort(deployment, shown)]
        case Phase.PROMOTING:
            return [roll_back(deployment)]
        case Phase.RETURNING if canary.trouble:
            return [roll_back(deployment)]  # which mends the stable version
        case _:
            return []


def _promote(deployment: Deployment, canary: Canary, shown: Handle) -> list[ButtonElement]:
    """To the next step, and to the end; at the last step these are the same."""
    said = f"{_what(deployment)} gets all of the traffic now, whatever the steps left would show."
    confirm = _confirm("Promote it fully?", said, "Promote fully", "Not now")
    fully = _button("Promote fully", Action.CANARY_PROMOTE_FULLY, shown, confirm=confirm)
    later = canary.plan.steps[canary.step + 1 :]
    if not later:
        return [fully]
    label = f"Promote to {in_percent(later[0].share)}"
    return [_button(label, Action.CANARY_PROMOTE, shown, style="primary"), fully]


def _hold(canary: Canary, shown: Handle) -> ButtonElement:
    if canary.held_by is not None:
        return _button("Go on", Action.CANARY_GO_ON, shown)
    return _button("Hold", Action.CANARY_HOLD, shown)


def _abort(deployment: Deployment, shown: Handle) -> ButtonElement:
    said = f"{_what(deployment)} gets no traffic any more, and what ran before it serves all of it."
    confirm = _confirm("Roll this canary back?", said, "Roll back", "Keep it")
    return _button("Roll back", Action.CANARY_ABORT, shown, style="danger", confirm=confirm)


def roll_back(deployment: Deployment) -> ButtonElement:
    """Opens the modal of known-good versions."""
    return _button("Roll back", Action.ROLL_BACK, Handle.of(deployment), style="danger")


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
    return _button(
        "Approve", Action.APPROVE, Handle.of(deployment), style="primary", confirm=confirm
    )


def _reject(deployment: Deployment) -> ButtonElement:
    return _button("Reject", Action.REJECT, Handle.of(deployment), style="danger")


def _details(deployment: Deployment) -> ButtonElement:
    return _button("Details", Action.DETAILS, Handle.of(deployment))


def _cancel(deployment: Deployment) -> ButtonElement:
    said = f"{_what(deployment)} will not start."
    confirm = _confirm("Cancel this deployment?", said, "Cancel it", "Keep it")
    return _button("Cancel", Action.CANCEL, Handle.of(deployment), confirm=confirm)


def _cancel_and_roll_back(deployment: Deployment) -> ButtonElement:
    said = f"{_what(deployment)} stops, and what ran before it is rolled out again."
    confirm = _confirm("Cancel and roll back?", said, "Cancel and roll back", "Keep going")
    return _button(
        "Cancel and roll back",
        Action.CANCEL_AND_ROLL_BACK,
        Handle.of(deployment),
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
    handle: Handle,
    *,
    style: str | None = None,
    confirm: ConfirmObject | None = None,
) -> ButtonElement:
    return ButtonElement(
        text=_label(label),
        action_id=action,
        value=handle.dump(),
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
