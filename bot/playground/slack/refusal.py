"""What the stand-in says no with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class SlackRefusal(Exception):
    """A Web API answer with ``ok: false``: Slack's code in ``error``, other members in ``more``."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.more = more

    def answer(self) -> dict[str, Any]:
        """The body as Slack sends it."""
        return {"ok": False, "error": self.error} | self.more


def detailed(error: str, problems: Sequence[str]) -> SlackRefusal:
    """A refusal that lists every problem twice, as Slack does."""
    messages = [f"[ERROR] {problem}" for problem in problems]
    return SlackRefusal(error, errors=list(problems), response_metadata={"messages": messages})


class CannotDo(Exception):
    """Something that a person could not do in Slack's client: no such button, a required field."""
