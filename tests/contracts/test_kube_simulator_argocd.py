"""The simulated Argo CD against what the real one documents and does, over real git."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.playground.git.repository import Repository
from bot.playground.kube import KubeWorld
from tests.fakes.kube_world import KubeClients, running_cluster

URL = "https://git.example.com/manifests.git"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  progressDeadlineSeconds: 60
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: {maxUnavailable: 0}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web
        readinessProbe: {httpGet: {path: /healthz, port: 8080}}
"""
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {level: info}\n"
KUSTOMIZATION = "web/kustomization.yaml"
REFRESH = "argocd.argoproj.io/refresh"


def kustomization(tag: str, *resources: str) -> str:
    listed = ", ".join(["deployment.yaml", *resources])
    return f"resources: [{listed}]\nimages:\n- name: web\n  newName: r/web\n  newTag: {tag}\n"


class Stage:
    """One Application ``web`` over one repository, and the ways to look at it."""

    def __init__(self, world: KubeWorld, kube: KubeClients, repository: Repository) -> None:
        self.world, self.kube, self.repository = world, kube, repository
        self.argocd = world.argocd
        self.argocd.connect_repository(URL, repository.folder)

    def create(self, path: str = "web", **options: Any) -> None:
        self.argocd.create_application("web", repository=URL, path=path, namespace="web", **options)

    def commit(self, files: dict[str, str]) -> str:
        return self.repository.commit("Sven <sven@example.com>", files, "Change.", "main")

    def settle(self) -> bool:
        return self.argocd.run_until_settled("web")

    def push(self, tag: str, *, refresh: bool = True) -> str:
        commit = self.commit({KUSTOMIZATION: kustomization(tag)})
        if refresh:
            self.refresh()
        return commit

    def refresh(self) -> None:
        self.kube.patch_application("web", {"metadata": {"annotations": {REFRESH: "normal"}}})

    @property
    def app(self) -> dict[str, Any]:
        return self.kube.application("web")

    @property
    def sync(self) -> tuple[str, str]:
        found = self.app["status"]["sync"]
        return found["status"], found.get("revision", "")

    @property
    def health(self) -> str:
        return str(self.app["status"]["health"]["status"])

    @property
    def operation(self) -> dict[str, Any]:
        found: dict[str, Any] = self.app["status"].get("operationState", {})
        return found

    @property
    def conditions(self) -> dict[str, str]:
        return {c["type"]: c["message"] for c in self.app["status"].get("conditions", [])}

    @property
    def image(self) -> str:
        spec = self.world.deployment("web", "web")["spec"]["template"]["spec"]
        return str(spec["containers"][0]["image"])


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    folder = tmp_path / "manifests.git"
    files = {"web/deployment.yaml": DEPLOYMENT, KUSTOMIZATION: kustomization("v1")}
    repository = Repository(folder)
    repository.create(files, "main")
    with running_cluster() as world:
        clients = KubeClients(world, tmp_path)
        yield Stage(world, clients, repository)
        clients.close()


class TestRefreshing:
    def test_a_commit_is_seen_at_the_next_poll(self, stage: Stage) -> None:
        stage.create()
        commit = stage.push("v2", refresh=False)
        stage.world.advance(100)
        assert stage.sync[1] != commit
        stage.world.advance(100)
        assert stage.sync[1] == commit

    def test_the_annotation_asks_at_once_and_goes(self, stage: Stage) -> None:
        stage.create()
        before = stage.app["status"]["reconciledAt"]
        stage.refresh()
        assert REFRESH in stage.app["metadata"]["annotations"]
        stage.world.advance(1)
        assert REFRESH not in stage.app["metadata"].get("annotations", {})
        assert stage.app["status"]["reconciledAt"] >= before

    def test_somebody_elses_commit_moves_the_revision_without_a_sync(self, stage: Stage) -> None:
        stage.create()
        operation = stage.operation
        other = stage.commit({"api/README": "x"})
        stage.refresh()
        stage.world.advance(5)
        assert stage.sync == ("Synced", other)
        assert stage.operation == operation
        assert len(stage.app["status"]["history"]) == 1

    def test_polls_that_find_nothing_new_only_note_that_they_were(self, stage: Stage) -> None:
        stage.create()
        stage.world.advance(400)
        before = stage.app
        stage.world.advance(400)
        after = stage.app
        for each in (before, after):
            del each["status"]["reconciledAt"]
            del each["metadata"]
        assert after == before
        assert stage.push("v2", refresh=False) != stage.sync[1]
        assert stage.settle()
        assert stage.image == "r/web:v2"

    def test_an_application_may_stand_in_another_namespace(self, stage: Stage) -> None:
        stage.create(argocd_namespace="team")
        assert stage.argocd.application("web", "team")["status"]["sync"]["status"] == "Synced"
        stage.push("v2", refresh=False)
        stage.argocd.refresh("web", "team")
        assert stage.argocd.run_until_settled("web", "team")
        assert stage.image == "r/web:v2"


