"""The whole local AWS: its accounts, its time, its faults, and what tests do to it by hand."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Self, Unpack

from bot.playground.aws import (
    cloudwatch_api,
    ecr_api,
    elb_api,
    protocol,
    service_deployments_api,
    services_api,
    sts_api,
    task_definitions_api,
    tasks_api,
)
from bot.playground.aws.arrivals import Surroundings
from bot.playground.aws.balancers import Balancers
from bot.playground.aws.blueprints import (
    ACCOUNT,
    REGION,
    ServiceOptions,
    changed_definition,
    definition_of,
    service_request,
)
from bot.playground.aws.calls import CALLS_KEPT, Call
from bot.playground.aws.deployments import Deployments
from bot.playground.aws.errors import AwsError
from bot.playground.aws.events import Journal
from bot.playground.aws.faults import Faults
from bot.playground.aws.lookup import service_of
from bot.playground.aws.metrics import Metrics
from bot.playground.aws.networking import connect
from bot.playground.aws.operations import OPERATIONS, Context, Engine, Identity
from bot.playground.aws.records import (
    Behaviour,
    Estate,
    Image,
    Json,
    Minter,
    Repository,
    Service,
    digest_of,
)
from bot.playground.aws.rollout import Scheduler
from bot.playground.aws.server import Server
from bot.playground.aws.shifting_verbs import Shifts
from bot.playground.aws.targets import delay_of
from bot.playground.aws.tasks import Pulled, TaskLife, Timings
from bot.playground.aws.traffic import Traffic
from bot.playground.timeline import Clock, Timeline, WallClock

# Importing an API module enters its operations in the table.
APIS = (
    cloudwatch_api,
    ecr_api,
    elb_api,
    service_deployments_api,
    services_api,
    sts_api,
    task_definitions_api,
    tasks_api,
)


class World:
    """One local AWS.

    ``speed`` is how many virtual seconds pass in a real one; 0 stands still until ``advance``.
    ``wall`` tells the time that is shown (``createdAt`` and the like); give the caller's own clock.
    With ``visitors_by_wall`` what arrives at load balancers, CloudWatch's minutes, and how long
    ECS waits at a PAUSE hook go by ``wall`` and not by virtual time: whoever measures and judges by
    the clock on the wall is right then.
    With ``strict`` every answer is held against botocore's model, which costs time.
    ``balancers`` furnishes load balancers and target groups, ``traffic`` has the levers of what
    arrives there and how it is answered, ``metrics`` those of CloudWatch.
    """

    def __init__(
        self,
        seed: int = 1,
        speed: float = 0.0,
        *,
        strict: bool = False,
        visitors_by_wall: bool = False,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.faults = Faults()
        self.shifts = Shifts(self)
        self.clock = Clock(speed, wall)
        self.strict = strict
        self.lock = threading.RLock()
        self._minter = Minter(seed)
        self._timeline = Timeline(self.clock)
        journal = Journal(self._timeline, self._minter)
        self._tasks = TaskLife(self._timeline, self._minter, journal)
        self._tasks.pull = self.pulled
        self._tasks.drain = lambda service, task: delay_of(self.estate_of(service.arn), task)
        deployments = Deployments(self._timeline, self._minter, journal, self._tasks)
        scheduler = Scheduler(self._timeline, self._tasks, deployments, journal)
        connect(scheduler.shifting, self.estate_of)
        self._estates: dict[tuple[str, str], Estate] = {}
        self._epoch: float | None = None
        self._visiting = WallClock(wall) if visitors_by_wall else self.clock
        self._visits = Timeline(self._visiting) if visitors_by_wall else self._timeline
        around = Surroundings(
            timeline=self._timeline,
            visits=self._visits,
            pace=1 / speed if visitors_by_wall and speed else 1.0,
            tasks=self._tasks,
            moment=self._moment,
            estates=self._estates.values,
            estate_of=self.estate_of,
        )
        # A pause lasts until it was judged what visitors got: it goes by their clock.
        scheduler.shifting.pace = 1 / around.pace
        self.traffic = Traffic(self, around, seed)
        self.metrics = Metrics(self.traffic.flow, self._moment, seed)
        self.engine = Engine(deployments, scheduler, self._tasks, self.metrics)
        self._identities: dict[str, Identity] = {}
        self._calls: deque[Call] = deque(maxlen=CALLS_KEPT)
        self._server: Server | None = None
        self.balancers = Balancers(self, self._minter)

    # Serving

    def serve(self, port: int = 0) -> str:
        """Listen on loopback in a thread of its own; returns the URL for AWS_ENDPOINT_URL."""
        if self._server is None:
            self._server = Server(self, port)
            self._server.start()
        return self._server.url

    def close(self) -> None:
        """Stop listening; what the world holds stays readable."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        self.serve()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, request: protocol.Request) -> Json:
        """Carry out one operation, as its caller. Raises ``AwsError``."""
        protocol.check(request)
        function = OPERATIONS.get((request.service, request.operation))
        if function is None:
            raise AwsError(
                "UnknownOperationException",
                f"This simulator does not know {request.service}:{request.operation}.",
            )
        with self.lock:
            result = function(self._context(request), request.parameters)
            if self.strict:
                self._hold_to_model(request, result)
            return result

    def record(self, request: protocol.Request, outcome: str) -> None:
        """Write a call down."""
        who = self.identity(request.access_key).arn
        call = Call(
            request.service,
            request.operation,
            request.parameters,
            outcome,
            self.clock.wall(),
            who,
        )
        with self.lock:
            self._calls.append(call)

    def identity(self, access_key: str) -> Identity:
        """Whose key that is; any unknown one is the default user's."""
        user = Identity(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/quarterdeck", "AIDAEXAMPLEQUARTERDK")
        return self._identities.get(access_key, user)

    # Looking at it

    def calls(self, op: str | None = None) -> list[Call]:
        """The calls so far, oldest first, of one operation or of all."""
        with self.lock:
            return [call for call in self._calls if op in {None, call.operation}]

    def count(self, op: str) -> int:
        """How many calls of ``op`` took effect, answered or not."""
        return sum(call.took_effect for call in self.calls(op))

    def service(self, cluster: str, service: str, region: str = REGION) -> Service:
        """The service as the simulation holds it. Raises ``AwsError`` where there is none."""
        with self.lock:
            self._catch_up()
            return service_of(self.estate(ACCOUNT, region), cluster, service)

    def estate(self, account: str = ACCOUNT, region: str = REGION) -> Estate:
        """Everything of that account and region, made empty when first asked for."""
        return self._estates.setdefault((account, region), Estate(account, region))

    def estate_of(self, arn: str) -> Estate:
        """The account and region that an ARN names."""
        _, _, _, region, account, *_ = arn.split(":")
        return self.estate(account, region)

    def moment(self) -> float:
        """Now as CloudWatch tells it: seconds since 1970 on the visitors' clock.

        It runs with virtual time, unless visitors go by the wall: then it is what the wall shows.
        """
        with self.lock:
            self._catch_up()
            return self._moment()

    # Doing things to it

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` of virtual time pass at once."""
        with self.lock:
            self.clock.advance(seconds)
            self._catch_up()

    def set_timings(self, **changes: float) -> None:
        """Change how long things take from now on; names are those of ``Timings``."""
        current = self._tasks.timings
        kept = {name: getattr(current, name) for name in Timings.__dataclass_fields__}
        self._tasks.timings = Timings(**{**kept, **changes})

    def push(
        self,
        repository: str,
        tag: str,
        behaviour: Behaviour | str = Behaviour.GOOD,
        region: str = REGION,
    ) -> str:
        """Push an image that behaves so, moving the tag to it; returns its digest.

        The repository is made where it is missing. The same region, repository, tag and behaviour
        give the same digest.
        """
        with self.lock:
            self._catch_up()
            home = self._repository(self.estate(ACCOUNT, region), repository)
            kind = Behaviour(behaviour)
            digest = digest_of(region, repository, tag, kind)
            now = self._timeline.stamp()
            fresh = Image(digest, kind, now, f'{{"schemaVersion":2,"simulated":"{digest}"}}')
            home.images.setdefault(digest, fresh)
            self.tag(repository, digest, tag, region)
            return digest

    def tag(self, repository: str, digest: str, tag: str, region: str = REGION) -> None:
        """Move a tag to an image that is there already."""
        with self.lock:
            home = self.estate(ACCOUNT, region).repositories[repository]
            for image in home.images.values():
                image.tags = [each for each in image.tags if each != tag]
            home.images[digest].tags.append(tag)

    def delete_image(self, repository: str, digest: str, region: str = REGION) -> None:
        """Let an image expire from its repository."""
        with self.lock:
            self.estate(ACCOUNT, region).repositories[repository].images.pop(digest, None)

    def create_service(
        self, cluster: str, service: str, **options: Unpack[ServiceOptions]
    ) -> Service:
        """Make a service with cluster, repository and task definition; see ``ServiceOptions``."""
        region = options.get("region", REGION)
        with self.lock:
            self._catch_up()
            estate = self.estate(ACCOUNT, region)
            home = self._repository(estate, options.get("repository", service))
            self.ask("CreateCluster", {"clusterName": cluster}, region)
            definition = definition_of(service, home.uri, options)
            made = self.ask("RegisterTaskDefinition", definition, region)["taskDefinition"]
            self.shifts.furnish(service, options)
            if options.get("load_balanced", False) and "target_group" not in options:
                options["target_group"] = self.balancers.single(service, region)
            wanted = service_request(cluster, service, made["taskDefinitionArn"], options)
            self.ask("CreateService", wanted, region)
            found = service_of(estate, cluster, service)
            if options.get("settled", True):
                self.engine.deployments.settle(found)
            return found

    def register(self, definition: Json, region: str = REGION) -> str:
        """Register a task definition, as somebody else; returns its ARN."""
        with self.lock:
            made = self.ask("RegisterTaskDefinition", definition, region)["taskDefinition"]
            return str(made["taskDefinitionArn"])

    def deploy_out_of_band(
        self, cluster: str, service: str, image: str, region: str = REGION
    ) -> str:
        """Let somebody else deploy ``image`` (tag, digest or reference); returns the revision."""
        with self.lock:
            running = self.service(cluster, service, region).primary.revision.task_definition
            definition = changed_definition(running.document, image)
            arn = self.register(definition, region)
            self.update_out_of_band(cluster, service, taskDefinition=arn, region=region)
            return arn

    def update_out_of_band(
        self, cluster: str, service: str, region: str = REGION, **changes: Any
    ) -> None:
        """Let somebody else call UpdateService with ``changes`` in its wire names."""
        with self.lock:
            self._catch_up()
            named = {"cluster": cluster, "service": service, **changes}
            self.ask("UpdateService", named, region)

    def scale(self, cluster: str, service: str, desired: int, region: str = REGION) -> None:
        """Let somebody else change the desired count."""
        self.update_out_of_band(cluster, service, region, desiredCount=desired)

    def trip_alarm(self, name: str) -> None:
        """Let a CloudWatch alarm go off, for every deployment that watches it."""
        with self.lock:
            self._catch_up()
            self.metrics.set_alarm(name, "ALARM")
            for service in self.services():
                self.engine.deployments.on_alarm(service, name)

    def kill_task(self, cluster: str, service: str, exit_code: int = 1) -> None:
        """Let one running task of the service crash."""
        with self.lock:
            found = self.service(cluster, service)
            task = next(each for each in found.tasks.values() if each.live and each.running)
            self._tasks.kill(found, task, exit_code)

    def run_until_steady(self, cluster: str, service: str, most: float = 7200.0) -> bool:
        """Advance until no rollout is under way; False where ``most`` seconds were too few."""
        step = 5.0
        for _ in range(int(most / step)):
            found = self.service(cluster, service)
            over = found.primary.rollout_state != "IN_PROGRESS"
            if over and not found.history[-1].open and (found.steady or found.completed is None):
                return True
            self.advance(step)
        return False

    def ask(self, operation: str, parameters: Json, region: str = REGION) -> Json:
        """Let somebody else call ECS. It is no call of the bot's, so it is not recorded."""
        return self.call(protocol.Request("ecs", operation, parameters, "AKIASOMEONEELSE", region))

    # Inside

    def _context(self, request: protocol.Request) -> Context:
        self._catch_up()
        identity = self.identity(request.access_key)
        return Context(
            estate=self.estate(identity.account, request.region),
            estate_of=lambda account: self.estate(account, request.region),
            identity=identity,
            engine=self.engine,
            now=self._timeline.now,
            lag=self.faults.lag_seconds,
            adopt=self._identities.__setitem__,
            mint=self._minter.hexadecimal,
            stamp=self._timeline.stamp(),
        )

    def _moment(self) -> float:
        # Not at birth: a wall may be made of the world's own clock.
        if self._epoch is None:
            self._epoch = self._visiting.wall() - self._visiting.now()
        return self._epoch + self._visits.now

    def _catch_up(self) -> None:
        self._timeline.catch_up()
        if self._visits is not self._timeline:
            self._visits.catch_up()

    def services(self) -> list[Service]:
        """Every service of every account and region, until it is INACTIVE."""
        return [
            service
            for estate in self._estates.values()
            for cluster in estate.clusters.values()
            for service in cluster.services.values()
            if service.status != "INACTIVE"
        ]

    def _repository(self, estate: Estate, name: str) -> Repository:
        arn = estate.arn("repository", name, "ecr")
        fresh = Repository(name, arn, f"{estate.registry}/{name}", self._timeline.stamp())
        return estate.repositories.setdefault(name, fresh)

    def pulled(self, wanted: str) -> Pulled:
        """What whoever pulls that reference gets: an image, and how it behaves."""
        host, _, path = wanted.partition("/")
        account, _, rest = host.partition(".dkr.ecr.")
        if not rest:
            return Pulled(wanted, None, Behaviour.GOOD)
        name, _, digest = path.partition("@")
        name, _, tag = name.partition(":")
        estate = self.estate(account, rest.partition(".")[0])
        repository = estate.repositories.get(name)
        image = repository.find(digest or tag or "latest") if repository else None
        behaviour = image.behaviour if image else Behaviour.UNPULLABLE
        return Pulled(wanted, image, behaviour)

    def _hold_to_model(self, request: protocol.Request, result: Json) -> None:
        wrong = protocol.complaints(request.service, request.operation, result)
        if wrong:
            raise AwsError("SimulatorDefect", "; ".join(wrong), 500)
