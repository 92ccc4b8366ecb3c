"""The whole bot between its stand-ins: what a scenario test plays on.

A signed request goes in through HTTP; what Slack, AWS and the database saw comes out. ``Harbour``
runs the bot in this process; ``Ship`` runs it as a process of its own, to be killed.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import IO

from bot.model.deployment import Deployment, Status
from bot.playground.aws import World
from bot.playground.slack.person import Person
from bot.playground.slack.records import Message
from bot.playground.slack.workspace import Workspace
from bot.store.database import Database
from bot.store.session import make_engine
from tests.fakes.clock import MachineClock
from tests.fakes.shore import CLUSTER, Shore, ShoreMaker, ecs_shore, placed
from tests.fakes.slipway import AVAILABLE, Launched, Order, slipway

#: The release under test.
HOME = Path(__file__).parents[2]
CHANNEL = "C0DEPLOYS"
#: Longest that anything may take before a scenario gives up; nothing is asserted about speed.
PATIENCE = 120.0

CATALOG = """\
version: 1
services:
  backend:
    repository: acme/backend
    ecr: {registry: "123456789012", region: eu-west-1, repository: backend}
    aliases: [be]
  analytics:
    repository: acme/analytics
    ecr: {registry: "123456789012", region: eu-west-1, repository: analytics}
environments:
  staging: {policy: relaxed}
  production: {policy: guarded, aliases: [prod]}
policies:
  relaxed:
    deployers: {everyone: true}
    incident_responders: {users: [U0IRIS001]}
  guarded:
    deployers: {everyone: true}
    approvers: {groups: [S0CAPTAIN]}
    approvals: APPROVALS
    approval_expires_after: EXPIRY
    incident_responders: {users: [U0IRIS001]}
FREEZES
targets:
  - {service: backend, environment: staging, ecs: ECS-backend-staging}
  - {service: backend, environment: production, ecs: ECS-backend-production}
  - {service: analytics, environment: staging, ecs: ECS-analytics-staging}
  - {service: analytics, environment: production, ecs: ECS-analytics-production}
"""


def catalog_text(approvals: int = 1, freezes: str = "", expiry: str = "4h") -> str:
    """The harbour's catalog, with a stricter production where asked for."""
    text = CATALOG.replace("APPROVALS", str(approvals)).replace("EXPIRY", expiry)
    text = text.replace("FREEZES\n", freezes)
    for service in ("backend", "analytics"):
        for environment in ("staging", "production"):
            where = (
                f"{{region: eu-west-1, cluster: {CLUSTER}, service: {service}-{environment}, "
                f"container: {service}}}"
            )
            text = text.replace(f"ECS-{service}-{environment}", where)
    return text


