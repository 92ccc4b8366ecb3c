"""The local API server against what Kubernetes documents, with the official client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from urllib3.exceptions import HTTPError

from bot.playground.kube import KubeWorld
from bot.playground.kube.access import Rule
from tests.fakes.kube_world import APPLICATIONS, MERGE, KubeClients, running_cluster

STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLICATION = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "web"},
    "spec": {"project": "none", "destination": {"namespace": "web"}},
}


@pytest.fixture
def world() -> Iterator[KubeWorld]:
    with running_cluster() as started:
        started.create_deployment("shop", "web")
        yield started


@pytest.fixture
def kube(world: KubeWorld, tmp_path: Path) -> Iterator[KubeClients]:
    clients = KubeClients(world, tmp_path)
    yield clients
    clients.close()


def refusal(error: client.ApiException) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(error.body or "")
    assert body["kind"] == "Status"
    assert body["status"] == "Failure"
    assert body["code"] == error.status
    return body


def refused(reason: str, code: int, call: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
    with pytest.raises(client.ApiException) as caught:
        call(*arguments, **options)
    body = refusal(caught.value)
    assert (body.get("reason"), body["code"]) == (reason, code)
    return body


def image_patch(image: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}}


def image_of(deployment: Any) -> str:
    return str(deployment.spec.template.spec.containers[0].image)


class TestDiscovery:
    def test_the_client_finds_its_way(self, kube: KubeClients) -> None:
        assert client.VersionApi(kube.raw).get_code().major == "1"
        groups = [g.name for g in client.ApisApi(kube.raw).get_api_versions().groups]
        custom = ["argoproj.io", "gateway.networking.k8s.io"]
        assert sorted(groups) == sorted(["apps", "authorization.k8s.io", *custom])
        found = kube.custom.get_api_resources("argoproj.io", "v1alpha1")
        served = {each.name: each.kind for each in found.resources}
        assert served["applications"] == "Application"
        # As in the CRDs: a Rollout has a status subresource, an Application has none.
        assert "rollouts/status" in served
        assert "applications/status" not in served

    def test_what_is_not_served_is_not_found(self, kube: KubeClients) -> None:
        other = ("argoproj.io", "v1alpha1", "argocd", "workflows")
        body = refused("NotFound", 404, kube.custom.list_namespaced_custom_object, *other)
        assert body["message"] == "the server could not find the requested resource"

    def test_contexts_of_the_kubeconfig(self, world: KubeWorld, tmp_path: Path) -> None:
        clients = KubeClients(world, tmp_path, context="production")
        try:
            assert clients.apps.read_namespaced_deployment("web", "shop").spec.replicas == 2
        finally:
            clients.close()


class TestWriting:
    def test_a_new_object_gets_an_identity(self, kube: KubeClients) -> None:
        made = kube.custom.create_namespaced_custom_object(*APPLICATIONS, APPLICATION)
        metadata = made["metadata"]
        assert metadata["generation"] == 1
        assert len(metadata["uid"]) == 36
        assert metadata["creationTimestamp"].endswith("Z")
        assert metadata["resourceVersion"].isdigit()

    def test_the_same_name_twice(self, kube: KubeClients) -> None:
        kube.custom.create_namespaced_custom_object(*APPLICATIONS, APPLICATION)
        create = kube.custom.create_namespaced_custom_object
        body = refused("AlreadyExists", 409, create, *APPLICATIONS, APPLICATION)
        assert body["message"] == 'applications.argoproj.io "web" already exists'

    def test_no_object_of_that_name(self, kube: KubeClients) -> None:
        body = refused("NotFound", 404, kube.apps.read_namespaced_deployment, "none", "shop")
        assert body["message"] == 'deployments.apps "none" not found'
        assert body["details"] == {"name": "none", "group": "apps", "kind": "deployments"}

    def test_a_stale_update_conflicts(self, world: KubeWorld, kube: KubeClients) -> None:
        found = kube.apps.read_namespaced_deployment("web", "shop")
        world.scale("shop", "web", 3)
        found.spec.replicas = 1
        replace = kube.apps.replace_namespaced_deployment
        body = refused("Conflict", 409, replace, "web", "shop", found)
        assert "the object has been modified; please apply your changes" in body["message"]

    def test_a_stale_patch_that_names_its_version_conflicts(
        self, world: KubeWorld, kube: KubeClients
    ) -> None:
        version = kube.apps.read_namespaced_deployment("web", "shop").metadata.resource_version
        world.scale("shop", "web", 3)
        patch = {"metadata": {"resourceVersion": version}, "spec": {"replicas": 1}}
        call = kube.apps.patch_namespaced_deployment
        refused("Conflict", 409, call, "web", "shop", patch, _content_type=MERGE)
        del patch["metadata"]
        kube.apps.patch_namespaced_deployment("web", "shop", patch, _content_type=MERGE)
        assert world.deployment("shop", "web")["spec"]["replicas"] == 1

    def test_a_custom_object_is_not_updated_without_a_version(self, kube: KubeClients) -> None:
        kube.custom.create_namespaced_custom_object(*APPLICATIONS, APPLICATION)
        call = kube.custom.replace_namespaced_custom_object
        body = refused("Invalid", 422, call, *APPLICATIONS, "web", APPLICATION)
        assert "must be specified for an update" in body["message"]

    def test_generation_of_a_deployment(self, world: KubeWorld, kube: KubeClients) -> None:
        patch = kube.apps.patch_namespaced_deployment
        first = world.deployment("shop", "web")["metadata"]["generation"]
        same = patch("web", "shop", {"spec": {"replicas": 2}}, _content_type=MERGE)
        assert same.metadata.generation == first
        labels = {"metadata": {"labels": {"team": "a"}}}
        assert patch("web", "shop", labels, _content_type=MERGE).metadata.generation == first
        # Annotations count too: they are copied to the ReplicaSets.
        notes = {"metadata": {"annotations": {"note": "a"}}}
        assert patch("web", "shop", notes, _content_type=MERGE).metadata.generation == first + 1
        more = patch("web", "shop", {"spec": {"replicas": 3}}, _content_type=MERGE)
        assert more.metadata.generation == first + 2

    def test_generation_of_an_application_counts_its_status(self, kube: KubeClients) -> None:
        kube.custom.create_namespaced_custom_object(*APPLICATIONS, APPLICATION)
        noted = kube.patch_application("web", {"metadata": {"annotations": {"a": "b"}}})
        assert noted["metadata"]["generation"] == 1
        told = kube.patch_application("web", {"status": {"sourceType": "Helm"}})
        assert told["metadata"]["generation"] == 2
        assert told["status"] == {"sourceType": "Helm"}

    def test_status_is_written_through_its_own_endpoint(
        self, world: KubeWorld, kube: KubeClients
    ) -> None:
        before = world.deployment("shop", "web")["status"]
        wrong = {"status": {"replicas": 99}}
        kube.apps.patch_namespaced_deployment("web", "shop", wrong, _content_type=MERGE)
        assert world.deployment("shop", "web")["status"] == before
        kube.apps.patch_namespaced_deployment_status(
            "web", "shop", {"spec": {"replicas": 9}, **wrong}, _content_type=MERGE
        )
        after = world.deployment("shop", "web")
        assert after["status"]["replicas"] == 99
        assert after["spec"]["replicas"] == 2

    def test_a_write_that_changes_nothing_is_none(
        self, world: KubeWorld, kube: KubeClients
    ) -> None:
        before = world.store.revision
        kube.apps.patch_namespaced_deployment(
            "web", "shop", {"spec": {"replicas": 2}}, _content_type=MERGE
        )
        assert world.store.revision == before

    def test_a_dry_run_leaves_no_trace(self, world: KubeWorld, kube: KubeClients) -> None:
        tried = kube.apps.patch_namespaced_deployment(
            "web", "shop", image_patch("r/web:v9"), dry_run="All", _content_type=STRATEGIC
        )
        assert image_of(tried) == "r/web:v9"
        assert "v9" not in str(world.deployment("shop", "web")["spec"])

    def test_validation_names_the_field(self, kube: KubeClients) -> None:
        call = kube.apps.patch_namespaced_deployment
        broken = {"spec": {"selector": {"matchLabels": {"app": "other"}}}}
        body = refused("Invalid", 422, call, "web", "shop", broken, _content_type=MERGE)
        assert body["message"].startswith('Deployment.apps "web" is invalid: ')
        stuck = {"spec": {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}}}
        body = refused("Invalid", 422, call, "web", "shop", stuck, _content_type=MERGE)
        assert "may not be 0 when `maxSurge` is 0" in body["message"]

    def test_deleting_takes_what_belongs_to_it(self, world: KubeWorld, kube: KubeClients) -> None:
        kube.apps.delete_namespaced_deployment("web", "shop")
        refused("NotFound", 404, kube.apps.read_namespaced_deployment, "web", "shop")
        world.advance(60)
        assert not world.pods("shop")

    def test_finalizers_keep_an_object(self, kube: KubeClients) -> None:
        held = {**APPLICATION, "metadata": {"name": "web", "finalizers": ["example.com/held"]}}
        kube.custom.create_namespaced_custom_object(*APPLICATIONS, held)
        kube.custom.delete_namespaced_custom_object(*APPLICATIONS, "web")
        assert "deletionTimestamp" in kube.application("web")["metadata"]
        kube.patch_application("web", {"metadata": {"finalizers": None}})
        refused("NotFound", 404, kube.application, "web")


class TestPatches:
    def test_strategic_merge_knows_containers_by_name(self, kube: KubeClients) -> None:
        patched = kube.apps.patch_namespaced_deployment(
            "web", "shop", image_patch("r/web:v2"), _content_type=STRATEGIC
        )
        (container,) = patched.spec.template.spec.containers
        assert container.image == "r/web:v2"
        assert container.readiness_probe is not None

    def test_merge_patch_replaces_a_list(self, kube: KubeClients) -> None:
        patched = kube.apps.patch_namespaced_deployment(
            "web", "shop", image_patch("r/web:v2"), _content_type=MERGE
        )
        (container,) = patched.spec.template.spec.containers
        assert container.image == "r/web:v2"
        assert container.readiness_probe is None

    def test_json_patch_tests_first(self, kube: KubeClients) -> None:
        place = "/spec/template/spec/containers/0/image"
        right = [
            {"op": "test", "path": place, "value": "registry.example.com/web:v1"},
            {"op": "replace", "path": place, "value": "r/web:v2"},
        ]
        call = kube.apps.patch_namespaced_deployment
        assert image_of(call("web", "shop", right, _content_type=JSON_PATCH)) == "r/web:v2"
        refused("Invalid", 422, call, "web", "shop", right, _content_type=JSON_PATCH)

    def test_custom_objects_know_no_strategic_merge(self, kube: KubeClients) -> None:
        kube.custom.create_namespaced_custom_object(*APPLICATIONS, APPLICATION)
        call = kube.custom.patch_namespaced_custom_object
        patch: dict[str, Any] = {"spec": {}}
        refused(
            "UnsupportedMediaType", 415, call, *APPLICATIONS, "web", patch, _content_type=STRATEGIC
        )


class TestLists:
    def test_selectors(self, kube: KubeClients) -> None:
        listing = kube.core.list_namespaced_pod
        assert len(listing("shop", label_selector="app=web").items) == 2
        assert not listing("shop", label_selector="app!=web").items
        assert len(listing("shop", label_selector="app in (web, api),!team").items) == 2
        name = listing("shop").items[0].metadata.name
        (found,) = listing("shop", field_selector=f"metadata.name={name}").items
        assert found.metadata.name == name
        assert len(listing("shop", field_selector="status.phase=Running").items) == 2
        refused("BadRequest", 400, listing, "shop", field_selector="spec.unknown=1")

    def test_pages_show_the_state_of_the_first(self, world: KubeWorld, kube: KubeClients) -> None:
        first = kube.core.list_namespaced_pod("shop", limit=1)
        token = first.metadata._continue
        assert first.metadata.remaining_item_count == 1
        world.scale("shop", "web", 5)
        world.advance(30)
        second = kube.core.list_namespaced_pod("shop", limit=1, _continue=token)
        assert second.metadata.resource_version == first.metadata.resource_version
        assert not second.metadata._continue

    def test_a_page_expires(self, world: KubeWorld, kube: KubeClients) -> None:
        token = kube.core.list_namespaced_pod("shop", limit=1).metadata._continue
        world.forget_history()
        listing = kube.core.list_namespaced_pod
        refused("Expired", 410, listing, "shop", limit=1, _continue=token)


class TestAccess:
    def test_reviews_and_refusals_agree(self, world: KubeWorld, kube: KubeClients) -> None:
        world.access.only([Rule(["get", "list"], ["apps"], ["deployments"], namespace="shop")])
        kube.apps.read_namespaced_deployment("web", "shop")
        call = kube.apps.patch_namespaced_deployment
        body = refused("Forbidden", 403, call, "web", "shop", {}, _content_type=MERGE)
        assert body["message"] == (
            'deployments.apps "web" is forbidden: User '
            '"system:serviceaccount:quarterdeck:quarterdeck" cannot patch resource "deployments" '
            'in API group "apps" in the namespace "shop"'
        )
        assert self.may(kube, "get", "shop")
        assert not self.may(kube, "patch", "shop")
        assert not self.may(kube, "get", "other")

    def may(self, kube: KubeClients, verb: str, namespace: str) -> bool:
        asked = {
            "verb": verb,
            "group": "apps",
            "resource": "deployments",
            "namespace": namespace,
        }
        review = {"spec": {"resourceAttributes": asked}}
        return bool(kube.access.create_self_subject_access_review(review).status.allowed)

    def test_a_token_that_nobody_has(self, world: KubeWorld, kube: KubeClients) -> None:
        world.access.dismiss(world.token("staging"))
        refused("Unauthorized", 401, kube.apps.read_namespaced_deployment, "web", "shop")


class TestFaults:
    def test_throttled_with_a_time_to_wait(self, world: KubeWorld, kube: KubeClients) -> None:
        world.faults.throttle("get", "deployments", retry_after=7)
        with pytest.raises(client.ApiException) as caught:
            kube.apps.read_namespaced_deployment("web", "shop")
        assert refusal(caught.value)["reason"] == "TooManyRequests"
        assert (caught.value.headers or {})["Retry-After"] == "7"
        kube.apps.read_namespaced_deployment("web", "shop")

    @pytest.mark.parametrize(
        ("fault", "reason", "code"),
        [
            ("unauthorized", "Unauthorized", 401),
            ("deny", "Forbidden", 403),
            ("conflict", "Conflict", 409),
            ("gone", "Expired", 410),
            ("fail", "InternalError", 500),
            ("unavailable", "ServiceUnavailable", 503),
        ],
    )
    def test_refusals_on_demand(
        self, world: KubeWorld, kube: KubeClients, fault: str, reason: str, code: int
    ) -> None:
        getattr(world.faults, fault)("get", "deployments", n=1)
        refused(reason, code, kube.apps.read_namespaced_deployment, "web", "shop")
        kube.apps.read_namespaced_deployment("web", "shop")

    def test_a_lost_answer_took_effect(self, world: KubeWorld, kube: KubeClients) -> None:
        world.faults.lose_answer("patch", "deployments")
        with pytest.raises(HTTPError):
            kube.apps.patch_namespaced_deployment(
                "web", "shop", {"spec": {"replicas": 3}}, _content_type=MERGE
            )
        assert world.deployment("shop", "web")["spec"]["replicas"] == 3
        assert world.count("patch", "deployments") == 1
        assert [call.outcome for call in world.calls("patch")] == ["lost_after"]

    def test_a_cut_connection_did_nothing(self, world: KubeWorld, kube: KubeClients) -> None:
        world.faults.cut("patch", "deployments")
        with pytest.raises(HTTPError):
            kube.apps.patch_namespaced_deployment(
                "web", "shop", {"spec": {"replicas": 3}}, _content_type=MERGE
            )
        assert world.deployment("shop", "web")["spec"]["replicas"] == 2
        assert world.count("patch") == 0

    def test_the_journal_tells_who_called(self, world: KubeWorld, kube: KubeClients) -> None:
        kube.raw.user_agent = "Quarterdeck/1"
        kube.apps.read_namespaced_deployment("web", "shop")
        (call,) = world.calls("get", "deployments")
        assert (call.namespace, call.name, call.outcome) == ("shop", "web", "ok")
        assert call.user_agent == "Quarterdeck/1"
