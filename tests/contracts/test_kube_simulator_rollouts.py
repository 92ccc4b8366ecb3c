"""The local Deployment controller and its pods against what Kubernetes documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from bot.playground.kube import KubeWorld
from bot.playground.kube.resources import REPLICA_SETS, ROLLOUTS, Json
from tests.fakes.kube_world import KubeClients, Watch, running_cluster

REVISION = "deployment.kubernetes.io/revision"


@pytest.fixture
def world() -> Iterator[KubeWorld]:
    with running_cluster() as started:
        yield started


@pytest.fixture
def kube(world: KubeWorld, tmp_path: Path) -> Iterator[KubeClients]:
    clients = KubeClients(world, tmp_path)
    yield clients
    clients.close()


def condition(kube: KubeClients, kind: str) -> Any:
    found = kube.apps.read_namespaced_deployment("web", "shop").status.conditions or []
    return next((each for each in found if each.type == kind), None)


def told(kube: KubeClients, reason: str) -> list[str]:
    events = kube.core.list_namespaced_event("shop", field_selector=f"reason={reason}").items
    return [each.message for each in events]


def container_states(kube: KubeClients) -> list[Any]:
    pods = kube.core.list_namespaced_pod("shop").items
    return [status for pod in pods for status in pod.status.container_statuses or []]


def waiting(kube: KubeClients, reason: str) -> Any:
    return next(s for s in container_states(kube) if s.state.waiting and reason in str(s.state))


class TestRollingUpdates:
    def test_a_patch_is_observed_later(self, world: KubeWorld, kube: KubeClients) -> None:
        world.create_deployment("shop", "web")
        world.set_image("shop", "web", "r/web:v2")
        found = kube.apps.read_namespaced_deployment("web", "shop")
        assert found.metadata.generation == 2
        assert found.status.observed_generation == 1
        world.advance(1)
        found = kube.apps.read_namespaced_deployment("web", "shop")
        assert found.status.observed_generation == 2
        assert condition(kube, "Progressing").reason == "ReplicaSetUpdated"

    def test_never_fewer_than_are_to_be_available(self, world: KubeWorld) -> None:
        world.create_deployment("shop", "web", replicas=4, max_unavailable=1, max_surge=1)
        world.set_image("shop", "web", "r/web:v2")
        seen: set[tuple[int, int]] = set()
        for _ in range(120):
            world.advance(0.5)
            status = world.deployment("shop", "web")["status"]
            seen.add((status["replicas"], status.get("availableReplicas", 0)))
        assert min(available for _, available in seen) >= 3
        assert max(replicas for replicas, _ in seen) == 5
        assert (4, 4) in seen

    def test_percentages_round_up_and_down(self, world: KubeWorld) -> None:
        # 25% of 5: 2 more at most, 1 fewer at most.
        world.create_deployment("shop", "web", replicas=5, max_surge="25%", max_unavailable="25%")
        world.set_image("shop", "web", "r/web:unpullable")
        world.advance(60)
        status = world.deployment("shop", "web")["status"]
        assert status["replicas"] == 7
        assert status["availableReplicas"] == 4

    def test_it_completes(self, world: KubeWorld, kube: KubeClients) -> None:
        world.create_deployment("shop", "web")
        world.set_image("shop", "web", "r/web:v2")
        assert world.run_until_rolled_out("shop", "web")
        done = condition(kube, "Progressing")
        assert (done.status, done.reason) == ("True", "NewReplicaSetAvailable")
        assert done.message.endswith("has successfully progressed.")
        assert condition(kube, "Available").reason == "MinimumReplicasAvailable"
        world.advance(30)
        (status, *_) = container_states(kube)
        assert status.image == "r/web:v2"
        assert status.image_id.startswith("r/web@sha256:")

    def test_revisions_and_the_way_back(self, world: KubeWorld, kube: KubeClients) -> None:
        world.create_deployment("shop", "web", image="r/web:v1")
        for image in ("r/web:v2", "r/web:v1"):
            world.set_image("shop", "web", image)
            world.run_until_rolled_out("shop", "web")
        found = kube.apps.read_namespaced_deployment("web", "shop")
        assert found.metadata.annotations[REVISION] == "3"
        sets = kube.apps.list_namespaced_replica_set("shop").items
        numbers = {s.metadata.annotations[REVISION]: s for s in sets}
        assert set(numbers) == {"2", "3"}
        back = numbers["3"]
        assert back.metadata.annotations["deployment.kubernetes.io/revision-history"] == "1"
        assert back.metadata.labels["pod-template-hash"] in back.metadata.name
        assert back.metadata.owner_references[0].name == "web"

    def test_only_so_much_history_is_kept(self, world: KubeWorld) -> None:
        world.create_deployment("shop", "web", history=2)
        for number in range(5):
            world.set_image("shop", "web", f"r/web:n{number}")
            world.run_until_rolled_out("shop", "web")
        world.advance(30)
        assert len(world.store.all(REPLICA_SETS, "shop")) == 3

    def test_recreate_lets_all_go_first(self, world: KubeWorld) -> None:
        world.create_deployment("shop", "web", recreate=True)
        world.set_image("shop", "web", "r/web:v2")
        most = 0
        for _ in range(60):
            world.advance(0.5)
            most = max(most, len(world.pods("shop")))
        assert most == 2
        assert {p["spec"]["containers"][0]["image"] for p in world.pods("shop")} == {"r/web:v2"}

    def test_a_paused_one_waits(self, world: KubeWorld, kube: KubeClients) -> None:
        world.create_deployment("shop", "web", extra={"paused": True}, settled=False)
        world.advance(5)
        world.set_image("shop", "web", "r/web:v2")
        world.advance(1000)
        paused = condition(kube, "Progressing")
        assert (paused.status, paused.reason) == ("Unknown", "DeploymentPaused")

    def test_scaling_is_no_rollout(self, world: KubeWorld, kube: KubeClients) -> None:
        world.create_deployment("shop", "web")
        kube.apps.patch_namespaced_deployment_scale("web", "shop", {"spec": {"replicas": 4}})
        world.advance(60)
        found = kube.apps.read_namespaced_deployment("web", "shop")
        assert found.status.available_replicas == 4
        assert found.metadata.annotations[REVISION] == "1"


class TestBadImages:
    def test_a_crash_loop(self, world: KubeWorld, kube: KubeClients) -> None:
        world.create_deployment("shop", "web", deadline=60)
        world.set_image("shop", "web", "r/web:crashing")
        world.advance(50)
        status = waiting(kube, "CrashLoopBackOff")
        assert status.restart_count >= 2
        assert status.last_state.terminated.exit_code == 1
        assert status.state.waiting.message.startswith("back-off ")
        assert any("Back-off restarting failed container web" in m for m in told(kube, "BackOff"))
        world.advance(60)
        late = condition(kube, "Progressing")
        assert (late.status, late.reason) == ("False", "ProgressDeadlineExceeded")
        assert late.message.endswith("has timed out progressing.")
        # The pods of the old template still serve.
        assert condition(kube, "Available").status == "True"

    def test_an_image_that_is_not_there(self, world: KubeWorld, kube: KubeClients) -> None:
        world.create_deployment("shop", "web")
        world.set_image("shop", "web", "r/web:unpullable")
        world.advance(20)
        status = waiting(kube, "ImagePullBackOff")
        assert status.state.waiting.message == 'Back-off pulling image "r/web:unpullable"'
        assert "Error: ErrImagePull" in told(kube, "Failed")

    def test_a_readiness_probe_that_fails(self, world: KubeWorld, kube: KubeClients) -> None:
        world.create_deployment("shop", "web")
        world.set_image("shop", "web", "r/web:unhealthy")
        world.advance(60)
        text = "Readiness probe failed: HTTP probe failed with statuscode: 503"
        assert text in told(kube, "Unhealthy")
        assert world.deployment("shop", "web")["status"]["unavailableReplicas"] == 1

    def test_a_liveness_probe_restarts(self, world: KubeWorld, kube: KubeClients) -> None:
        world.create_deployment("shop", "web", liveness=True)
        world.set_image("shop", "web", "r/web:unhealthy")
        world.advance(30)
        assert any("failed liveness probe, will be restarted" in m for m in told(kube, "Killing"))
        assert max(s.restart_count for s in container_states(kube)) >= 1

    def test_a_slow_one_gets_there(self, world: KubeWorld, kube: KubeClients) -> None:
        world.create_deployment("shop", "web")
        world.set_image("shop", "web", "r/web:slow")
        world.advance(30)
        assert condition(kube, "Progressing").reason == "ReplicaSetUpdated"
        assert world.run_until_rolled_out("shop", "web")
        assert condition(kube, "Progressing").reason == "NewReplicaSetAvailable"

    def test_without_a_probe_a_crashing_image_rolls_through(self, world: KubeWorld) -> None:
        """Which is why a readiness probe is asked for before a deployment."""
        world.create_deployment("shop", "web", readiness=False, replicas=1)
        world.set_image("shop", "web", "r/web:crashing")
        world.advance(120)
        images = {p["spec"]["containers"][0]["image"] for p in world.pods("shop")}
        assert images == {"r/web:crashing"}


def test_the_same_seed_gives_the_same_run() -> None:
    def names(seed: int) -> list[str]:
        world = KubeWorld(seed)
        world.create_deployment("shop", "web")
        world.set_image("shop", "web", "r/web:v2")
        world.advance(60)
        return [pod["metadata"]["name"] for pod in world.pods("shop")]

    assert names(3) == names(3)
    assert names(3) != names(4)


def test_time_passes_by_itself(tmp_path: Path) -> None:
    with running_cluster(speed=200.0) as world:
        world.create_deployment("shop", "web")
        clients = KubeClients(world, tmp_path)
        world.set_image("shop", "web", "r/web:v2")
        watcher = Watch()
        listing = clients.apps.list_namespaced_deployment
        counts = []
        for event in watcher.stream(listing, "shop", timeout_seconds=20):
            status = event["object"].status
            if status.observed_generation == event["object"].metadata.generation:
                counts.append((status.updated_replicas, status.replicas))
            reasons = {each.reason for each in status.conditions}
            if counts[-1:] == [(2, 2)] and "NewReplicaSetAvailable" in reasons:
                watcher.stop()
        clients.close()
        containers = world.deployment("shop", "web")["spec"]["template"]["spec"]["containers"]
    assert counts[-1] == (2, 2)
    assert containers[0]["image"] == "r/web:v2"


class TestCanaries:
    STEPS: tuple[Json, ...] = ({"setWeight": 50}, {"pause": {}})

    @pytest.fixture
    def rollout(self, world: KubeWorld) -> KubeWorld:
        world.create_namespace("shop")
        spec = {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"canary": {"steps": list(self.STEPS)}},
            "template": self.template("v1"),
        }
        world.objects.create(ROLLOUTS, "shop", {"metadata": {"name": "web"}, "spec": spec})
        world.advance(30)
        assert self.phase(world) == ("Healthy", "")
        world.apply(ROLLOUTS, "shop", "web", {"spec": {"template": self.template("v2")}})
        world.advance(30)
        return world

    def template(self, tag: str) -> Json:
        container = {"name": "web", "image": f"r/web:{tag}"}
        return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}

    def phase(self, world: KubeWorld) -> tuple[str, str]:
        status = world.get(ROLLOUTS, "shop", "web")["status"]
        return status["phase"], status.get("message", "")

    def test_it_waits_in_a_pause(self, rollout: KubeWorld) -> None:
        assert self.phase(rollout) == ("Paused", "CanaryPauseStep")
        status = rollout.get(ROLLOUTS, "shop", "web")["status"]
        assert status["pauseConditions"][0]["reason"] == "CanaryPauseStep"
        assert status["controllerPause"] is True
        assert status["currentStepIndex"] == 1
        assert status["updatedReplicas"] == 1

    def test_promoted_by_clearing_the_pause(self, rollout: KubeWorld) -> None:
        rollout.promote("shop", "web")
        rollout.advance(60)
        assert self.phase(rollout) == ("Healthy", "")
        status = rollout.get(ROLLOUTS, "shop", "web")["status"]
        assert status["stableRS"] == status["currentPodHash"]

    def test_aborted_it_is_degraded(self, rollout: KubeWorld) -> None:
        rollout.abort("shop", "web")
        rollout.advance(60)
        phase, message = self.phase(rollout)
        assert phase == "Degraded"
        assert message == "RolloutAborted: Rollout aborted update to revision 2"
        images = {p["spec"]["containers"][0]["image"] for p in rollout.pods("shop")}
        assert images == {"r/web:v1"}

    def test_aborted_and_asked_for_again_it_begins_anew(self, rollout: KubeWorld) -> None:
        rollout.abort("shop", "web")
        rollout.advance(60)
        status = rollout.get(ROLLOUTS, "shop", "web")["status"]
        assert status["currentStepIndex"] == 0
        assert "pauseConditions" not in status
        rollout.tell_rollout("shop", "web", {"abort": False})
        rollout.advance(60)
        assert self.phase(rollout) == ("Paused", "CanaryPauseStep")
        assert "abortedAt" not in rollout.get(ROLLOUTS, "shop", "web")["status"]

    def test_back_to_the_stable_template_it_leaves_out_the_steps(self, rollout: KubeWorld) -> None:
        rollout.abort("shop", "web")
        rollout.advance(5)
        rollout.apply(ROLLOUTS, "shop", "web", {"spec": {"template": self.template("v1")}})
        rollout.advance(30)
        status = rollout.get(ROLLOUTS, "shop", "web")["status"]
        assert self.phase(rollout) == ("Healthy", "")
        assert status["currentStepIndex"] == len(self.STEPS)
        assert "abort" not in status

    def test_a_full_promotion_leaves_out_the_steps(self, rollout: KubeWorld) -> None:
        rollout.tell_rollout("shop", "web", {"promoteFull": True})
        rollout.advance(60)
        assert self.phase(rollout) == ("Healthy", "")
        assert "promoteFull" not in rollout.get(ROLLOUTS, "shop", "web")["status"]

    def test_an_abort_beside_a_full_promotion_is_ignored(self, rollout: KubeWorld) -> None:
        rollout.tell_rollout("shop", "web", {"promoteFull": True, "abort": True})
        rollout.advance(60)
        assert self.phase(rollout) == ("Healthy", "")

    def test_what_is_halted_sees_nothing(self, rollout: KubeWorld) -> None:
        rollout.halt_rollouts()
        rollout.promote("shop", "web")
        rollout.advance(60)
        status = rollout.get(ROLLOUTS, "shop", "web")["status"]
        assert (status["phase"], status["currentStepIndex"]) == ("Paused", 1)
        rollout.halt_rollouts(halted=False)
        rollout.advance(60)
        assert self.phase(rollout) == ("Healthy", "")


class TestRoutedCanaries(TestCanaries):
    """With a traffic router: weights beside a stable version at its full size."""

    @pytest.fixture
    @override
    def rollout(self, world: KubeWorld) -> KubeWorld:
        world.create_namespace("shop")
        canary = {
            "steps": list(self.STEPS),
            "stableService": "web-stable",
            "canaryService": "web-canary",
            "trafficRouting": {"nginx": {"stableIngress": "web"}},
        }
        spec = {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"canary": canary},
            "template": self.template("v1"),
        }
        world.objects.create(ROLLOUTS, "shop", {"metadata": {"name": "web"}, "spec": spec})
        world.advance(30)
        world.apply(ROLLOUTS, "shop", "web", {"spec": {"template": self.template("v2")}})
        world.advance(30)
        return world

    def weights(self, world: KubeWorld) -> tuple[int, int]:
        weights = world.get(ROLLOUTS, "shop", "web")["status"]["canary"]["weights"]
        return weights["canary"]["weight"], weights["stable"]["weight"]

    def pods(self, world: KubeWorld) -> list[str]:
        images = [pod["spec"]["containers"][0]["image"] for pod in world.pods("shop")]
        return sorted(images)

    def test_the_stable_version_keeps_its_size(self, rollout: KubeWorld) -> None:
        assert self.weights(rollout) == (50, 50)
        assert self.pods(rollout) == ["r/web:v1", "r/web:v1", "r/web:v2"]
        status = rollout.get(ROLLOUTS, "shop", "web")["status"]
        weights = status["canary"]["weights"]
        assert weights["canary"]["podTemplateHash"] == status["currentPodHash"]
        assert weights["stable"]["podTemplateHash"] == status["stableRS"]
        assert weights["stable"]["serviceName"] == "web-stable"

    def test_no_weight_goes_to_pods_that_are_not_available(self, rollout: KubeWorld) -> None:
        rollout.apply(ROLLOUTS, "shop", "web", {"spec": {"template": self.template("unpullable")}})
        rollout.advance(60)
        assert self.weights(rollout) == (0, 100)

    def test_promoted_the_old_pods_are_kept_a_while(self, rollout: KubeWorld) -> None:
        rollout.promote("shop", "web")
        rollout.advance(20)
        assert self.phase(rollout) == ("Healthy", "")
        assert self.weights(rollout) == (0, 100)
        assert self.pods(rollout) == ["r/web:v1"] * 2 + ["r/web:v2"] * 2
        rollout.advance(60)
        assert self.pods(rollout) == ["r/web:v2"] * 2

    def test_aborted_the_weight_goes_first_and_the_pods_later(self, rollout: KubeWorld) -> None:
        rollout.abort("shop", "web")
        rollout.advance(5)
        assert self.weights(rollout) == (0, 100)
        assert "r/web:v2" in self.pods(rollout)
        rollout.advance(60)
        assert self.pods(rollout) == ["r/web:v1"] * 2
