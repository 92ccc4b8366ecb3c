from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from bot.playground.aws.records import Behaviour
from bot.playground.aws.tasks import Timings
from bot.playground.aws.world import World
from bot.playground.page.arms import Watch
from bot.playground.page.levers import LAG, Levers, timings
from bot.playground.page.sites import sites_of
from bot.playground.slack.records import Outage
from bot.playground.slack.refusal import CannotDo
from bot.playground.slack.workspace import Workspace
from bot.playground.tour.bot_process import BotFailed, BotProcess
from bot.playground.tour.cluster import Cluster
from bot.playground.tour.fleet import NEW, furnish, furnish_cluster
from bot.playground.tour.pod_visitors import PodVisitors
from bot.playground.tour.stage import Stage

SOON = 10.0


class ObedientBot(BotProcess):
    """Starts when it is let, and not at all where it has last words; killing ends a start."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, 1, {})
        self.running = True
        self.may_start = threading.Event()
        self.killed = threading.Event()
        self.words = ""
        self.kills = 0

    @override
    def start(self) -> float:
        self.killed.clear()
        while not self.may_start.wait(0.01):
            if self.killed.is_set():
                raise BotFailed("The bot ended at its start.")
        if self.words:
            raise BotFailed(self.words)
        self.running = True
        return 0.0

    @property
    @override
    def alive(self) -> bool:
        return self.running

    @override
    def kill(self) -> None:
        self.kills += 1
        self.running = False
        self.killed.set()


class Set:
    """A stage with a bot that obeys, and nothing that listens."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage()
        self.bot = ObedientBot(folder)
        self.aws = World(speed=0.0)
        self.slack = Workspace()
        self.stage.folder, self.stage.aws = folder, self.aws
        self.stage.slack, self.stage.bot = self.slack, self.bot
        self.stage.visited = furnish(self.aws)
        self.cluster = self.stage.cluster = Cluster(self.aws, folder, 0.0)
        furnish_cluster(self.aws, self.cluster)
        self.stage.pods = PodVisitors(self.aws, self.cluster)
        self.levers = Levers(self.stage, Watch(sites_of(self.stage)))

    def pull(self, name: str, **arguments: str) -> str:
        return self.levers.pull(name, arguments)

    def drawn(self, name: str) -> str:
        return str(dict(self.levers.elements())[f"lever-{name}"])

    def refused(self, name: str, **arguments: str) -> str:
        with pytest.raises((CannotDo, ValueError)) as no:
            self.pull(name, **arguments)
        return str(no.value)

    def started(self) -> None:
        thread = self.levers._restart._thread
        assert thread is not None
        thread.join(SOON)
        assert not thread.is_alive()


@pytest.fixture
def it(sqlite_url: str, tmp_path: Path) -> Iterator[Set]:
    assert sqlite_url.endswith(f"{tmp_path}/quarterdeck.db")
    made = Set(tmp_path)
    yield made
    made.cluster.git.close()
    made.levers.close()
    made.slack.close()


def call(world: World) -> str:
    """The first fault that a call meets."""
    hit = world.faults.take("ecs", "DescribeServices")
    return hit[0].error.code if hit and hit[0].error else "".join(each.kind for each in hit)


# Releases


@pytest.mark.parametrize("kind", list(Behaviour))
def test_a_release_is_pushed_under_the_next_version(it: Set, kind: Behaviour) -> None:
    said = it.pull("release", service="backend", behaviour=kind.value)
    assert said.startswith("Pushed backend v1.7.0 (")
    assert said.endswith("Type /deploy backend staging v1.7.0.")
    image = it.aws.estate().repositories["backend"].find("v1.7.0")
    assert image is not None
    assert image.behaviour is kind


def test_versions_go_on_and_are_offered(it: Set) -> None:
    it.pull("release", service="backend", behaviour="good")
    assert "v1.8.0" in it.pull("release", service="backend", behaviour="crashing")
    assert "v1.7.0" in it.pull("release", service="frontend", behaviour="good")
    offered = re.findall(r'<option value="(v[^"]+)"', it.drawn("aside"))
    assert offered == ["v1.8.0", "v1.7.0", "v1.6.0", "v1.5.0", "v1.4.0"]


def test_latest_stays_where_it_was(it: Set) -> None:
    home = it.aws.estate().repositories["backend"]
    it.pull("release", service="backend", behaviour="crashing")
    assert home.find("latest") is home.find(NEW)


