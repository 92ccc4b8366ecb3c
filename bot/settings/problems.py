"""What is wrong with the settings or the catalog: all of it, each with its place and a way out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz import process
from typing_extensions import override

from bot.model.errors import Misconfigured

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend.

    ``file`` is empty for an environment variable, which ``path`` then names. ``line`` and
    ``column`` count from 1 and are 0 where there is none. ``message`` says what is wrong and
    ``suggestion`` what to do; neither ever holds a secret.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    suggestion: str = ""

    @property
    def place(self) -> str:
        """``file:line:column: path``, as far as it is known."""
        numbers = [str(number) for number in (self.line, self.column) if number]
        return ": ".join(part for part in (":".join([self.file, *numbers]), self.path) if part)


class Problems(Misconfigured):
    """Everything that is wrong at once; ``str`` is the text for the terminal."""

    reason_code = "SETTINGS_BROKEN"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=_order))
        super().__init__(render(self.problems))

    @override
    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.problems,))


class CatalogProblems(Problems):
    """The catalog cannot be used."""

    reason_code = "CATALOG_BROKEN"


class SettingsProblems(Problems):
    """The environment or the catalog, or both, cannot be used."""


def render(problems: Sequence[Problem]) -> str:
    """One problem per paragraph in the order of the file, then how many there are."""
    lines = []
    for problem in problems:
        lines.append(f"{problem.place}: {problem.message}")
        if problem.suggestion:
            lines.append(f"    {problem.suggestion}")
    count = len(problems)
    return "\n".join([*lines, "1 problem." if count == 1 else f"{count} problems."])


def quoted(value: object) -> str:
    """A value of the file for showing: in quotes, control characters escaped, cut to 60."""
    text = str(value)
    return json.dumps(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """A question with the nearest known name, or the names there are if none is near."""
    names = sorted(set(known))
    near = process.extractOne(str(given)[:_SHOWN], names, score_cutoff=60)
    if near is not None:
        return f"Did you mean {quoted(near[0])}?"
    few = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")  # noqa: PLR2004 - one line
    return f"There is: {few}." if names else ""


def _order(problem: Problem) -> tuple[bool, str, int, int, str, str]:
    return (
        bool(problem.file),
        problem.file,
        problem.line,
        problem.column,
        problem.path,
        problem.message,
    )