class TestAutoSync:
    def test_the_order_of_what_is_told(self, stage: Stage) -> None:
        """An operation that has just succeeded stands beside the old revision's health."""
        stage.create()
        commit = stage.push("v2")
        seen: list[tuple[str, str, str]] = []
        for _ in range(400):
            stage.world.advance(0.05)
            app = stage.argocd.application("web")["status"]
            now = (
                app["sync"]["status"],
                app.get("operationState", {}).get("phase", ""),
                app["health"]["status"],
            )
            if not seen or seen[-1] != now:
                seen.append(now)
        assert seen[0] == ("Synced", "Succeeded", "Healthy")
        assert ("OutOfSync", "Running", "Healthy") in seen
        stale = seen.index(("OutOfSync", "Succeeded", "Healthy"))
        assert seen[stale + 1] == ("Synced", "Succeeded", "Progressing")
        assert stage.settle()
        assert (stage.sync, stage.health) == (("Synced", commit), "Healthy")
        assert stage.operation["syncResult"]["revision"] == commit
        assert stage.operation["message"] == "successfully synced (all tasks run)"
        assert stage.operation["operation"]["initiatedBy"] == {"automated": True}
        assert "operation" not in stage.app

    def test_history(self, stage: Stage) -> None:
        stage.create()
        for number in range(12):
            stage.push(f"n{number}")
            stage.settle()
        history = stage.app["status"]["history"]
        assert [each["id"] for each in history] == list(range(3, 13))
        assert history[-1]["revision"] == stage.sync[1]
        assert history[-1]["source"]["path"] == "web"

    def test_images_of_the_pods(self, stage: Stage) -> None:
        stage.create()
        stage.push("v2")
        stage.world.advance(10)
        assert stage.app["status"]["summary"]["images"] == ["r/web:v1", "r/web:v2"]

    def test_a_failed_sync_is_retried_and_then_not_again(self, stage: Stage) -> None:
        stage.create()
        denial = 'admission webhook "policy" denied the request: no'
        stage.argocd.refuse_syncs("web", denial)
        commit = stage.push("v2")
        stage.world.advance(3)
        assert stage.operation["phase"] == "Running"
        assert "Retrying attempt #1 at" in stage.operation["message"]
        stage.world.advance(400)
        assert stage.operation["phase"] == "Failed"
        assert stage.operation["message"] == (
            f"one or more objects failed to apply, reason: {denial} (retried 5 times)."
        )
        # The condition comes with the next look, and the same commit is not tried again.
        stage.argocd.accept_syncs("web")
        stage.world.advance(400)
        assert stage.conditions["SyncError"].startswith(f"Failed sync attempt to {commit}: ")
        assert stage.sync[0] == "OutOfSync"
        assert stage.image == "r/web:v1"
        stage.push("v3")
        assert stage.settle()
        assert stage.conditions == {}

    def test_without_self_heal_a_change_by_hand_stays(self, stage: Stage) -> None:
        stage.create()
        stage.world.set_image("web", "web", "r/web:v9")
        stage.world.advance(400)
        assert stage.sync[0] == "OutOfSync"
        assert stage.image == "r/web:v9"

    def test_self_heal_takes_it_back(self, stage: Stage) -> None:
        stage.create(self_heal=True)
        stage.world.advance(10)
        stage.world.set_image("web", "web", "r/web:v9")
        stage.world.advance(10)
        assert stage.image == "r/web:v1"
        sync = stage.operation["operation"]["sync"]
        assert sync["autoHealAttemptsCount"] == 1
        assert sync["resources"] == [{"group": "apps", "kind": "Deployment", "name": "web"}]
        # A sync of some resources makes no history.
        assert len(stage.app["status"]["history"]) == 1

    def test_turned_on_it_begins_at_once(self, stage: Stage) -> None:
        stage.create(automated=False)
        stage.push("v2")
        stage.world.advance(5)
        stage.argocd.set_auto_sync("web", automated=True)
        stage.world.advance(5)
        assert stage.image == "r/web:v2"
        stage.argocd.set_auto_sync("web", automated=False)
        stage.push("v3")
        stage.world.advance(200)
        assert stage.image == "r/web:v2"

    def test_what_others_set_beside_git_is_no_difference(self, stage: Stage) -> None:
        stage.create()
        note = {"metadata": {"annotations": {"note": "by hand"}}}
        stage.kube.apps.patch_namespaced_deployment("web", "web", note)
        stage.world.advance(200)
        assert stage.sync[0] == "Synced"

    def test_a_resource_that_left_git_is_pruned_only_on_demand(self, stage: Stage) -> None:
        stage.create()
        more = {"web/config.yaml": CONFIG, KUSTOMIZATION: kustomization("v1", "config.yaml")}
        stage.commit(more)
        stage.refresh()
        assert stage.settle()
        stage.push("v1")
        stage.world.advance(5)
        (entry,) = [r for r in stage.app["status"]["resources"] if r["kind"] == "ConfigMap"]
        assert (entry["status"], entry["requiresPruning"]) == ("OutOfSync", True)
        assert "health" not in entry
        stage.argocd.sync("web", prune=True)
        assert stage.settle()
        assert not stage.kube.core.list_namespaced_config_map("web").items


