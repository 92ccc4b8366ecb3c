"""What a workload's JSON says: images, counts, zero downtime, and why its pods fail."""

from __future__ import annotations

from typing import Any

import pytest

from bot.model.deployment import Image, Progress
from bot.model.errors import Unreachable
from bot.providers.kube.cluster import EVENTS, PODS
from bot.providers.kube.rollout_status import standing
from bot.providers.kube.troubles import reasons, troubles, warning
from bot.providers.kube.workload import digest_in, image_of, workload_of
from bot.providers.kube.zero_downtime import obstacles, unavailable
from tests.fakes.argo_views import DIGEST, OLD_VALUE, VALUE, deployment
from tests.fakes.cluster import FakeCluster


@pytest.mark.parametrize(
    ("text", "image"),
    [
        (f"web:v1@{DIGEST}", Image("web", DIGEST, "v1")),
        (f"host:5000/a/web@{DIGEST}", Image("host:5000/a/web", DIGEST, DIGEST)),
        (f"host:5000/a/web:v1@{DIGEST}", Image("host:5000/a/web", DIGEST, "v1")),
        ("web:v1", None),
        (DIGEST, None),
        ("web@sha256:short", None),
    ],
)
def test_an_image_is_read_where_it_is_pinned(text: str, image: Image | None) -> None:
    assert image_of(text) == image
    assert digest_in(text) == (DIGEST if DIGEST in text else "")


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({}, ""),
        ({"observed": 2}, "controller has not seen the change"),
        ({"updated": 1, "total": 3}, "1 of 2 pods are new"),
        ({"total": 3}, "1 old pods are still to stop"),
        ({"available": 1}, "1 of 2 new pods are available"),
        ({"spec": {"paused": True}, "updated": 1}, "is paused"),
        ({"desired": 0, "updated": 0, "available": 0, "total": 0}, ""),
    ],
)
def test_rollout_status(facts: dict[str, Any], text: str) -> None:
    stands = standing(workload_of(deployment(**facts)))
    assert text in stands.text
    assert (stands.done, stands.failed) == (not text, False)


def test_a_deadline_that_passed_is_a_failure() -> None:
    condition = {
        "type": "Progressing",
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "message": 'ReplicaSet "web-1" has timed out progressing.',
    }
    workload = workload_of(
        deployment(updated=1, total=3, available=2, status={"conditions": [condition]})
    )
    stands = standing(workload)
    assert (stands.failed, stands.text) == (True, 'ReplicaSet "web-1" has timed out progressing.')
    # one new pod, which fails and waits for nothing more; two old ones serve
    assert workload.progress == Progress(desired=2, running=0, pending=0, failed=1, old=2)
    # a deadline of the change before is none of this one
    assert not standing(
        workload_of(deployment(observed=2, status={"conditions": [condition]}))
    ).failed


def test_what_its_controller_has_not_seen_yet_is_counted_as_old() -> None:
    behind = workload_of(deployment(observed=2, updated=2, available=2, total=2))
    assert behind.progress == Progress(desired=2, old=2)


def test_a_rollout_writes_its_generation_as_a_text() -> None:
    workload = workload_of(deployment(kind="Rollout", status={"observedGeneration": "3"}))
    assert (workload.kind, workload.observed) == ("Rollout", 3)


@pytest.mark.parametrize("change", [{"spec": {"replicas": "2"}}, {"status": {"replicas": 1.5}}])
def test_what_cannot_be_read_is_a_fault(change: dict[str, Any]) -> None:
    with pytest.raises(Unreachable, match="cannot be read"):
        workload_of(deployment(**change))


def rolling(**numbers: int | str) -> dict[str, Any]:
    return {"strategy": {"rollingUpdate": {"maxUnavailable": None} | numbers}}


@pytest.mark.parametrize(
    ("spec", "missing"),
    [
        (rolling(), 0),  # 25 % of 2, rounded down
        (rolling(maxUnavailable="50%"), 1),
        (rolling(maxUnavailable="49%"), 0),
        (rolling(maxUnavailable=0), 0),
        (rolling(maxUnavailable=1), 1),
        (rolling(maxUnavailable="0%", maxSurge="0%"), 1),  # or nothing could be replaced
        (rolling(maxUnavailable="10%", maxSurge=0), 1),
        (rolling(maxUnavailable="10%", maxSurge="1%"), 0),
    ],
)
def test_how_many_pods_may_be_missing(spec: dict[str, Any], missing: int) -> None:
    workload = workload_of(deployment(spec=spec))
    assert unavailable(workload.strategy, workload.desired) == missing
    assert bool(obstacles(workload, workload.containers)) is bool(missing)


