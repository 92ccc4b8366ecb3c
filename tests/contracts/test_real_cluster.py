"""The providers against an API server: a real one where there is one, else the local stand-in.

``QUARTERDECK_TEST_KUBECONFIG=<file> pytest tests/contracts/test_real_cluster.py`` runs it on the
file's current cluster, which has to know the CRD of Applications.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Event

import pytest

from bot.model.errors import Misconfigured
from bot.model.rollout import End, Observation, Told, Watched
from bot.providers.kube.cluster import APPLICATIONS, DEPLOYMENTS, Resource
from bot.providers.kube.faults import Conflict, NotThere
from tests.contracts.real_cluster import OLD_IMAGE, SINCE, Harbour, begin, harbour, look
from tests.fakes.argo_views import OLD_VALUE, VALUE


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Harbour]:
    with harbour(tmp_path) as place:
        yield place


def until(seen: Callable[[], Observation], true: Callable[[Observation], bool]) -> Observation:
    """Look until a watch has told of what makes it true."""
    for _ in range(2_000):
        observed = seen()
        if true(observed):
            return observed
        Event().wait(0.005)
    pytest.fail(f"it never came true: {observed}")


def argo(place: Harbour, watched: Watched) -> Callable[[], Observation]:
    return lambda: look(place.argocd, place.under_argocd, watched)


def test_objects_are_read_changed_and_missed(place: Harbour) -> None:
    cluster = place.clusters.at(None)
    place.create_application()
    raw = cluster.get(APPLICATIONS, place.namespace, "web")
    assert raw is not None
    assert cluster.get(APPLICATIONS, place.namespace, "nobody") is None
    listed = cluster.list(APPLICATIONS, place.namespace)
    assert [each["metadata"]["name"] for each in listed.items] == ["web"]
    body = {"metadata": {"annotations": {"example.com/a": "b"}}}
    cluster.patch(APPLICATIONS, place.namespace, "web", body)
    stale = {"metadata": {"resourceVersion": raw["metadata"]["resourceVersion"]}}
    with pytest.raises(Conflict):
        cluster.patch(APPLICATIONS, place.namespace, "web", stale | {"spec": {"project": "x"}})
    with pytest.raises(NotThere):
        cluster.patch(APPLICATIONS, place.namespace, "nobody", body)
    with pytest.raises(Misconfigured, match="does not know"):
        cluster.list(Resource("example.com", "v1", "widgets", "Widget"), place.namespace)


def test_rights_can_be_asked_for(place: Harbour) -> None:
    cluster = place.clusters.at(None)
    for verb in ("get", "list", "watch", "patch"):
        assert cluster.allowed(verb, APPLICATIONS, place.namespace)
        assert cluster.allowed(verb, DEPLOYMENTS, place.namespace)


def test_a_watch_tells_what_changes_after_a_list(place: Harbour) -> None:
    cluster = place.clusters.at(None)
    version = cluster.list(APPLICATIONS, place.namespace).version
    place.create_application()
    place.delete_application()
    kinds = []
    with cluster.watch(APPLICATIONS, place.namespace, version, 30) as stream:
        for change in stream:
            kinds.append(change.kind)
            if change.kind == "DELETED":
                break
    assert [kinds[0], set(kinds[1:-1])] == ["ADDED", {"MODIFIED"}]


def test_a_rollout_is_followed_from_the_commit_to_health(place: Harbour) -> None:
    place.create_application()
    live = place.argocd.live(place.under_argocd)
    assert (live.revision, live.steady) == (OLD_VALUE, True)
    watched = begin(place.argocd, place.under_argocd, place.order())
    assert not place.argocd.live(place.under_argocd).steady
    first = look(place.argocd, place.under_argocd, watched)
    assert (first.end, "has not seen commit" in first.explanation) == (None, True)
    annotations = place.application()["metadata"]["annotations"]
    assert annotations["argocd.argoproj.io/refresh"] == "normal"
    place.synced(health="Progressing")
    until(argo(place, watched), lambda seen: "Progressing" in seen.explanation)
    place.synced()
    until(argo(place, watched), lambda seen: seen.explanation == "")
    place.now += 11
    assert argo(place, watched)().end is End.SUCCEEDED
    assert place.argocd.live(place.under_argocd).revision == VALUE


def test_a_degraded_application_is_a_failure(place: Harbour) -> None:
    place.create_application()
    watched = begin(place.argocd, place.under_argocd, place.order())
    place.synced(health="Degraded")
    until(argo(place, watched), lambda seen: seen.explanation.startswith("Degraded"))
    place.now += 31
    observed = argo(place, watched)()
    assert (observed.end, observed.reason_code) == (End.FAILED, "DEGRADED")


def test_a_failed_sync_is_a_failure(place: Harbour) -> None:
    place.create_application()
    watched = begin(place.argocd, place.under_argocd, place.order())
    place.synced()
    place.show(status={"operationState": {"phase": "Failed", "message": "it is immutable"}})
    observed = until(argo(place, watched), lambda seen: seen.end is not None)
    assert (observed.end, observed.reason_code) == (End.FAILED, "SYNC_FAILED")
    assert "it is immutable" in observed.explanation


def test_somebodys_commit_supersedes_ours(place: Harbour) -> None:
    place.create_application()
    watched = begin(place.argocd, place.under_argocd, place.order())
    place.git.write(OLD_VALUE)
    place.synced()
    assert until(argo(place, watched), lambda seen: bool(seen.end)).end is End.SUPERSEDED


def test_a_deleted_application_is_a_failure(place: Harbour) -> None:
    place.create_application()
    watched = begin(place.argocd, place.under_argocd, place.order())
    argo(place, watched)()
    place.delete_application()
    until(argo(place, watched), lambda seen: "was deleted" in seen.explanation)
    place.now += 31
    assert argo(place, watched)().reason_code == "MISSING"


def test_where_auto_sync_is_off_the_operation_is_written_once(place: Harbour) -> None:
    """And the CRD keeps every field of it."""
    place.create_application(syncPolicy={"syncOptions": ["CreateNamespace=true"]})
    watched = begin(place.argocd, place.under_argocd, place.order())
    place.show(status={"sync": {"status": "OutOfSync", "revision": place.git.tip}})
    until(argo(place, watched), lambda _: "operation" in place.application())
    assert place.application()["operation"] == {
        "info": [{"name": "quarterdeck.dev/deployment-id", "value": "web-staging-1"}],
        "initiatedBy": {"username": "Quarterdeck"},
        "sync": {
            "revision": place.git.tip,
            "syncOptions": ["CreateNamespace=true"],
            "syncStrategy": {"hook": {}},
        },
    }
    place.synced()
    until(argo(place, watched), lambda seen: seen.explanation == "")
    place.now += 40
    assert argo(place, watched)().end is End.SUCCEEDED
    assert "operation" not in place.application()


def test_back_in_the_history(place: Harbour) -> None:
    place.create_application(syncPolicy={})
    first = place.git.tip
    place.git.write(VALUE)
    past = {"id": 0, "revision": first, "deployedAt": "2026-01-01T00:00:00Z"}
    place.synced(history=[past | {"source": {"repoURL": "x"}}])
    spec = place.under_argocd_with(rollback="history")
    assert place.argocd.usable(spec, OLD_VALUE) is None
    order = place.order(2, VALUE, revision=OLD_VALUE)
    watched = begin(place.argocd, spec, order)
    assert place.application()["operation"]["sync"]["source"] == {"repoURL": "x"}
    assert place.argocd.read_back(spec, order, OLD_VALUE, SINCE).told is Told.YES
    place.synced()
    place.show(status={"sync": {"status": "OutOfSync"}})
    seen = partial(look, place.argocd, spec, watched)
    until(seen, lambda found: found.explanation == "")
    place.now += 11
    assert seen().end is End.SUCCEEDED


def test_a_plain_deployment_is_patched_and_followed(place: Harbour) -> None:
    place.create_deployment()
    assert place.kubernetes.live(place.plain).revision == OLD_IMAGE
    order = place.order(base=OLD_IMAGE)
    watched = begin(place.kubernetes, place.plain, order)
    found = place.deployment()
    assert found.spec.template.spec.containers[0].image == watched.revision
    assert found.metadata.annotations["quarterdeck.dev/deployment-id"] == "web-staging-1"
    assert place.kubernetes.read_back(place.plain, order, watched.revision, SINCE).told is Told.YES
    place.rolled()
    plain = partial(look, place.kubernetes, place.plain, watched)
    assert until(plain, lambda seen: bool(seen.end)).end is End.SUCCEEDED
    back = begin(
        place.kubernetes, place.plain, place.order(2, watched.revision, revision=OLD_IMAGE)
    )
    assert place.deployment().spec.template.spec.containers[0].image == OLD_IMAGE
    place.set_image("registry.example/web:v9")
    place.rolled()
    after = partial(look, place.kubernetes, place.plain, back)
    assert until(after, lambda seen: bool(seen.end)).end is End.SUPERSEDED
