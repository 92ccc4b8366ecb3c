"""Where contract tests play: the same moves on the fake and on the adapter over the local AWS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest
from typing_extensions import override

from bot.model.catalog import Ecr, TargetSpec
from bot.model.deployment import Image
from bot.model.errors import QuarterdeckError, Throttled, Unknown
from bot.model.places import EcsService
from bot.model.ports import Registry, Rollouts
from bot.model.rollout import End
from bot.playground.aws import World
from bot.providers.aws_session import AwsClients
from bot.providers.ecr import EcrRegistry
from bot.providers.ecs.rollouts import EcsRollouts
from tests.fakes.registry import FakeRegistry, digest_of
from tests.fakes.rollouts import FakeRollouts

REGION = "eu-west-1"
REGISTRY = "123456789012"
REPOSITORY = f"{REGISTRY}.dkr.ecr.{REGION}.amazonaws.com/backend"
ECR = Ecr(registry=REGISTRY, region=REGION, repository="backend")
SPEC = TargetSpec(
    service="backend",
    environment="staging",
    ecs=EcsService(region=REGION, cluster="staging", service="backend", container="backend"),
)


class RolloutStage(Protocol):
    """One service that runs well, and what can be made to happen around it.

    Providers differ, and say how: ``taken_back`` is how the rollout of an image that cannot run
    ends, ``own_revisions`` whether each deployment gets a revision of its own, and ``forgets``
    whether a revision can stop being usable.
    """

    rollouts: Rollouts
    spec: TargetSpec = SPEC
    taken_back: End = End.ROLLED_BACK
    own_revisions: bool = True
    forgets: bool = True

    def caught_up(self) -> None:
        """Wait until the provider's watches have told of everything."""
        return  # most have none

    def image(self, version: str, *, bad: bool = False) -> Image: ...
    def settle(self) -> None: ...
    def step(self) -> None: ...
    def deploy_elsewhere(self) -> None: ...
    def lose_answer_to_start(self) -> None: ...
    def throttle_start(self) -> None: ...
    def deregister(self, revision: str) -> None: ...
    def told(self) -> int: ...
    def now(self) -> datetime: ...


class FakeRolloutStage(RolloutStage):
    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        self.fake = FakeRollouts(self.now)
        self.rollouts = self.fake
        self._bad: set[Image | None] = set()
        self.fake.place(SPEC.key, self.image("v1"))

    @override
    def image(self, version: str, *, bad: bool = False) -> Image:
        image = Image(REPOSITORY, digest_of(version), version)
        if bad:
            self._bad.add(image)
        return image

    @override
    def settle(self) -> None:
        if self.rollouts.live(SPEC).image in self._bad:
            self.fake.take_back(SPEC.key)
        else:
            self.fake.finish(SPEC.key)

    @override
    def step(self) -> None:
        self._now += timedelta(seconds=5)

    @override
    def deploy_elsewhere(self) -> None:
        self.fake.deploy_elsewhere(SPEC.key, self.image("elsewhere"))

    @override
    def lose_answer_to_start(self) -> None:
        self.fake.break_next("start", Unknown("lost"), after=True)

    @override
    def throttle_start(self) -> None:
        self.fake.break_next("start", Throttled("slow down"))

    @override
    def deregister(self, revision: str) -> None:
        self.fake.deregister(revision)

    @override
    def told(self) -> int:
        return len(self.fake.told)

    @override
    def now(self) -> datetime:
        return self._now


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()


def virtual_world(seed: int = 1) -> World:
    """A strict local AWS whose dates go with its virtual time, which only ``advance`` moves."""

    def wall() -> float:
        return NOON + world.clock.now()

    world = World(seed, strict=True, wall=wall)
    return world


class Ticks:
    """Seconds that pass only with a world's virtual time."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self) -> float:
        return self._world.clock.now()


@dataclass
class LocalAws:
    """The local AWS, and clients that reach it the way boto3 is told in production."""

    world: World
    clients: AwsClients
    rollouts: EcsRollouts = field(init=False)

    def __post_init__(self) -> None:
        self.rollouts = EcsRollouts(self.clients, Ticks(self.world))

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.world.clock.wall(), UTC)


@contextmanager
def local_aws(monkeypatch: pytest.MonkeyPatch, world: World | None = None) -> Iterator[LocalAws]:
    with world or virtual_world() as served:
        point_boto3_at(monkeypatch, served.serve())
        clients = AwsClients(ecr_within=30)
        try:
            yield LocalAws(served, clients)
        finally:
            clients.close()


def point_boto3_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAQUARTERDECK")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)


class EcsRolloutStage(RolloutStage):
    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.rollouts = aws.rollouts
        first = self.image("v1")
        aws.world.create_service("staging", "backend", image=first.digest)

    @override
    def image(self, version: str, *, bad: bool = False) -> Image:
        kind = "crashing" if bad else "good"
        return Image(REPOSITORY, self.aws.world.push("backend", version, kind), version)

    @override
    def settle(self) -> None:
        assert self.aws.world.run_until_steady("staging", "backend")

    @override
    def step(self) -> None:
        self.aws.world.advance(5)

    @override
    def deploy_elsewhere(self) -> None:
        self.image("elsewhere")
        self.aws.world.deploy_out_of_band("staging", "backend", "elsewhere")

    @override
    def lose_answer_to_start(self) -> None:
        self.aws.world.faults.lose_answer("UpdateService")

    @override
    def throttle_start(self) -> None:
        self.aws.world.faults.throttle("UpdateService")

    @override
    def deregister(self, revision: str) -> None:
        self.aws.clients.ecs(REGION).deregister_task_definition(taskDefinition=revision)

    @override
    def told(self) -> int:
        return self.aws.world.count("UpdateService")

    @override
    def now(self) -> datetime:
        return self.aws.now()


class RegistryStage(Protocol):
    """One repository, ``ECR``."""

    registry: Registry

    def push(self, tag: str) -> str: ...
    def remove(self, digest: str) -> None: ...
    def throttle(self) -> None: ...


class FakeRegistryStage(RegistryStage):
    def __init__(self) -> None:
        self.fake = FakeRegistry()
        self.registry = self.fake

    @override
    def push(self, tag: str) -> str:
        return self.fake.push("backend", tag)

    @override
    def remove(self, digest: str) -> None:
        self.fake.remove("backend", digest)

    @override
    def throttle(self) -> None:
        fault: QuarterdeckError = Throttled("slow down")
        self.fake.break_next(fault)


class EcrRegistryStage(RegistryStage):
    def __init__(self, aws: LocalAws) -> None:
        self.world = aws.world
        self.ecr = EcrRegistry(aws.clients, Ticks(aws.world), answer_within=30)
        self.registry = self.ecr

    @override
    def push(self, tag: str) -> str:
        self.world.advance(3)
        return self.world.push("backend", tag)

    @override
    def remove(self, digest: str) -> None:
        self.world.advance(3)
        self.world.delete_image("backend", digest)

    @override
    def throttle(self) -> None:
        self.world.faults.throttle("*")
