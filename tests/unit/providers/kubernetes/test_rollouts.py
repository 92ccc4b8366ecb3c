"""The provider of plain Deployments, on a fake cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.model.catalog import TargetSpec
from bot.model.deployment import Image, Person
from bot.model.errors import AccessDenied, Misconfigured, Terminal, Transient, Unknown, Unreachable
from bot.model.places import KubernetesDeployment
from bot.model.rollout import End, Grade, Observation, Order, Told, Watched
from bot.providers.kube.cluster import DEPLOYMENTS, PODS, REPLICA_SETS
from bot.providers.kube.faults import Conflict
from bot.providers.kube.watches import Watches, Where
from bot.providers.kube.workload import DEPLOYMENT_ANNOTATION
from bot.providers.kubernetes.observer import STALE
from bot.providers.kubernetes.patches import merge_patch
from bot.providers.kubernetes.rollouts import KubernetesRollouts
from tests.fakes.argo_stage import eventually
from tests.fakes.argo_views import DIGEST, OLD_DIGEST, T0, deployment, merged
from tests.fakes.cluster import FakeCluster, FakeClusters

IMAGE = Image("web", DIGEST, "v1.5.0")
NEW, OLD = f"web:v1.5.0@{DIGEST}", f"web:v1.4.0@{OLD_DIGEST}"
PLACE = KubernetesDeployment(namespace="shop", deployment="web", container="app")
SPEC = TargetSpec(service="web", environment="staging", kubernetes=PLACE)


@dataclass
class Stage:
    cluster: FakeCluster
    spec: TargetSpec = SPEC
    now: float = 0.0
    watches: Watches = field(init=False)
    rollouts: KubernetesRollouts = field(init=False)

    def __post_init__(self) -> None:
        clusters = FakeClusters(self.cluster)
        self.watches = Watches(clusters)
        self.rollouts = KubernetesRollouts(clusters, self.watches, lambda: self.now)

    def order(self, number: int = 1, **more: Any) -> Order:
        return Order(f"web-staging-{number}", IMAGE, OLD, requester=Person("U1", "alice"), **more)

    def begin(self, number: int = 1, **more: Any) -> Watched:
        order = self.order(number, **more)
        revision = self.rollouts.prepare(self.spec, order)
        handle = self.rollouts.start(self.spec, order, revision)
        return Watched(order.deployment_id, revision, handle, T0)

    def look(self, watched: Watched) -> Observation:
        where = Where(None, DEPLOYMENTS, "shop")
        eventually(
            lambda: (
                self.watches.look(where, "web").objects.get("web")
                == self.cluster.peek(DEPLOYMENTS, "shop", "web")
            )
        )
        looks = self.rollouts.observe([(self.spec, watched)])
        for fault in looks.faults.values():
            raise fault
        return looks[watched.deployment_id]

    def show(self, **body: Any) -> None:
        self.cluster.change(DEPLOYMENTS, "shop", "web", body)

    def counts(self, **counts: Any) -> None:
        """The Deployment's controller has seen the newest change, and got so far."""
        raw = self.cluster.peek(DEPLOYMENTS, "shop", "web")
        assert raw is not None
        self.show(status={"observedGeneration": raw["metadata"]["generation"]} | counts)

    def template(self) -> dict[str, Any]:
        raw = self.cluster.peek(DEPLOYMENTS, "shop", "web")
        assert raw is not None
        found: dict[str, Any] = raw["spec"]["template"]
        return found


@pytest.fixture
def stage() -> Iterator[Stage]:
    cluster = FakeCluster()
    cluster.put(DEPLOYMENTS, deployment(OLD))
    stage = Stage(cluster)
    yield stage
    stage.watches.close()


def test_a_deployment_is_one_patch_that_says_whose_it_is(stage: Stage) -> None:
    watched = stage.begin()
    assert (watched.revision, watched.handle) == (NEW, "4")
    ((_, body),) = stage.cluster.patches
    assert body["metadata"]["annotations"] == {
        DEPLOYMENT_ANNOTATION: "web-staging-1",
        "kubernetes.io/change-cause": "Quarterdeck web-staging-1 by alice",
    }
    (container,) = stage.template()["spec"]["containers"]
    assert container == {"name": "app", "image": NEW, "readinessProbe": {"httpGet": {}}}


