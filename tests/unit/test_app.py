"""The composition root, as far as nothing but itself is needed to see it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from threading import Event, Thread

import pytest
from typing_extensions import override

from bot.app import Bot, LateGroups, connect, knocks, wrong
from bot.model.errors import Misconfigured, Unreachable
from bot.playground.slack.records import Outage
from bot.settings.clock import SystemClock
from bot.settings.start import Configuration, load_settings
from bot.store.database import Database
from bot.store.session import make_engine
from bot.store.single import only_process
from tests.fakes.clock import FakeClock
from tests.fakes.groups import FakeGroups
from tests.fakes.harbour import Outside, outside


@pytest.fixture
def place(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    with outside(tmp_path, sqlite_url, speed=0) as place:
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        yield place


@pytest.fixture
def configuration(place: Outside) -> Configuration:
    assert place.folder
    return load_settings(env_file=None)


def test_the_clock_tells_the_time_in_utc() -> None:
    before = datetime.now(UTC)
    now = SystemClock().now()
    assert before <= now <= datetime.now(UTC)
    assert now.utcoffset() == timedelta()


def test_before_slack_is_reached_nobody_is_in_any_group() -> None:
    groups = LateGroups()
    for ask in (lambda: groups.of("U0ALICE01"), lambda: groups.barred("U0ALICE01")):
        with pytest.raises(Unreachable, match="Slack has not been reached yet"):
            ask()


def test_afterwards_slack_is_asked() -> None:
    groups, people = LateGroups(), FakeGroups()
    people.members["U0ALICE01"] = frozenset({"S0CAPTAIN"})
    people.gone.add("U0GUS0001")
    groups.people = people
    assert groups.of("U0ALICE01", fresh=True) == {"S0CAPTAIN"}
    assert people.calls == [("U0ALICE01", True)]
    assert groups.barred("U0GUS0001")
    assert not groups.barred("U0ALICE01")


def test_making_the_adapters_calls_nobody(place: Outside, configuration: Configuration) -> None:
    connect(configuration.settings, lambda: None)
    assert place.world.calls() == []
    assert place.workspace.calls("auth.test") == []


def test_nothing_is_wrong_while_the_database_answers(sqlite_url: str, clock: FakeClock) -> None:
    engine = make_engine(sqlite_url)
    try:
        database = Database(engine, clock)
        assert wrong(database, "") == ()
        assert wrong(database, "Slack is down.") == ("Slack is down.",)
    finally:
        engine.dispose()


def test_a_database_that_is_away_is_wrong(tmp_path: Path, clock: FakeClock) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    try:
        (said,) = wrong(Database(engine, clock), "")
        assert "database cannot be used" in said
    finally:
        engine.dispose()


def test_a_worker_needs_postgresql(configuration: Configuration) -> None:
    bot = Bot(configuration, front=False)
    with pytest.raises(Misconfigured, match="A worker needs PostgreSQL"):
        bot.start()
    bot.close()


def test_a_start_that_fails_lets_go_of_the_file(
    place: Outside, configuration: Configuration
) -> None:
    engine = make_engine(place.database_url)
    try:
        with only_process(engine):
            bot = Bot(configuration, front=True)
            with pytest.raises(Misconfigured, match="Another Quarterdeck runs"):
                bot.start()
            bot.close()
        with only_process(engine):
            pass
    finally:
        engine.dispose()


def test_a_bot_that_is_stopped_while_slack_is_away_stops(
    place: Outside, configuration: Configuration
) -> None:
    place.workspace.go_down(Outage.UNAVAILABLE)
    bot = Bot(configuration, front=True)
    starting = Thread(target=bot.start)
    try:
        starting.start()
        bot.stopping.set()
        starting.join(timeout=60)
        assert not starting.is_alive()
        assert bot._not_ready() == ("The bot is starting.",)
    finally:
        bot.close()
        place.workspace.come_back()


def test_pauses_double_with_jitter_up_to_half_a_minute() -> None:
    assert list(islice(knocks(lambda: 1.0), 7)) == [2, 4, 8, 16, 30, 30, 30]
    assert list(islice(knocks(lambda: 0.0), 7)) == [1, 2, 4, 8, 15, 15, 15]


class Stopped(Event):
    """Stops at the fifth pause; nobody really waits."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    @override
    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        if len(self.waits) == 5:
            self.set()
        return self.is_set()


def test_slack_is_asked_less_and_less_often_until_the_bot_is_stopped(
    place: Outside, configuration: Configuration
) -> None:
    place.workspace.go_down(Outage.UNAVAILABLE)
    bot = Bot(configuration, front=True)
    stopped = bot.stopping = Stopped()
    assert bot._knock() is None
    longest = [2, 4, 8, 16, 30]
    assert len(stopped.waits) == len(longest)
    assert all(most / 2 <= wait <= most for wait, most in zip(stopped.waits, longest, strict=True))
    bot.close()
    place.workspace.come_back()


def test_a_bot_starts_and_leaves_nothing_behind(
    place: Outside, configuration: Configuration
) -> None:
    bot = Bot(configuration, front=True)
    bot.start()
    assert bot.server is not None
    assert bot.server.port > 0
    bot.close()
    engine = make_engine(place.database_url)
    with only_process(engine):
        pass
    engine.dispose()
