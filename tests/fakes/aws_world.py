"""A local AWS in a thread of the test process, and boto3 clients that speak to it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config

from bot.playground.aws import World

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_sts import STSClient

Client = TypeVar("Client", bound="BaseClient")
REGION = "eu-west-1"
# One attempt, and no patience: tests see every answer, and none hangs.
ONE_ATTEMPT = Config(
    retries={"total_max_attempts": 1, "mode": "standard"}, connect_timeout=5, read_timeout=20
)


@functools.cache
def _session() -> boto3.Session:
    # Reading the service models takes a quarter of a second; one session keeps them.
    return boto3.Session()


@contextmanager
def running_world(seed: int = 1, speed: float = 0.0, *, strict: bool = True) -> Iterator[World]:
    """A world that serves on loopback until the block ends."""
    world = World(seed, speed, strict=strict)
    world.serve()
    try:
        yield world
    finally:
        world.close()


class Clients:
    """boto3 clients of one world; ``close`` hangs up, or their sockets outlive the test."""

    def __init__(self, url: str, region: str = REGION, key: str = "AKIATEST") -> None:
        self._options: dict[str, Any] = {
            "endpoint_url": url,
            "region_name": region,
            "aws_access_key_id": key,
            "aws_secret_access_key": "made-up",
            "config": ONE_ATTEMPT,
        }
        self._open = ExitStack()

    @functools.cached_property
    def ecs(self) -> ECSClient:
        """The ECS client."""
        return self._keep(_session().client("ecs", **self._options))

    @functools.cached_property
    def ecr(self) -> ECRClient:
        """The ECR client."""
        return self._keep(_session().client("ecr", **self._options))

    @functools.cached_property
    def sts(self) -> STSClient:
        """The STS client."""
        return self._keep(_session().client("sts", **self._options))

    @functools.cached_property
    def elb(self) -> Any:
        """The ELBv2 client."""
        return self._keep(_session().client("elbv2", **self._options))

    @functools.cached_property
    def cloudwatch(self) -> Any:
        """The CloudWatch client."""
        return self._keep(_session().client("cloudwatch", **self._options))

    def close(self) -> None:
        """Close the connection pools."""
        self._open.close()

    def _keep(self, client: Client) -> Client:
        self._open.callback(client.close)
        return client


@contextmanager
def clients_of(world: World) -> Iterator[Clients]:
    """Clients that are closed when the block ends."""
    clients = Clients(world.serve())
    try:
        yield clients
    finally:
        clients.close()