def test_of_many_pods_a_quarter_may_be_missing_by_default() -> None:
    workload = workload_of(deployment(desired=4, spec=rolling()))
    (said,) = obstacles(workload, workload.containers)
    assert said == "1 of 4 pods may be missing while it is rolled (maxUnavailable 25%)"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"spec": {"strategy": {"type": "Recreate"}}}, "its strategy is Recreate"),
        ({"desired": 1}, "only 1 pod runs"),
        ({"desired": 0, "spec": rolling(maxUnavailable=0)}, "only 0 pods run"),
        (
            {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "web"}]}}}},
            "container app has no readiness probe",
        ),
        ({"spec": {"strategy": {"canary": {"maxUnavailable": 1}}}}, "1 of 2 pods may be missing"),
    ],
)
def test_what_keeps_it_from_being_rolled_without_downtime(facts: dict[str, Any], said: str) -> None:
    workload = workload_of(deployment(**facts))
    (clause,) = obstacles(workload, workload.containers)
    assert said in clause


@pytest.mark.parametrize("strategy", [{"blueGreen": {}}, {"canary": {"maxUnavailable": 0}}])
def test_argo_rollouts_can_be_free_of_downtime(strategy: dict[str, Any]) -> None:
    workload = workload_of(deployment(spec={"strategy": strategy}))
    assert obstacles(workload, workload.containers) == ()


def pod(name: str = "web-1", image: str = VALUE, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "app", "image": f"web:{image}"}]},
        "status": status,
    }


def waits(reason: str, message: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"containerStatuses": [{"name": "app", "state": state}]}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            waits("ImagePullBackOff", 'Back-off pulling image "web"'),
            'Container app: ImagePullBackOff (Back-off pulling image "web")',
        ),
        (waits("ContainerCreating"), None),
        ({"containerStatuses": [{"name": "app", "state": {"running": {}}}]}, None),
        (
            {
                "initContainerStatuses": [
                    {
                        "name": "migrate",
                        "state": {
                            "terminated": {"exitCode": 1, "reason": "Error", "message": "no\nDB"}
                        },
                    }
                ]
            },
            "Container migrate: exited with 1 (Error): no DB",
        ),
        (
            {
                "conditions": [
                    {"type": "PodScheduled", "reason": "Unschedulable", "message": "no node"}
                ]
            },
            "Unschedulable: no node",
        ),
        ({"phase": "Failed", "reason": "Evicted", "message": "low"}, "Pod failed: Evicted low"),
    ],
)
def test_why_a_pod_fails(status: dict[str, Any], said: str | None) -> None:
    assert [each.text for each in troubles(pod(**status), DIGEST)] == ([said] if said else [])


def test_pods_that_fail_alike_are_one_line_and_old_ones_none() -> None:
    cluster = FakeCluster()
    for number in range(3):
        cluster.put(PODS, pod(f"web-{number}", **waits("CrashLoopBackOff")))
    cluster.put(PODS, pod("old", OLD_VALUE, **waits("ImagePullBackOff")))
    workload = workload_of(deployment())
    found = reasons(cluster, "shop", workload, DIGEST, ("before",))
    assert found == ("before", "Container app: CrashLoopBackOff")


def test_where_containers_say_nothing_events_do() -> None:
    cluster = FakeCluster()
    cluster.put(PODS, pod(**waits("ContainerCreating")))
    event = {
        "metadata": {"name": "e1", "namespace": "shop"},
        "involvedObject": {"kind": "Pod", "name": "web-1"},
        "type": "Warning",
        "reason": "FailedMount",
        "message": "no such secret",
    }
    cluster.put(EVENTS, event)
    cluster.put(EVENTS, event | {"metadata": {"name": "e2", "namespace": "shop"}, "type": "Normal"})
    assert warning(event) == "FailedMount: no such secret"
    found = reasons(cluster, "shop", workload_of(deployment()), DIGEST, ())
    assert found == ("FailedMount: no such secret",)


def test_reasons_that_cannot_be_read_hide_nothing() -> None:
    cluster = FakeCluster()
    cluster.denied.add(("list", PODS))
    assert reasons(cluster, "shop", workload_of(deployment()), DIGEST, ("a",)) == ("a",)
    cluster = FakeCluster()
    cluster.put(PODS, pod() | {"status": {"containerStatuses": "?"}})
    assert reasons(cluster, "shop", workload_of(deployment()), DIGEST, ("a",)) == ("a",)
