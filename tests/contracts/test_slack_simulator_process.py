"""The stand-in as a process of its own, its control endpoints, and Socket Mode."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.playground.slack.crew import ALICE, DEPLOYMENTS
from bot.playground.slack.delivery import Posting
from tests.fakes.slack_world import BareApp, SlackWorld, fetch, slack_world


@pytest.fixture
def world() -> Iterator[SlackWorld]:
    with slack_world() as made:
        yield made


def control(base: str, verb: str, **args: Any) -> Any:
    status, value = fetch(f"{base}/_control/{verb}", args)
    assert status == 200, value
    return value


def look(base: str, verb: str, **args: str) -> Any:
    status, value = fetch(f"{base}/_control/{verb}?{urlencode(args)}")
    assert status == 200, value
    return value


def test_a_person_acts_over_http(world: SlackWorld) -> None:
    url = world.workspace.url
    with BareApp() as app:
        control(url, "connect", url=app.url)
        app.answers.append((200, "Yes."))
        did = control(url, "command", person="alice", command="/deploy", text="x")
    assert [each["text"] for each in did["said"]] == ["Yes."]
    assert [each["text"] for each in look(url, "ephemerals", person="alice")] == ["Yes."]


def test_the_workspace_can_be_looked_at(world: SlackWorld) -> None:
    url = world.workspace.url
    world.client.chat_postMessage(channel=DEPLOYMENTS, text="hello")
    assert [each["text"] for each in look(url, "messages", channel="deploys")] == ["hello"]
    assert ALICE in {each["id"] for each in look(url, "people")}
    calls = look(url, "calls", method="chat.postMessage")
    assert [each["answer"]["ok"] for each in calls] == [True]


def test_faults_are_set_over_http(world: SlackWorld) -> None:
    url = world.workspace.url
    control(url, "fault", method="chat.postMessage", error="fatal_error")
    with pytest.raises(SlackApiError, match="fatal_error"):
        world.client.chat_postMessage(channel=DEPLOYMENTS, text="x")


@pytest.mark.parametrize(
    ("verb", "args", "status"),
    [
        ("nonsense", {}, 404),
        ("command", {"person": "nobody", "command": "/deploy"}, 404),
        ("command", {"person": "sven", "command": "/deploy", "channel": "general"}, 409),
        ("outage", {"how": "sideways"}, 409),
    ],
)
def test_what_cannot_be_done_is_said(
    world: SlackWorld, verb: str, args: dict[str, str], status: int
) -> None:
    answered, value = fetch(f"{world.workspace.url}/_control/{verb}", args)

    assert answered == status
    assert value["error"]


def test_it_runs_as_a_process() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "bot.playground.slack", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert look(url, "channels")
    finally:
        process.terminate()
        process.communicate()


def test_socket_mode_with_slacks_own_client(world: SlackWorld) -> None:
    app = App(client=world.client, token_verification_enabled=False)
    heard = threading.Event()

    @app.command("/deploy")
    def deploy(ack: Any, command: dict[str, Any]) -> None:
        ack(f"You said {command['text']}.")

    @app.event("app_mention")
    def mentioned() -> None:
        heard.set()

    token = world.workspace.secrets.app_token
    handler = SocketModeHandler(app, token, web_client=world.client_with(token))
    try:
        handler.client.connect()
        sockets = world.workspace.sockets
        world.workspace.until(lambda: sockets.connected, 5, "a socket")
        did = world.person("alice").command("/deploy", "backend staging")
        assert (did.error, [each.text for each in did.said]) == ("", ["You said backend staging."])
        assert world.person("alice").mention("deploys", "hello").error == ""
        assert heard.wait(5)
    finally:
        handler.client.close()


def test_an_envelope_that_nobody_acknowledges_is_a_timeout(world: SlackWorld) -> None:
    client = SocketModeClient(world.workspace.secrets.app_token)
    client.web_client = world.client_with(world.workspace.secrets.app_token)
    envelopes: list[SocketModeRequest] = []
    client.socket_mode_request_listeners.append(lambda _, request: envelopes.append(request))
    try:
        client.connect()
        world.workspace.until(lambda: world.workspace.sockets.connected, 5, "a socket")
        did = world.person("alice").command("/deploy", posting=Posting(patience=0.5))
    finally:
        client.close()

    assert did.error == "operation_timeout"
    (envelope,) = envelopes
    assert (envelope.type, envelope.accepts_response_payload) == ("slash_commands", True)
    assert envelope.payload["command"] == "/deploy"
