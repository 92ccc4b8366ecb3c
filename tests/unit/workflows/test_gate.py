"""The gate of the steps: few at a time, in order, rollbacks first, none when closed."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

from bot.workflows.gate import Gate

PATIENCE = 20


class Visitors:
    """Threads whose step lasts until it is let go; ``inside`` are those that have begun."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._go: dict[str, Event] = {}
        self.inside: list[str] = []
        self.gone: list[str] = []

    def send(self, name: str) -> None:
        self._go[name] = Event()
        Thread(target=self._visit, args=(name,), daemon=True).start()

    def let_go(self, name: str) -> None:
        self._go[name].set()
        until(lambda: name in self.gone)

    def _visit(self, name: str) -> None:
        assert self._gate.passing(self._step)(name) == 7.0
        self.gone.append(name)

    def _step(self, name: str) -> float:
        self.inside.append(name)
        assert self._go[name].wait(PATIENCE)
        return 7.0


def until(true: Callable[[], bool]) -> None:
    pause = Event()
    for _ in range(PATIENCE * 200):
        if true():
            return
        pause.wait(0.005)
    raise AssertionError("it never came true")


def arrive(visitors: Visitors, gate: Gate, *names: str) -> None:
    """One after the other, each either inside or in the line before the next comes."""
    for name in names:
        before = len(visitors.inside) + len(gate._line)
        visitors.send(name)
        until(lambda: len(visitors.inside) + len(gate._line) == before + 1)  # noqa: B023


def test_steps_stand_in_line_in_the_order_of_arrival() -> None:
    gate = Gate(width=2)
    visitors = Visitors(gate)
    arrive(visitors, gate, "a", "b", "c", "d")
    assert visitors.inside == ["a", "b"]
    visitors.let_go("b")
    until(lambda: visitors.inside == ["a", "b", "c"])
    visitors.let_go("a")
    until(lambda: visitors.inside == ["a", "b", "c", "d"])
    visitors.let_go("c")
    visitors.let_go("d")


def test_what_is_urgent_walks_past_the_line() -> None:
    gate = Gate(lambda name: name.startswith("rollback"), width=1)
    visitors = Visitors(gate)
    arrive(visitors, gate, "a", "b", "rollback")
    assert visitors.inside == ["a", "rollback"]
    visitors.let_go("rollback")
    assert visitors.inside == ["a", "rollback"]
    visitors.let_go("a")
    until(lambda: visitors.inside == ["a", "rollback", "b"])
    visitors.let_go("b")


def test_what_becomes_urgent_in_the_line_walks_past_it() -> None:
    urgent: set[str] = set()
    gate = Gate(urgent.__contains__, width=1)
    visitors = Visitors(gate)
    arrive(visitors, gate, "a", "b", "c")
    assert visitors.inside == ["a"]
    urgent.add("c")
    until(lambda: visitors.inside == ["a", "c"])
    visitors.let_go("c")
    visitors.let_go("a")
    until(lambda: visitors.inside == ["a", "c", "b"])
    visitors.let_go("b")
    assert gate.close(PATIENCE)


def test_a_closed_gate_waits_for_those_inside_and_lets_nobody_in() -> None:
    gate = Gate(lambda name: name.startswith("rollback"), width=1)
    visitors = Visitors(gate)
    arrive(visitors, gate, "a", "b")
    assert not gate.close(0.01)
    arrive(visitors, gate, "rollback")
    visitors.let_go("a")
    assert gate.close(PATIENCE)
    assert visitors.inside == ["a"]


def test_a_step_that_fails_makes_room() -> None:
    gate = Gate(width=1)

    def fail(_name: str) -> float:
        raise ZeroDivisionError

    for _ in range(3):
        try:
            gate.passing(fail)("a")
        except ZeroDivisionError:
            continue
    assert gate.close(0)