class TestManualSync:
    def test_nothing_happens_by_itself(self, stage: Stage) -> None:
        stage.create(automated=False)
        commit = stage.push("v2")
        stage.world.advance(200)
        assert stage.sync == ("OutOfSync", commit)
        assert stage.image == "r/web:v1"

    def test_the_operation_field_starts_one(self, stage: Stage) -> None:
        stage.create(automated=False)
        commit = stage.push("v2")
        operation = {"sync": {"revision": commit}, "initiatedBy": {"username": "quarterdeck"}}
        stage.kube.patch_application("web", {"operation": operation})
        stage.world.advance(0.5)
        assert stage.operation["phase"] == "Running"
        assert stage.operation["operation"] == operation
        assert stage.app["operation"] == operation
        assert stage.settle()
        assert stage.operation["phase"] == "Succeeded"
        assert "operation" not in stage.app

    def test_one_that_waits_for_a_window_is_ended_by_terminating(self, stage: Stage) -> None:
        stage.create(automated=False)
        stage.argocd.close_sync_window()
        stage.push("v2")
        stage.argocd.sync("web")
        stage.world.advance(60)
        stage.argocd.terminate("web")
        assert stage.settle()
        assert (stage.operation["phase"], stage.image) == ("Failed", "r/web:v1")

    def test_a_second_one_is_lost(self, stage: Stage) -> None:
        """One that is set while another runs is neither queued nor refused."""
        stage.create(automated=False)
        first = stage.push("v2")
        stage.kube.patch_application("web", {"operation": {"sync": {"revision": first}}})
        stage.world.advance(0.5)
        second = stage.push("v3")
        stage.kube.patch_application("web", {"operation": {"sync": {"revision": second}}})
        stage.world.advance(30)
        assert "operation" not in stage.app
        assert stage.operation["syncResult"]["revision"] == first
        assert stage.image == "r/web:v2"

    def test_back_to_a_revision_of_the_history(self, stage: Stage) -> None:
        stage.create(automated=False)
        stage.push("v2")
        stage.argocd.sync("web")
        stage.settle()
        entry = stage.app["status"]["history"][0]
        sync = {"revision": entry["revision"], "source": entry["source"]}
        stage.kube.patch_application("web", {"operation": {"sync": sync}})
        stage.world.advance(30)
        assert stage.image == "r/web:v1"
        # It is out of sync now with the branch, and stays so.
        assert stage.sync[0] == "OutOfSync"

    def test_terminated(self, stage: Stage) -> None:
        stage.create(automated=False)
        stage.push("v2")
        stage.argocd.sync("web")
        stage.world.advance(0.5)
        stage.kube.patch_application(
            "web", {"status": {"operationState": {"phase": "Terminating"}}}
        )
        stage.world.advance(1)
        assert stage.operation["phase"] == "Failed"
        assert stage.operation["message"] == "Operation terminated"
        assert stage.image == "r/web:v1"


