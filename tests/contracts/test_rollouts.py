"""What every provider of rollouts promises: on the fake, on ECS, under Argo CD, on a Deployment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

from bot.model.deployment import Image
from bot.model.errors import Terminal, Throttled, Unknown
from bot.model.rollout import End, Grade, Observation, Order, Told, Watched
from tests.contracts.cluster_stages import argo_rollouts, kubernetes_rollouts
from tests.contracts.stages import (
    EcsRolloutStage,
    FakeRolloutStage,
    RolloutStage,
    local_aws,
)


@contextmanager
def ecs_rollouts(monkeypatch: pytest.MonkeyPatch) -> Iterator[RolloutStage]:
    with local_aws(monkeypatch) as aws:
        yield EcsRolloutStage(aws)


@pytest.fixture(params=["fake", "ecs", "argocd", "kubernetes"])
def stage(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[RolloutStage]:
    match request.param:
        case "fake":
            place: AbstractContextManager[RolloutStage] = nullcontext(FakeRolloutStage())
        case "ecs":
            place = ecs_rollouts(monkeypatch)
        case "argocd":
            place = argo_rollouts(tmp_path)
        case _:
            place = kubernetes_rollouts(tmp_path)
    with place as stage:
        yield stage


def order_for(stage: RolloutStage, image: Image, name: str = "backend-staging-1") -> Order:
    return Order(name, image, stage.rollouts.live(stage.spec).revision)


def begin(stage: RolloutStage, order: Order) -> Watched:
    revision = stage.rollouts.prepare(stage.spec, order)
    since = stage.now()
    handle = stage.rollouts.start(stage.spec, order, revision)
    return Watched(order.deployment_id, revision, handle, since)


def look(stage: RolloutStage, watched: Watched) -> Observation:
    stage.caught_up()
    return stage.rollouts.observe([(stage.spec, watched)])[watched.deployment_id]


def ended(stage: RolloutStage, watched: Watched) -> Observation:
    """Looks until it is over: what is bad may have to last before it is believed."""
    for _ in range(20):
        observed = look(stage, watched)
        if observed.end is not None:
            break
        stage.step()
    return observed


def test_live_names_revision_image_and_counts(stage: RolloutStage) -> None:
    live = stage.rollouts.live(stage.spec)
    assert live.steady
    assert (live.desired, live.running) == (2, 2)
    assert live.image is not None
    assert live.image.digest == stage.image("v1").digest


def test_a_plan_shows_the_image_and_changes_nothing(stage: RolloutStage) -> None:
    before = stage.rollouts.live(stage.spec)
    image = stage.image("v2")
    plan = stage.rollouts.plan(stage.spec, image)
    added = [line for line in plan.diff.splitlines() if line.startswith("+ ")]
    assert len(added) == 1
    assert image.digest in added[0]
    assert stage.rollouts.live(stage.spec) == before
    assert stage.told() == 0


def test_preparing_again_finds_the_same_revision(stage: RolloutStage) -> None:
    order = order_for(stage, stage.image("v2"))
    assert stage.rollouts.prepare(stage.spec, order) == stage.rollouts.prepare(stage.spec, order)


def test_two_deployments_of_one_image_get_revisions_of_their_own_or_share_one(
    stage: RolloutStage,
) -> None:
    image = stage.image("v2")
    first = stage.rollouts.prepare(stage.spec, order_for(stage, image, "backend-staging-1"))
    second = stage.rollouts.prepare(stage.spec, order_for(stage, image, "backend-staging-2"))
    assert (first != second) is stage.own_revisions


def test_a_good_rollout_succeeds(stage: RolloutStage) -> None:
    image = stage.image("v2")
    watched = begin(stage, order_for(stage, image))
    assert watched.handle is not None
    assert not stage.rollouts.live(stage.spec).steady
    assert look(stage, watched).end is None
    stage.settle()
    observed = look(stage, watched)
    assert observed.end is End.SUCCEEDED
    assert (observed.progress.running, observed.progress.desired, observed.progress.old) == (
        2,
        2,
        0,
    )
    live = stage.rollouts.live(stage.spec)
    assert (live.revision, live.steady) == (watched.revision, True)
    assert live.image is not None
    assert live.image.digest == image.digest


def test_a_bad_image_is_taken_back_or_fails_and_is_never_a_success(stage: RolloutStage) -> None:
    before = stage.rollouts.live(stage.spec).revision
    watched = begin(stage, order_for(stage, stage.image("v2", bad=True)))
    stage.settle()
    observed = ended(stage, watched)
    assert observed.end is stage.taken_back
    assert observed.explanation
    there = before if stage.taken_back is End.ROLLED_BACK else watched.revision
    assert stage.rollouts.live(stage.spec).revision == there


def test_somebody_elses_deployment_supersedes_ours(stage: RolloutStage) -> None:
    watched = begin(stage, order_for(stage, stage.image("v2")))
    stage.step()
    assert look(stage, watched).end is None
    stage.deploy_elsewhere()
    stage.step()
    observed = look(stage, watched)
    assert observed.end is End.SUPERSEDED
    assert observed.explanation


def test_what_somebody_deployed_meanwhile_is_not_rolled_over(stage: RolloutStage) -> None:
    order = order_for(stage, stage.image("v2"))
    revision = stage.rollouts.prepare(stage.spec, order)
    stage.deploy_elsewhere()
    theirs = stage.rollouts.live(stage.spec).revision
    with pytest.raises(Terminal) as refused:
        stage.rollouts.start(stage.spec, order, revision)
    assert refused.value.reason_code == "STALE_FROM"
    assert stage.rollouts.live(stage.spec).revision == theirs


def test_an_earlier_revision_runs_again(stage: RolloutStage) -> None:
    first = stage.rollouts.live(stage.spec)
    begin(stage, order_for(stage, stage.image("v2")))
    stage.settle()
    assert first.image is not None
    back = Order(
        "backend-staging-2", first.image, stage.rollouts.live(stage.spec).revision, first.revision
    )
    assert stage.rollouts.usable(stage.spec, first.revision) is None
    watched = begin(stage, back)
    assert watched.revision == first.revision
    stage.settle()
    assert look(stage, watched).end is End.SUCCEEDED
    assert stage.rollouts.live(stage.spec).revision == first.revision


def test_a_deregistered_or_unknown_revision_is_not_usable(stage: RolloutStage) -> None:
    first = stage.rollouts.live(stage.spec).revision
    begin(stage, order_for(stage, stage.image("v2")))
    stage.settle()
    if not stage.forgets:
        # What is written is a value: it can be written again as long as there is a place for it.
        assert stage.rollouts.usable(stage.spec, first) is None
        return
    stage.deregister(first)
    assert "deregistered" in (stage.rollouts.usable(stage.spec, first) or "")
    assert "no longer exists" in (stage.rollouts.usable(stage.spec, "backend:999") or "")


def test_a_lost_answer_is_unknown_and_can_be_read_back(stage: RolloutStage) -> None:
    order = order_for(stage, stage.image("v2"))
    revision = stage.rollouts.prepare(stage.spec, order)
    since = stage.now()
    stage.lose_answer_to_start()
    with pytest.raises(Unknown):
        stage.rollouts.start(stage.spec, order, revision)
    told = stage.rollouts.read_back(stage.spec, order, revision, since)
    assert told.told is Told.YES
    assert told.handle is not None
    assert stage.told() == 1
    stage.settle()
    watched = Watched(order.deployment_id, revision, told.handle, since)
    assert look(stage, watched).end is End.SUCCEEDED


def test_a_throttled_start_told_nothing(stage: RolloutStage) -> None:
    order = order_for(stage, stage.image("v2"))
    revision = stage.rollouts.prepare(stage.spec, order)
    stage.throttle_start()
    with pytest.raises(Throttled):
        stage.rollouts.start(stage.spec, order, revision)
    assert stage.rollouts.read_back(stage.spec, order, revision, stage.now()).told is Told.NO
    assert stage.told() == 0


def test_a_rollout_that_is_over_already_was_told(stage: RolloutStage) -> None:
    order = order_for(stage, stage.image("v2", bad=True))
    watched = begin(stage, order)
    stage.settle()
    assert watched.since is not None
    told = stage.rollouts.read_back(stage.spec, order, watched.revision, watched.since)
    assert told.told is Told.YES
    again = Watched(order.deployment_id, watched.revision, told.handle, watched.since)
    assert ended(stage, again).end is stage.taken_back


def test_somebody_else_is_told_apart_from_never_told(stage: RolloutStage) -> None:
    order = order_for(stage, stage.image("v2"))
    revision = stage.rollouts.prepare(stage.spec, order)
    since = stage.now()
    stage.deploy_elsewhere()
    assert stage.rollouts.read_back(stage.spec, order, revision, since).told is Told.SOMEONE_ELSE


def test_a_rollback_that_was_never_told_is_not_taken_for_the_first_run(stage: RolloutStage) -> None:
    first = stage.rollouts.live(stage.spec)
    begin(stage, order_for(stage, stage.image("v2")))
    stage.settle()
    stage.step()
    assert first.image is not None
    order = Order("b-2", first.image, stage.rollouts.live(stage.spec).revision, first.revision)
    assert stage.rollouts.read_back(stage.spec, order, first.revision, stage.now()).told is Told.NO


def test_a_healthy_target_has_no_error(stage: RolloutStage) -> None:
    findings = stage.rollouts.examine(stage.spec)
    assert findings
    assert {finding.grade for finding in findings} == {Grade.OK}
