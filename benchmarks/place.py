"""The whole stack for one benchmark: AWS, Slack and the bot, each a process, and a database."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any, Protocol
from urllib.parse import urlsplit

from benchmarks.cloud import CLUSTER, ENVIRONMENTS, service_name
from benchmarks.load import Load, fire
from benchmarks.processes import Child
from bot.model.deployment import Deployment
from bot.playground.aws.blueprints import ACCOUNT, REGION
from bot.playground.slack.crew import RELEASE_CAPTAINS
from bot.playground.slack.state import Secrets
from bot.playground.tour.bot_process import free_port
from bot.store.database import Database
from bot.store.session import make_engine

PATIENCE = 240.0
HEAD = f"""\
version: 1
environments: {{staging: {{policy: relaxed}}, production: {{policy: guarded}}}}
policies:
  relaxed: {{deployers: {{everyone: true}}}}
  guarded:
    deployers: {{everyone: true}}
    approvers: {{groups: [{RELEASE_CAPTAINS}]}}
    approvals: 1
"""
ECR = f'ecr: {{registry: "{ACCOUNT}", region: {REGION}, repository: %s}}'
_ECS = f"ecs: {{region: {REGION}, cluster: {CLUSTER}, service: %s-%s, container: app}}"


class Shore(Protocol):
    """Where everything is deployed to."""

    @property
    def limited(self) -> bool:
        """Whether Slack limits rates."""

    def cloud(self, folder: Path) -> Child:
        """The process that it all is in. It says its AWS's URL when it is ready."""

    def catalog(self, folder: Path) -> str:
        """The catalog, once that process is ready."""

    def environment(self, folder: Path) -> Mapping[str, str]:
        """What else points the bot at it."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """How much there is to deploy, how fast ECS's time passes, and whether Slack limits rates."""

    services: int
    tags: int = 1
    speed: float = 1.0
    limited: bool = False

    def catalog(self, _: Path) -> str:
        names = [service_name(number) for number in range(self.services)]
        lines = [f"  {name}: {{repository: acme/{name}, {ECR % name}}}" for name in names]
        targets = [
            f"  - {{service: {name}, environment: {environment}, {_ECS % (name, environment)}}}"
            for name in names
            for environment in ENVIRONMENTS
        ]
        return "\n".join((f"{HEAD}services:", *lines, "targets:", *targets, ""))

    def cloud(self, folder: Path, name: str = "aws") -> Child:
        """An AWS that has it all."""
        sizes = ["--services", str(self.services), "--tags", str(self.tags)]
        command = ["benchmarks.cloud", *sizes, "--speed", str(self.speed)]
        return Child(name, folder, command, {})

    def environment(self, _: Path) -> Mapping[str, str]:
        return {}


class Place:
    """A running stack. ``bot`` may be stopped and started again with ``start``."""

    def __init__(self, folder: Path, database_url: str, shore: Shore, stack: ExitStack) -> None:
        self.folder = folder
        aws = stack.enter_context(shore.cloud(folder))
        slack = stack.enter_context(Child("slack", folder, ["bot.playground.slack"], {}))
        self.aws_url, self.slack_url = aws.first_line(), slack.first_line()
        if not shore.limited:
            self._slack("limits", {"factor": 0})
        (folder / "quarterdeck.yaml").write_text(shore.catalog(folder))
        self._database_url = database_url
        self._elsewhere = shore.environment(folder)
        self._stack = stack
        self.url = ""
        self.bot = self.start()
        engine = make_engine(database_url)
        stack.callback(engine.dispose)
        self.database = Database(engine, _Clock())

    def start(self) -> Child:
        """Start the bot; returns when it is ready."""
        port = free_port(None)
        self.url = f"http://127.0.0.1:{port}"
        environment = {**self._environment(), "PORT": str(port)}
        self.bot = self._stack.enter_context(Child("bot", self.folder, ["bot", "run"], environment))
        self.until(self._ready, "the bot to be ready", every=0.01)
        return self.bot

    def _environment(self) -> dict[str, str]:
        secrets = Secrets()
        return {
            "SLACK_BOT_TOKEN": secrets.bot_token,
            "SLACK_SIGNING_SECRET": secrets.signing,
            "SLACK_API_URL": f"{self.slack_url}/api/",
            "QUARTERDECK_CATALOG": str(self.folder / "quarterdeck.yaml"),
            "DATABASE_URL": self._database_url,
            "HOST": "127.0.0.1",
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_ACCESS_KEY_ID": "AKIABENCHMARK0000000",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
            "AWS_EC2_METADATA_DISABLED": "true",
            **self._elsewhere,
        }

    def _ready(self) -> bool:
        try:
            return exchange(f"{self.url}/readyz") is not None
        except OSError:
            return False

    def fire(self, clients: int, words: str, bodies: list[str]) -> Load:
        """See ``load.fire``; raises where an answer was another one, or the bot has died."""
        load = fire(self.folder, self.url, clients, words, bodies)
        self.bot.check()
        if load.others:
            raise AssertionError(f"unexpected answers: {load.others}")
        return load

    def until(self, true: Callable[[], object], what: str, every: float = 0.25) -> None:
        """Wait until something is so."""
        give_up, pause = time.monotonic() + PATIENCE, Event()
        while not true():
            self.bot.check()
            if time.monotonic() > give_up:
                raise TimeoutError(f"gave up waiting for {what}")
            pause.wait(every)

    def until_settled(self) -> list[Deployment]:
        """Wait until nothing is under way any more; returns everything there was."""
        self.until(lambda: not self.active(), "every rollout to end", every=1.0)
        with self.database.read() as tx:
            return list(tx.deployments.history(None, 100_000))

    def active(self) -> bool:
        with self.database.read() as tx:
            return bool(tx.deployments.active())

    def ecs_calls(self, operation: str = "") -> list[dict[str, Any]]:
        """What ECS was asked, oldest first."""
        return ecs_calls(self.aws_url, operation)

    def slack_calls(self, method: str) -> list[dict[str, Any]]:
        """What Slack was asked and did, oldest first."""
        calls = self._slack("calls", {"method": method})
        return [call for call in calls if call["answer"].get("ok")]

    def _slack(self, verb: str, arguments: dict[str, Any]) -> Any:
        return exchange(f"{self.slack_url}/_control/{verb}", arguments)


@contextmanager
def place(database_url: str, shore: Shore) -> Iterator[Place]:
    """Set everything up, and leave nothing behind."""
    with TemporaryDirectory(prefix="quarterdeck-bench-") as folder, ExitStack() as stack:
        yield Place(Path(folder), database_url, shore, stack)


def ecs_calls(aws_url: str, operation: str = "") -> list[dict[str, Any]]:
    """What the ECS of a cloud was asked, oldest first."""
    calls = exchange(f"{aws_url}/_control/calls")["calls"]
    asked = [call for call in calls if call["service"] == "ecs"]
    return [call for call in asked if operation in {"", call["operation"]}]


class _Clock:
    """Nothing is written here, so nobody asks for the time."""

    def now(self) -> Any:
        raise NotImplementedError


def exchange(url: str, body: dict[str, Any] | None = None, token: str = "") -> Any:
    """The answer's JSON; ``None`` where it is not 200."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body is None:
            connection.request("GET", parts.path, headers=headers)
        else:
            headers["Content-Type"] = "application/json"
            connection.request("POST", parts.path, json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        return json.loads(content) if answer.status == http.HTTPStatus.OK else None
    finally:
        connection.close()
