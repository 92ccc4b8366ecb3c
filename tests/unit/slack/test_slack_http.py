from __future__ import annotations

import http.client
from collections.abc import Iterator
from threading import Event, Thread

import pytest

from bot.slack.app import make_app
from bot.slack.http import LIMIT, Probes, make_wsgi, serve
from tests.unit.slack.signed import Slack, slack


@pytest.fixture
def workspace() -> Iterator[Slack]:
    with slack() as one:
        yield one


def test_an_unsigned_request_is_refused(workspace: Slack) -> None:
    answer = workspace.request(
        "POST",
        "/slack/events",
        b"command=%2Fdeploy&text=backend+staging&team_id=T0HOME&user_id=U1",
        CONTENT_TYPE="application/x-www-form-urlencoded",
    )
    assert answer.status == 401
    assert workspace.intake.submissions == []


def test_a_signature_of_another_secret_is_refused(workspace: Slack) -> None:
    fields = {"command": "/deploy", "text": "backend staging", "team_id": "T0HOME"}
    assert workspace.form(fields, secret="another").status == 401


def test_a_replayed_request_is_refused_after_five_minutes(workspace: Slack) -> None:
    fields = {"command": "/deploy", "text": "help", "team_id": "T0HOME", "user_id": "U1"}
    assert workspace.form(fields, age=301).status == 401
    assert workspace.form({**fields, "trigger_id": "t"}, age=290).status == 200


@pytest.mark.parametrize("timestamp", ["now", "-1", "1e9", "²", "9" * 400])
def test_a_timestamp_that_is_no_number_is_refused(workspace: Slack, timestamp: str) -> None:
    answer = workspace.request(
        "POST", "/slack/events", b"{}", HTTP_X_SLACK_REQUEST_TIMESTAMP=timestamp
    )
    assert answer.status == 401


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"{", b"[1]", b"payload=%7B", b"payload=%5B%5D", b'{"a":' * 5000]
)
def test_an_unreadable_body_is_refused(workspace: Slack, body: bytes) -> None:
    kind = "application/json" if body[:1] in b"[{\xff" else "application/x-www-form-urlencoded"
    answer = workspace.request("POST", "/slack/events", body, CONTENT_TYPE=kind)
    assert answer.status in {400, 401}


def test_a_large_body_is_refused_unread(workspace: Slack) -> None:
    answer = workspace.request("POST", "/slack/events", b"x" * (LIMIT + 1))
    assert answer.status == 413


def test_other_paths_and_methods_are_refused(workspace: Slack) -> None:
    assert workspace.request("GET", "/").status == 404
    refused = workspace.request("GET", "/slack/events")
    assert refused.status == 405
    assert refused.headers["Allow"] == "POST"
    assert workspace.request("POST", "/healthz").status == 405


def test_probes_say_what_is_wrong(workspace: Slack) -> None:
    assert workspace.request("GET", "/healthz").json == {"ok": True, "wrong": []}
    ready = workspace.request("GET", "/readyz")
    assert ready.status == 503
    assert ready.json["wrong"] == ["The outbox is stuck."]
    assert workspace.request("GET", "/metrics").body == b"up 1\n"


def test_a_closing_server_finishes_what_it_began() -> None:
    begun, finish = Event(), Event()

    def metrics() -> tuple[bytes, str]:
        begun.set()
        assert finish.wait(30)
        return b"done", "text/plain"

    with slack() as workspace:
        app = make_app(workspace.edge)
        probes = Probes(lambda: (), lambda: (), metrics)
        server = serve(make_wsgi(lambda: app, probes), "127.0.0.1", 0, threads=2)
        connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
        connection.request("GET", "/metrics")
        assert begun.wait(30)
        closing = Thread(target=server.close)
        closing.start()
        finish.set()
        assert connection.getresponse().read() == b"done"
        connection.close()
        closing.join(30)
        assert not closing.is_alive()
        with pytest.raises(OSError, match="refused"):
            http.client.HTTPConnection(server.host, server.port, timeout=5).connect()
