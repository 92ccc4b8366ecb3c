"""What a deployment costs in a manifests repository of 10,000 files, beside a plain clone and push.

Both go to the same git host on loopback, in the same run, turn by turn, each beginning with nothing
left to be written to the disk. The repository holds 300 MB that cannot be compressed. That favours
the plain clone: the target speaks of 1 GB, which it would have to fetch and to write out each time,
while a deployment fetches no other file's content. But a GB takes minutes to measure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

from benchmarks.databases import NewDatabase
from benchmarks.verdict import Verdict, below, pairs_at_most
from bot.model.deployment import Image, Person
from bot.model.places import KustomizeImage, Manifests
from bot.model.rollout import Order
from bot.playground.git import GitHost
from bot.playground.git.program import clean_environment, git
from bot.providers.git import GitAccess, GitManifests
from bot.settings.clock import SystemClock

FILES, APPS, TEAMS, ROUNDS = 10_000, 2_000, 100, 5
NAME, PATH = "acme/manifests", "teams/team-7/web"
KUSTOMIZATION = "images:\n- name: web  # ours\n  newTag: v0\n"
BYTES = 30_000
WARM, COLD, MEMORY = 0.2, 1.0, 200.0
_EVERY = 0.02
_KIB = 1024


def measure(_: dict[str, NewDatabase]) -> Iterator[Verdict]:
    with tempfile.TemporaryDirectory(prefix="quarterdeck-bench-") as place:
        folder = Path(place)
        with GitHost(folder / "host") as host:
            host.create(NAME, {f"{PATH}/kustomization.yaml": KUSTOMIZATION})
            fill(host.folder(NAME))
            yield from _measured(host, folder)
            name = f"memory of what deploys there, its git included, {FILES:,} files: peak"
            yield below(name, _peak(host, folder), "MiB", MEMORY)


def fill(repository: Path) -> None:
    """All other files: a few in each folder, no two alike, in one pack as on every host."""
    words = ["git", f"--git-dir={repository}", "-c", "core.compression=0"]
    stream = subprocess.Popen(
        [*words, "fast-import", "--quiet", "--depth=0"],
        stdin=subprocess.PIPE,
        env=clean_environment(),
    )
    with stream as process:
        assert process.stdin is not None  # noqa: S101 - it was asked for
        process.stdin.writelines(_commit())
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
    git(repository, "-c", "core.compression=0", "repack", "-adq", "--window=0")


def _commit() -> Iterator[bytes]:
    """What ``git fast-import`` makes a commit of."""
    yield b"commit refs/heads/main\ncommitter x <x@acme.example> 1700000000 +0000\ndata 6\nMany.\n"
    yield b"from refs/heads/main^0\n"
    for n in range(FILES - 1):
        path = f"teams/team-{n % TEAMS}/app-{n % APPS}/{n // APPS}.yaml"
        yield b"M 100644 inline %s\ndata %d\n" % (path.encode(), BYTES)
        yield os.urandom(BYTES) + b"\n"


def _measured(host: GitHost, folder: Path) -> Iterator[Verdict]:
    bench = Bench(host, folder)
    running = bench.bot("warm")
    bench.deploy(running)
    times: dict[str, list[float]] = {"plain": [], "warm": [], "cold": []}
    for number in range(ROUNDS):
        fresh = bench.bot(f"cold-{number}")
        work = {
            "plain": partial(bench.plainly, number),
            "warm": partial(bench.deploy, running),
            "cold": partial(bench.deploy, fresh),
        }
        for turn in range(len(work)):  # each comes first, in the middle and last
            who = list(work)[(number + turn) % len(work)]
            os.sync()
            times[who].append(_timed(work[who]))
            bench.tidy(number)
    name = f"commit and push, {FILES:,} files, {ROUNDS} samples: median"
    yield pairs_at_most(f"{name}, warm", times["warm"], times["plain"], WARM)
    yield pairs_at_most(f"{name}, cold", times["cold"], times["plain"], COLD)


@dataclass
class Bench:
    """One host, and what deploys to it: a person with a clone, or the bot."""

    host: GitHost
    folder: Path
    deployments: int = 0

    def bot(self, cache: str) -> GitManifests:
        return bot_with(self.folder / cache, self.host.token)

    def deploy(self, bot: GitManifests) -> None:
        """As the bot does it: look what stands there, commit, push."""
        self.deployments += 1
        deploy(bot, self.host.url(NAME), self.deployments)

    def tidy(self, number: int) -> None:
        """Throw away a person's clone, of which each takes twice what the repository does."""
        shutil.rmtree(self._clone(number), ignore_errors=True)

    def _clone(self, number: int) -> Path:
        return self.folder / f"plain-{number}"

    def plainly(self, number: int) -> None:
        """As a script does it."""
        clone = self._clone(number)
        url = self.host.url(NAME).replace("http://", f"http://x:{self.host.token}@")
        self._git("clone", "--quiet", "--depth=1", url, str(clone))
        file = clone / PATH / "kustomization.yaml"
        file.write_text(KUSTOMIZATION.replace("v0", f"plain-{number}"))
        self._git("-C", str(clone), "commit", "--quiet", "--all", "--message", f"Deploy {number}")
        self._git("-C", str(clone), "push", "--quiet", "origin", "HEAD:main")

    def _git(self, *words: str) -> None:
        person = ("-c", "user.name=x", "-c", "user.email=x@acme.example")
        subprocess.run(["git", *person, *words], check=True, env=clean_environment())


def target(remote: str) -> Manifests:
    return Manifests(repository=remote, path=PATH, kustomize=KustomizeImage(image="web"))


def bot_with(cache: Path, token: str) -> GitManifests:
    access = GitAccess(cache, token=token, environment={"PATH": os.defpath})
    return GitManifests(access, SystemClock())


def deploy(bot: GitManifests, remote: str, number: int) -> None:
    manifests = Manifests(repository=remote, path=PATH, kustomize=KustomizeImage(image="web"))
    image = Image("registry.example/web", f"sha256:{number:064x}", f"v{number}")
    base = bot.head(manifests).value
    order = Order(f"d-{number}", image, base, requester=Person("U1", "alice"))
    bot.send(manifests, order, f"v{number}@{image.digest}")


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _peak(host: GitHost, folder: Path) -> float:
    """The largest memory, in MiB, of a process that deploys cold and then warm, with its git."""
    words = [str(folder / "measured"), host.url(NAME), host.token]
    peak, pause = 0, Event()
    with subprocess.Popen([sys.executable, "-m", "benchmarks.manifests", *words]) as process:
        while process.poll() is None:
            peak = max(peak, sum(map(_resident, _family(process.pid))))
            pause.wait(_EVERY)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, words[:1])
    return peak / _KIB


def _family(pid: int) -> list[int]:
    """A process and all that it started, directly or not."""
    parents: dict[int, list[int]] = {}
    for each in Path("/proc").iterdir():
        if each.name.isdecimal():
            with suppress(OSError):
                fields = (each / "stat").read_text().rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(each.name))
    found = [pid]
    for each_pid in found:
        found += parents.get(each_pid, [])
    return found


def _resident(pid: int) -> int:
    with suppress(OSError):
        _, found, rest = Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")
        return int(rest.split()[0]) if found else 0
    return 0


if __name__ == "__main__":
    cache_, remote_, token_ = sys.argv[1:]
    for number_ in (900, 901):  # cold, then warm
        deploy(bot_with(Path(cache_), token_), remote_, number_)
