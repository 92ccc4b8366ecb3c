from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import time

from bot.model.reply import DeploymentList
from bot.playground.slack import crew
from bot.playground.slack.workspace import Workspace
from bot.slack.app import make_app
from bot.slack.edge import Edge, SlackSettings
from bot.slack.execution import Bench
from bot.slack.people import People, sign_in
from bot.slack.socket import SILENT_AFTER, SocketEdge
from bot.slack.web import WebDesk, web_client
from tests.fakes.intake import FakeIntake
from tests.fakes.slack_api import FakeClock
from tests.unit.slack.signed import catalog


@dataclass
class Later:
    """The machine's clock, and how far a test has moved it."""

    ahead: float = 0.0

    def seconds(self) -> float:
        return time() + self.ahead


@contextmanager
def connected(intake: FakeIntake, later: Later) -> Iterator[tuple[Workspace, SocketEdge]]:
    with Workspace() as workspace:
        crew.muster(workspace)
        # Slack opens one connection a minute by promise, and more in practice.
        workspace.limits.factor = math.inf
        workspace.serve()
        client = web_client(workspace.secrets.bot_token, workspace.api_url)
        clock, home = FakeClock(), sign_in(client)
        settings = SlackSettings(workspace.secrets.signing, home)
        bench = Bench(4, settings.patience)
        people = People(client, clock, home)
        edge = Edge(intake, people, WebDesk(client), catalog, clock, settings, bench)
        socket = SocketEdge(make_app(edge), workspace.secrets.app_token, client, later.seconds)
        socket.start()
        try:
            yield workspace, socket
        finally:
            socket.close()
            bench.close()


def test_the_same_listeners_answer_over_a_socket() -> None:
    intake = FakeIntake(DeploymentList("Queue", ()))
    with connected(intake, Later()) as (workspace, socket):
        did = workspace.person("alice").command("/deploy", "queue")
        assert did.error == ""
        assert "Queue" in did.said[0].text
        assert socket.trouble() == ""


def test_a_silent_connection_is_noticed_and_replaced() -> None:
    later = Later()
    intake = FakeIntake(DeploymentList("Queue", ()))
    with connected(intake, later) as (workspace, socket):
        assert not socket.probe()
        before = len(workspace.calls("apps.connections.open"))
        later.ahead = SILENT_AFTER + 60
        assert "silent" in socket.trouble()
        assert socket.probe()
        assert len(workspace.calls("apps.connections.open")) == before + 1
        assert socket.trouble() == ""
        assert workspace.person("alice").command("/deploy", "queue").error == ""


def test_slack_being_away_is_survived() -> None:
    later = Later()
    with connected(FakeIntake(), later) as (workspace, socket):
        workspace.close()
        later.ahead = SILENT_AFTER + 60
        assert socket.probe()
        assert socket.trouble() != ""
