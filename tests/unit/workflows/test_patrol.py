"""The thread under observer, reaper, keeper and courier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import Event

import pytest
from typing_extensions import override

from bot.workflows.patrol import Patrol

FOREVER = 3600.0


class Watchman(Patrol):
    """Pauses as it is told, then makes no more rounds; ``passed`` is set by each."""

    def __init__(self, pauses: Iterable[float], first: float = 0.0) -> None:
        super().__init__("watchman", first)
        self.rounds = 0
        self.passed = Event()
        self._pauses: Iterator[float] = iter(pauses)

    @override
    def _round(self) -> float | None:
        self.rounds += 1
        self.passed.set()
        return next(self._pauses, None)

    def ended(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()


def test_it_goes_round_until_none_is_to_follow_and_then_is_missed() -> None:
    watchman = Watchman([0, 0, 0.01])
    assert watchman.trouble() == ""
    watchman.start()
    watchman.ended()
    assert watchman.rounds == 4
    assert watchman.trouble() == "The watchman has stopped."
    watchman.stop()
    assert watchman.trouble() == ""


def test_it_pauses_before_its_first_round_unless_it_is_woken() -> None:
    watchman = Watchman([FOREVER], first=FOREVER)
    watchman.start()
    assert not watchman.passed.wait(0.05)
    watchman.wake()
    assert watchman.passed.wait(30)
    assert watchman.trouble() == ""
    watchman.stop()
    watchman.ended()
    assert watchman.rounds == 1


def test_stopping_ends_a_pause_and_before_the_start_does_nothing() -> None:
    Watchman([]).stop()
    watchman = Watchman([FOREVER] * 3)
    watchman.start()
    assert watchman.passed.wait(30)
    watchman.stop()
    watchman.ended()
    assert watchman.rounds == 1


class Stopped(Watchman):
    """Is woken and stopped during its round."""

    @override
    def _round(self) -> float | None:
        self.wake()
        self._stopping.set()
        return super()._round()


def test_a_stop_during_a_round_is_seen() -> None:
    watchman = Stopped([FOREVER])
    watchman.start()
    watchman.ended()
    assert watchman.rounds == 1


class Falling(Watchman):
    """Does not survive its first round."""

    @override
    def _round(self) -> float | None:
        raise RuntimeError


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_one_that_fell_is_missed() -> None:
    watchman = Falling([])
    watchman.start()
    watchman.ended()
    assert watchman.trouble() == "The watchman has stopped."