@dataclass
class Outside:
    """Slack and AWS as the bot will find them, with a world that has been running for long."""

    world: World
    workspace: Workspace
    folder: Path
    database_url: str
    shore: Shore
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What points the bot at the stand-ins."""
        secrets = self.workspace.secrets
        return {
            "SLACK_BOT_TOKEN": secrets.bot_token,
            "SLACK_SIGNING_SECRET": secrets.signing,
            "SLACK_API_URL": self.workspace.api_url,
            "QUARTERDECK_CATALOG": str(self.folder / "quarterdeck.yaml"),
            "DATABASE_URL": self.database_url,
            "HOST": "127.0.0.1",
            "PORT": "0",
            "AWS_ENDPOINT_URL": self.world_url,
            "AWS_ACCESS_KEY_ID": "AKIAHARBOUR0EXAMPLE0",
            "AWS_SECRET_ACCESS_KEY": "harbour",
            "AWS_EC2_METADATA_DISABLED": "true",
            **self.shore.environment,
        }

    world_url: str = ""

    def write_catalog(self, text: str) -> None:
        (self.folder / "quarterdeck.yaml").write_text(placed(text, self.shore))

    def push(self, service: str, tag: str, behaviour: str = "good") -> str:
        digest = self.world.push(service, tag, behaviour)
        self.digests[tag] = digest
        return digest


@contextmanager
def outside(
    folder: Path,
    database_url: str,
    *,
    speed: float = 40.0,
    shore: ShoreMaker = ecs_shore,
    wall: Callable[[], float] = time.time,
) -> Iterator[Outside]:
    world, workspace = World(seed=7, speed=speed, wall=wall), Workspace(clock=wall)
    muster(workspace)
    with world, workspace, shore(world, folder) as theirs:
        place = Outside(world, workspace, folder, database_url, theirs)
        place.world_url = world.serve()
        workspace.serve()
        for service in ("backend", "analytics"):
            place.push(service, "v1")
            for environment in ("staging", "production"):
                world.create_service(
                    CLUSTER,
                    f"{service}-{environment}",
                    family=f"{service}-{environment}",
                    container=service,
                    repository=service,
                    image=place.digests["v1"],
                    desired=2,
                )
        place.push("backend", "v2")
        place.write_catalog(catalog_text())
        yield place


def muster(workspace: Workspace) -> None:
    """Engineers, two approvers, an incident responder, a guest and somebody of another company."""
    alice = workspace.add_member("alice", id="U0ALICE01")
    bob = workspace.add_member("bob", id="U0BOB0001")
    carol = workspace.add_member("carol", id="U0CAROL01")
    iris = workspace.add_member("iris", id="U0IRIS001")
    gus = workspace.add_member("gus", id="U0GUS0001", guest=True)
    sven = workspace.add_member("sven", id="U0SVEN001", stranger=True)
    workspace.add_group("release-captains", (bob, carol), id="S0CAPTAIN")
    crew = (alice, bob, carol, iris, gus, sven)
    workspace.add_channel("deployments", crew, id=CHANNEL, shared=True)


class Deck:
    """What a scenario does and asks, whichever way the bot runs."""

    def __init__(self, place: Outside) -> None:
        self.place = place
        self.world = place.world
        self.shore = place.shore
        self.workspace = place.workspace
        self.engine = make_engine(place.database_url)
        self.database = Database(self.engine, MachineClock())
        self.ship: Ship = Ship(place)

    def person(self, name: str) -> Person:
        return self.workspace.person(name)

    def says(self, name: str, text: str, slash: str = "/deploy") -> str:
        """Type a slash command in #deployments; returns what the person was told, as one text."""
        did = self.person(name).command(slash, text, channel=CHANNEL)
        assert did.error == "", did.error
        return told(did.said)

    def get(self, deployment_id: str) -> Deployment:
        with self.database.read() as tx:
            found = tx.deployments.get(deployment_id)
        assert found is not None, deployment_id
        return found

    def all(self) -> list[Deployment]:
        with self.database.read() as tx:
            return list(reversed(tx.deployments.history(None, 500)))

    def audit(self, **filters: str) -> list[tuple[str, str, str]]:
        """Action, decision and reason code of the audit rows, oldest first."""
        with self.database.read() as tx:
            rows = reversed(tx.audit.search(limit=500, **filters))
            return [(r.entry.action, r.entry.decision, r.entry.reason_code) for r in rows]

    def until(self, true: Callable[[], object], what: str) -> None:
        """Wait for something to become true; the time it takes proves nothing."""
        give_up = time.monotonic() + PATIENCE
        pause = Event()
        while not true():
            assert time.monotonic() < give_up, f"gave up waiting for {what}"
            pause.wait(0.05)

    def until_status(self, deployment_id: str, *wanted: Status) -> Deployment:
        self.until(
            lambda: self.get(deployment_id).status in wanted or self.get(deployment_id).settled,
            f"{deployment_id} to be {wanted}; it is {self.get(deployment_id)}",
        )
        found = self.get(deployment_id)
        assert found.status in wanted, found
        return found

    def cards(self, deployment_id: str) -> list[Message]:
        """The cards of a deployment, wherever they are: there should be one."""
        key = f"{deployment_id}:card"
        return [
            message
            for channel in list(self.workspace.channels)
            for message in self.workspace.messages(channel)
            if (message.metadata or {}).get("event_payload", {}).get("key") == key
        ]

    def card(self, deployment_id: str) -> Message:
        self.until(lambda: self.cards(deployment_id), f"the card of {deployment_id}")
        cards = self.cards(deployment_id)
        assert len(cards) == 1, cards
        return cards[0]

    def until_card(self, deployment_id: str, words: str) -> Message:
        self.until(
            lambda: any(words in str(c.blocks) + c.text for c in self.cards(deployment_id)),
            f"{words!r} on the card of {deployment_id}",
        )
        return self.card(deployment_id)

    def updates(self, name: str) -> int:
        """How often the bot has told the provider to roll a service, ``svc3-staging``."""
        return len(self.shore.told(name))

    def running(self, name: str) -> str:
        """The digest that the newest rollout of a service rolls, or has rolled."""
        return self.shore.running(name)


