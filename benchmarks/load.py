"""Many clients at once, in a process of their own so that they take nothing from what they measure.

``python -m benchmarks.load <url> <clients> <words> <file>``: the file has one request body a line;
words with ``|`` between them are alternatives. Prints JSON: see ``Load``.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.commands import signed
from benchmarks.processes import Child

#: Slack gives up after three seconds; what takes longer is measured all the same.
GIVES_UP = 30.0


@dataclass(slots=True)
class Load:
    """``sent`` and ``took`` in seconds, per answer; ``others`` are answers without the words."""

    seconds: float
    sent: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)

    @property
    def throughput(self) -> float:
        return len(self.took) / self.seconds


def fire(folder: Path, url: str, clients: int, words: str, bodies: list[str]) -> Load:
    """Send every body once, ``clients`` at a time. An answer counts that has the ``words``."""
    path = folder / "bodies.txt"
    path.write_text("\n".join(bodies))
    command = ["benchmarks.load", url, str(clients), words, str(path)]
    with Child("load", folder, command, {}) as child:
        return Load(**json.loads(child.first_line()))


def _client(address: tuple[str, int], words: list[bytes], todo: Iterator[bytes]) -> Load:
    load, others = Load(0.0), Counter[str]()
    with socket.create_connection(address, GIVES_UP) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in todo:
            load.sent.append(time.time())
            began = time.perf_counter()
            connection.sendall(request)
            answer = _answer(connection)
            load.took.append(time.perf_counter() - began)
            if not answer.startswith(b"HTTP/1.1 200") or not any(each in answer for each in words):
                others[answer[-200:].decode(errors="replace")] += 1
    load.others = dict(others)
    return load


def _answer(connection: socket.socket) -> bytes:
    received = b""
    while True:
        chunk = connection.recv(65536)
        if not chunk:
            raise ConnectionError("the server hung up")
        received += chunk
        head, found, body = received.partition(b"\r\n\r\n")
        if found and len(body) >= int(head.lower().partition(b"content-length:")[2].split()[0]):
            return received


def main(url: str, clients: int, words: str, path: str) -> None:
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    todo = [signed(body, f"{host}:{port}") for body in Path(path).read_text().splitlines()]
    shares = [iter(todo[start::clients]) for start in range(clients)]
    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        loads = list(
            pool.map(lambda mine: _client((host, port), words.encode().split(b"|"), mine), shares)
        )
    whole = Load(time.perf_counter() - began)
    others = Counter[str]()
    for load in loads:
        whole.sent += load.sent
        whole.took += load.took
        others.update(load.others)
    whole.others = dict(others)
    sys.stdout.write(json.dumps(asdict(whole)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])
