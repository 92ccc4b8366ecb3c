"""The shore of scenario tests on which Argo CD brings images from git: it does what it says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from bot.playground.aws import World
from tests.fakes.argo_shore import REPOSITORY, ArgoShore, argo_shore


class Coast(NamedTuple):
    """Two services in two environments, and the digests of their images by tag."""

    shore: ArgoShore
    digests: dict[tuple[str, str], str]


@pytest.fixture
def coast(tmp_path: Path) -> Iterator[Coast]:
    world = World(seed=1)
    with ExitStack() as stack:
        stack.callback(world.close)
        digests = {}
        for service in ("svc1", "svc2"):
            for tag, behaviour in (("v1", "good"), ("v2", "good"), ("bad", "crashing")):
                digests[service, tag] = world.push(service, tag, behaviour)
        shore = stack.enter_context(argo_shore(world, tmp_path))
        assert isinstance(shore, ArgoShore)
        for service in ("svc1", "svc2"):
            shore.furnish(service, ("staging", "production"), digests[service, "v1"])
        yield Coast(shore, digests)


def test_what_was_furnished_is_synced_and_healthy(coast: Coast) -> None:
    for name in ("svc1-staging", "svc1-production", "svc2-staging", "svc2-production"):
        status = coast.shore.kube.argocd.application(name)["status"]
        assert (status["sync"]["status"], status["health"]["status"]) == ("Synced", "Healthy")
        assert coast.shore.running(name) == coast.digests[name.partition("-")[0], "v1"]


def test_a_commit_by_somebody_is_rolled_out(coast: Coast) -> None:
    coast.shore.deploy_aside("svc1-staging", "v2")
    assert coast.shore.settle("svc1-staging")
    assert coast.shore.running("svc1-staging") == coast.digests["svc1", "v2"]
    assert coast.shore.running("svc1-production") == coast.digests["svc1", "v1"]
    assert coast.shore.running("svc2-staging") == coast.digests["svc2", "v1"]


def test_an_image_that_crashes_ends_degraded_after_the_deadline(coast: Coast) -> None:
    coast.shore.deploy_aside("svc1-staging", "bad")
    coast.shore.advance(100)
    application = coast.shore.kube.argocd.application("svc1-staging")
    assert application["status"]["health"]["status"] == "Progressing"
    assert coast.shore.settle("svc1-staging")
    application = coast.shore.kube.argocd.application("svc1-staging")
    assert application["status"]["health"]["status"] == "Degraded"
    assert coast.shore.running("svc1-staging") == coast.digests["svc1", "bad"]


def test_only_commits_with_trailers_count_as_told(coast: Coast) -> None:
    path = "svc2/production/kustomization.yaml"
    text = coast.shore.git.read(REPOSITORY, path)
    digest = coast.digests["svc2", "v2"]
    written = text.replace(coast.digests["svc2", "v1"], digest)
    message = f"Deploy svc2\n\nDeployment-Id: svc2-production-7\nImage-Digest: {digest}\n"
    coast.shore.git.commit(REPOSITORY, "Bot <bot@example.com>", {path: written}, message)
    assert (coast.shore.told("svc2-production"), coast.shore.writes()) == ([digest], 1)
    coast.shore.deploy_aside("svc2-production", "v1")
    assert coast.shore.writes() == 1
