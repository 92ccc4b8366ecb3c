"""E5 to E10 under Argo CD: its status is notes of different moments, and not everybody asks us.

kargo#6357, argo-cd#542, #4505, #17155, #25054, #5351, argocd-image-updater#1249
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.model.deployment import Status
from tests.fakes.argo_shore import REPOSITORY, ArgoShore, argo_shore
from tests.fakes.fleet import Fleet, fleet
from tests.fakes.squadron import whole

pytestmark = pytest.mark.xdist_group("e7")
HUMAN = "Olga Operations <olga@acme.example>"


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(tmp_path_factory.mktemp("argocd"), shore=argo_shore) as deck:
        yield deck
        assert deck.posted_twice() == []


def shore(deck: Fleet) -> ArgoShore:
    found = deck.shore
    assert isinstance(found, ArgoShore)
    return found


def told(deck: Fleet, service: str, version: str = "v2", number: int = 1) -> str:
    deck.asks("alice", f"{service} staging {version}")
    deployment = f"{service}-staging-{number}"
    deck.until_row(deployment, "rollout.tell done")
    return deployment


def waits_for(deck: Fleet, deployment: str, words: str) -> None:
    """Let the cluster's time pass until the card says what the rollout waits for."""

    def said() -> bool:
        shore(deck).kube.advance(0.5)
        found = deck.get(deployment)
        return found.settled or words in found.explanation

    deck.until(said, f"{words!r}")
    assert deck.get(deployment).status is Status.RUNNING, deck.get(deployment)
    deck.until_card(deployment, words)


def test_e5_a_release_whose_image_is_gone_is_not_gone_back_to(deck: Fleet) -> None:
    service = deck.service()
    first = deck.running(f"{service}-staging")
    deck.finish(told(deck, service))
    deck.world.delete_image(service, first)
    answer = deck.asks("iris", f"{service} staging", slash="/rollback")
    assert "RELEASE_UNUSABLE" in answer
    assert len(deck.shore.told(f"{service}-staging")) == 1


def test_e6_what_somebody_committed_by_hand_is_not_built_upon_unasked(deck: Fleet) -> None:
    service = deck.service()
    name = f"{service}-production"
    deck.asks("alice", f"{service} production v2")
    deck.shore.deploy_aside(name, deck.place.push(service, "hand"))
    assert deck.shore.settle(name)

    deck.clicks("bob", deck.card(f"{name}-1"), "Approve")

    assert deck.until_status(f"{name}-1", Status.REFUSED).reason_code == "STALE_FROM"
    assert deck.updates(name) == 0


def test_e6_the_drift_of_git_and_of_the_cluster_is_shown(deck: Fleet) -> None:
    service = deck.service()
    deck.finish(told(deck, service))
    assert "drift" not in deck.asks("alice", f"status {service} staging")
    image = f"example.com/{service}:hand@sha256:{'ab' * 32}"
    shore(deck).kube.set_image("staging", service, image)
    shown = deck.asks("alice", f"status {service} staging")
    assert f"drift: Deployment {service} runs {service}:hand@sha256:abababababab, and git" in shown
    deck.shore.deploy_aside(f"{service}-staging", deck.place.push(service, "hand"))
    assert deck.shore.settle(f"{service}-staging")
    shown = deck.asks("alice", f"status {service} staging")
    assert "changed outside Quarterdeck" in shown


def test_e6_somebody_commits_another_image_in_the_middle(deck: Fleet) -> None:
    service = deck.service()
    deployment = told(deck, service)
    theirs = deck.place.push(service, "theirs")
    deck.shore.deploy_aside(f"{service}-staging", theirs)

    ended = deck.finish(deployment, Status.SUPERSEDED)
    assert "Sven" in ended.explanation
    assert deck.shore.settle(f"{service}-staging")
    assert deck.running(f"{service}-staging") == theirs


def test_e7_synced_and_healthy_for_the_old_revision_is_no_success(deck: Fleet) -> None:
    """Argo CD has not looked at git yet: everything is green, and nothing has happened."""
    service = deck.service()
    kube = shore(deck).kube
    kube.faults.deny("patch", "applications")  # so that nobody asks it to look
    deployment = told(deck, service)
    app = kube.argocd.application(f"{service}-staging")["status"]
    assert (app["sync"]["status"], app["health"]["status"]) == ("Synced", "Healthy")
    deck.until(
        lambda: deck.get(deployment).settled or deck.get(deployment).explanation,
        "what it waits for",
    )
    seen = deck.get(deployment)
    assert (seen.status, "has not seen commit" in seen.explanation) == (Status.RUNNING, True), seen
    kube.faults.clear()

    deck.finish(deployment)
    assert deck.running(f"{service}-staging") == deck.get(deployment).image.digest


