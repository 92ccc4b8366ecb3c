"""Slack's side of the wire: signed requests into the WSGI application, and the edge behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from time import time
from typing import Any
from urllib.parse import urlencode

from slack_sdk.signature import SignatureVerifier

from bot.model.catalog import (
    Catalog,
    Ecr,
    Environment,
    People,
    Policy,
    Service,
    TargetSpec,
)
from bot.model.places import EcsService
from bot.slack.app import make_app
from bot.slack.edge import Edge, SlackSettings
from bot.slack.execution import Bench
from bot.slack.http import Probes, make_wsgi
from bot.slack.people import Home
from tests.fakes.intake import FakeIntake
from tests.fakes.slack_api import FakeClock, FakeDesk, FakeDirectory

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
HOME = Home("T0HOME", bot_user_id="U0BOT", bot_id="B0BOT")


def catalog() -> Catalog:
    services = {
        name: Service(
            repository=f"acme/{name}",
            ecr=Ecr(registry="123456789012", region="eu-west-1", repository=name),
        )
        for name in ("backend", "frontend")
    }
    targets = tuple(
        TargetSpec(
            service=service,
            environment=environment,
            ecs=EcsService(
                region="eu-west-1", cluster=environment, service=service, container="app"
            ),
        )
        for service in services
        for environment in ("staging", "production")
    )
    return Catalog(
        version=1,
        services=services,
        environments={name: Environment(policy="open") for name in ("staging", "production")},
        policies={"open": Policy(approvers=People(users=("U0APPROVER",)))},
        targets=targets,
    )


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    @property
    def text(self) -> str:
        return str(self.json["text"]) if self.body.startswith(b"{") else self.body.decode()


@dataclass
class Slack:
    """One workspace's requests to the bot, and what the bot's parts were asked."""

    intake: FakeIntake = field(default_factory=FakeIntake)
    desk: FakeDesk = field(default_factory=FakeDesk)
    people: FakeDirectory = field(default_factory=FakeDirectory)
    clock: FakeClock = field(default_factory=FakeClock)
    patience: float = 20.0

    def __post_init__(self) -> None:
        settings = SlackSettings(SECRET, HOME, self.patience, workers=4)
        self.bench = Bench(settings.workers, settings.patience)
        self.edge = Edge(
            self.intake, self.people, self.desk, catalog, self.clock, settings, self.bench
        )
        probes = Probes(
            lambda: (), lambda: ("The outbox is stuck.",), lambda: (b"up 1\n", "text/x")
        )
        app = make_app(self.edge)
        self.wsgi = make_wsgi(lambda: app, probes)

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        path, _, query = path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": BytesIO(body),
            **headers,
        }
        started: list[Any] = []

        def start(*args: Any) -> Any:
            started.extend(args)

        chunks = self.wsgi(environ, start)
        return Answer(int(started[0].split()[0]), dict(started[1]), b"".join(chunks))

    def signed(self, body: str, content_type: str, age: int = 0, secret: str = SECRET) -> Answer:
        timestamp = str(int(time()) - age)
        signature = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=body)
        assert signature is not None
        return self.request(
            "POST",
            "/slack/events",
            body.encode(),
            CONTENT_TYPE=content_type,
            HTTP_X_SLACK_REQUEST_TIMESTAMP=timestamp,
            HTTP_X_SLACK_SIGNATURE=signature,
        )

    def form(self, fields: dict[str, str], age: int = 0, secret: str = SECRET) -> Answer:
        return self.signed(urlencode(fields), "application/x-www-form-urlencoded", age, secret)

    def slash(self, typed: str, **changed: str) -> Answer:
        command, _, text = typed.partition(" ")
        fields = {
            "command": command,
            "text": text,
            "user_id": "U0ALICE",
            "channel_id": "C0DEPLOY",
            "team_id": "T0HOME",
            "trigger_id": "13345224609.738474920.8088930838d88f008e0",
            "response_url": "https://hooks.slack.test/commands/1",
        }
        return self.form({**fields, **changed})

    def event(self, event: dict[str, Any], event_id: str = "Ev1", team: str = "T0HOME") -> Answer:
        body = {
            "type": "event_callback",
            "team_id": team,
            "event_id": event_id,
            "event": event,
        }
        return self.signed(json.dumps(body), "application/json")

    def interaction(self, payload: dict[str, Any]) -> Answer:
        whole = {
            "team": {"id": "T0HOME"},
            "user": {"id": "U0APPROVER", "team_id": "T0HOME"},
            "trigger_id": "trigger-1",
            **payload,
        }
        return self.form({"payload": json.dumps(whole)})

    def click(self, action_id: str, value: str, **changed: Any) -> Answer:
        payload: dict[str, Any] = {
            "type": "block_actions",
            "channel": {"id": "C0DEPLOY"},
            "message": {"ts": "1.0"},
            "container": {"type": "message", "channel_id": "C0DEPLOY"},
            "response_url": "https://hooks.slack.test/actions/1",
            "actions": [
                {"type": "button", "action_id": action_id, "block_id": "b", "value": value}
            ],
        }
        return self.interaction({**payload, **changed})

    def submit_view(self, view: dict[str, Any], **changed: Any) -> Answer:
        whole = {"id": "V1", "hash": "h1", "type": "modal", **view}
        return self.interaction({"type": "view_submission", "view": whole, **changed})


@contextmanager
def slack(**parts: Any) -> Iterator[Slack]:
    """A workspace; whatever still waits is let go at the end."""
    one = Slack(**parts)
    try:
        yield one
    finally:
        one.intake.open.set()
        one.bench.close()
