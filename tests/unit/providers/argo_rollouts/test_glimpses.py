"""What git said counts for a moment, and not beyond a change of our own."""

from __future__ import annotations

import pytest

from bot.model.errors import Unreachable
from bot.providers.argo_rollouts.glimpses import KEPT, Glimpses


class Asked:
    def __init__(self) -> None:
        self.now, self.count = 0.0, 0
        self.fault: Unreachable | None = None
        self.glimpses = Glimpses(lambda: self.now)

    def look(self, deployment_id: str = "web-1", what: str = "value") -> int:
        return self.glimpses.of(deployment_id, what, self._ask)

    def _ask(self) -> int:
        if self.fault is not None:
            raise self.fault
        self.count += 1
        return self.count


def test_an_answer_counts_for_a_moment() -> None:
    asked = Asked()
    assert [asked.look(), asked.look()] == [1, 1]
    asked.now = KEPT
    assert asked.look() == 2


def test_each_question_has_its_own_answer() -> None:
    asked = Asked()
    assert [asked.look(), asked.look(what="commit"), asked.look("web-2")] == [1, 2, 3]


def test_what_we_change_is_asked_for_anew() -> None:
    asked = Asked()
    asked.look()
    asked.look("web-2")
    asked.glimpses.forget("web-1")
    assert [asked.look(), asked.look("web-2")] == [3, 2]


def test_a_fault_is_not_kept() -> None:
    asked = Asked()
    asked.fault = Unreachable("git does not answer")
    with pytest.raises(Unreachable):
        asked.look()
    asked.fault = None
    assert asked.look() == 1
