"""The provider's port under Argo CD, on fake git and a fake cluster."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from bot.model.errors import Misconfigured, Terminal, Transient, Unknown
from bot.model.rollout import End, Finding, Grade, Told, Watched
from bot.providers.kube.cluster import APPLICATIONS, DEPLOYMENTS, PODS, PROJECTS
from tests.fakes.argo_stage import IMAGE, VALUE, ArgoStage, argo_stage
from tests.fakes.argo_views import DIGEST, OLD_DIGEST, OLD_VALUE, T0, application, operation, stamp


@pytest.fixture
def stage() -> Iterator[ArgoStage]:
    with argo_stage() as stage:
        yield stage


@pytest.fixture
def history() -> Iterator[ArgoStage]:
    """Auto-sync is off, and rollbacks go by the history; v1.5.0 runs, v1.4.0 ran before."""
    with argo_stage(rollback="history") as stage:
        first = stage.git.tip
        newest = stage.git.write(VALUE, "alice")
        past = [{"id": 0, "revision": first, "source": {"repoURL": "x"}, "deployedAt": stamp(-9)}]
        past.append({"id": 1, "revision": newest, "deployedAt": stamp(-5)})
        stage.rolled()
        stage.sync()
        stage.show(spec={"syncPolicy": None}, status={"history": past})
        yield stage


def test_live_is_what_git_says_and_what_runs(stage: ArgoStage) -> None:
    live = stage.rollouts.live(stage.spec)
    assert (live.revision, live.desired, live.running, live.steady) == (OLD_VALUE, 2, 2, True)
    assert live.image is not None
    assert (live.image.repository, live.image.digest) == ("web", OLD_DIGEST)
    assert (live.drift, live.downtime) == ("", ())


def test_a_commit_that_argo_cd_has_not_seen_is_a_rollout_under_way(stage: ArgoStage) -> None:
    stage.begin()
    live = stage.rollouts.live(stage.spec)
    assert (live.revision, live.steady, live.drift) == (VALUE, False, "")


def test_a_commit_beside_ours_is_none(stage: ArgoStage) -> None:
    stage.git.touch()
    assert stage.rollouts.live(stage.spec).steady


def test_what_runs_and_is_not_in_git_is_drift(stage: ArgoStage) -> None:
    stage.rolled()
    drift = stage.rollouts.live(stage.spec).drift
    assert drift.startswith(f"Deployment web runs web:v1.5.0@{DIGEST[:19]}, and git says v1.4.0@")


def test_what_is_in_git_and_nobody_syncs_is_drift(stage: ArgoStage) -> None:
    stage.cluster.denied |= {("get", DEPLOYMENTS)}
    stage.show(spec={"syncPolicy": None})
    stage.git.write(VALUE)
    live = stage.rollouts.live(stage.spec)
    assert live.steady
    assert "git says v1.5.0@sha256:a1a1a1a1a1a1, and the Application is not synced" in live.drift


def test_zero_downtime_that_cannot_be_read_is_said(stage: ArgoStage) -> None:
    stage.cluster.denied |= {("get", DEPLOYMENTS)}
    (clause,) = stage.rollouts.live(stage.spec).downtime
    assert "cannot be read: may not get deployments.apps" in clause
    stage.show(spec={"destination": {"server": "https://elsewhere.example"}})
    (clause,) = stage.rollouts.live(stage.spec).downtime
    assert "runs in another cluster" in clause


def test_downtime_that_was_accepted_is_no_obstacle() -> None:
    with argo_stage(downtime_accepted="it is a batch job") as stage:
        stage.rolled(image=f"web:{OLD_VALUE}", desired=1)
        assert stage.rollouts.live(stage.spec).downtime == ()
    with argo_stage() as stage:
        stage.rolled(image=f"web:{OLD_VALUE}", desired=1)
        assert stage.rollouts.live(stage.spec).downtime != ()


def test_a_missing_application_is_said(stage: ArgoStage) -> None:
    stage.cluster.remove(APPLICATIONS, "argocd", "web")
    for call in (stage.rollouts.live, lambda spec: stage.rollouts.plan(spec, IMAGE)):
        with pytest.raises(Misconfigured, match="no Application web in namespace argocd"):
            call(stage.spec)
    with pytest.raises(Misconfigured, match="no Application"):
        stage.begin()
    assert stage.git.commits() == ["alice"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"repoURL": "https://git.example/acme/other.git"}, "is not made from"),
        ({"targetRevision": "v1"}, "follows v1, not branch main"),
    ],
)
def test_nothing_is_committed_for_an_application_that_would_not_see_it(
    stage: ArgoStage, source: dict[str, str], said: str
) -> None:
    stage.show(spec={"source": source})
    with pytest.raises(Misconfigured, match=said):
        stage.begin()
    assert stage.git.commits() == ["alice"]


def test_a_plan_shows_the_diff_and_what_is_unwise(stage: ArgoStage) -> None:
    stage.show(spec={"syncPolicy": None})
    stage.rolled(image=f"web:{OLD_VALUE}", desired=1)
    plan = stage.rollouts.plan(stage.spec, IMAGE)
    assert f"+  newTag: {VALUE}" in plan.diff
    assert plan.warnings == ("Auto-sync is off: Quarterdeck asks for the sync.",)
    assert stage.rollouts.live(stage.spec).downtime == (
        "only 1 pod runs, where at least 2 are needed",
    )
    assert (stage.git.commits(), stage.asked()) == (["alice"], [])


def test_a_lost_answer_of_git_is_read_back_by_its_trailer(stage: ArgoStage) -> None:
    stage.git.break_next("send", Unknown("lost"), after=True)
    with pytest.raises(Unknown):
        stage.begin()
    back = stage.rollouts.read_back(stage.spec, stage.order(), VALUE, T0)
    assert (back.told, back.handle) == (Told.YES, stage.git.tip)
    assert stage.begin().handle == stage.git.tip
    assert stage.git.commits() == ["alice", "web-staging-1"]


def test_what_was_never_sent_is_told_from_what_somebody_else_sent(stage: ArgoStage) -> None:
    order = stage.order()
    assert stage.rollouts.read_back(stage.spec, order, VALUE, T0).told is Told.NO
    stage.git.write(f"v9@{'c' * 64}")
    back = stage.rollouts.read_back(stage.spec, order, VALUE, T0)
    assert back.told is Told.SOMEONE_ELSE
    assert "dave wrote it in 0000000" in back.explanation
    rollback = stage.order(revision=OLD_VALUE)
    assert stage.rollouts.read_back(stage.spec, rollback, OLD_VALUE, T0).told is Told.SOMEONE_ELSE


def test_somebodys_change_meanwhile_is_not_written_over(stage: ArgoStage) -> None:
    stage.git.write(f"v9@{'c' * 64}")
    with pytest.raises(Terminal) as refused:
        stage.begin()
    assert refused.value.reason_code == "STALE_FROM"


def test_a_rollback_by_git_is_a_commit(stage: ArgoStage) -> None:
    stage.begin()
    watched = stage.begin(2, revision=OLD_VALUE)
    assert watched.revision == OLD_VALUE
    assert stage.git.commits() == ["alice", "web-staging-1", "web-staging-2"]


def test_a_value_can_be_written_again_as_long_as_it_has_a_place(stage: ArgoStage) -> None:
    assert stage.rollouts.usable(stage.spec, OLD_VALUE) is None
    stage.git.break_next("head", Misconfigured("kustomization.yaml has no image web."))
    assert "has no image web" in (stage.rollouts.usable(stage.spec, OLD_VALUE) or "")


# --- back in the history ---


def test_back_in_the_history_is_one_operation_of_ours(history: ArgoStage) -> None:
    stage = history
    assert stage.rollouts.usable(stage.spec, OLD_VALUE) is None
    watched = stage.begin(2, revision=OLD_VALUE)
    (asked,) = (body["operation"] for _, body in stage.cluster.patches)
    first = "0" * 39 + "1"
    assert asked["sync"]["revision"] == first
    assert asked["sync"]["source"] == {"repoURL": "x"}
    assert asked["initiatedBy"] == {"username": "alice"}
    assert stage.git.commits() == ["alice", "alice"]
    assert "about to go back" in stage.look(watched).explanation
    done = operation(revision=first, operation=asked)
    shown = application("0" * 39 + "2", "OutOfSync", state=done)
    stage.show(operation=None, status=shown["status"])
    stage.rolled(image=f"web:{OLD_VALUE}")
    stage.look(watched)
    stage.pass_by(11)
    assert stage.look(watched).end is End.SUCCEEDED


@pytest.mark.parametrize("readable", [True, False])
def test_after_it_what_runs_is_not_what_git_says(history: ArgoStage, *, readable: bool) -> None:
    """The next way back must not be the one that runs already."""
    first = "0" * 39 + "1"
    shown = application("0" * 39 + "2", "OutOfSync", state=operation(revision=first))
    history.show(status=shown["status"])
    history.rolled(image=f"web:{OLD_VALUE}")
    if not readable:
        history.cluster.denied.add(("get", DEPLOYMENTS))
    live = history.rollouts.live(history.spec)
    assert live.image is None or live.image.digest == OLD_DIGEST
    assert (live.image is not None) is readable  # FakeDesired names no repository
    assert (live.revision, live.steady) == (VALUE, True)
    assert "git says v1.5.0" in live.drift


def test_an_operation_that_was_asked_for_is_not_asked_for_again(history: ArgoStage) -> None:
    stage = history
    first = stage.begin(2, revision=OLD_VALUE)
    again = stage.begin(2, revision=OLD_VALUE)
    assert first.handle == again.handle
    assert stage.asked() == ["sync"]
    order = stage.order(2, revision=OLD_VALUE)
    back = stage.rollouts.read_back(stage.spec, order, OLD_VALUE, T0)
    assert (back.told, back.handle) == (Told.YES, first.handle)


@pytest.mark.parametrize(
    ("since", "told"), [(timedelta(minutes=-1), Told.CANNOT_KNOW), (timedelta(hours=1), Told.NO)]
)
def test_an_operation_since_may_have_hidden_ours(
    history: ArgoStage, since: timedelta, told: Told
) -> None:
    order = history.order(2, revision=OLD_VALUE)
    assert history.rollouts.read_back(history.spec, order, OLD_VALUE, T0 + since).told is told


def test_with_auto_sync_on_the_history_is_no_way_back(history: ArgoStage) -> None:
    history.show(spec={"syncPolicy": {"automated": {}}})
    assert "Auto-sync is on" in (history.rollouts.usable(history.spec, OLD_VALUE) or "")
    with pytest.raises(Terminal) as refused:
        history.begin(2, revision=OLD_VALUE)
    assert refused.value.reason_code == "AUTO_SYNC_ON"
    assert history.asked() == []


def test_what_the_history_has_not_got_is_not_offered(history: ArgoStage) -> None:
    assert "has no revision with" in (history.rollouts.usable(history.spec, "v0@x") or "")
    with pytest.raises(Terminal) as refused:
        history.begin(2, revision="v0@x")
    assert refused.value.reason_code == "RELEASE_UNUSABLE"


def test_a_rollback_waits_for_the_operation_that_runs(history: ArgoStage) -> None:
    history.show(status={"operationState": operation("Running", "f" * 40)})
    with pytest.raises(Transient, match="Another operation"):
        history.begin(2, revision=OLD_VALUE)
    assert history.asked() == []


def test_a_deployment_goes_by_git_all_the_same(history: ArgoStage) -> None:
    image_order = history.order(3)
    history.git.write(OLD_VALUE)
    handle = history.rollouts.start(history.spec, image_order, VALUE)
    assert handle == history.git.tip


# --- doctor ---


def grades(stage: ArgoStage) -> dict[str, Grade]:
    return {each.found: each.grade for each in stage.rollouts.examine(stage.spec)}


def test_a_target_that_is_well(stage: ArgoStage) -> None:
    stage.git.findings = [Finding("web/staging", Grade.OK, "push allowed")]
    found = grades(stage)
    assert set(found.values()) == {Grade.OK}
    assert "Application web, ready to be rolled" in found


def test_each_right_is_asked_for(stage: ArgoStage) -> None:
    stage.cluster.denied |= {("patch", APPLICATIONS), ("list", PODS), ("get", PROJECTS)}
    found = grades(stage)
    assert found["may not patch applications.argoproj.io in namespace argocd"] is Grade.WARNING
    assert found["may not list pods in namespace shop"] is Grade.WARNING
    assert found["may not get appprojects.argoproj.io in namespace argocd"] is Grade.WARNING
    stage.show(spec={"syncPolicy": None})
    found = grades(stage)
    assert found["may not patch applications.argoproj.io in namespace argocd"] is Grade.ERROR


@pytest.mark.parametrize(
    ("spec", "found", "grade"),
    [
        (
            {"source": {"targetRevision": "v1"}},
            "the Application follows v1, not branch main",
            Grade.ERROR,
        ),
        (
            {"source": {"path": "apps/all"}},
            "the Application is made from apps/all, and the image stands in apps/web",
            Grade.WARNING,
        ),
        ({"syncPolicy": None}, "auto-sync is off: Quarterdeck asks for each sync", Grade.OK),
    ],
)
def test_what_is_wrong_with_the_application(
    stage: ArgoStage, spec: dict[str, object], found: str, grade: Grade
) -> None:
    stage.show(spec=spec)
    assert grades(stage)[found] is grade


def test_faults_become_findings(stage: ArgoStage) -> None:
    stage.cluster.remove(APPLICATIONS, "argocd", "web")
    stage.git.break_next("examine", Misconfigured("no such repository"))
    found = grades(stage)
    assert found["There is no Application web in namespace argocd."] is Grade.ERROR
    assert found["no such repository"] is Grade.ERROR


def test_what_git_says_is_told_once(stage: ArgoStage) -> None:
    """Its own examination says it, and whatever reads git afterwards meets the same fault."""
    said = Finding("web/staging", Grade.ERROR, "no file apps/web/kustomization.yaml", "Correct it.")
    stage.git.findings = [said]
    stage.git.break_next("head", Misconfigured(f"{said.found}."))
    findings = stage.rollouts.examine(stage.spec)
    assert [each for each in findings if each.grade is not Grade.OK] == [said]


def test_a_rollback_by_history_needs_auto_sync_off(history: ArgoStage) -> None:
    history.show(spec={"syncPolicy": {"automated": {"selfHeal": True}}})
    found = grades(history)
    said = "rollbacks go by the history, which auto-sync with self-heal undoes"
    assert found[said] is Grade.ERROR


def test_watched_is_what_start_gave(stage: ArgoStage) -> None:
    watched = stage.begin()
    assert watched == Watched("web-staging-1", VALUE, stage.git.tip, T0)
