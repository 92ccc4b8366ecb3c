"""Following Argo CD: what is told while the test plays it, and what it is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.model.errors import (
    AccessDenied,
    Misconfigured,
    QuarterdeckError,
    Terminal,
    Throttled,
    Unknown,
    Unreachable,
)
from bot.model.rollout import End, Watched
from bot.providers.argocd.sparing import Sparing
from bot.providers.kube.cluster import APPLICATIONS, DEPLOYMENTS, PODS, PROJECTS
from bot.providers.kube.faults import Conflict
from tests.fakes.argo_stage import VALUE, ArgoStage, argo_stage
from tests.fakes.argo_views import OLD_VALUE, T0, operation, stamp
from tests.fakes.cluster import FakeCluster


@pytest.fixture
def stage() -> Iterator[ArgoStage]:
    with argo_stage() as stage:
        yield stage


@pytest.fixture
def by_hand() -> Iterator[ArgoStage]:
    """Auto-sync is off."""
    with argo_stage() as stage:
        stage.show(spec={"syncPolicy": None})
        yield stage


def crash(cluster: FakeCluster) -> None:
    """A new pod crashes again and again."""
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 10s"}
    last = {"exitCode": 137, "reason": "OOMKilled", "message": "heap is full\n"}
    cluster.put(
        PODS,
        {
            "metadata": {"name": "web-1", "namespace": "shop", "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "app", "image": f"web:{VALUE}"}]},
            "status": {
                "containerStatuses": [
                    {
                        "name": "app",
                        "state": {"waiting": waiting},
                        "lastState": {"terminated": last},
                    }
                ]
            },
        },
    )


def test_the_old_revision_is_no_success_and_argo_cd_is_asked_to_look(stage: ArgoStage) -> None:
    watched = stage.begin()
    stage.pass_by(100)
    first = stage.look(watched)
    assert first.end is None
    assert "has not seen commit" in first.explanation
    assert stage.asked() == ["refresh"]
    stage.look(watched)
    stage.show(metadata={"annotations": None})
    stage.look(watched)
    assert stage.asked() == ["refresh"]  # not again so soon
    stage.pass_by(16)
    stage.look(watched)
    assert stage.asked() == ["refresh", "refresh"]


def test_success_is_told_when_it_has_settled_and_not_before(stage: ArgoStage) -> None:
    watched = stage.begin()
    stage.look(watched)
    stage.rolled()
    stage.sync()
    assert stage.look(watched).end is None
    assert stage.due == [10.0]
    stage.pass_by(9.9)
    assert stage.look(watched).end is None
    stage.pass_by(0.2)
    observed = stage.look(watched)
    assert (observed.end, observed.progress.running) == (End.SUCCEEDED, 2)


def test_a_flap_begins_the_settle_time_anew(stage: ArgoStage) -> None:
    watched = stage.begin()
    stage.rolled()
    stage.sync()
    stage.look(watched)
    stage.pass_by(8)
    stage.sync(health="Degraded")
    assert stage.look(watched).end is None
    stage.sync()
    stage.pass_by(8)
    assert stage.look(watched).end is None
    stage.pass_by(10)
    assert stage.look(watched).end is End.SUCCEEDED


def test_a_flap_that_no_look_saw_counts_too(stage: ArgoStage) -> None:
    watched = stage.begin()
    stage.rolled()
    stage.sync()
    stage.show(status={"health": {"lastTransitionTime": stamp(21)}})
    stage.look(watched)
    stage.pass_by(11)
    stage.show(status={"health": {"lastTransitionTime": stamp(30)}})
    assert stage.look(watched).end is None
    stage.pass_by(11)
    assert stage.look(watched).end is End.SUCCEEDED


def test_an_end_that_the_application_itself_does_not_confirm_is_not_told(stage: ArgoStage) -> None:
    """The watch is silent by now, and does not know it yet."""
    watched = stage.begin()
    stage.rolled()
    stage.sync()
    stage.look(watched)
    stage.pass_by(11)
    stage.cluster.mute()
    stage.sync(health="Degraded")
    assert stage.rollouts.observe([(stage.spec, watched)])[watched.deployment_id].end is None


def test_a_bad_image_degrades_and_says_why(stage: ArgoStage) -> None:
    watched = stage.begin()
    stage.rolled(updated=1, total=3, available=2)
    crash(stage.cluster)
    stage.sync(health="Progressing")
    going = stage.look(watched)
    assert going.end is None
    said = "Container app: CrashLoopBackOff (back-off 10s); last exited with 137 (OOMKilled)"
    assert going.events == (f"{said}: heap is full",)
    assert going.progress.old == 2
    stage.sync(health="Degraded")
    stage.look(watched)
    stage.pass_by(31)
    observed = stage.look(watched)
    assert (observed.end, observed.reason_code) == (End.FAILED, "DEGRADED")
    assert "Degraded: Deployment web; Container app: CrashLoopBackOff" in observed.explanation


def test_pods_of_the_old_image_explain_nothing(stage: ArgoStage) -> None:
    watched = stage.begin()
    crash(stage.cluster)
    stage.cluster.change(
        PODS, "shop", "web-1", {"spec": {"containers": [{"image": f"web:{OLD_VALUE}"}]}}
    )
    stage.rolled(updated=1, total=3)
    stage.sync(health="Progressing")
    assert stage.look(watched).events == ()


def test_pods_are_read_ever_more_seldom_until_something_is_wrong(stage: ArgoStage) -> None:
    watched = stage.begin()
    stage.rolled(updated=1, total=3)
    stage.sync(health="Progressing")
    for _ in range(100):
        stage.look(watched)
        stage.pass_by(1)
    assert stage.cluster.calls.count(("list", "pods")) == 5  # at 0, 5, 15, 35 and 75 seconds
    crash(stage.cluster)
    stage.sync(health="Degraded")
    stage.look(watched)
    assert stage.cluster.calls.count(("list", "pods")) == 6
    stage.pass_by(31)
    assert "CrashLoopBackOff" in stage.look(watched).explanation


def test_without_rights_to_pods_and_deployments_argo_cd_is_believed(stage: ArgoStage) -> None:
    stage.cluster.denied |= {("list", DEPLOYMENTS), ("get", DEPLOYMENTS), ("list", PODS)}
    watched = stage.begin()
    stage.sync()
    stage.look(watched)
    stage.pass_by(11)
    observed = stage.look(watched)
    assert (observed.end, observed.progress.desired) == (End.SUCCEEDED, 1)


def test_a_deployment_that_disagrees_holds_success_back(stage: ArgoStage) -> None:
    watched = stage.begin()
    stage.sync()
    stage.look(watched)
    stage.pass_by(11)
    observed = stage.look(watched)
    assert observed.end is None
    assert "Deployment web runs another image" in observed.explanation


def test_somebodys_commit_on_top_that_leaves_our_value_alone_is_ours_too(stage: ArgoStage) -> None:
    watched = stage.begin()
    stage.rolled()
    stage.git.touch()
    stage.sync()
    stage.look(watched)
    stage.pass_by(11)
    assert stage.look(watched).end is End.SUCCEEDED


def test_somebodys_commit_on_top_that_changes_it_supersedes_ours(stage: ArgoStage) -> None:
    watched = stage.begin()
    stage.rolled()
    theirs = stage.git.write(OLD_VALUE)
    stage.git.touch()
    stage.sync()
    observed = stage.look(watched)
    assert (observed.end, observed.reason_code) == (End.SUPERSEDED, "SUPERSEDED")
    assert f"dave changed the image in git again, in {theirs[:7]}" in observed.explanation


def test_a_commit_that_git_does_not_have_is_asked_for_once_in_a_while(stage: ArgoStage) -> None:
    watched = stage.begin()
    stage.show(status={"sync": {"revision": "f" * 40}})
    assert "the repository does not have" in stage.look(watched).explanation
    for _ in range(3):
        stage.look(watched)
    assert stage.git.calls.count("relation") == 2  # of the compared revision, and the synced one
    stage.pass_by(16)
    stage.look(watched)
    assert stage.git.calls.count("relation") == 3


def test_a_failed_sync_ends_it_at_once(stage: ArgoStage) -> None:
    watched = stage.begin()
    stage.sync()
    failed = operation("Failed", stage.git.tip, "the object is immutable")
    stage.show(status={"operationState": failed, "sync": {"status": "OutOfSync"}})
    observed = stage.look(watched)
    assert (observed.end, observed.reason_code) == (End.FAILED, "SYNC_FAILED")


def test_a_deleted_application_ends_it_after_a_while(stage: ArgoStage) -> None:
    watched = stage.begin()
    stage.look(watched)
    stage.cluster.remove(APPLICATIONS, "argocd", "web")
    assert stage.look(watched).end is None
    stage.pass_by(31)
    assert stage.look(watched).reason_code == "MISSING"


def test_an_application_that_became_another_is_left_alone(stage: ArgoStage) -> None:
    watched = stage.begin()
    stage.look(watched)
    before = len(stage.asked())
    stage.pass_by(60)
    stage.show(spec={"project": "other"})
    with pytest.raises(Misconfigured, match="moved to another project or destination"):
        stage.look(watched)
    stage.show(spec={"project": "default", "source": {"repoURL": "https://git.example/x/y"}})
    with pytest.raises(Misconfigured, match="is not made from"):
        stage.look(watched)
    assert len(stage.asked()) == before


def test_where_auto_sync_is_off_the_sync_is_asked_for_once(by_hand: ArgoStage) -> None:
    stage = by_hand
    watched = stage.begin()
    stage.look(watched)
    assert stage.asked() == ["refresh"]
    commit = stage.git.tip
    seen = {"sync": {"status": "OutOfSync", "revision": commit}, "reconciledAt": stamp(30)}
    stage.show(status=seen)
    observed = stage.look(watched)
    assert "a sync is being asked for" in observed.explanation
    assert stage.asked() == ["refresh", "sync"]
    asked = stage.cluster.patches[-1][1]["operation"]
    assert asked["sync"]["revision"] == commit
    assert asked["info"] == [
        {"name": "quarterdeck.dev/deployment-id", "value": watched.deployment_id}
    ]
    for _ in range(3):
        stage.pass_by(60)
        stage.look(watched)  # it is pending
    assert stage.asked().count("sync") == 1


def seen_by_hand(stage: ArgoStage) -> Watched:
    """Argo CD has seen our commit, and waits for somebody to sync it."""
    watched = stage.begin()
    stage.look(watched)
    status = {"sync": {"status": "OutOfSync", "revision": stage.git.tip}}
    stage.show(status=status | {"reconciledAt": stamp(30)})
    return watched


def test_no_sync_is_started_beside_another_operation(by_hand: ArgoStage) -> None:
    watched = seen_by_hand(by_hand)
    by_hand.show(status={"operationState": operation("Running", "f" * 40)})
    assert "Another operation is in progress" in by_hand.look(watched).explanation
    assert by_hand.asked() == ["refresh"]


def test_no_sync_is_started_where_argo_cd_does(by_hand: ArgoStage) -> None:
    watched = seen_by_hand(by_hand)
    by_hand.show(spec={"syncPolicy": {"automated": {}}})
    assert "about to sync" in by_hand.look(watched).explanation
    assert by_hand.asked() == ["refresh"]


def test_no_sync_is_started_while_a_window_is_closed(by_hand: ArgoStage) -> None:
    watched = seen_by_hand(by_hand)
    window = {"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}
    project = {"metadata": {"name": "default", "namespace": "argocd"}}
    by_hand.cluster.put(PROJECTS, project | {"spec": {"syncWindows": [window]}})
    assert "lets no sync through now" in by_hand.look(watched).explanation
    assert by_hand.asked() == ["refresh"]


def test_where_we_may_start_no_sync_somebody_is_asked_to(by_hand: ArgoStage) -> None:
    watched = seen_by_hand(by_hand)
    by_hand.cluster.break_next("patch", AccessDenied("may not patch", hint="Allow it."))
    by_hand.look(watched)
    assert "somebody has to. may not patch Allow it." in by_hand.look(watched).explanation


@pytest.mark.parametrize(
    ("fault", "again"),
    [
        (Conflict("changed"), 0),
        (Throttled("slow"), 30),
        (Unknown("lost"), 30),
        (Terminal("no"), 30),
    ],
)
def test_a_cluster_that_takes_no_sync_is_not_asked_at_every_look(
    by_hand: ArgoStage, fault: QuarterdeckError, again: int
) -> None:
    watched = seen_by_hand(by_hand)
    by_hand.cluster.break_next("patch", fault)
    for _ in range(5):
        by_hand.look(watched)
    assert by_hand.asked().count("sync") == (again == 0)
    by_hand.pass_by(again)
    by_hand.look(watched)
    assert by_hand.asked().count("sync") == 1


def test_a_sync_that_somebody_was_faster_than_is_asked_for_at_the_next_look(
    by_hand: ArgoStage,
) -> None:
    watched = seen_by_hand(by_hand)
    by_hand.cluster.break_next("patch", Conflict("changed"))
    by_hand.look(watched)
    assert by_hand.asked() == ["refresh"]
    by_hand.look(watched)
    assert by_hand.asked() == ["refresh", "sync"]


def test_auto_sync_turned_off_in_the_middle_is_somebodys_will(stage: ArgoStage) -> None:
    watched = stage.begin()
    stage.look(watched)
    seen = {"sync": {"status": "OutOfSync", "revision": stage.git.tip}, "reconciledAt": stamp(30)}
    stage.show(spec={"syncPolicy": None}, status=seen)
    assert "Auto-sync was turned off after the commit" in stage.look(watched).explanation
    stage.pass_by(60)
    stage.look(watched)
    assert "sync" not in stage.asked()


def test_a_pull_request_is_waited_for_and_then_followed(stage: ArgoStage) -> None:
    stage.git.hold()
    watched = stage.begin()
    assert watched.handle == "pull/1"
    stage.pass_by(100)
    observed = stage.look(watched)
    assert (observed.end, observed.explanation) == (None, "It waits for a review.")
    assert stage.asked() == []
    stage.look(watched)
    assert stage.git.calls.count("landed") == 1
    stage.git.merge("pull/1")
    stage.rolled()
    stage.sync()
    stage.pass_by(16)
    stage.look(watched)
    stage.pass_by(11)
    assert stage.look(watched).end is End.SUCCEEDED


def test_a_pull_request_that_was_closed_is_an_end(stage: ArgoStage) -> None:
    stage.git.hold()
    watched = stage.begin()
    stage.git.close("pull/1")
    observed = stage.look(watched)
    assert (observed.end, observed.reason_code) == (End.FAILED, "PULL_REQUEST_CLOSED")
    assert "dave closed it" in observed.explanation


def test_without_a_handle_the_commit_is_found_by_its_trailer(stage: ArgoStage) -> None:
    watched = stage.begin()
    stage.rolled()
    stage.sync()
    again = Watched(watched.deployment_id, watched.revision, None, T0)
    stage.look(again)
    stage.pass_by(11)
    assert stage.look(again).end is End.SUCCEEDED
    never = Watched("web-staging-99", VALUE, None, T0)
    assert "no commit of this deployment" in stage.look(never).explanation


@pytest.mark.parametrize("fault", [Unreachable("away"), Throttled("slow"), AccessDenied("no")])
def test_a_watch_that_cannot_be_heard_is_a_fault_and_no_end(
    stage: ArgoStage, fault: Unreachable | Throttled | AccessDenied
) -> None:
    watched = stage.begin()
    stage.sync()
    stage.cluster.break_next("list", fault)
    looks = stage.rollouts.observe([(stage.spec, watched)])
    assert not looks
    assert isinstance(looks.faults[watched.deployment_id], type(fault))


def test_git_that_is_silent_is_waited_for_once_and_not_by_every_rollout(stage: ArgoStage) -> None:
    """Each question may wait for a minute, and one look follows all rollouts of all providers."""
    watched = stage.begin()
    stage.git.touch()
    stage.sync()
    stage.git.break_next("relation", Unreachable("git is away"), Unreachable("git is away"))
    many = [(stage.spec, Watched(f"w-{n}", VALUE, watched.handle, T0)) for n in range(20)]
    for _ in range(2):
        assert len(stage.rollouts.observe(many).faults) == 20
    assert stage.git.calls.count("relation") == 1
    stage.pass_by(3)
    assert len(stage.rollouts.observe(many).faults) == 20
    stage.pass_by(5)
    assert len(stage.rollouts.observe(many).faults) == 20
    assert stage.git.calls.count("relation") == 2
    stage.pass_by(1)
    assert len(stage.rollouts.observe(many)) == 20


def test_one_that_asks_to_be_left_alone_is_and_no_other() -> None:
    now = [0.0]
    sparing, slower = Sparing(lambda: now[0]), Throttled("slower")
    slower.retry_after = 40.0

    def throttled() -> str:
        raise slower

    for _ in range(2):
        with pytest.raises(Throttled):
            sparing.ask("one", throttled)
        with pytest.raises(Throttled, match="slower"):
            sparing.ask("one", lambda: "yes")
        assert sparing.ask("other", lambda: "yes") == "yes"
        now[0] += 40
    assert sparing.ask("one", lambda: "yes") == "yes"


def test_who_changed_it_is_not_needed_for_the_end(stage: ArgoStage) -> None:
    watched = stage.begin()
    stage.git.write("v9")
    stage.sync()
    stage.git.break_next("changed_by", *[Unreachable("git is away")] * 2)
    assert stage.look(watched).end is End.SUPERSEDED


def test_two_hundred_rollouts_are_one_watch_and_hardly_a_call(stage: ArgoStage) -> None:
    watched = stage.begin()
    many = [(stage.spec, Watched(f"w-{n}", VALUE, watched.handle, T0)) for n in range(200)]
    stage.rolled()
    stage.sync()
    stage.caught_up()
    for _ in range(5):
        assert len(stage.rollouts.observe(many)) == 200
    assert stage.cluster.count("list") == 2  # Applications, and Deployments
    before = stage.cluster.count("get")
    assert before <= 4
    assert stage.git.calls.count("relation") <= 200
