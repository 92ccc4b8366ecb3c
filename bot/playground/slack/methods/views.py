"""``views.*``. Source: https://docs.slack.dev/reference/methods?family=views."""

from __future__ import annotations

from typing import Any

from bot.playground.slack.blocks import view_problems
from bot.playground.slack.methods.chat import Answer, Args, identified
from bot.playground.slack.records import View
from bot.playground.slack.refusal import SlackRefusal, detailed
from bot.playground.slack.state import State

DEEPEST_STACK = 3


def content_of(view: Any) -> dict[str, Any]:
    """A view's content, checked, with the ids Slack would give."""
    if not isinstance(view, dict):
        raise SlackRefusal("invalid_arguments", detail="view must be an object")
    if problems := view_problems(view):
        raise detailed("invalid_arguments", problems)
    return view | {"blocks": list(identified(view["blocks"]))}


def _modal(args: Args) -> dict[str, Any]:
    content = content_of(args.get("view"))
    if content["type"] != "modal":
        raise SlackRefusal("invalid_arguments", detail="view must be a modal")
    return content


def _unnamed(workspace: State, content: dict[str, Any], but: View | None = None) -> None:
    named = workspace.view(external_id=str(content.get("external_id", "")))
    if named is not None and (but is None or named.id != but.id):
        raise SlackRefusal("duplicate_external_id")


def open_(workspace: State, args: Args) -> Answer:
    """``views.open``: needs a trigger of the last three seconds, once."""
    content = _modal(args)
    _unnamed(workspace, content)
    trigger = workspace.tickets.redeem_trigger(args.get("trigger_id"))
    return {"view": workspace.show(trigger.person, content).json()}


def push(workspace: State, args: Args) -> Answer:
    """``views.push``: on top of the modal the trigger came from, three deep at most."""
    content = _modal(args)
    _unnamed(workspace, content)
    trigger = workspace.tickets.redeem_trigger(args.get("trigger_id"))
    over = workspace.view(trigger.view or "")
    if over is None:
        raise SlackRefusal("not_found")
    return {"view": pushed(workspace, over, content).json()}


def pushed(workspace: State, over: View, content: dict[str, Any]) -> View:
    """A view on top of another; refuses a fourth."""
    stack = [each for each in workspace.views(over.person) if each.root == over.root]
    if len(stack) >= DEEPEST_STACK:
        raise SlackRefusal("push_limit_reached")
    return workspace.show(over.person, content, over=over)


def update(workspace: State, args: Args) -> Answer:
    """``views.update``: by id or external id; an outdated ``hash`` is refused."""
    content = _modal(args)
    view = workspace.view(str(args.get("view_id") or ""), str(args.get("external_id") or ""))
    if view is None:
        raise SlackRefusal("not_found")
    _unnamed(workspace, content, but=view)
    return {"view": _changed(workspace, view, args, content).json()}


def publish(workspace: State, args: Args) -> Answer:
    """``views.publish``: the App Home of one person."""
    content = content_of(args.get("view"))
    if content["type"] != "home":
        raise SlackRefusal("invalid_arguments", detail="view must be a home tab")
    person = str(args.get("user_id", ""))
    if person not in workspace.people:
        raise SlackRefusal("user_not_found")
    homes = (each for each in workspace.views(person) if each.content["type"] == "home")
    home = next(homes, None)
    if home is None:
        return {"view": workspace.show(person, content).json()}
    return {"view": _changed(workspace, home, args, content).json()}


def _changed(workspace: State, view: View, args: Args, content: dict[str, Any]) -> View:
    with workspace.lock:
        expected = args.get("hash")
        if expected is not None and expected != view.hash:
            raise SlackRefusal("hash_conflict")
        return workspace.change(view, content)
