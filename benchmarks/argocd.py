"""From the moment an Application stands at our commit to the final card, and what a crowd costs.

Twenty rollouts at once on each database, beside a script for each that reads the Application every
three seconds and posts the end to the same Slack. Then two hundred in one namespace, some of which
crash: the truth is told of every one, from one watch.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from threading import Event
from typing import Any

from benchmarks.cloud import service_name
from benchmarks.cluster import ENVIRONMENT, KUBECONFIG, STAGE, Facts, Stage, stands
from benchmarks.commands import typed
from benchmarks.databases import POSTGRESQL, NewDatabase
from benchmarks.place import ECR, HEAD, PATIENCE, Place, exchange, place
from benchmarks.processes import Child
from benchmarks.verdict import Verdict, at_most, below
from bot.model.deployment import Deployment, Status
from bot.playground.slack.crew import DEPLOYMENTS
from bot.playground.slack.state import Secrets

FEW, MANY, BAD, CLIENTS = 20, 200, 20, 20
#: How often a script looks, in seconds.
POLL = 3.0
SLOWEST, SHARE, MEBIBYTES, CORES = 1.0, 1 / 2, 200.0, 1.0
#: A script neither starts anything nor says why something fails; nor does it look twice to be sure.
CALLS = 2.0
#: A rollout in a crowd costs as much as one among few, but for what it costs to wait longer.
LONGER = 1.5
_APPLICATION = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A shore of Applications, of which the first ``bad`` are given an image that crashes.

    ``pull`` is how long a node takes to pull an image. What Slack would hold back is not measured.
    """

    services: int
    bad: int = 0
    pull: float = 4.0
    limited: bool = False

    def cloud(self, folder: Path) -> Child:
        sizes = ["--services", str(self.services), "--bad", str(self.bad)]
        command = ["benchmarks.cluster", *sizes, "--pull", str(self.pull)]
        return Child("cluster", folder, command, {})

    def catalog(self, folder: Path) -> str:
        names = [service_name(number) for number in range(self.services)]
        lines = [f"  {name}: {{repository: acme/{name}, {ECR % name}}}" for name in names]
        url = stage_in(folder).git
        manifests = f"{{repository: {url!r}, path: %s, kustomize: {{image: %s}}}}"
        argocd = f"argocd: {{application: %s, settle: 0s, manifests: {manifests}}}"
        targets = [
            f"  - {{service: {name}, environment: {ENVIRONMENT}, {argocd % (name, name, name)}}}"
            for name in names
        ]
        return "\n".join((f"{HEAD}services:", *lines, "targets:", *targets, ""))

    def environment(self, folder: Path) -> Mapping[str, str]:
        return {
            "KUBECONFIG": str(folder / KUBECONFIG),
            "GIT_TOKEN": stage_in(folder).token,
            "QUARTERDECK_CACHE": str(folder / "cache"),
        }


def stage_in(folder: Path) -> Stage:
    return Stage(**json.loads((folder / STAGE).read_text()))


@dataclass(slots=True)
class Crowd:
    """What one crowd cost. ``lags`` in seconds from truth to card; ``theirs`` those of scripts."""

    facts: Facts
    lags: list[float]
    mebibytes: float
    cores: float
    seconds: float
    watches: int
    theirs: list[float] = field(default_factory=list)

    @property
    def calls(self) -> float:
        return len(self.facts.calls) / len(self.facts.running)


def measure(databases: dict[str, NewDatabase]) -> Iterator[Verdict]:
    """The small crowds at the same time, then the large one on the database for many."""
    with ThreadPoolExecutor(len(databases)) as pool:
        crowds = pool.map(lambda new: _crowd(new(), Cluster(FEW), scripts=True), databases.values())
        few = dict(zip(databases, crowds, strict=True))
    for kind, found in few.items():
        yield from _promptness(f"{FEW} rollouts, {kind}", found)
    many = _crowd(databases[POSTGRESQL](), Cluster(MANY, BAD, pull=20.0))
    yield from _costs(f"{MANY} rollouts at once, {POSTGRESQL}", many, few[POSTGRESQL])


def _promptness(name: str, found: Crowd) -> Iterator[Verdict]:
    ours, theirs = median(found.lags), median(found.theirs)
    yield below(f"{name}: Healthy and Synced to final card, median", ours, "s", SLOWEST)
    yield at_most(f"{name}: the same, against a look every {POLL:g} s", ours, theirs, "s", SHARE)
    calls = found.facts.others / FEW
    yield at_most(f"{name}: API calls per rollout, against that", found.calls, calls, "", CALLS)