class TestHealth:
    def test_degraded_by_the_deadline_with_the_resource_named(self, stage: Stage) -> None:
        stage.create()
        stage.push("crashing")
        stage.world.advance(20)
        assert stage.health == "Progressing"
        stage.world.advance(100)
        assert stage.health == "Degraded"
        (entry,) = stage.app["status"]["resources"]
        assert entry["health"] == {
            "status": "Degraded",
            "message": 'Deployment "web" exceeded its progress deadline',
        }
        assert stage.sync[0] == "Synced"

    def test_inline_health_can_be_off(self, stage: Stage) -> None:
        stage.argocd.keep_health_apart()
        stage.create()
        assert "health" not in stage.app["status"]["resources"][0]
        assert stage.app["status"]["resourceHealthSource"] == "appTree"
        assert stage.health == "Healthy"

    def test_missing(self, stage: Stage) -> None:
        stage.create(automated=False)
        stage.kube.apps.delete_namespaced_deployment("web", "web")
        stage.world.advance(5)
        assert (stage.sync[0], stage.health) == ("OutOfSync", "Missing")

    def test_suspended(self, stage: Stage) -> None:
        stage.create()
        stage.kube.apps.patch_namespaced_deployment("web", "web", {"spec": {"paused": True}})
        stage.world.advance(5)
        assert stage.health == "Suspended"


class TestTrouble:
    def test_manifests_that_cannot_be_made(self, stage: Stage) -> None:
        stage.create()
        stage.commit({KUSTOMIZATION: "resources: [nope.yaml]"})
        stage.refresh()
        stage.world.advance(2)
        assert stage.sync == ("Unknown", "")
        text = stage.conditions["ComparisonError"]
        assert text.startswith(
            "Failed to load target state: failed to generate manifest for source"
        )
        assert "kustomize build" in text
        stage.push("v2")
        assert stage.settle()
        assert stage.conditions == {}

    def test_a_repository_out_of_reach_is_forgiven_for_a_while(self, stage: Stage) -> None:
        stage.create()
        stage.argocd.disconnect_repository(URL)
        stage.world.advance(200)
        assert stage.conditions == {}
        stage.world.advance(400)
        assert "Repository not found" in stage.conditions["ComparisonError"]
        stage.argocd.connect_repository(URL, stage.repository.folder)
        stage.world.advance(200)
        assert stage.conditions == {}

    def test_a_project_that_does_not_exist(self, stage: Stage) -> None:
        stage.create(project="none", settled=False)
        stage.world.advance(2)
        text = "Application referencing project none which does not exist"
        assert stage.conditions == {"InvalidSpecError": text}
        assert (stage.sync[0], stage.health) == ("Unknown", "Unknown")

    def test_a_repository_that_the_project_does_not_permit(self, stage: Stage) -> None:
        stage.argocd.create_project("narrow", sourceRepos=["https://other.example.com/*"])
        stage.create(project="narrow", settled=False)
        stage.world.advance(2)
        text = f"application repo {URL} is not permitted in project 'narrow'"
        assert stage.conditions == {"InvalidSpecError": text}


