"""How fast signed ``/deploy`` requests are recorded and acknowledged, beside a bare Bolt app."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.cloud import service_name
from benchmarks.commands import typed
from benchmarks.databases import NewDatabase
from benchmarks.load import Load, fire
from benchmarks.place import Fleet, place
from benchmarks.processes import Child
from benchmarks.verdict import Verdict, at_least, below, percentile

CLIENTS = 20
SERVICES, TAGS = 200, 8
LEAST, SLOWEST_MS = 0.3, 500.0
WARM_UP = 100
#: What the bot says in time when the answer itself is late: it counts, with the time it took.
LATE = "Still working"


def measure(kind: str, new_database: NewDatabase) -> Iterator[Verdict]:
    """Requests that wait for an approval, then ones that start a rollout each."""
    with place(new_database(), Fleet(SERVICES, TAGS)) as stack:
        bare = _bare(stack.folder)
        stack.fire(CLIENTS, "waits for", _deploys(range(SERVICES), 1, "production")[:WARM_UP])
        waiting = [
            body
            for tag in range(2, TAGS + 1)
            for body in _deploys(range(SERVICES), tag, "production")
        ]
        load = stack.fire(CLIENTS, f"waits for|{LATE}", waiting)
        yield from _verdicts(kind, "awaiting approval", load, bare)
        load = stack.fire(CLIENTS, f"is queued|{LATE}", _deploys(range(SERVICES), 1, "staging"))
        yield from _verdicts(kind, "starting a rollout", load, bare)


def _bare(folder: Path) -> Load:
    with TemporaryDirectory() as name, Child("bare", folder, ["benchmarks.bare"], {}) as app:
        url = app.first_line()
        bodies = [typed(f"app{number} staging v1") for number in range(3000)]
        fire(Path(name), url, CLIENTS, "queued", bodies[:WARM_UP])
        return fire(Path(name), url, CLIENTS, "queued", bodies[WARM_UP:])


def _deploys(services: range, tag: int, environment: str) -> list[str]:
    return [typed(f"{service_name(number)} {environment} v{tag}") for number in services]


def _verdicts(kind: str, what: str, load: Load, bare: Load) -> Iterator[Verdict]:
    name = f"/deploy {what}, {CLIENTS} clients, {kind}"
    yield at_least(f"{name}: throughput", load.throughput, bare.throughput, "/s", LEAST)
    yield below(f"{name}: p99 to ack", percentile(load.took, 99) * 1000, "ms", SLOWEST_MS)