@pytest.mark.parametrize(
    ("ref", "text"),
    [
        ("v1.5.0", NEW),
        (DIGEST, f"web:{'a1' * 6}@{DIGEST}"),
        ("feature/x", f"web:{'a1' * 6}@{DIGEST}"),
    ],
)
def test_what_is_written_is_pinned(stage: Stage, ref: str, text: str) -> None:
    order = Order("d", Image("web", DIGEST, ref), OLD)
    assert stage.rollouts.prepare(stage.spec, order) == text


def test_it_is_followed_as_kubectl_does(stage: Stage) -> None:
    watched = stage.begin()
    assert "has not seen the change" in stage.look(watched).explanation
    stage.counts(replicas=3, updatedReplicas=1, availableReplicas=2)
    going = stage.look(watched)
    assert (going.end, going.explanation) == (None, "1 of 2 pods are new.")
    assert (going.progress.running, going.progress.pending, going.progress.old) == (0, 1, 2)
    stage.counts(replicas=2, updatedReplicas=2, availableReplicas=2)
    done = stage.look(watched)
    assert (done.end, done.progress.running) == (End.SUCCEEDED, 2)


def test_a_watch_that_lags_behind_our_own_patch_ends_nothing(stage: Stage) -> None:
    """It still shows the old generation, complete, and with the image that ran before."""
    stage.watches.look(Where(None, DEPLOYMENTS, "shop"), "web")
    stage.cluster.mute()
    watched = stage.begin()
    looks = stage.rollouts.observe([(stage.spec, watched)])
    assert looks[watched.deployment_id].end is None