def told(messages: Iterable[Message]) -> str:
    return "\n".join(f"{message.text} {message.blocks}" for message in messages)


class Ship:
    """The bot as a process: ``quarterdeck run``, or a ``worker`` beside it."""

    def __init__(
        self,
        place: Outside,
        name: str = "bot",
        *,
        command: str = "run",
        home: Path = HOME,
        module: str = "bot",
    ) -> None:
        self._place = place
        self._command, self._module = command, module
        self._home = home
        self._log = place.folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | Launched | None = None
        self.url = ""

    def start(self, **environment: str) -> None:
        """Start it and wait until it is ready."""
        port = free_port()
        variables = {
            "PATH": os.environ["PATH"],  # noqa: TID251 - the child needs a PATH
            "PYTHONUNBUFFERED": "1",
            **self._place.environment,
            "QUARTERDECK_CACHE": str(self._log.with_suffix(".cache")),
            "PORT": str(port),
            **environment,
        }
        stream: IO[bytes] = self._log.open("ab")
        with stream:
            if AVAILABLE and self._home == HOME:
                order = Order(self._module, (self._command,), str(HOME), variables)
                self.process = slipway(HOME).launch(order, stream)
            else:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", self._module, self._command],
                    cwd=self._home,
                    env=variables,
                    stdout=stream,
                    stderr=stream,
                )
        self.url = f"http://127.0.0.1:{port}"
        if self._command == "run":
            self._wait(self.ready)
            self._place.workspace.connect(f"{self.url}/slack/events")
        else:
            self._wait(lambda: "took up work" in self.log())

    def _wait(self, true: Callable[[], bool]) -> None:
        give_up = time.monotonic() + PATIENCE
        pause = Event()
        while not true():
            assert self.process is not None
            assert self.process.poll() is None, f"the bot ended:\n{self.log()}"
            assert time.monotonic() < give_up, f"the bot is not ready:\n{self.log()}"
            pause.wait(0.05)

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:  # noqa: S310 - our own loopback address
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """``kill -9``."""
        self._signal(signal.SIGKILL)

    def terminate(self) -> int:
        """SIGTERM, as a deployment of the bot itself would send it."""
        return self._signal(signal.SIGTERM)

    def pause(self) -> None:
        """Freeze the process, as a machine that is paused or swaps would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on where it stood."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def ended(self) -> int:
        """Wait until the process has ended by itself; its exit code."""
        assert self.process is not None
        return self.process.wait(timeout=PATIENCE)

    @property
    def replica(self) -> str:
        """The name under which the process that was started last owns rollouts."""
        return str(re.findall(r'"replica": ?"([^"]+)"', self.log())[-1])

    def _signal(self, number: signal.Signals) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def harbour(
    folder: Path, database_url: str = "", *, speed: float = 40.0, catalog: str = ""
) -> Iterator[Deck]:
    """Stand-ins, a bot that is ready, and a deck to play on; everything is gone afterwards."""
    url = database_url or f"sqlite:///{folder / 'quarterdeck.db'}"
    with outside(folder, url, speed=speed) as place:
        if catalog:
            place.write_catalog(catalog)
        deck = Deck(place)
        try:
            deck.ship.start()
            yield deck
        finally:
            deck.ship.kill()
            deck.engine.dispose()
