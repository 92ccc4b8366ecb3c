"""Who waits for an answer goes first; what nobody waits for makes way, but not for ever."""

from __future__ import annotations

import contextlib
from threading import Event, Thread

from bot.commands.model import Deploy
from bot.model.deployment import Kind
from bot.workflows.courtesy import Courtesy
from bot.workflows.gate import Gate
from tests.fakes.inner_rooms import STAGING, Rooms

PATIENCE = 20.0


def test_nothing_waits_while_nobody_is_served() -> None:
    assert Courtesy().make_way(0)


def test_background_work_waits_for_the_last_one_served() -> None:
    courtesy, done = Courtesy(), Event()

    def work() -> None:
        assert courtesy.make_way(PATIENCE)
        done.set()

    with courtesy.serving():
        with courtesy.serving():
            assert not courtesy.make_way(0)
            Thread(target=work, daemon=True).start()
        assert not courtesy.make_way(0)
        assert not done.is_set()
    assert done.wait(PATIENCE)


def test_it_goes_on_when_requests_never_end_and_after_one_that_failed() -> None:
    courtesy = Courtesy()
    with courtesy.serving():
        assert not courtesy.make_way(0.01)
    with contextlib.suppress(ZeroDivisionError), courtesy.serving():
        _ = 1 // 0
    assert courtesy.make_way(0)


def test_somebody_is_served_while_a_command_is_worked_on(rooms: Rooms) -> None:
    seen: list[bool] = []
    rooms.rollouts.meanwhile["live"] = lambda: seen.append(rooms.parts.courtesy.make_way(0))
    rooms.says("alice", Deploy((STAGING,), "v2"))
    assert seen == [False]
    assert rooms.parts.courtesy.make_way(0)


def test_steps_make_way_and_rollbacks_do_not() -> None:
    made_way: list[str] = []
    gate = Gate(lambda name: name == "rollback", make_way=lambda: made_way.append("deploy"))
    step = gate.passing(lambda _name: 0.0)
    assert step("rollback") == 0
    assert made_way == []
    assert step("deploy") == 0
    assert made_way == ["deploy"]


def test_a_rollback_is_known_as_one_and_so_is_what_cannot_be_looked_up(rooms: Rooms) -> None:
    made = rooms.finished()
    assert made.kind is Kind.DEPLOY
    assert not rooms.steps.urgent(made.id)
    assert rooms.steps.urgent("backend-staging-4711")