def _costs(name: str, many: Crowd, few: Crowd) -> Iterator[Verdict]:
    watches = f"{name}: watches of Applications open at once"
    yield at_most(f"{watches}, against one for each", many.watches, MANY, "", 1 / MANY)
    calls = f"{name}: API calls per rollout, against {FEW}"
    yield at_most(calls, many.calls, few.calls, "", LONGER)
    requests = f"{name}: git requests per rollout, against {FEW}"
    yield at_most(requests, _git(many), _git(few), "", 1.2)
    yield below(f"{name}: resident memory, peak", many.mebibytes, "MiB", MEBIBYTES)
    yield below(f"{name}: processor", many.cores, "cores", CORES)
    lag = f"{name}: Healthy and Synced to final card, median"
    yield below(lag, median(many.lags), "s", SLOWEST)


def _git(found: Crowd) -> float:
    return sum(found.facts.git.values()) / len(found.facts.running)


def _crowd(database_url: str, cluster: Cluster, *, scripts: bool = False) -> Crowd:
    with place(database_url, cluster) as stack:
        stage, names = stage_in(stack.folder), [service_name(n) for n in range(cluster.services)]
        before, began = stack.bot.cpu_seconds(), time.monotonic()
        with ThreadPoolExecutor(cluster.services) as pool:
            numbers = range(cluster.services if scripts else 0)
            posted = pool.map(lambda n: _script(stack, stage, n), numbers)
            bodies = [typed(f"{name} {ENVIRONMENT} v1") for name in names]
            stack.fire(CLIENTS, "is queued|Still working", bodies)
            most = _watches(stack, stage)
            ends = dict(zip(names, posted, strict=False))
        seconds = time.monotonic() - began
        cores = (stack.bot.cpu_seconds() - before) / seconds
        made = stack.until_settled()
        good = cluster.services - cluster.bad
        stack.until(lambda: len(finals(stack)) == good, "the final cards")
        facts, told = _facts(stage), finals(stack)
        _check(made, facts, stage, cluster)
        lags = [
            told[each.id] - facts.settled[each.target.service] for each in made if each.id in told
        ]
        if min(lags) < 0:
            raise AssertionError(f"a success was told {-min(lags):.3f} s before it was one")
        theirs = [at - facts.settled[name] for name, at in ends.items()]
        memory = stack.bot.peak_mebibytes()
        return Crowd(facts, lags, memory, cores, seconds, most, theirs)


def finals(stack: Place) -> dict[str, float]:
    """When each deployment's card first said that it had succeeded."""
    shown: dict[str, float] = {}
    for call in (*stack.slack_calls("chat.postMessage"), *stack.slack_calls("chat.update")):
        words = str(call["args"].get("text", "")).split()
        if "succeeded:" in words:
            shown.setdefault(words[1], call["at"])
    return shown


def _watches(stack: Place, stage: Stage) -> int:
    """Wait until all has ended; the most watches of Applications that were open meanwhile."""
    seen: list[int] = []

    def over() -> bool:
        seen.append(_facts(stage).watches)
        return not stack.active()

    stack.until(over, "every rollout to end", every=1.0)
    return max(seen)


def _facts(stage: Stage) -> Facts:
    return Facts(**exchange(stage.facts))


def _check(made: list[Deployment], facts: Facts, stage: Stage, cluster: Cluster) -> None:
    """Raises where an end, or what it says of the reason, is not the truth."""
    ends = Counter((each.status, each.reason_code) for each in made)
    bad = [service_name(number) for number in range(cluster.bad)]
    wrong = [
        each
        for each in made
        if (each.status, each.reason_code)
        != ((Status.FAILED, "DEGRADED") if each.target.service in bad else (Status.SUCCEEDED, ""))
        or (each.target.service in facts.settled) != (each.status is Status.SUCCEEDED)
        or stage.digests[each.target.service] not in facts.running[each.target.service]
    ]
    if wrong or len(made) != cluster.services:
        raise AssertionError(f"{ends}; wrong: {wrong[:3]}")


def _script(stack: Place, stage: Stage, number: int) -> float:
    """What a deployment script does: look, wait, look again; and tell Slack. Returns when."""
    name = service_name(number)
    pause, give_up = Event(), time.monotonic() + PATIENCE
    pause.wait(POLL * number / FEW)  # no two begin in the same instant
    while not stands(_read(stage, name), stage.digests[name]):
        if time.monotonic() > give_up:
            raise TimeoutError(f"{name} was never rolled out")
        pause.wait(POLL)
    url = f"{stack.slack_url}/api/chat.postMessage"
    said: Any = {"channel": DEPLOYMENTS, "text": f"{name} is rolled out."}
    if not exchange(url, said, Secrets().bot_token)["ok"]:
        raise AssertionError("Slack would not take it")
    return time.time()


def _read(stage: Stage, name: str) -> dict[str, Any]:
    found: dict[str, Any] = exchange(f"{stage.api}{_APPLICATION}{name}", None, stage.api_token)
    return found
