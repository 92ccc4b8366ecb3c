from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.playground.aws.records import Behaviour
from bot.playground.aws.world import World
from bot.playground.page.applications import Applications
from bot.playground.page.git_levers import GitLevers
from bot.playground.page.world import draw_all, services
from bot.playground.slack.refusal import CannotDo
from bot.playground.tour.cluster import REPOSITORY, SERVICE, Cluster
from bot.playground.tour.fleet import NEW, OLD, furnish, furnish_cluster, image_of

STAGING = "svc-analytics-staging"


@pytest.fixture
def world() -> World:
    world = World(speed=0.0)
    furnish(world)
    return world


@pytest.fixture
def cluster(world: World, tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(world, tmp_path, 0.0) as cluster:
        furnish_cluster(world, cluster)
        yield cluster


def drawn(cluster: Cluster, id_: str = STAGING) -> str:
    return str(dict(draw_all(Applications(cluster).pictures()))[id_])


def aside(world: World, cluster: Cluster, tag: str) -> None:
    cluster.deploy_aside(SERVICE, "staging", tag, image_of(world, SERVICE, tag).digest)


def test_an_application_at_rest_shows_its_pods_and_health(cluster: Cluster) -> None:
    html = drawn(cluster)
    assert html.count("w-new w-healthy") == 2
    assert "Synced, Healthy" in html
    assert f'<b class="w-version">{OLD}</b>' in html
    assert "w-ours" not in html


def test_a_commit_rolls_and_is_shown_with_its_author(world: World, cluster: Cluster) -> None:
    aside(world, cluster, NEW)
    cluster.kube.advance(4)
    html = drawn(cluster)
    assert "Olga Operations" in html
    assert "w-old w-healthy" in html
    assert "w-ours" not in html
    assert cluster.kube.argocd.run_until_settled("analytics-staging")
    html = drawn(cluster)
    assert f'<b class="w-version">{NEW}</b>' in html
    assert "COMPLETED" in html
    assert cluster.running(SERVICE, "staging") == {image_of(world, SERVICE, NEW).digest}
    assert cluster.told(SERVICE, "staging") == 0


def test_commits_are_those_that_changed_its_folder(cluster: Cluster) -> None:
    """Whatever they are called: people do not name the environment."""
    pictures = Applications(cluster)
    path = "analytics/staging/deployment.yaml"
    text = cluster.git.read(REPOSITORY, path).replace("replicas: 2", "replicas: 3")
    cluster.git.commit(REPOSITORY, "Olga <olga@acme.example>", {path: text}, "Three pods")
    cluster.git.commit(
        REPOSITORY, "Olga <olga@acme.example>", {"README.md": "x\n"}, "No production"
    )
    html = dict(draw_all(pictures.pictures()))
    assert "Three pods" in html[STAGING]
    assert "Three pods" not in html["svc-analytics-production"]
    assert "No production" not in html["svc-analytics-production"]


def test_what_was_deployed_to_last_stands_before_what_runs_on_ecs(
    world: World, cluster: Cluster
) -> None:
    def ids() -> list[str]:
        return [id_ for id_, _ in draw_all([*services(world), *Applications(cluster).pictures()])]

    still = ids()
    assert still[-3:] == [STAGING, "svc-analytics-production", "svc-search-production"]
    aside(world, cluster, NEW)
    still.remove(STAGING)
    assert ids() == [STAGING, *still]


def test_a_guest_may_clone_and_push(cluster: Cluster) -> None:
    token = cluster.clone_url().partition("guest:")[2].partition("@")[0]
    found = cluster.git.access(token)
    assert found is not None
    assert found.writes


def test_what_crashes_is_degraded(world: World, cluster: Cluster) -> None:
    world.push(SERVICE, "v9.9.9", Behaviour.CRASHING)
    aside(world, cluster, "v9.9.9")
    cluster.kube.advance(30)
    assert "w-failed" in drawn(cluster)
    assert cluster.kube.argocd.run_until_settled("analytics-staging")
    html = drawn(cluster)
    assert "Degraded" in html
    assert "w-state w-bad" in html


def test_the_git_host_can_be_turned_and_turned_back(cluster: Cluster) -> None:
    levers = GitLevers(cluster)
    turn = levers.pulls["git-host"]
    for state in ("down", "reading", "protected"):
        turn({"state": state})
        panel = levers.panels()[0]
        assert panel.pulled
        assert [button.label for button in panel.buttons] == ["As usual again"]
        turn({"state": "answers"})
        assert not levers.panels()[0].pulled
    cluster.git.commit(REPOSITORY, "Olga <olga@acme.example>", {"a": "b\n"}, "It takes pushes")


def test_argo_cd_can_be_held_and_let_go(world: World, cluster: Cluster) -> None:
    turn = GitLevers(cluster).pulls["argo"]
    for state in ("window", "manual"):
        turn({"state": state})
        aside(world, cluster, NEW if state == "window" else OLD)
        cluster.kube.advance(60)
        assert "OutOfSync" in drawn(cluster)
        turn({"state": "follows"})
        cluster.kube.argocd.refresh("analytics-staging")
        assert cluster.kube.argocd.run_until_settled("analytics-staging")
        assert "Synced, Healthy" in drawn(cluster)


def test_a_lever_refuses_what_is_so_already_and_what_means_nothing(cluster: Cluster) -> None:
    turn = GitLevers(cluster).pulls["git-host"]
    with pytest.raises(CannotDo, match="so already"):
        turn({"state": "answers"})
    with pytest.raises(ValueError, match="no state 'broken'"):
        turn({"state": "broken"})
