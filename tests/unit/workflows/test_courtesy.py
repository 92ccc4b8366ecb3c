"""Who waits for an answer goes first; what nobody waits for makes way, but not for ever."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from threading import Event, Thread

from bot.commands.model import Deploy, Rollback
from bot.workflows.courtesy import RUSH, Courtesy
from bot.workflows.gate import SLICES, Gate
from bot.workflows.steps import Steps
from tests.fakes.inner_rooms import PRODUCTION, STAGING, Rooms

PATIENCE = 20.0


@contextlib.contextmanager
def serving(courtesy: Courtesy, people: int) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _ in range(people):
            stack.enter_context(courtesy.serving())
        yield


def test_nothing_waits_but_in_a_rush() -> None:
    courtesy = Courtesy()
    assert courtesy.make_way(0)
    with serving(courtesy, RUSH - 1):
        assert courtesy.make_way(0)
    with serving(courtesy, RUSH):
        assert not courtesy.make_way(0)
    assert courtesy.make_way(0)


def test_background_work_waits_for_the_end_of_the_rush() -> None:
    courtesy, done = Courtesy(), Event()

    def work() -> None:
        assert courtesy.make_way(PATIENCE)
        done.set()

    with serving(courtesy, RUSH - 1):
        with courtesy.serving():
            assert not courtesy.make_way(0)
            Thread(target=work, daemon=True).start()
            assert not courtesy.make_way(0.01)
            assert not done.is_set()
        assert done.wait(PATIENCE)


def test_a_request_that_failed_is_over() -> None:
    courtesy = Courtesy()
    with contextlib.suppress(ZeroDivisionError), serving(courtesy, RUSH):
        _ = 1 // 0
    assert courtesy.make_way(0)


def test_somebody_is_served_while_a_command_is_worked_on(rooms: Rooms) -> None:
    seen: list[bool] = []
    rooms.rollouts.meanwhile["live"] = lambda: seen.append(rooms.parts.courtesy.make_way(0))
    with serving(rooms.parts.courtesy, RUSH - 1):
        rooms.says("alice", Deploy((STAGING,), "v2"))
        assert seen == [False]
        assert rooms.parts.courtesy.make_way(0)


def test_steps_make_way_until_they_are_urgent() -> None:
    waits: list[float] = []
    urgent: list[str] = []

    def make_way(patience: float) -> bool:
        waits.append(patience)
        if len(waits) == 2:
            urgent.append("deploy")
        return False

    gate = Gate(urgent.__contains__, make_way=make_way)
    step = gate.passing(lambda _name: 0.0)
    assert step("deploy") == 0
    assert len(waits) == 2
    assert step("deploy") == 0
    assert len(waits) == 2
    assert step("other") == 0
    assert len(waits) == 2 + SLICES


def test_where_a_rollback_waits_everything_of_the_target_is_urgent(rooms: Rooms) -> None:
    rooms.finished("v2")
    running = rooms.started("v3")
    assert not rooms.steps.urgent(running.id)
    rollback = rooms.asked("alice", Rollback(STAGING))
    soon = Steps(rooms.parts)  # one that did not look a moment ago
    assert soon.urgent(running.id)
    assert soon.urgent(rollback.id)
    assert not soon.urgent(rooms.deploy("v3", PRODUCTION).id)
    assert not soon.urgent("backend-staging-4711")