def test_a_deadline_that_passed_names_what_the_pods_say(stage: Stage) -> None:
    watched = stage.begin()
    waiting = {"reason": "ImagePullBackOff", "message": "not found"}
    stage.cluster.put(
        PODS,
        {
            "metadata": {"name": "web-1", "namespace": "shop", "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "app", "image": NEW}]},
            "status": {"containerStatuses": [{"name": "app", "state": {"waiting": waiting}}]},
        },
    )
    stage.counts(replicas=3, updatedReplicas=1, availableReplicas=2)
    going = stage.look(watched)
    assert going.events == ("Container app: ImagePullBackOff (not found)",)
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    stage.show(status={"conditions": [late]})
    assert stage.look(watched).end is None
    stage.now += STALE
    failed = stage.look(watched)
    assert (failed.end, failed.reason_code) == (End.FAILED, "PROGRESS_DEADLINE_EXCEEDED")
    assert failed.explanation.endswith("Container app: ImagePullBackOff (not found)")


def test_a_rollback_does_not_fail_by_the_deadline_of_what_it_takes_back(stage: Stage) -> None:
    """The controller writes that condition anew beside the new generation, until an old pod is
    gone (``syncRolloutStatus`` of the deployment controller)."""
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    stage.show(status={"conditions": [late]})
    watched = stage.begin(2, revision=OLD)
    stage.counts(replicas=3, updatedReplicas=2, availableReplicas=2)
    assert stage.look(watched).end is None
    stage.now += STALE - 1
    assert stage.look(watched).end is None
    done = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
    stage.show(status={"conditions": [done]})
    stage.counts(replicas=2, updatedReplicas=2, availableReplicas=2)
    assert stage.look(watched).end is End.SUCCEEDED


def test_pods_are_read_ever_more_seldom_and_never_no_more(stage: Stage) -> None:
    watched = stage.begin()
    stage.counts(replicas=3, updatedReplicas=1, availableReplicas=2)
    for _ in range(5):
        stage.look(watched)
    assert stage.cluster.calls.count(("list", "pods")) == 1
    for seconds, reads in ((75, 5), (525, 13), (600, 23)):  # after 5, 10, 20 and 40; each minute
        for _ in range(seconds):
            stage.now += 1
            stage.look(watched)
        assert stage.cluster.calls.count(("list", "pods")) == reads


@pytest.mark.parametrize(
    ("body", "who"),
    [
        ({}, "Somebody"),
        ({"annotations": {DEPLOYMENT_ANNOTATION: "web-staging-2"}}, "Deployment web-staging-2"),
    ],
)
def test_another_image_supersedes_ours(stage: Stage, body: dict[str, Any], who: str) -> None:
    watched = stage.begin()
    containers = [{"name": "app", "image": "web:v9"}]
    stage.show(metadata=body, spec={"template": {"spec": {"containers": containers}}})
    observed = stage.look(watched)
    assert (observed.end, observed.reason_code) == (End.SUPERSEDED, "SUPERSEDED")
    assert observed.explanation == f"{who} changed the image to web:v9."


@pytest.mark.parametrize("deleted", [True, False])
def test_a_deployment_that_is_gone_is_an_end(stage: Stage, *, deleted: bool) -> None:
    watched = stage.begin()
    if deleted:
        stage.cluster.remove(DEPLOYMENTS, "shop", "web")
    else:
        stage.show(spec={"template": {"spec": {"containers": [{"name": "other"}]}}})
    assert stage.look(watched).end is (End.FAILED if deleted else End.SUPERSEDED)


def test_a_paused_deployment_is_not_begun_and_waits(stage: Stage) -> None:
    watched = stage.begin()
    stage.show(spec={"paused": True})
    stage.counts(replicas=3, updatedReplicas=1)
    assert "is paused" in stage.look(watched).explanation
    with pytest.raises(Terminal, match="is paused"):
        stage.begin(2)
    assert "is paused" in " ".join(stage.rollouts.plan(stage.spec, IMAGE).warnings)
    assert len(stage.cluster.patches) == 1


def test_scaled_to_nothing_is_said(stage: Stage) -> None:
    watched = stage.begin()
    stage.show(spec={"replicas": 0})
    stage.counts(replicas=0, updatedReplicas=0, availableReplicas=0)
    observed = stage.look(watched)
    assert (observed.end, observed.explanation) == (
        End.SUCCEEDED,
        "The Deployment is scaled to 0: nothing runs.",
    )


def test_somebodys_image_is_not_written_over(stage: Stage) -> None:
    containers = [{"name": "app", "image": "web:v9"}]
    stage.show(spec={"template": {"spec": {"containers": containers}}})
    with pytest.raises(Terminal) as refused:
        stage.begin()
    assert refused.value.reason_code == "STALE_FROM"
    assert stage.cluster.patches == []


def test_a_change_between_reading_and_writing_is_a_conflict(stage: Stage) -> None:
    stage.cluster.break_next("patch", Conflict("changed"))
    with pytest.raises(Transient):
        stage.begin()


def replica_set(number: int, image: str, **template: Any) -> dict[str, Any]:
    labels = {"app": "web", "pod-template-hash": f"h{number}"}
    containers = [{"name": "app", "image": image, "env": [{"name": "N", "value": str(number)}]}]
    made = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    return {
        "metadata": {
            "name": f"web-{number}",
            "namespace": "shop",
            "labels": labels,
            "annotations": {"deployment.kubernetes.io/revision": str(number)},
            "ownerReferences": [{"uid": "u-1", "controller": True}],
        },
        "spec": {"template": merged(made, template)},
    }


def test_a_rollback_brings_the_whole_template_back(stage: Stage) -> None:
    stage.cluster.put(REPLICA_SETS, replica_set(1, OLD))
    stage.cluster.put(REPLICA_SETS, replica_set(3, OLD, spec={"dnsPolicy": "None"}))
    stage.cluster.put(REPLICA_SETS, replica_set(2, OLD))
    stranger = replica_set(9, OLD)
    stranger["metadata"] |= {"name": "x", "ownerReferences": [{"uid": "u-2", "controller": True}]}
    stage.cluster.put(REPLICA_SETS, stranger)
    stage.show(spec={"template": {"spec": {"hostNetwork": True}}})
    stage.begin()
    watched = stage.begin(2, revision=OLD)
    assert watched.revision == OLD
    template = stage.template()
    assert template["metadata"]["labels"] == {"app": "web"}
    assert template["spec"] == {
        "dnsPolicy": "None",
        "containers": [{"name": "app", "image": OLD, "env": [{"name": "N", "value": "3"}]}],
    }


@pytest.mark.parametrize("denied", [True, False])
def test_without_the_history_the_image_alone_goes_back(stage: Stage, *, denied: bool) -> None:
    if denied:
        stage.cluster.denied.add(("list", REPLICA_SETS))
    stage.begin()
    stage.begin(2, revision=OLD)
    (container,) = stage.template()["spec"]["containers"]
    assert (container["image"], container["readinessProbe"]) == (OLD, {"httpGet": {}})


def test_a_lost_answer_is_read_back_by_the_annotation(stage: Stage) -> None:
    stage.cluster.break_next("patch", Unknown("lost"), after=True)
    with pytest.raises(Unknown):
        stage.begin()
    back = stage.rollouts.read_back(stage.spec, stage.order(), NEW, T0)
    assert (back.told, back.handle) == (Told.YES, "4")
    other = stage.rollouts.read_back(stage.spec, stage.order(2), NEW, T0)
    assert other.told is Told.NO  # the image is there, and telling it again changes nothing


def test_somebody_else_is_told_apart(stage: Stage) -> None:
    containers = [{"name": "app", "image": "web:v9"}]
    stage.show(spec={"template": {"spec": {"containers": containers}}})
    back = stage.rollouts.read_back(stage.spec, stage.order(), NEW, T0)
    assert (back.told, "web:v9 was deployed" in back.explanation) == (Told.SOMEONE_ELSE, True)


def test_live(stage: Stage) -> None:
    live = stage.rollouts.live(stage.spec)
    assert (live.revision, live.image) == (OLD, Image("web", OLD_DIGEST, "v1.4.0"))
    assert (live.desired, live.running, live.steady, live.downtime) == (2, 2, True, ())
    stage.begin()
    assert not stage.rollouts.live(stage.spec).steady


@pytest.mark.parametrize(("other", "known"), [(DIGEST, True), (OLD_DIGEST, False)])
def test_what_a_tag_stands_for_is_asked_of_the_pods(
    stage: Stage, other: str, *, known: bool
) -> None:
    containers = [{"name": "app", "image": "web:latest", "readinessProbe": {}}]
    stage.show(spec={"template": {"spec": {"containers": containers}}})
    for name, digest in (("a", DIGEST), ("b", other)):
        status = {"containerStatuses": [{"name": "app", "imageID": f"web@{digest}"}]}
        metadata = {"name": name, "namespace": "shop", "labels": {"app": "web"}}
        stage.cluster.put(PODS, {"metadata": metadata, "spec": {}, "status": status})
    image = stage.rollouts.live(stage.spec).image
    assert image == (Image("web", DIGEST, "latest") if known else None)


def test_a_plan_changes_nothing(stage: Stage) -> None:
    given = {"name": "app", "image": OLD, "args": ["--password=s3cr3t"], "readinessProbe": {"a": 1}}
    stage.show(spec={"replicas": 1, "template": {"spec": {"containers": [given]}}})
    plan = stage.rollouts.plan(stage.spec, IMAGE)
    assert f'+        "image": "{NEW}",' in plan.diff
    assert "s3cr3t" not in plan.diff
    assert plan.warnings == ()
    assert stage.rollouts.live(stage.spec).downtime == (
        "only 1 pod runs, where at least 2 are needed",
    )
    assert stage.cluster.patches == []


def test_what_is_not_there_is_said(stage: Stage) -> None:
    elsewhere = stage.spec.model_copy(
        update={"kubernetes_place": PLACE.model_copy(update={"container": "web"})}
    )
    assert "has no container web, only app" in (stage.rollouts.usable(elsewhere, OLD) or "")
    assert stage.rollouts.usable(stage.spec, OLD) is None
    stage.cluster.remove(DEPLOYMENTS, "shop", "web")
    with pytest.raises(Misconfigured, match="There is no Deployment web in namespace shop"):
        stage.rollouts.live(stage.spec)
    (finding,) = stage.rollouts.examine(stage.spec)
    assert finding.grade is Grade.ERROR


def test_doctor(stage: Stage) -> None:
    (ready,) = stage.rollouts.examine(stage.spec)
    assert (ready.grade, ready.found) == (Grade.OK, "Deployment web, ready to be rolled")
    stage.cluster.denied |= {("patch", DEPLOYMENTS), ("list", REPLICA_SETS)}
    stage.show(spec={"paused": True, "replicas": 1})
    found = {each.found: each.grade for each in stage.rollouts.examine(stage.spec)}
    assert found == {
        "may not patch deployments.apps in namespace shop": Grade.ERROR,
        "may not list replicasets.apps in namespace shop": Grade.WARNING,
        "the Deployment is paused": Grade.ERROR,
        "only 1 pod runs, where at least 2 are needed": Grade.WARNING,
    }


@pytest.mark.parametrize("fault", [Unreachable("away"), AccessDenied("no")])
def test_what_cannot_be_watched_is_a_fault(stage: Stage, fault: Unreachable | AccessDenied) -> None:
    watched = stage.begin()
    stage.cluster.break_next("list", fault)
    looks = stage.rollouts.observe([(stage.spec, watched)])
    assert (list(looks), isinstance(looks.faults[watched.deployment_id], type(fault))) == ([], True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=2), JSON.filter(lambda each: each is not None))


def without_nulls(value: object) -> object:
    """A merge patch cannot write a null, and the API server keeps none."""
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return value


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is
@given(OBJECTS, OBJECTS)
def test_a_merge_patch_makes_one_of_the_other(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    before, after = without_nulls(before), without_nulls(after)  # type: ignore[assignment]
    assert merged(before, merge_patch(before, after)) == after
