"""Small checkers from which the Block Kit tables are put together.

A checker looks at one JSON value and reports what Slack would say, with the JSON pointer Slack
would name. The sentences are Slack's own, as quoted in many a bug report, e.g.
https://github.com/grafana-cold-storage/oncall/pull/5121.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Checker = Callable[[Any, str, "Problems"], None]


@dataclass(slots=True)
class Problems:
    """What is wrong, in the order found: each a sentence with ``[json-pointer:...]``."""

    found: list[str] = field(default_factory=list)

    def say(self, sentence: str, pointer: str) -> None:
        """Note one problem."""
        self.found.append(f"{sentence} [json-pointer:{pointer}]")


@dataclass(frozen=True, slots=True)
class Shape:
    """An object's members. ``also`` checks what one member's table cannot say."""

    required: Mapping[str, Checker] = field(default_factory=dict)
    optional: Mapping[str, Checker] = field(default_factory=dict)
    also: Checker | None = None

    def __call__(self, value: Any, pointer: str, problems: Problems) -> None:
        """Check every member, and that there is no other one."""
        if not isinstance(value, dict):
            problems.say("must provide an object", pointer)
            return
        for name in self.required.keys() - value.keys():
            problems.say(f"missing required field: {name}", pointer)
        for name, member in value.items():
            checker = self.required.get(name) or self.optional.get(name)
            if checker is None:
                problems.say(f"invalid additional property: {name}", pointer)
            else:
                checker(member, f"{pointer}/{name}", problems)
        if self.also is not None:
            self.also(value, pointer, problems)


def string(longest: int, shortest: int = 1) -> Checker:
    """Text of a length, counted in characters."""

    def check(value: Any, pointer: str, problems: Problems) -> None:
        if not isinstance(value, str):
            problems.say("must provide a string", pointer)
        elif len(value) < shortest:
            problems.say(f"must be more than {shortest - 1} characters", pointer)
        elif len(value) > longest:
            problems.say(f"must be less than {longest + 1} characters", pointer)

    return check


def integer(lowest: int, highest: int) -> Checker:
    """A whole number in a range; ``True`` is none."""

    def check(value: Any, pointer: str, problems: Problems) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            problems.say("must provide a number", pointer)
        elif not lowest <= value <= highest:
            problems.say(f"must be between {lowest} and {highest}", pointer)

    return check


def boolean(value: Any, pointer: str, problems: Problems) -> None:
    """``true`` or ``false``."""
    if not isinstance(value, bool):
        problems.say("must provide a boolean", pointer)


def choice(*allowed: str) -> Checker:
    """One of a few words."""

    def check(value: Any, pointer: str, problems: Problems) -> None:
        if value not in allowed:
            problems.say(f"must be one of: {', '.join(allowed)}", pointer)

    return check


def array(of: Checker, most: int, least: int = 1) -> Checker:
    """A list of things that are alike."""

    def check(value: Any, pointer: str, problems: Problems) -> None:
        if not isinstance(value, list):
            problems.say("must provide an array", pointer)
            return
        if len(value) > most:
            problems.say(f"no more than {most} items allowed", pointer)
        if len(value) < least:
            problems.say(f"no less than {least} items allowed", pointer)
        for index, item in enumerate(value):
            of(item, f"{pointer}/{index}", problems)

    return check


def by_type(table: Mapping[str, Checker]) -> Checker:
    """Dispatch on the member ``type``; a type that is not in the table is refused."""

    def check(value: Any, pointer: str, problems: Problems) -> None:
        if not isinstance(value, dict):
            problems.say("must provide an object", pointer)
            return
        kind = value.get("type")
        checker = table.get(kind) if isinstance(kind, str) else None
        if "type" not in value:
            problems.say("missing required field: type", pointer)
        elif checker is None:
            problems.say(f"unsupported type: {kind}", f"{pointer}/type")
        else:
            checker(value, pointer, problems)

    return check


def anything(_value: Any, _pointer: str, _problems: Problems) -> None:
    """Checked elsewhere, such as ``type`` after the dispatch on it."""
