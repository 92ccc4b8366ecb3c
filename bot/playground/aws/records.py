"""What the simulated accounts hold: definitions, services, deployments, tasks, images."""

from __future__ import annotations

import hashlib
import random
import string
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bot.playground.aws.balancing import Balancing
from bot.playground.aws.stages import Passage

# A document as it goes over the wire.
Json = dict[str, Any]

EVENTS_KEPT = 100  # DescribeServices shows at most the 100 newest events.
BASE62 = string.digits + string.ascii_letters


class Behaviour(StrEnum):
    """What a container does when it is started from an image."""

    GOOD = "good"
    CRASHING = "crashing"
    SLOW = "slow"
    UNHEALTHY = "unhealthy"
    UNPULLABLE = "unpullable"


class Minter:
    """Makes ids that depend only on the seed and on what they are for."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._counts: dict[str, int] = {}

    def source(self, what: str) -> random.Random:
        """A source of chance for the next thing called ``what``."""
        count = self._counts[what] = self._counts.get(what, 0) + 1
        return random.Random(f"{self._seed}/{what}/{count}")  # noqa: S311 - ids, no secrets

    def hexadecimal(self, what: str) -> str:
        """32 hexadecimal digits, as in a task's id."""
        return f"{self.source(what).getrandbits(128):032x}"

    def number(self, what: str) -> str:
        """19 decimal digits, as in ``ecs-svc/...``."""
        return str(self.source(what).randrange(10**18, 10**19))

    def word(self, what: str) -> str:
        """21 letters and digits, as in a service deployment's ARN."""
        source = self.source(what)
        return "".join(source.choice(BASE62) for _ in range(21))


@dataclass
class Image:
    """One image of a repository, with the tags that point at it now."""

    digest: str
    behaviour: Behaviour
    pushed_at: float
    manifest: str
    tags: list[str] = field(default_factory=list)


@dataclass
class Repository:
    """An ECR repository; images by digest."""

    name: str
    arn: str
    uri: str
    created_at: float
    images: dict[str, Image] = field(default_factory=dict)

    def find(self, ref: str) -> Image | None:
        """The image with that digest, or the one that the tag points at."""
        if ref.startswith("sha256:"):
            return self.images.get(ref)
        return next((image for image in self.images.values() if ref in image.tags), None)


@dataclass
class TaskDefinition:
    """One revision; ``document`` is its wire form without status and dates.

    ``registered_at`` is as shown; ``visible_at`` is virtual: reads lag by then.
    """

    arn: str
    family: str
    revision: int
    document: Json
    tags: list[Json]
    registered_at: float
    visible_at: float
    status: str = "ACTIVE"
    deregistered_at: float | None = None


@dataclass(eq=False)
class Revision:
    """A service revision: the configuration that one service deployment brought.

    ``resolved`` names the target groups that ECS chose, where it has two to choose from.
    """

    arn: str
    task_definition: TaskDefinition
    created_at: float
    images: list[Json]
    settings: Json
    resolved: list[Json] = field(default_factory=list)

    @property
    def balancers(self) -> list[Json]:
        """Its ``loadBalancers``, each with the target group that its tasks are registered in."""
        given: list[Json] = self.settings.get("loadBalancers", [])
        if not self.resolved:
            return given
        return [
            {**each, "targetGroupArn": chosen["targetGroupArn"]}
            for each, chosen in zip(given, self.resolved, strict=True)
        ]

    @property
    def target_groups(self) -> list[str]:
        """The ARNs of the target groups that its tasks are registered in."""
        return [each.get("targetGroupArn", "-") for each in self.balancers]


@dataclass(eq=False)
class ServiceDeployment:
    """One row of the service's deployment history, as DescribeServiceDeployments tells it.

    ``passage`` is how far it has come, where its strategy shifts traffic.
    """

    arn: str
    created_at: float
    sources: list[Revision]
    target: Revision
    configuration: Json
    updated_at: float
    status: str = "PENDING"
    reason: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    stopped_at: float | None = None
    rollback: Json | None = None
    failures: int = 0
    threshold: int = 0
    tripped: bool = False
    triggered_alarms: list[str] = field(default_factory=list)
    counts: dict[str, tuple[int, int, int]] | None = None
    passage: Passage | None = None

    @property
    def open(self) -> bool:
        """Whether it has not ended yet."""
        return self.status in {
            "PENDING",
            "IN_PROGRESS",
            "STOP_REQUESTED",
            "ROLLBACK_REQUESTED",
            "ROLLBACK_IN_PROGRESS",
        }


