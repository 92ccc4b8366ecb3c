"""A local AWS in a thread of the test process, and boto3 clients that speak to it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from bot.playground.aws import World

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_sts import STSClient

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
        session = _session()
        credentials = {"aws_access_key_id": key, "aws_secret_access_key": "made-up"}
        options: dict[str, Any] = {"endpoint_url": url, "region_name": region, **credentials}
        self.ecs: ECSClient = session.client("ecs", config=ONE_ATTEMPT, **options)
        self.ecr: ECRClient = session.client("ecr", config=ONE_ATTEMPT, **options)
        self.sts: STSClient = session.client("sts", config=ONE_ATTEMPT, **options)

    def close(self) -> None:
        """Close the connection pools."""
        for client in (self.ecs, self.ecr, self.sts):
            client.close()


@contextmanager
def clients_of(world: World) -> Iterator[Clients]:
    """Clients that are closed when the block ends."""
    clients = Clients(world.serve())
    try:
        yield clients
    finally:
        clients.close()
