"""What every provider of rollouts promises, on the fake and on ECS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.model.deployment import Image
from bot.model.errors import Terminal, Throttled, Unknown
from bot.model.rollout import End, Grade, Observation, Order, Told, Watched
from tests.contracts.stages import (
    SPEC,
    EcsRolloutStage,
    FakeRolloutStage,
    RolloutStage,
    local_aws,
)


@pytest.fixture(params=["fake", "ecs"])
def stage(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RolloutStage]:
    if request.param == "fake":
        yield FakeRolloutStage()
        return
    with local_aws(monkeypatch) as aws:
        yield EcsRolloutStage(aws)


def order_for(stage: RolloutStage, image: Image, name: str = "backend-staging-1") -> Order:
    return Order(name, image, stage.rollouts.live(SPEC).revision)


def begin(stage: RolloutStage, order: Order) -> Watched:
    revision = stage.rollouts.prepare(SPEC, order)
    since = stage.now()
    handle = stage.rollouts.start(SPEC, order, revision)
    return Watched(order.deployment_id, revision, handle, since)


def look(stage: RolloutStage, watched: Watched) -> Observation:
    return stage.rollouts.observe([(SPEC, watched)])[watched.deployment_id]


def test_live_names_revision_image_and_counts(stage: RolloutStage) -> None:
    live = stage.rollouts.live(SPEC)
    assert live.steady
    assert (live.desired, live.running) == (2, 2)
    assert live.image is not None
    assert live.image.digest == stage.image("v1").digest


def test_a_plan_shows_the_image_and_changes_nothing(stage: RolloutStage) -> None:
    before = stage.rollouts.live(SPEC)
    image = stage.image("v2")
    plan = stage.rollouts.plan(SPEC, image)
    added = [line for line in plan.diff.splitlines() if line.startswith("+ ")]
    assert len(added) == 1
    assert image.uri in added[0]
    assert stage.rollouts.live(SPEC) == before
    assert stage.told() == 0


def test_preparing_again_finds_the_same_revision(stage: RolloutStage) -> None:
    order = order_for(stage, stage.image("v2"))
    assert stage.rollouts.prepare(SPEC, order) == stage.rollouts.prepare(SPEC, order)


def test_two_deployments_of_one_image_get_revisions_of_their_own(stage: RolloutStage) -> None:
    image = stage.image("v2")
    first = stage.rollouts.prepare(SPEC, order_for(stage, image, "backend-staging-1"))
    second = stage.rollouts.prepare(SPEC, order_for(stage, image, "backend-staging-2"))
    assert first != second


def test_a_good_rollout_succeeds(stage: RolloutStage) -> None:
    image = stage.image("v2")
    watched = begin(stage, order_for(stage, image))
    assert watched.handle is not None
    assert not stage.rollouts.live(SPEC).steady
    assert look(stage, watched).end is None
    stage.settle()
    observed = look(stage, watched)
    assert observed.end is End.SUCCEEDED
    assert (observed.progress.running, observed.progress.desired, observed.progress.old) == (
        2,
        2,
        0,
    )
    live = stage.rollouts.live(SPEC)
    assert (live.revision, live.steady) == (watched.revision, True)
    assert live.image is not None
    assert live.image.digest == image.digest


def test_a_bad_image_is_rolled_back_and_never_a_success(stage: RolloutStage) -> None:
    before = stage.rollouts.live(SPEC).revision
    watched = begin(stage, order_for(stage, stage.image("v2", bad=True)))
    stage.settle()
    observed = look(stage, watched)
    assert observed.end is End.ROLLED_BACK
    assert observed.explanation
    assert stage.rollouts.live(SPEC).revision == before


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
    revision = stage.rollouts.prepare(SPEC, order)
    stage.deploy_elsewhere()
    theirs = stage.rollouts.live(SPEC).revision
    with pytest.raises(Terminal) as refused:
        stage.rollouts.start(SPEC, order, revision)
    assert refused.value.reason_code == "STALE_FROM"
    assert stage.rollouts.live(SPEC).revision == theirs


def test_an_earlier_revision_runs_again(stage: RolloutStage) -> None:
    first = stage.rollouts.live(SPEC)
    begin(stage, order_for(stage, stage.image("v2")))
    stage.settle()
    assert first.image is not None
    back = Order(
        "backend-staging-2", first.image, stage.rollouts.live(SPEC).revision, first.revision
    )
    assert stage.rollouts.usable(SPEC, first.revision) is None
    watched = begin(stage, back)
    assert watched.revision == first.revision
    stage.settle()
    assert look(stage, watched).end is End.SUCCEEDED
    assert stage.rollouts.live(SPEC).revision == first.revision


def test_a_deregistered_or_unknown_revision_is_not_usable(stage: RolloutStage) -> None:
    first = stage.rollouts.live(SPEC).revision
    begin(stage, order_for(stage, stage.image("v2")))
    stage.settle()
    stage.deregister(first)
    assert "deregistered" in (stage.rollouts.usable(SPEC, first) or "")
    assert "no longer exists" in (stage.rollouts.usable(SPEC, "backend:999") or "")


def test_a_lost_answer_is_unknown_and_can_be_read_back(stage: RolloutStage) -> None:
    order = order_for(stage, stage.image("v2"))
    revision = stage.rollouts.prepare(SPEC, order)
    since = stage.now()
    stage.lose_answer_to_start()
    with pytest.raises(Unknown):
        stage.rollouts.start(SPEC, order, revision)
    told = stage.rollouts.read_back(SPEC, order, revision, since)
    assert told.told is Told.YES
    assert told.handle is not None
    assert stage.told() == 1
    stage.settle()
    watched = Watched(order.deployment_id, revision, told.handle, since)
    assert look(stage, watched).end is End.SUCCEEDED


def test_a_throttled_start_told_nothing(stage: RolloutStage) -> None:
    order = order_for(stage, stage.image("v2"))
    revision = stage.rollouts.prepare(SPEC, order)
    stage.throttle_start()
    with pytest.raises(Throttled):
        stage.rollouts.start(SPEC, order, revision)
    assert stage.rollouts.read_back(SPEC, order, revision, stage.now()).told is Told.NO
    assert stage.told() == 0


def test_a_rollout_already_rolled_back_was_told(stage: RolloutStage) -> None:
    order = order_for(stage, stage.image("v2", bad=True))
    watched = begin(stage, order)
    stage.settle()
    assert watched.since is not None
    told = stage.rollouts.read_back(SPEC, order, watched.revision, watched.since)
    assert told.told is Told.YES
    again = Watched(order.deployment_id, watched.revision, told.handle, watched.since)
    assert look(stage, again).end is End.ROLLED_BACK


def test_somebody_else_is_told_apart_from_never_told(stage: RolloutStage) -> None:
    order = order_for(stage, stage.image("v2"))
    revision = stage.rollouts.prepare(SPEC, order)
    since = stage.now()
    stage.deploy_elsewhere()
    assert stage.rollouts.read_back(SPEC, order, revision, since).told is Told.SOMEONE_ELSE


def test_a_rollback_that_was_never_told_is_not_taken_for_the_first_run(stage: RolloutStage) -> None:
    first = stage.rollouts.live(SPEC)
    begin(stage, order_for(stage, stage.image("v2")))
    stage.settle()
    stage.step()
    assert first.image is not None
    order = Order("b-2", first.image, stage.rollouts.live(SPEC).revision, first.revision)
    assert stage.rollouts.read_back(SPEC, order, first.revision, stage.now()).told is Told.NO


def test_a_healthy_target_has_no_error(stage: RolloutStage) -> None:
    findings = stage.rollouts.examine(SPEC)
    assert findings
    assert {finding.grade for finding in findings} == {Grade.OK}
