"""The playground's Prometheus, told of samples as the real one is in these tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from bot.playground.prometheus import Api, Server, Storage
from tests.contracts.real_prometheus import Sample


class Prometheus(Protocol):
    """A server that takes samples with times of their own."""

    url: str

    def write(self, series: Sequence[tuple[Mapping[str, str], Sequence[Sample]]]) -> None:
        """In order of time for each series; what is no number marks it as stale."""
        ...


@dataclass
class LocalPrometheus:
    """One server for many tests."""

    url: str
    storage: Storage = field(default_factory=Storage)

    def write(self, series: Sequence[tuple[Mapping[str, str], Sequence[Sample]]]) -> None:
        for labels, samples in series:
            for at, value in samples:
                if value == value:  # noqa: PLR0124 - what is no number is not the same as itself
                    self.storage.append(labels, at.timestamp(), value)
                else:
                    self.storage.end(labels, at.timestamp())


@contextmanager
def local_prometheus() -> Iterator[LocalPrometheus]:
    """A server with nothing in it, until the block ends."""
    storage = Storage()
    server = Server(Api(storage))
    server.start()
    try:
        yield LocalPrometheus(server.url, storage)
    finally:
        server.stop()
