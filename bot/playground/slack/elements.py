"""Block Kit's composition objects and elements, with Slack's limits.

Source of every number: https://docs.slack.dev/reference/block-kit/composition-objects and
https://docs.slack.dev/reference/block-kit/block-elements.
"""

from __future__ import annotations

from typing import Any

from bot.playground.slack.grammar import (
    Checker,
    Problems,
    Shape,
    anything,
    array,
    boolean,
    by_type,
    choice,
    integer,
    string,
)

_TYPE: dict[str, Checker] = {"type": anything}
_ID = string(255)
_URL = string(3000)


def plain_text(longest: int) -> Checker:
    """A text object that may not hold formatting."""
    return by_type({"plain_text": Shape(_TYPE | {"text": string(longest)}, {"emoji": boolean})})


def any_text(longest: int) -> Checker:
    """A text object of either kind; ``emoji`` belongs to plain text, ``verbatim`` to mrkdwn."""
    return by_type(
        {
            "plain_text": Shape(_TYPE | {"text": string(longest)}, {"emoji": boolean}),
            "mrkdwn": Shape(_TYPE | {"text": string(longest)}, {"verbatim": boolean}),
        }
    )


CONFIRM = Shape(
    {"title": plain_text(100), "text": any_text(300)},
    {"confirm": plain_text(30), "deny": plain_text(30), "style": choice("primary", "danger")},
)
#: Plain options of menus; those of overflow menus may carry a link.
OPTION = Shape(
    {"text": plain_text(75), "value": string(150)},
    {"description": plain_text(75)},
)
_LINKED_OPTION = Shape(
    {"text": plain_text(75), "value": string(150)},
    {"description": plain_text(75), "url": _URL},
)
_LISTED_OPTION = Shape(
    {"text": any_text(75), "value": string(150)},
    {"description": any_text(75)},
)
_GROUP = Shape({"label": plain_text(75), "options": array(OPTION, 100)})
_INTERACTIVE: dict[str, Checker] = {"action_id": _ID}
_MENU = _INTERACTIVE | {"placeholder": plain_text(150), "focus_on_load": boolean}


def offered(element: dict[str, Any]) -> list[dict[str, Any]]:
    """Every option of a menu, whether grouped or not."""
    groups = element.get("option_groups") or [{"options": element.get("options") or []}]
    return [option for group in groups for option in group.get("options", [])]


def _consistent_menu(value: Any, pointer: str, problems: Problems) -> None:
    """Options or groups, but not both; no two alike; what is preselected must be offered."""
    if ("options" in value) == ("option_groups" in value):
        problems.say("must provide exactly one of: options, option_groups", pointer)
        return
    try:
        options = offered(value)
        values = [option["value"] for option in options]
    except (KeyError, TypeError, AttributeError):
        return  # said already by the options' own checkers
    if len(set(values)) != len(values):
        problems.say("option values must be unique", f"{pointer}/options")
    initial = value.get("initial_options") or [value.get("initial_option")]
    for option in initial:
        if option is not None and option not in options:
            problems.say("initial option must exactly match one of the options", pointer)


_OPTIONS = {"options": array(OPTION, 100), "option_groups": array(_GROUP, 100)}
_LISTED: dict[str, Checker] = _INTERACTIVE | {
    "options": array(_LISTED_OPTION, 10),
    "focus_on_load": boolean,
    "confirm": CONFIRM,
}

BUTTON = Shape(
    _TYPE | {"text": plain_text(75)},
    _INTERACTIVE
    | {
        "value": string(2000),
        "url": _URL,
        "style": choice("primary", "danger"),
        "confirm": CONFIRM,
        "accessibility_label": string(75),
    },
)
STATIC_SELECT = Shape(
    _TYPE,
    _MENU | _OPTIONS | {"initial_option": OPTION, "confirm": CONFIRM},
    also=_consistent_menu,
)
MULTI_STATIC_SELECT = Shape(
    _TYPE,
    _MENU
    | _OPTIONS
    | {
        "initial_options": array(OPTION, 100),
        "max_selected_items": integer(1, 100),
        "confirm": CONFIRM,
    },
    also=_consistent_menu,
)
OVERFLOW = Shape(
    _TYPE | {"options": array(_LINKED_OPTION, 5)},
    _INTERACTIVE | {"confirm": CONFIRM},
    also=_consistent_menu,
)
RADIO_BUTTONS = Shape(_TYPE, _LISTED | {"initial_option": _LISTED_OPTION}, also=_consistent_menu)
CHECKBOXES = Shape(
    _TYPE, _LISTED | {"initial_options": array(_LISTED_OPTION, 10)}, also=_consistent_menu
)
USERS_SELECT = Shape(_TYPE, _MENU | {"initial_user": _ID, "confirm": CONFIRM})
DATE_PICKER = Shape(_TYPE, _MENU | {"initial_date": string(10, shortest=10), "confirm": CONFIRM})


def _consistent_input(value: Any, pointer: str, problems: Problems) -> None:
    least, most = value.get("min_length"), value.get("max_length")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        problems.say("min_length must not exceed max_length", pointer)
    initial = value.get("initial_value")
    if isinstance(initial, str) and isinstance(most, int) and len(initial) > most:
        problems.say(f"must be less than {most + 1} characters", f"{pointer}/initial_value")


PLAIN_TEXT_INPUT = Shape(
    _TYPE,
    _MENU
    | {
        "initial_value": string(3000, shortest=0),
        "multiline": boolean,
        "min_length": integer(0, 3000),
        "max_length": integer(1, 3000),
        "dispatch_action_config": Shape(
            {
                "trigger_actions_on": array(
                    choice("on_enter_pressed", "on_character_entered"), most=2
                )
            }
        ),
    },
    also=_consistent_input,
)


def one_source(value: Any, pointer: str, problems: Problems) -> None:
    """An image comes from the web or from a file that was uploaded."""
    if ("image_url" in value) == ("slack_file" in value):
        problems.say("must provide exactly one of: image_url, slack_file", pointer)


def _one_name(value: Any, pointer: str, problems: Problems) -> None:
    if ("id" in value) == ("url" in value):
        problems.say("must provide exactly one of: id, url", pointer)


SLACK_FILE = Shape({}, {"id": _ID, "url": _URL}, also=_one_name)
IMAGE_ELEMENT = Shape(
    _TYPE | {"alt_text": string(2000)},
    {"image_url": _URL, "slack_file": SLACK_FILE},
    also=one_source,
)

#: What a person can press or choose in a message or a modal, by where it may stand.
IN_ACTIONS: dict[str, Checker] = {
    "button": BUTTON,
    "static_select": STATIC_SELECT,
    "multi_static_select": MULTI_STATIC_SELECT,
    "overflow": OVERFLOW,
    "radio_buttons": RADIO_BUTTONS,
    "checkboxes": CHECKBOXES,
    "users_select": USERS_SELECT,
    "datepicker": DATE_PICKER,
}
IN_SECTION: dict[str, Checker] = IN_ACTIONS | {"image": IMAGE_ELEMENT}
IN_INPUT: dict[str, Checker] = {
    name: IN_ACTIONS[name] for name in IN_ACTIONS if name not in {"button", "overflow"}
} | {"plain_text_input": PLAIN_TEXT_INPUT}