class TestWindows:
    def test_a_closed_window_leaves_no_trace_but_out_of_sync(self, stage: Stage) -> None:
        stage.create()
        operation = stage.operation
        stage.argocd.close_sync_window()
        commit = stage.push("v2")
        stage.world.advance(200)
        assert stage.sync == ("OutOfSync", commit)
        assert stage.conditions == {}
        assert stage.operation == operation
        stage.argocd.open_sync_windows()
        stage.world.advance(200)
        assert stage.settle()
        assert stage.image == "r/web:v2"

    def test_a_manual_sync_waits_and_says_why(self, stage: Stage) -> None:
        stage.create(automated=False)
        stage.argocd.close_sync_window()
        stage.push("v2")
        stage.argocd.sync("web")
        stage.world.advance(5)
        assert stage.operation["phase"] == "Running"
        assert stage.operation["message"] == "Sync operation blocked by sync window"
        stage.argocd.open_sync_windows()
        assert stage.settle()

    def test_manual_syncs_may_be_let_through(self, stage: Stage) -> None:
        stage.create(automated=False)
        stage.argocd.close_sync_window(manual=True)
        stage.push("v2")
        stage.argocd.sync("web")
        assert stage.settle()


CHART = {
    "chart/Chart.yaml": "name: web\nversion: 1.0.0\n",
    "chart/values.yaml": "image: {repository: r/web, tag: v1}\nreplicas: 2\n",
    "chart/templates/deployment.yaml": DEPLOYMENT.replace(
        "image: web", 'image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"'
    ).replace("replicas: 2", "replicas: {{ .Values.replicas }}"),
}


class TestSources:
    def test_a_chart_with_values(self, stage: Stage) -> None:
        stage.commit(CHART)
        values = {"env/values.yaml": "image: {tag: v5}\n"}
        stage.commit(values)
        helm = {"valueFiles": ["../env/values.yaml"]}
        source = {"repoURL": URL, "path": "chart", "targetRevision": "main", "helm": helm}
        stage.create(extra={"source": source})
        assert stage.app["status"]["sourceType"] == "Helm"
        assert stage.image == "r/web:v5"

    def test_several_sources(self, stage: Stage) -> None:
        commit = stage.commit({**CHART, "env/values.yaml": "image: {tag: v6}\n"})
        helm = {"valueFiles": ["$values/env/values.yaml"]}
        chart = {"repoURL": URL, "targetRevision": commit, "path": "chart", "helm": helm}
        values = {"repoURL": URL, "targetRevision": "main", "ref": "values"}
        stage.create(sources=[chart, values])
        assert stage.image == "r/web:v6"
        status = stage.app["status"]
        assert status["sync"]["revisions"] == [commit, commit]
        assert "revision" not in status["sync"]
        newer = stage.commit({"env/values.yaml": "image: {tag: v7}\n"})
        stage.refresh()
        assert stage.settle()
        assert stage.app["status"]["sync"]["revisions"] == [commit, newer]
        assert stage.operation["syncResult"]["revisions"] == [commit, newer]
        assert stage.image == "r/web:v7"

    def test_plain_manifests(self, stage: Stage) -> None:
        plain = DEPLOYMENT.replace("image: web", "image: r/web:v3")
        stage.commit({"plain/all.yaml": f"{plain}---\n{CONFIG}"})
        stage.create("plain")
        assert stage.app["status"]["sourceType"] == "Directory"
        kinds = [each["kind"] for each in stage.app["status"]["resources"]]
        assert kinds == ["ConfigMap", "Deployment"]

    def test_a_digest_beside_a_tag(self, stage: Stage) -> None:
        digest = "sha256:" + "ab" * 32
        stage.create()
        stage.push(f"v4@{digest}")
        assert stage.settle()
        assert stage.image == f"r/web:v4@{digest}"
