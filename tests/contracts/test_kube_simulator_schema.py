"""What the stand-ins write into a status stands in the CRDs of Argo CD and Argo Rollouts.

The CRDs themselves are not kept here: a short table of their fields is.
"""

from __future__ import annotations

from typing import Any

import pytest

from bot.playground.git.repository import Repository
from bot.playground.kube import KubeWorld
from bot.playground.kube.resources import ROLLOUTS, Json

URL = "https://git.example.com/manifests.git"
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "r/web:v1"}]}
"""
#: Field names of the CRDs of Argo CD 3 and Argo Rollouts 1.8, below each of these places.
KNOWN = {
    "application.status": """conditions controllerNamespace health history observedAt operationState
        reconciledAt resourceHealthSource resources sourceHydrator sourceType sourceTypes summary
        sync""",
    "application.status.sync": "comparedTo revision revisions status",
    "application.status.health": "lastTransitionTime message status",
    "application.status.summary": "externalURLs images isAppOfApps",
    "application.status.operationState": """finishedAt message operation phase retryCount startedAt
        syncResult""",
    "application.status.operationState.syncResult": """managedNamespaceMetadata resources revision
        revisions source sources""",
    "application.status.operationState.operation.sync": """autoHealAttemptsCount dryRun manifests
        prune resources revision revisions source sources syncOptions syncStrategy""",
    "application.status.history[]": """deployStartedAt deployedAt id initiatedBy revision revisions
        source sources""",
    "application.status.resources[]": """group health hook kind name namespace
        requiresDeletionConfirmation requiresPruning status syncWave version""",
    "application.status.operationState.syncResult.resources[]": """group hookPhase hookType images
        kind message name namespace status syncPhase version""",
    "rollout.status": """HPAReplicas abort abortedAt alb albs availableReplicas blueGreen canary
        collisionCount conditions controllerPause currentPodHash currentStepHash currentStepIndex
        message observedGeneration pauseConditions phase promoteFull readyReplicas replicas
        restartedAt selector stableRS updatedReplicas workloadObservedGeneration""",
}


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Json]:
    folder = tmp_path_factory.mktemp("git") / "manifests.git"
    Repository(folder).create({"web/all.yaml": MANIFEST}, "main")
    world = KubeWorld()
    world.argocd.connect_repository(URL, folder)
    world.argocd.create_application(
        "web", repository=URL, path="web", namespace="web", self_heal=True
    )
    world.advance(10)
    world.set_image("web", "web", "r/web:v2")
    world.advance(10)
    template = {"metadata": {"labels": {"app": "c"}}, "spec": {"containers": [CONTAINER]}}
    spec = {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "c"}},
        "strategy": {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}},
        "template": template,
    }
    world.objects.create(ROLLOUTS, "web", {"metadata": {"name": "c"}, "spec": spec})
    world.advance(30)
    template["spec"] = {"containers": [{**CONTAINER, "image": "r/c:v2"}]}
    world.apply(ROLLOUTS, "web", "c", {"spec": {"template": template}})
    world.advance(30)
    world.abort("web", "c")
    world.advance(5)
    rollout = world.get(ROLLOUTS, "web", "c")
    return {"application": world.argocd.application("web"), "rollout": rollout}


CONTAINER: Json = {"name": "c", "image": "r/c:v1"}


def found_at(place: Any, steps: list[str]) -> list[Json]:
    for index, step in enumerate(steps):
        inner = place.get(step.removesuffix("[]"))
        if step.endswith("[]"):
            return [hit for each in inner for hit in found_at(each, steps[index + 1 :])]
        place = inner
    return [place]


@pytest.mark.parametrize("place", KNOWN)
def test_every_field_is_known(objects: dict[str, Json], place: str) -> None:
    kind, *steps = place.split(".")
    hits = found_at(objects[kind], steps)
    assert hits
    for each in hits:
        assert set(each) <= set(KNOWN[place].split())
