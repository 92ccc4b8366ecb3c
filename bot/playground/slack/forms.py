"""What a person sees to press and to fill in, and the values Slack makes of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.playground.slack.blocks import elements_of
from bot.playground.slack.elements import offered
from bot.playground.slack.records import Message, View
from bot.playground.slack.refusal import CannotDo

#: A control by its action id or its label, or by its block's id and its action id.
Named = str | tuple[str, str]
Filled = Mapping[str, str | Sequence[str]]
_EMOJI = re.compile(r":[a-z0-9_+-]+:|[^\w\s.,!?…()\[\]/→-]+")
_MANY = {"multi_static_select": "initial_options", "checkboxes": "initial_options"}


def _bare(label: str) -> str:
    return " ".join(_EMOJI.sub(" ", label).split()).casefold()


@dataclass(frozen=True, slots=True)
class Control:
    """Something to press or to choose from."""

    block: dict[str, Any]
    element: dict[str, Any]

    @property
    def action_id(self) -> str:
        """The app's own name of it."""
        return str(self.element["action_id"])

    @property
    def label(self) -> str:
        """What the person reads on it."""
        text = self.element.get("text") or self.element.get("placeholder") or {}
        return str(text.get("text", self.element["type"]))

    @property
    def confirm(self) -> str:
        """What the person must confirm first; empty where nothing is asked."""
        asked = self.element.get("confirm")
        return f"{asked['title']['text']}: {asked['text']['text']}" if asked else ""


def controls(source: Message | View) -> list[Control]:
    """Everything that can be pressed there, in the order shown."""
    found = (Control(*pair) for pair in elements_of(list(source.blocks)))
    return [each for each in found if each.block["type"] != "input"]


def is_menu(of: Control) -> bool:
    """Whether one chooses there, rather than presses or types."""
    return bool(offered(of.element)) and of.element["type"] != "overflow"


def takes_many(of: Control) -> bool:
    """Whether several options may be chosen."""
    return of.element["type"] in _MANY


def choices(of: Control) -> str:
    """The values one can choose, for a person to type."""
    return ", ".join(each["value"] for each in offered(of.element))


def control(source: Message | View, named: Named) -> Control:
    """The one control of that name. Raises ``CannotDo`` for none or several."""
    block, named = named if isinstance(named, tuple) else ("", named)
    there = [each for each in controls(source) if block in {"", each.block["block_id"]}]
    exact = [each for each in there if each.action_id == named]
    labelled = [each for each in there if _bare(each.label) == _bare(named)]
    found = exact or labelled
    if len(found) != 1:
        shown = ", ".join(repr(each.label) for each in there) or "nothing"
        raise CannotDo(f"there are {len(found)} controls {named!r}; one can press {shown}")
    return found[0]


def option(element: dict[str, Any], chosen: str) -> dict[str, Any]:
    """The option with that value or text. Raises ``CannotDo`` where it is not offered."""
    options = offered(element)
    for each in options:
        if chosen in {each["value"], each["text"]["text"]}:
            return each
    shown = ", ".join(each["text"]["text"] for each in options)
    raise CannotDo(f"{chosen!r} is not offered; one can choose {shown}")


def action(pressed: Control, chosen: str | Sequence[str] | None) -> dict[str, Any]:
    """The ``actions`` entry of an interaction payload."""
    element = pressed.element
    shown = {
        "type": element["type"],
        "action_id": element["action_id"],
        "block_id": pressed.block["block_id"],
    }
    if element["type"] == "button":
        return shown | {key: element[key] for key in ("text", "value", "style") if key in element}
    if chosen is None:
        raise CannotDo(f"say what to choose in {pressed.label!r}")
    return shown | _value(element, chosen)


def _value(element: dict[str, Any], chosen: str | Sequence[str]) -> dict[str, Any]:
    kind = element["type"]
    if kind in _MANY:
        several = [chosen] if isinstance(chosen, str) else chosen
        return {"selected_options": [option(element, each) for each in several]}
    if not isinstance(chosen, str):
        raise CannotDo(f"only one thing fits into a {kind}")
    if kind in {"static_select", "radio_buttons", "overflow"}:
        return {"selected_option": option(element, chosen)}
    if kind == "users_select":
        return {"selected_user": chosen}
    if kind == "datepicker":
        return {"selected_date": chosen}
    return {"value": _typed(element, chosen)}


def _typed(element: dict[str, Any], text: str) -> str | None:
    least, most = element.get("min_length", 0), element.get("max_length", 3000)
    if text and not least <= len(text) <= most:
        raise CannotDo(f"between {least} and {most} characters fit, not {len(text)}")
    return text or None


def _untouched(element: dict[str, Any]) -> dict[str, Any]:
    """The value of a field that the person left as it was."""
    kind = element["type"]
    if kind in _MANY:
        return {"selected_options": element.get("initial_options", [])}
    if kind in {"static_select", "radio_buttons"}:
        return {"selected_option": element.get("initial_option")}
    if kind == "users_select":
        return {"selected_user": element.get("initial_user")}
    if kind == "datepicker":
        return {"selected_date": element.get("initial_date")}
    return {"value": element.get("initial_value")}


def fields(view: View) -> list[Control]:
    """What can be filled in, in the order shown: inputs, and menus outside of inputs."""
    found = (Control(*pair) for pair in elements_of(list(view.blocks)))
    return [each for each in found if each.element["type"] not in {"button", "overflow"}]


def _names(field: Control) -> tuple[str, ...]:
    label = field.block.get("label", {}).get("text", "")
    return (field.block["block_id"], field.action_id, label)


def values(view: View, filled: Filled) -> dict[str, dict[str, Any]]:
    """``state.values`` of a modal.

    ``filled`` is keyed by block id, action id or label. Raises ``CannotDo`` for a field that is
    not there or a required one that is empty: Slack's client sends neither.
    """
    unknown = set(filled)
    state: dict[str, dict[str, Any]] = {}
    for field in fields(view):
        given = [name for name in _names(field) if name in filled]
        unknown -= set(given)
        content = _value(field.element, filled[given[0]]) if given else _untouched(field.element)
        needed = field.block["type"] == "input" and not field.block.get("optional", False)
        if needed and not any(content.values()):
            raise CannotDo(f"{_names(field)[2]!r} must be filled in")
        entry = {field.action_id: {"type": field.element["type"]} | content}
        state.setdefault(field.block["block_id"], {}).update(entry)
    if unknown:
        shown = ", ".join(_names(field)[2] or field.action_id for field in fields(view))
        raise CannotDo(f"no field {', '.join(sorted(unknown))}; there are {shown}")
    return state
