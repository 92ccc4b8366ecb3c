"""kill -9 around a push: one commit, and its true end, whatever git itself still does."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from bot.playground.git.faults import Service
from tests.fakes.git_place import NAME, GitPlace, order
from tests.fakes.manifests import TAGGED

PATIENCE = 30
SENDER = """\
import sys
from pathlib import Path
from bot.providers.git import GitAccess, GitManifests
from tests.fakes.clock import MachineClock
from tests.fakes.git_place import FOLDER, PROGRAMS, order
from tests.fakes.manifests import TAGGED, kustomize

cache, remote, token = sys.argv[1:]
access = GitAccess(Path(cache), token=token, environment=PROGRAMS)
target = kustomize(remote=remote, path=FOLDER)
print(GitManifests(access, MachineClock()).send(target, order(), TAGGED))
"""


def sender(place: GitPlace) -> subprocess.Popen[bytes]:
    """A bot of its own, which sends the deployment and nothing else."""
    words = (str(place.folder / "cache"), place.remote, place.host.token)
    return subprocess.Popen([sys.executable, "-c", SENDER, *words], stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("service", ["fetch", "list_push", "push"])
def test_killed_before_its_push_took_effect(place: GitPlace, service: Service) -> None:
    """The git that it started goes on without it, beside the bot that was started next."""
    since = place.host.log(NAME)[0].at
    there, go = Event(), Event()

    def hold() -> None:
        there.set()
        go.wait(PATIENCE)

    place.host.faults.when(service, hold)
    with sender(place) as killed:
        assert there.wait(PATIENCE)
        killed.send_signal(signal.SIGKILL)
        killed.wait(PATIENCE)
    bot = place.bot()
    with ThreadPoolExecutor(1) as threads:
        sent = threads.submit(bot.send, place.target, order(), TAGGED)
        go.set()
        commit = sent.result()
    deployed = [each.hash for each in place.host.log(NAME) if each.trailer("Deployment-Id")]
    assert deployed == [commit]
    assert bot.sent(place.target, order(), since) == commit


def test_killed_before_the_answer_came(place: GitPlace) -> None:
    since = place.host.log(NAME)[0].at
    there, go = Event(), Event()

    def hold() -> None:
        there.set()
        go.wait(PATIENCE)

    place.host.faults.lose_answer(meanwhile=hold)
    with sender(place) as killed:
        assert there.wait(PATIENCE)
        killed.send_signal(signal.SIGKILL)
        killed.wait(PATIENCE)
    go.set()
    place.host.commit(NAME, "Dana", {"other": "x\n"}, "Meanwhile.")
    bot = place.bot()
    landed = bot.sent(place.target, order(), since)
    assert landed == bot.send(place.target, order(), TAGGED) == place.host.log(NAME)[1].hash
    assert len(place.host.log(NAME)) == 3


def test_a_repository_of_many_files_stays_where_it_is(place: GitPlace) -> None:
    many = {f"teams/{n % 100}/app-{n}/values.yaml": f"tag: v{n}\n" for n in range(10_000)}
    place.host.commit(NAME, "Dana", many, "Many.")
    bot = place.bot()
    commit = bot.send(place.target, order(), TAGGED)
    assert place.host.head(NAME) == commit
    assert place.host.read(NAME, "teams/7/app-7/values.yaml") == "tag: v7\n"
    clone = next((place.folder / "cache").glob("*.git"))
    # The names of 10,000 files and what tells their content apart, but not the content.
    assert sum(file.stat().st_size for file in clone.rglob("*.pack")) < 1_000_000
