"""The composition root: the only module that knows every part, and the order of their lives."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from uuid import uuid4

import sqlalchemy as sa
import structlog
from pydantic import SecretStr
from slack_bolt import App
from slack_sdk import WebClient

from bot.intake.front_door import Intake
from bot.model.errors import Misconfigured, Transient, Unreachable
from bot.model.ports import Groups, Rollouts
from bot.providers.aws_session import AwsClients
from bot.providers.ecr import EcrRegistry
from bot.providers.fleet import Fleet, Reach
from bot.providers.git import GitAccess
from bot.settings.clock import SystemClock
from bot.settings.environment import Settings, for_programs
from bot.settings.start import Configuration
from bot.slack.app import make_app
from bot.slack.charts.picture import chart
from bot.slack.courier import Courier
from bot.slack.edge import Edge, SlackSettings
from bot.slack.execution import Bench
from bot.slack.http import Probes, Server, make_wsgi, serve
from bot.slack.outbox import Deliverer, Route
from bot.slack.people import Home, People, sign_in
from bot.slack.socket import SocketEdge
from bot.slack.web import WebDesk, WebMessenger, web_client
from bot.store.database import Database
from bot.store.migrate import upgrade
from bot.store.outbox import OutboxDeliveries
from bot.store.replicas import ReplicaLeases
from bot.store.session import make_engine
from bot.store.single import only_process
from bot.telemetry.logs import adopt_engine_logs, configure
from bot.telemetry.metrics import Metrics
from bot.workflows.canary.conductor import Conductor
from bot.workflows.engine import Engine
from bot.workflows.keeper import Keeper
from bot.workflows.observer import Observer
from bot.workflows.parts import Parts
from bot.workflows.reaper import Reaper
from bot.workflows.steps import Steps

log = structlog.get_logger(__name__)

#: Threads that answer Slack; each waits for the database or for AWS most of its time.
THREADS = 24
#: The id of the only process on a SQLite file: a restart goes on with its own work at once.
ONLY = "only"
#: Exit code of a replica whose work another one has taken over.
FENCED = 75
#: Seconds between the first tries to reach Slack at the start, and between the last ones.
KNOCK, LONGEST = 2.0, 30.0


class LateGroups:
    """``Groups`` before Slack has been reached: ambiguous membership is no membership."""

    def __init__(self) -> None:
        self.people: Groups | None = None

    def of(self, person_id: str, *, fresh: bool = False) -> frozenset[str]:
        """As the port, and ``Unreachable`` until the bot has signed in."""
        return self._known().of(person_id, fresh=fresh)

    def barred(self, person_id: str) -> bool:
        """As ``of``."""
        return self._known().barred(person_id)

    def _known(self) -> Groups:
        if self.people is None:
            raise Unreachable("Slack has not been reached yet, so user groups are not known.")
        return self.people


@dataclass(frozen=True, slots=True)
class Outside:
    """The adapters to the outside world, made once; nothing is called by making them."""

    clients: AwsClients
    fleet: Fleet
    registry: EcrRegistry
    slack: WebClient

    @property
    def rollouts(self) -> Rollouts:
        """Every provider, behind one port."""
        return self.fleet.rollouts

    def close(self) -> None:
        """End what is watched, and close connections that are kept."""
        self.fleet.close()
        self.clients.close()


def connect(settings: Settings, stirred: Callable[[], None]) -> Outside:
    """Clients for everything outside. ``stirred`` is called when a watch has seen a change."""
    clients = AwsClients()
    slack = web_client(settings.slack_bot_token.get_secret_value(), settings.slack_api_url)
    token = settings.prometheus_token
    reach = Reach(
        clients,
        git_access(settings),
        settings.kubeconfig or "",
        SystemClock(),
        stirred,
        token.get_secret_value() if token is not None else None,
    )
    return Outside(clients, Fleet(reach), EcrRegistry(clients), slack)


def git_access(settings: Settings) -> GitAccess:
    """How git reaches manifests repositories, and in whose name."""

    def secret(value: SecretStr | None) -> str | None:
        return value.get_secret_value() if value is not None else None

    return GitAccess(
        cache=settings.quarterdeck_cache,
        committer=settings.git_committer,
        token=secret(settings.git_token),
        ssh_key=settings.git_ssh_key,
        ssh_known_hosts=settings.git_ssh_known_hosts,
        signing_key=settings.git_signing_key,
        github_token=secret(settings.github_token),
        github_app_id=settings.github_app_id,
        github_app_private_key=settings.github_app_private_key,
        github_api_url=settings.github_api_url,
        environment=for_programs(),
    )


class Bot:
    """One process. ``start`` brings the parts up in order, ``close`` takes them down in reverse."""

    def __init__(self, configuration: Configuration, *, front: bool) -> None:
        self._settings = configuration.settings
        self._catalog = configuration.catalog
        self._front = front
        self._stack = ExitStack()
        self._clock = SystemClock()
        self._groups = LateGroups()
        self._owed = Event()  # set with each card that is asked for, so that it goes out at once
        self._stirred = Event()  # set by what is watched outside, so that it is looked at at once
        self._outside = connect(self._settings, self._stirred.set)
        self._wrong: Callable[[], tuple[str, ...]] = lambda: ("The bot is starting.",)
        self._troubles: list[Callable[[], str]] = []
        self.stopping = Event()
        self.server: Server | None = None
        self._app: App | None = None

    def start(self) -> None:
        """Database, engine and observer first: what runs goes on even while Slack is away."""
        engine = make_engine(self._settings.database_url.get_secret_value())
        self._stack.callback(engine.dispose)
        self._stack.callback(self._outside.fleet.close)
        replica = self._identify(engine)
        upgrade(engine)
        database = Database(engine, self._clock, self._owed.set)
        parts = Parts(
            database,
            self._outside.registry,
            self._outside.rollouts,
            self._groups,
            self._clock,
            self._catalog.current,
            replica,
            self._outside.fleet.canaries,
        )
        self._work(engine, parts)
        if self._front:
            self._open(database)
        home = self._knock()
        if home is not None:
            self._listen(database, engine, parts, home)

    def _identify(self, engine: sa.Engine) -> str:
        if engine.dialect.name != "sqlite":
            return f"replica-{uuid4().hex[:12]}"
        if not self._front:
            raise Misconfigured(
                "A worker needs PostgreSQL: SQLite serves one process only.",
                hint="Set DATABASE_URL to a PostgreSQL database for the bot and its workers.",
            )
        self._stack.enter_context(only_process(engine))
        return ONLY

    def _work(self, engine: sa.Engine, parts: Parts) -> None:
        """What carries out rollouts. Closed in reverse: the lease is given up last."""
        replicas = None
        if parts.replica != ONLY:
            replicas = ReplicaLeases(engine, self._clock)
            lease = timedelta(seconds=self._settings.quarterdeck_lease_seconds)
            keeper = Keeper(parts.replica, replicas, lease, self._fenced)
            keeper.start()
            self._stack.callback(keeper.stop)
            self._troubles.append(keeper.trouble)
        durable = Engine(engine, parts.replica, Steps(parts))
        durable.launch()
        adopt_engine_logs()
        self._stack.callback(durable.close)
        reaper = Reaper(parts, replicas)
        reaper.start()
        self._stack.callback(reaper.stop)
        self._troubles.append(reaper.trouble)
        observer = Observer(parts, stirred=self._stirred)
        observer.start()
        self._stack.callback(observer.stop)
        self._troubles.append(observer.trouble)
        conductor = Conductor(
            parts, self._outside.fleet.canaries, self._outside.fleet.metrics, parts.conducted
        )
        conductor.start()
        self._stack.callback(conductor.stop)
        self._troubles.append(conductor.trouble)
        log.info("took up work", replica=parts.replica)

    def _knock(self) -> Home | None:
        """Sign in to Slack, as often as it takes; ``None`` when the bot is stopped meanwhile."""
        pauses = knocks()
        while not self.stopping.is_set():
            try:
                return sign_in(self._outside.slack)
            except Transient as fault:
                log.warning("slack cannot be reached yet", error=fault.message)
                self.stopping.wait(next(pauses))
        return None

    def _listen(self, database: Database, engine: sa.Engine, parts: Parts, home: Home) -> None:
        people = People(self._outside.slack, self._clock, home)
        self._groups.people = people
        if not self._front:
            return
        intake = Intake(parts)
        courier = self._courier(engine, intake, parts)
        bench = Bench(THREADS, SlackSettings.patience)
        edge = Edge(
            intake,
            people,
            WebDesk(self._outside.slack),
            self._catalog.current,
            self._clock,
            SlackSettings(self._signing_secret(), home),
            bench,
        )
        self._stack.callback(bench.close)
        app = make_app(edge)
        trouble = self._connect(app)
        self._wrong = lambda: (*wrong(database, courier.trouble()), *filter(None, [trouble()]))
        self._app = app
        log.info("ready", port=self._settings.port)

    def _courier(self, engine: sa.Engine, intake: Intake, parts: Parts) -> Courier:
        deliveries = OutboxDeliveries(engine, self._clock)
        deliveries.free(parts.replica)  # what an earlier life of the same name had in hand
        deliverer = Deliverer(
            deliveries,
            Route(
                intake.card,
                lambda: self._catalog.current().announce_in,
                lambda deployment_id: chart(intake.chart(deployment_id)),
            ),
            WebMessenger(self._outside.slack),
            self._clock,
            parts.replica,
        )
        courier = Courier(deliverer, self._owed, make_way=parts.courtesy.make_way)
        courier.start()
        self._stack.callback(courier.stop)
        return courier

    def _connect(self, app: App) -> Callable[[], str]:
        """Over a socket where there is a token for one; returns what tells of its trouble."""
        token = self._settings.slack_app_token
        if token is None:
            return str
        socket = SocketEdge(app, token.get_secret_value(), self._outside.slack)
        socket.start()
        self._stack.callback(socket.close)
        return socket.trouble

    def _open(self, database: Database) -> None:
        """Open the port: probes are answered at once, and Slack's requests when all is in place.

        Whoever watches the process must not take it for dead while Slack is away: what runs
        goes on.
        """
        metrics = Metrics(database, lambda: self._catalog.broken is not None)
        probes = Probes(healthz=self._unwell, readyz=self._not_ready, metrics=metrics.render)
        try:
            self.server = serve(
                make_wsgi(lambda: self._app, probes),
                self._settings.host,
                self._settings.port,
                THREADS,
            )
        except OSError as error:
            raise Misconfigured(
                f"Port {self._settings.port} cannot be listened on: {error.strerror}.",
                hint="Stop what listens there, or set PORT to another one.",
            ) from error

    def _not_ready(self) -> tuple[str, ...]:
        self._catalog.current()  # so that a broken edit is logged soon, and not at the next request
        return self._wrong()

    def _unwell(self) -> tuple[str, ...]:
        """What only a restart mends: a part that ought to run for ever has ended."""
        return tuple(filter(None, (trouble() for trouble in self._troubles)))

    def _signing_secret(self) -> str:
        secret = self._settings.slack_signing_secret
        # Without one (Socket Mode alone) nobody can sign a request, so none is believed.
        return secret.get_secret_value() if secret is not None else uuid4().hex

    def _fenced(self) -> None:
        # Another replica does this one's work by now: nothing may be finished or tidied up here.
        os._exit(FENCED)

    def close(self) -> None:
        """Stop taking requests, hand over what runs, and leave."""
        self.stopping.set()
        if self.server is not None:
            self.server.close()
        self._stack.close()


def wrong(database: Database, trouble: str) -> tuple[str, ...]:
    """What keeps the bot from doing its work, for ``/readyz``."""
    found = []
    try:
        with database.read() as tx:
            tx.holds.paused()
    except Unreachable as fault:
        found.append(fault.message)
    if trouble:
        log.warning("outbox in trouble", trouble=trouble)
        found.append(trouble)
    return tuple(found)


def knocks(jitter: Callable[[], float] = random.random) -> Iterator[float]:
    """Seconds to wait before each new try: doubling, with jitter in the upper half."""
    pause = KNOCK
    while True:
        yield pause * (0.5 + jitter() / 2)
        pause = min(LONGEST, 2 * pause)


def run_bot(configuration: Configuration, *, front: bool) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code."""
    settings = configuration.settings
    configure(settings.log_level, settings.quarterdeck_log_format)
    bot = Bot(configuration, front=front)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: bot.stopping.set())
    try:
        bot.start()
        bot.stopping.wait()
    finally:
        bot.close()
    # Workflows that wait hold threads that would keep the process; all they need is stored.
    os._exit(0)
