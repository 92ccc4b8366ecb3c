"""A Prometheus server on loopback, and targets whose counters it is told of at any moment.

It is the Debian package's; where there is none, tests that need it are skipped. Samples reach it by
remote write, with the times the test gives them, so that no test waits for a scrape; what a
scraper would do (a marker where a scrape failed) the test does.

https://prometheus.io/docs/specs/prw/remote_write_spec/
"""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event

import urllib3

PROGRAM = shutil.which("prometheus")
WHY_NOT = "there is no prometheus on PATH (Debian's package of that name has it)"
#: How a scrape that failed ends a series.
STALE: float = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
_READY_WITHIN, _LOOK = 30.0, 0.05

Labels = Mapping[str, str]
Sample = tuple[datetime, float]


@dataclass
class RealPrometheus:
    """One server for many tests: each has labels of its own, and hours of its own.

    Samples are taken in order of time, so each test begins later than the one before it.
    """

    url: str
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))

    def write(self, series: Sequence[tuple[Labels, Sequence[Sample]]]) -> None:
        """Raises ``AssertionError`` where the server takes not all of it."""
        message = b"".join(_field(1, _series(labels, samples)) for labels, samples in series)
        response = self.pool.request(
            "POST",
            f"{self.url}/api/v1/write",
            body=_uncompressed(message),
            headers={
                "Content-Encoding": "snappy",
                "Content-Type": "application/x-protobuf",
                "X-Prometheus-Remote-Write-Version": "0.1.0",
            },
        )
        assert response.status == 204, response.data


@contextmanager
def running_prometheus(folder: Path) -> Iterator[RealPrometheus]:
    """A server with nothing in it, until the block ends."""
    assert PROGRAM is not None, WHY_NOT
    settings = folder / "prometheus.yml"
    settings.write_text("global: {scrape_interval: 1h}\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(_command(settings, folder, address), stdout=log, stderr=log)
    prometheus = RealPrometheus(f"http://{address}")
    try:
        _wait(prometheus, server)
        yield prometheus
    finally:
        prometheus.pool.clear()
        server.terminate()
        server.wait()


def _command(settings: Path, folder: Path, address: str) -> list[str]:
    assert PROGRAM is not None
    return [
        PROGRAM,
        f"--config.file={settings}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=10y",
        f"--web.listen-address={address}",
        "--web.enable-remote-write-receiver",
        "--log.level=warn",
    ]


def _wait(prometheus: RealPrometheus, server: subprocess.Popen[bytes]) -> None:
    for _ in range(int(_READY_WITHIN / _LOOK)):
        assert server.poll() is None, "Prometheus ended by itself"
        try:
            if prometheus.pool.request("GET", f"{prometheus.url}/-/ready").status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass  # it does not listen yet
        Event().wait(_LOOK)
    raise AssertionError("Prometheus did not get ready")


def _series(labels: Labels, samples: Sequence[Sample]) -> bytes:
    named = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, value.encode()))
        for name, value in sorted(labels.items())
    )
    return named + b"".join(
        _field(2, b"\x09" + _double(value) + b"\x10" + _varint(round(at.timestamp() * 1000)))
        for at, value in samples
    )


def _double(value: float) -> bytes:
    # A marker's bits are kept: struct would quieten them on some platforms.
    return b"\x02\x00\x00\x00\x00\x00\xf0\x7f" if value != value else struct.pack("<d", value)  # noqa: PLR0124


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(parts) + bytes([value])


def _uncompressed(message: bytes) -> bytes:
    """Snappy's block format of nothing but literals."""
    parts = [message[at : at + 0x10000] for at in range(0, len(message), 0x10000)]
    return _varint(len(message)) + b"".join(
        b"\xf4" + struct.pack("<H", len(part) - 1) + part for part in parts
    )
