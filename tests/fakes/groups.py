"""Who is in which Slack user group, and who may do nothing any more, as the test says."""

from __future__ import annotations

from collections.abc import Callable

from typing_extensions import override

from bot.model.errors import QuarterdeckError
from bot.model.ports import Groups


class FakeGroups(Groups):
    """``members`` maps a person's id to group ids; ``calls`` lists (person id, fresh).

    ``on_read`` is called before each answer of ``of``, for what happens just then.
    """

    def __init__(self) -> None:
        self.members: dict[str, frozenset[str]] = {}
        self.gone: set[str] = set()
        self.calls: list[tuple[str, bool]] = []
        self.on_read: Callable[[], None] = lambda: None
        self._faults: list[QuarterdeckError] = []

    def break_next(self, *faults: QuarterdeckError) -> None:
        """Raise these, one per question, before answering again."""
        self._faults += faults

    @override
    def of(self, person_id: str, *, fresh: bool = False) -> frozenset[str]:
        self.calls.append((person_id, fresh))
        self.on_read()
        self._fail()
        return self.members.get(person_id, frozenset())

    @override
    def barred(self, person_id: str) -> bool:
        self._fail()
        return person_id in self.gone

    def _fail(self) -> None:
        if self._faults:
            raise self._faults.pop(0)