def test_somebody_else_deploys(it: Set) -> None:
    said = it.pull("deploy-aside", service="backend", environment="staging", version=NEW)
    assert said == f"Somebody else deployed backend {NEW} to staging, past the bot."
    primary = it.aws.service("staging", "backend").primary
    assert primary.revision.images[0]["image"].endswith(f":{NEW}")
    assert not it.aws.calls("UpdateService")


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("launch", {}, "There is no lever 'launch'."),
        ("release", {}, "There is no service ''; choose backend, analytics, frontend, search."),
        ("release", {"service": "<b>", "behaviour": "good"}, "There is no service '<b>'"),
        ("release", {"service": "backend", "behaviour": "odd"}, "There is no behaviour 'odd'"),
        (
            "deploy-aside",
            {"service": "backend", "environment": "moon", "version": NEW},
            "There is no environment 'moon'; choose staging, production.",
        ),
        (
            "deploy-aside",
            {"service": "backend", "environment": "staging", "version": "v9.9.9"},
            "There is no version of backend 'v9.9.9'; choose v1.6.0, v1.5.0, v1.4.0.",
        ),
        ("pace", {"speed": "7"}, "There is no speed '7'"),
    ],
)
def test_bad_words_are_refused_in_a_sentence(
    it: Set, name: str, arguments: dict[str, str], said: str
) -> None:
    assert it.refused(name, **arguments).startswith(said)


# AWS


def test_aws_throttles_denies_and_answers(it: Set) -> None:
    assert "ThrottlingException" in it.pull("throttle")
    assert call(it.aws) == "ThrottlingException"
    assert 'data-lever="answer"' in it.drawn("aws")
    assert it.refused("throttle") == "AWS calls are throttled already."
    assert "AccessDeniedException" in it.pull("deny")
    assert call(it.aws) == "deny"
    it.pull("answer")
    assert not call(it.aws)
    assert it.refused("answer") == "AWS answers."
    assert 'data-lever="throttle"' in it.drawn("aws")


def test_reads_lag_whatever_else_is_lifted(it: Set) -> None:
    it.pull("lag")
    it.pull("throttle")
    it.pull("answer")
    assert it.aws.faults.lag_seconds == LAG
    assert 'data-lever="fresh"' in it.drawn("lag")
    it.pull("fresh")
    assert it.aws.faults.lag_seconds == 0
    assert 'data-lever="lag"' in it.drawn("lag")


def test_a_fault_that_somebody_else_set_on_reads_is_shown(it: Set) -> None:
    it.aws.faults.lag(7.0)
    assert "Reads lag 7 s behind" in it.drawn("lag")


def test_only_the_pace_in_force_is_pressed(it: Set) -> None:
    def pressed() -> list[str]:
        return re.findall(r'data-speed="(\d+)" aria-pressed="true"', it.drawn("pace"))

    assert pressed() == ["20"]
    it.pull("pace", speed="1")
    assert pressed() == ["1"]


@pytest.mark.parametrize(("speed", "factor"), [(20.0, 1.0), (1.0, 20.0), (60.0, 1 / 3)])
def test_a_pace_stretches_every_time_alike(speed: float, factor: float) -> None:
    usual, changed = Timings(), timings(speed)
    assert changed["pull"] == pytest.approx(usual.pull * factor)
    assert changed["crash"] < min(changed["health"], changed["steady"])
    assert "jitter" not in changed


def test_a_standstill_holds_a_rollout_until_it_is_over(it: Set) -> None:
    it.pull("pace", speed="0")
    it.pull("deploy-aside", service="backend", environment="staging", version=NEW)
    it.aws.advance(600)
    assert it.aws.service("staging", "backend").primary.rollout_state == "IN_PROGRESS"
    it.pull("pace", speed="20")
    it.aws.advance(60)
    assert it.aws.service("staging", "backend").primary.rollout_state == "COMPLETED"


# Slack and the database


def outage(it: Set) -> Outage | None:
    return it.slack.outage


def test_slack_goes_down_and_comes_back(it: Set) -> None:
    it.pull("take-slack-down")
    assert outage(it) is Outage.UNAVAILABLE
    assert 'data-lever="bring-slack-back"' in it.drawn("slack")
    assert it.refused("take-slack-down") == "Slack is down already."
    it.pull("bring-slack-back")
    assert outage(it) is None
    assert it.refused("bring-slack-back") == "Slack is not down."
    assert 'data-lever="take-slack-down"' in it.drawn("slack")