def test_e7_a_commit_on_top_that_leaves_our_line_alone_still_carries_it(deck: Fleet) -> None:
    service = deck.service()
    deployment = told(deck, service)
    git = shore(deck).git
    git.commit(REPOSITORY, HUMAN, {f"{service}/staging/notes.md": "hello\n"}, "Unrelated")
    shore(deck).kube.argocd.refresh(f"{service}-staging")
    ended = deck.finish(deployment)
    seen = shore(deck).kube.argocd.application(f"{service}-staging")["status"]["sync"]["revision"]
    assert seen != ended.handle


def test_e8_another_operation_is_in_progress_and_ours_comes_after(deck: Fleet) -> None:
    service = deck.service()
    name = f"{service}-staging"
    argocd = shore(deck).kube.argocd
    argocd.set_pace(apply=30.0)
    argocd.sync(name)
    try:
        deployment = told(deck, service)
        deck.until_card(deployment, "Another operation is in progress")
    finally:
        argocd.set_pace(apply=1.0)
    deck.finish(deployment)


def test_e8_a_closed_sync_window_is_told_and_waited_for(deck: Fleet) -> None:
    service = deck.service()
    argocd = shore(deck).kube.argocd
    argocd.close_sync_window()
    try:
        deployment = told(deck, service)
        waits_for(deck, deployment, "sync window")
    finally:
        argocd.open_sync_windows()
    argocd.refresh(f"{service}-staging")
    deck.finish(deployment)


def test_e8_a_sync_that_fails_is_a_failure_and_says_why(deck: Fleet) -> None:
    service = deck.service()
    argocd = shore(deck).kube.argocd
    argocd.refuse_syncs(f"{service}-staging", "admission webhook says no")
    deployment = told(deck, service)
    ended = deck.finish(deployment, Status.FAILED)
    argocd.accept_syncs(f"{service}-staging")
    assert ended.reason_code == "SYNC_FAILED"
    assert "admission webhook says no" in ended.explanation
    deck.until_card(deployment, "SYNC_FAILED")


def test_e8_a_paused_deployment_is_told_and_goes_on_when_it_is_resumed(deck: Fleet) -> None:
    service = deck.service()
    kube = shore(deck).kube
    kube.pause("staging", service)
    deployment = told(deck, service)
    waits_for(deck, deployment, "aused")
    kube.pause("staging", service, paused=False)
    deck.finish(deployment)


def test_e8_where_auto_sync_is_off_the_bot_asks_for_the_sync(deck: Fleet) -> None:
    service = deck.service()
    name = f"{service}-staging"
    shore(deck).kube.argocd.set_auto_sync(name, automated=False)
    deck.finish(told(deck, service))
    operation = shore(deck).kube.argocd.application(name)["status"]["operationState"]["operation"]
    assert not operation["initiatedBy"].get("automated", False)


def test_e10_nothing_undoes_a_rollback_for_git_changed_first(deck: Fleet) -> None:
    service = deck.service()
    name = f"{service}-staging"
    good = deck.running(name)
    shore(deck).kube.argocd.set_auto_sync(name, automated=True, self_heal=True)
    deck.place.push(service, "bad", "crashing")
    bad = deck.finish(told(deck, service, "bad"), Status.FAILED)
    assert bad.reason_code == "DEGRADED"
    assert "Crash" in bad.explanation
    deck.until_card(bad.id, "Roll back")

    deck.asks("iris", f"{service} staging --reason errors", slash="/rollback")
    deck.finish(f"{name}-2")

    for _ in range(5):
        shore(deck).kube.advance(180)  # Argo CD polls and heals
    assert deck.shore.settle(name)
    assert deck.running(name) == good
    assert deck.shore.told(name) == [bad.image.digest, good]
    assert "LOCKED" in deck.asks("alice", f"{service} staging v2")
    # An image updater knows of no lock; what it does is seen.
    deck.shore.deploy_aside(name, bad.image.digest)
    assert "changed outside Quarterdeck" in deck.asks("alice", f"status {service} staging")
    whole(deck)