@dataclass(eq=False)
class Deployment:
    """One entry of a service's ``deployments``."""

    id: str
    revision: Revision
    created_at: float
    updated_at: float
    record: ServiceDeployment
    status: str = "PRIMARY"
    rollout_state: str = "IN_PROGRESS"
    reason: str = ""
    failed: int = 0
    accepted: bool = False
    is_rollback: bool = False


@dataclass(eq=False)
class Task:
    """One task; ``container`` is the one that decides how it lives, ``digests`` are by container.

    ``dates`` are as shown, absent until they happen; the other moments are virtual: when it began
    to run, when it was told to stop or stopped by itself, when it was gone.
    """

    id: str
    arn: str
    deployment: Deployment
    started_by: str
    created_at: float
    container: Json
    digests: dict[str, str]
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    health: str = "UNKNOWN"
    ready: bool = False
    was_ready: bool = False
    version: int = 1
    running_at: float | None = None
    leaving_at: float | None = None
    gone_at: float | None = None
    stop_code: str | None = None
    stopped_reason: str | None = None
    exit_code: int | None = None
    container_reason: str | None = None
    dates: Json = field(default_factory=dict)

    @property
    def address(self) -> str:
        """The private IPv4 address of its network interface."""
        numbers = hashlib.sha256(self.id.encode()).digest()
        return f"10.0.{numbers[0]}.{numbers[1] % 254 + 1}"

    @property
    def live(self) -> bool:
        """Whether ECS wants it to run."""
        return self.desired_status == "RUNNING"

    @property
    def stopped(self) -> bool:
        """Whether it is gone."""
        return self.last_status == "STOPPED"

    @property
    def pending(self) -> bool:
        """Whether it is on its way up."""
        return self.live and self.last_status in {"PROVISIONING", "PENDING", "ACTIVATING"}

    @property
    def running(self) -> bool:
        """Whether it counts as running."""
        return self.last_status == "RUNNING"


@dataclass
class Stale:
    """What reads show until ``until`` because they lag behind a write."""

    until: float
    service: Json
    records: list[Json]


@dataclass(eq=False)
class Service:
    """A service. ``settings`` holds its other wire fields; ``deployments[0]`` is PRIMARY.

    ``asked`` is the request that created it, for a retry with the same ``clientToken``.
    """

    arn: str
    name: str
    cluster_arn: str
    settings: Json
    desired: int
    created_at: float
    deployments: list[Deployment] = field(default_factory=list)
    history: list[ServiceDeployment] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)
    tasks: dict[str, Task] = field(default_factory=dict)
    events: deque[Json] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    completed: Deployment | None = None
    steady_since: float | None = None
    steady: bool = False
    hold_until: float = 0.0
    failure_rounds: int = 0
    stale: Stale | None = None
    status: str = "ACTIVE"
    asked: Json = field(default_factory=dict)

    @property
    def primary(self) -> Deployment:
        """The newest deployment."""
        return self.deployments[0]

    @property
    def configuration(self) -> Json:
        """The ``deploymentConfiguration`` in force."""
        return dict(self.settings["deploymentConfiguration"])


@dataclass(eq=False)
class Cluster:
    """A cluster and its services by name."""

    arn: str
    name: str
    services: dict[str, Service] = field(default_factory=dict)


@dataclass(eq=False)
class Estate:
    """Everything of one account in one region."""

    account: str
    region: str
    clusters: dict[str, Cluster] = field(default_factory=dict)
    families: dict[str, list[TaskDefinition]] = field(default_factory=dict)
    repositories: dict[str, Repository] = field(default_factory=dict)
    tags: dict[str, list[Json]] = field(default_factory=dict)
    balancing: Balancing = field(default_factory=Balancing)

    def arn(self, kind: str, name: str, vendor: str = "ecs") -> str:
        """An ARN in this account and region: ``arn:aws:ecs:<region>:<account>:<kind>/<name>``."""
        return f"arn:aws:{vendor}:{self.region}:{self.account}:{kind}/{name}"

    @property
    def registry(self) -> str:
        """The host under which this account's images are pulled."""
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com"


def digest_of(*parts: str) -> str:
    """The digest of an image made of these parts."""
    return "sha256:" + hashlib.sha256("\0".join(parts).encode()).hexdigest()