def writable(it: Set) -> bool:
    other = sqlite3.connect(it.stage.folder / "quarterdeck.db", timeout=0, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    else:
        return True
    finally:
        other.close()


def test_nothing_can_be_recorded_while_the_database_is_lost(it: Set) -> None:
    assert writable(it)
    it.pull("lose-database")
    assert not writable(it)
    assert it.refused("lose-database") == "The database is lost already."
    assert 'data-lever="bring-database-back"' in it.drawn("database")
    it.pull("bring-database-back")
    assert writable(it)
    assert it.refused("bring-database-back") == "The database is there already."


def test_the_database_is_given_back_when_the_demo_ends(it: Set) -> None:
    it.pull("lose-database")
    it.levers.close()
    assert writable(it)


def test_a_database_that_is_being_written_to_is_not_waited_for_long(
    it: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.playground.page.mishaps.TAKES", 0.0)
    writer = sqlite3.connect(it.stage.folder / "quarterdeck.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    said = it.refused("lose-database")
    writer.close()
    assert said == "The database cannot be taken away now: database is locked."
    assert 'data-lever="lose-database"' in it.drawn("database")


def test_a_database_that_is_gone_is_not_made_anew(it: Set) -> None:
    path = it.stage.folder / "quarterdeck.db"
    path.unlink()
    assert it.refused("lose-database").startswith("The database cannot be taken away now: ")
    assert not path.exists()


# The bot


def test_the_bot_is_killed_once(it: Set) -> None:
    assert "kill -9" in it.pull("kill")
    assert it.refused("kill") == "The bot is down already."
    assert it.bot.kills == 1
    assert 'data-lever="start"' in it.drawn("bot")


def test_a_start_does_not_block_the_page(it: Set) -> None:
    it.pull("kill")
    assert it.pull("start").startswith("Starting the bot")
    assert "It is starting" in it.drawn("bot")
    assert it.refused("start") == "The bot is starting already."
    assert it.refused("kill") == "The bot has not begun yet."
    it.bot.may_start.set()
    it.started()
    assert "It runs." in it.drawn("bot")
    assert it.refused("start") == "The bot runs already."


def test_a_start_that_failed_says_why_in_the_last_words(it: Set) -> None:
    it.pull("kill")
    it.bot.words = "The bot ended at its start.\n<b>no such catalog</b>"
    it.bot.may_start.set()
    it.pull("start")
    it.started()
    html = it.drawn("bot")
    assert "It is down." in html
    assert "&lt;b&gt;no such catalog&lt;/b&gt;" in html
    it.bot.words = ""
    it.pull("start")
    it.started()
    assert "no such catalog" not in it.drawn("bot")


def test_the_end_of_the_demo_ends_a_start(it: Set) -> None:
    it.pull("kill")
    it.pull("start")
    it.levers.close()
    it.started()
    assert not it.bot.running
    assert not it.levers._restart.failure


def test_two_tabs_kill_one_bot(it: Set) -> None:
    outcomes: list[str] = []
    together = threading.Barrier(8)

    def press() -> None:
        together.wait(SOON)
        try:
            outcomes.append(it.pull("kill"))
        except CannotDo as no:
            outcomes.append(str(no))

    threads = [threading.Thread(target=press) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(SOON)
    assert it.bot.kills == 1
    assert outcomes.count("The bot is down already.") == 7


# All of them


def test_every_button_pulls_a_lever_that_there_is(it: Set) -> None:
    known = set(it.levers._pulls)
    before = set(re.findall(r'data-lever="([^"]+)"', it.levers.draw()))
    for name in ("throttle", "lag", "lose-database", "take-slack-down", "kill"):
        it.pull(name)
    after = set(re.findall(r'data-lever="([^"]+)"', it.levers.draw()))
    assert before | after == known


def test_what_is_pulled_is_marked(it: Set) -> None:
    assert "w-pulled" not in it.levers.draw()
    it.pull("kill")
    assert "w-pulled" in it.drawn("bot")


def test_nothing_on_the_page_is_script_or_style(it: Set) -> None:
    assert not re.search(r"<script|\sstyle=|\son[a-z]+=", it.levers.draw())
