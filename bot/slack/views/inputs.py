"""The input blocks that the forms share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from slack_sdk.models.blocks import (
    InputBlock,
    InputInteractiveElement,
    Option,
    OptionGroup,
    PlainTextInputElement,
    PlainTextObject,
)

from bot.slack.views.ids import INPUT, Field
from bot.slack.views.text import OPTION, plain

#: Slack refuses selects with more options, or option groups with more members.
OPTIONS = 100
#: Longer reasons are not read by anybody.
REASON = 500


def named(name: str) -> Option:
    """A name from the catalog as an option; catalog names are at most 40 characters."""
    return option(name, name)


def option(value: str, label: str, description: str = "") -> Option:
    """An option within Slack's limits; ``value`` is at most 150 characters by construction."""
    return Option(
        value=value,
        text=PlainTextObject(text=plain(label, OPTION), emoji=False),
        description=PlainTextObject(text=plain(description, OPTION), emoji=False)
        if description
        else None,
    )


def grouped(options: Sequence[Option]) -> list[OptionGroup] | None:
    """Groups by first letter where one list would be too long, else ``None``."""
    if len(options) <= OPTIONS:
        return None
    ordered = sorted(options, key=lambda one: one.value)
    return [
        OptionGroup(label=PlainTextObject(text=label, emoji=False), options=page)
        for letter, members in groupby(ordered, key=lambda one: one.value[:1])
        for label, page in _pages(letter, list(members))
    ][:OPTIONS]


def _pages(letter: str, members: list[Option]) -> Iterator[tuple[str, list[Option]]]:
    for start in range(0, len(members), OPTIONS):
        label = letter if start == 0 else f"{letter} ({start // OPTIONS + 1})"
        yield label, members[start : start + OPTIONS]


def options(names: Iterable[str]) -> list[Option]:
    """One option per name, in the given order."""
    return [named(name) for name in names]


def asked(field: Field, label: str, element: InputInteractiveElement, hint: str = "") -> InputBlock:
    """A required input."""
    return _input(field, label, element, hint, optional=False)


def offered(
    field: Field, label: str, element: InputInteractiveElement, hint: str = ""
) -> InputBlock:
    """An optional input."""
    return _input(field, label, element, hint, optional=True)


def line(limit: int, *, multiline: bool = False) -> PlainTextInputElement:
    """A text input of at most ``limit`` characters."""
    return PlainTextInputElement(action_id=INPUT, multiline=multiline, max_length=limit)


def _input(
    field: Field, label: str, element: InputInteractiveElement, hint: str, *, optional: bool
) -> InputBlock:
    return InputBlock(
        block_id=field,
        label=PlainTextObject(text=label, emoji=False),
        element=element,
        hint=PlainTextObject(text=hint, emoji=False) if hint else None,
        optional=optional,
    )
