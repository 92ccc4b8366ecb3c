"""The ECS adapter over the local AWS: what only a real wire can show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot.model.catalog import TargetSpec
from bot.model.deployment import Image
from bot.model.errors import (
    AccessDenied,
    Misconfigured,
    Terminal,
    Throttled,
    Unknown,
    Unreachable,
)
from bot.model.places import EcsService
from bot.model.rollout import End, Grade, Observation, Order, Told, Watched
from bot.providers.ecs.rollouts import EcsRollouts, safe_configuration
from bot.providers.ecs.task_definition import DEPLOYMENT_TAG, DIGEST_TAG
from tests.contracts.stages import REGION, REPOSITORY, SPEC, LocalAws, Ticks, local_aws

FUTURE = {"fieldOfTheFuture": {"ratio": 0.1, "list": [{"deep": None}]}}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    with local_aws(monkeypatch) as aws:
        aws.world.push("backend", "v1")
        yield aws


def spec_of(service: str, cluster: str = "staging") -> TargetSpec:
    ecs = EcsService(region=REGION, cluster=cluster, service=service, container="backend")
    return TargetSpec(service=service, environment="staging", ecs=ecs)


def push(aws: LocalAws, version: str, behaviour: str = "good") -> Image:
    return Image(REPOSITORY, aws.world.push("backend", version, behaviour), version)


def order_for(aws: LocalAws, image: Image, spec: TargetSpec = SPEC) -> Order:
    return Order(f"{spec.service}-staging-1", image, aws.rollouts.live(spec).revision)


def begin(aws: LocalAws, order: Order, spec: TargetSpec = SPEC) -> Watched:
    revision = aws.rollouts.prepare(spec, order)
    since = aws.now()
    return Watched(order.deployment_id, revision, aws.rollouts.start(spec, order, revision), since)


def look(aws: LocalAws, watched: Watched, spec: TargetSpec = SPEC) -> Observation:
    return aws.rollouts.observe([(spec, watched)])[watched.deployment_id]


def follow(aws: LocalAws, watched: Watched, seconds: int = 1200) -> Observation:
    """Look every five virtual seconds until the end is told."""
    for _ in range(seconds // 5):
        observed = look(aws, watched)
        if observed.end is not None:
            return observed
        aws.world.advance(5)
    pytest.fail(f"no end within {seconds} s: {observed}")


# --- task definitions ---


def test_members_that_boto3_does_not_know_survive(aws: LocalAws) -> None:
    aws.world.strict = False  # strict, it would refuse to answer with unknown members
    aws.world.create_service("staging", "backend", image="v1", extra=FUTURE)
    image = push(aws, "v2")
    revision = aws.rollouts.prepare(SPEC, order_for(aws, image))
    old, new = aws.world.estate().families["backend"]
    assert new.arn == revision
    assert new.document["fieldOfTheFuture"] == FUTURE["fieldOfTheFuture"]
    changed = {
        key for key in old.document | new.document if old.document.get(key) != new.document.get(key)
    }
    assert changed - {"registeredBy"} == {"containerDefinitions"}
    (before,), (after,) = (each.document["containerDefinitions"] for each in (old, new))
    assert after == {**before, "image": image.uri}


def test_a_revision_carries_its_deployment_and_the_bases_tags(aws: LocalAws) -> None:
    aws.world.create_service(
        "staging", "backend", image="v1", extra={"tags": [{"key": "team", "value": "core"}]}
    )
    image = push(aws, "v2")
    aws.rollouts.prepare(SPEC, order_for(aws, image))
    tags = {tag["key"]: tag["value"] for tag in aws.world.estate().families["backend"][-1].tags}
    assert tags["team"] == "core"
    assert tags[DEPLOYMENT_TAG] == "backend-staging-1"
    assert tags[DIGEST_TAG] == image.digest


def test_a_registration_whose_answer_was_lost_is_found_again(aws: LocalAws) -> None:
    aws.world.create_service("staging", "backend", image="v1")
    order = order_for(aws, push(aws, "v2"))
    aws.world.faults.lose_answer("RegisterTaskDefinition")
    with pytest.raises(Unknown):
        aws.rollouts.prepare(SPEC, order)
    aws.world.register({"family": "backend", "containerDefinitions": [{"name": "x", "image": "y"}]})
    revision = aws.rollouts.prepare(SPEC, order)
    assert revision.endswith("backend:2")
    assert aws.world.count("RegisterTaskDefinition") == 1


def test_preparing_asks_for_what_was_not_read_a_moment_ago(aws: LocalAws) -> None:
    aws.world.create_service("staging", "backend", image="v1")
    order = order_for(aws, push(aws, "v2"))
    before = len(aws.world.calls())
    aws.rollouts.prepare(SPEC, order)
    again = Order("backend-staging-2", order.image, order.base)
    aws.rollouts.prepare(SPEC, again)
    made = [call.operation for call in aws.world.calls()[before:]]
    assert made[:2] == ["ListTaskDefinitions", "RegisterTaskDefinition"]
    # The revision of the first one, to see whether it is ours, and the base.
    assert made.count("DescribeTaskDefinition") == 2


def test_an_image_that_is_not_pinned_is_read_from_the_running_tasks(aws: LocalAws) -> None:
    aws.world.create_service("staging", "backend", image="v1")
    live = aws.rollouts.live(SPEC)
    assert live.image == Image(REPOSITORY, aws.world.push("backend", "v1"), "v1")
    aws.world.scale("staging", "backend", 0)
    aws.world.advance(60)
    assert aws.rollouts.live(SPEC).image is None


def test_the_typed_version_is_shown_for_what_we_deployed(aws: LocalAws) -> None:
    aws.world.create_service("staging", "backend", image="v1")
    image = push(aws, "v2")
    begin(aws, order_for(aws, image))
    assert aws.rollouts.live(SPEC).image == image


# --- starting ---


def test_zero_downtime_is_set_and_everything_else_kept(aws: LocalAws) -> None:
    aws.world.create_service(
        "staging",
        "backend",
        image="v1",
        minimum_healthy=50,
        maximum=150,
        breaker=False,
        rollback=False,
        alarms=["errors-high"],
        bake_minutes=1,
    )
    before = aws.world.service("staging", "backend").configuration
    begin(aws, order_for(aws, push(aws, "v2")))
    after = aws.world.service("staging", "backend").configuration
    assert after == {
        **before,
        "minimumHealthyPercent": 100,
        "maximumPercent": 150,
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
    }
    assert after["alarms"]["alarmNames"] == ["errors-high"]


def test_safe_configuration_makes_room_and_keeps_the_unknown() -> None:
    made = safe_configuration(
        {
            "maximumPercent": 100,
            "deploymentCircuitBreaker": {"enable": False, "rollback": False, "future": 1},
            "future": [1],
        }
    )
    assert made == {
        "minimumHealthyPercent": 100,
        "maximumPercent": 200,
        "deploymentCircuitBreaker": {"enable": True, "rollback": True, "future": 1},
        "future": [1],
    }


def test_a_deregistered_revision_is_terminal(aws: LocalAws) -> None:
    aws.world.create_service("staging", "backend", image="v1")
    order = order_for(aws, push(aws, "v2"))
    revision = aws.rollouts.prepare(SPEC, order)
    aws.clients.ecs(REGION).deregister_task_definition(taskDefinition=revision)
    with pytest.raises(Terminal, match="inactive"):
        aws.rollouts.start(SPEC, order, revision)


def test_what_is_missing_is_named(aws: LocalAws) -> None:
    with pytest.raises(Misconfigured, match="staging/backend"):
        aws.rollouts.live(SPEC)
    aws.world.create_service("staging", "other", image="v1", repository="backend")
    with pytest.raises(Misconfigured, match="staging/backend"):
        aws.rollouts.live(SPEC)


def test_a_denied_start_names_the_permission_and_changes_nothing(aws: LocalAws) -> None:
    aws.world.create_service("staging", "backend", image="v1")
    order = order_for(aws, push(aws, "v2"))
    revision = aws.rollouts.prepare(SPEC, order)
    aws.world.faults.deny("UpdateService")
    with pytest.raises(AccessDenied, match=r"ecs:UpdateService on arn:aws:ecs:.*service/staging"):
        aws.rollouts.start(SPEC, order, revision)
    assert aws.world.count("UpdateService") == 0


def test_a_server_fault_on_start_is_unknown(aws: LocalAws) -> None:
    aws.world.create_service("staging", "backend", image="v1")
    order = order_for(aws, push(aws, "v2"))
    revision = aws.rollouts.prepare(SPEC, order)
    since = aws.now()
    aws.world.faults.fail("UpdateService")
    with pytest.raises(Unknown):
        aws.rollouts.start(SPEC, order, revision)
    assert aws.rollouts.read_back(SPEC, order, revision, since).told is Told.NO


# --- following ---


@pytest.mark.parametrize("gone", [None, "UnsupportedFeatureException", "AccessDeniedException"])
@pytest.mark.parametrize(
    ("behaviour", "end"), [("good", End.SUCCEEDED), ("crashing", End.ROLLED_BACK)]
)
def test_the_end_is_true_with_and_without_service_deployments(
    aws: LocalAws, behaviour: str, end: End, gone: str | None
) -> None:
    aws.world.create_service("staging", "backend", image="v1", desired=4)
    if gone is not None:
        aws.world.faults.no_service_deployments(gone)
    watched = begin(aws, order_for(aws, push(aws, "v2", behaviour)))
    observed = follow(aws, watched)
    assert observed.end is end
    view = aws.world.service("staging", "backend")
    assert (view.primary.revision.task_definition.arn == watched.revision) is (end is End.SUCCEEDED)
    assert view.primary.rollout_state == "COMPLETED"


def test_what_is_not_there_is_not_asked_for_again_for_ten_minutes(aws: LocalAws) -> None:
    aws.world.create_service("staging", "backend", image="v1")
    aws.world.faults.no_service_deployments()
    watched = begin(aws, order_for(aws, push(aws, "v2", "slow")))
    for _ in range(100):
        look(aws, watched)
        aws.world.advance(5)
    assert len(aws.world.calls("DescribeServiceDeployments")) == 1


def test_stopped_tasks_and_events_are_quoted(aws: LocalAws) -> None:
    aws.world.create_service("staging", "backend", image="v1")
    watched = begin(aws, order_for(aws, push(aws, "v2", "crashing")))
    observed = follow(aws, watched)
    assert any(line.startswith("Task stopped:") for line in observed.events)
    assert any("rolling back to deployment" in line for line in observed.events)
    assert len(set(observed.events)) == len(observed.events)
    assert aws.world.count("DescribeTasks") <= 5


def test_reasons_that_may_not_be_read_hide_no_end(aws: LocalAws) -> None:
    aws.world.create_service("staging", "backend", image="v1")
    aws.world.faults.deny("ListTasks")
    assert aws.rollouts.live(SPEC).image is None
    watched = begin(aws, order_for(aws, push(aws, "v2", "crashing")))
    assert follow(aws, watched).end is End.ROLLED_BACK


def base(aws: LocalAws) -> str:
    return str(aws.world.service("staging", "backend").primary.revision.task_definition.arn)


def test_an_alarm_takes_it_back_with_its_name(aws: LocalAws) -> None:
    aws.world.create_service(
        "staging", "backend", image="v1", alarms=["errors-high"], bake_minutes=5
    )
    watched = begin(aws, order_for(aws, push(aws, "v2")))
    for _ in range(20):
        assert look(aws, watched).end is None
        aws.world.advance(5)
    aws.world.trip_alarm("errors-high")
    observed = follow(aws, watched)
    assert observed.end is End.ROLLED_BACK
    assert "errors-high" in observed.explanation


def test_a_person_who_stops_the_deployment_takes_it_back(aws: LocalAws) -> None:
    aws.world.create_service("staging", "backend", image="v1")
    watched = begin(aws, order_for(aws, push(aws, "v2", "slow")))
    aws.world.advance(5)
    look(aws, watched)
    arn = aws.world.service("staging", "backend").history[-1].arn
    aws.clients.ecs(REGION).stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    assert follow(aws, watched).end is End.ROLLED_BACK


def test_nothing_is_claimed_while_reads_lag_behind(aws: LocalAws) -> None:
    aws.world.create_service("staging", "backend", image="v1")
    order = order_for(aws, push(aws, "v2"))
    aws.world.faults.lag(30)
    revision = aws.rollouts.prepare(SPEC, order)
    since = aws.now()
    watched = Watched(
        order.deployment_id, revision, aws.rollouts.start(SPEC, order, revision), since
    )
    assert look(aws, watched).end is None
    assert follow(aws, watched).end is End.SUCCEEDED


def test_a_retry_right_after_a_rollback_is_not_taken_for_it(aws: LocalAws) -> None:
    aws.world.create_service("staging", "backend", image="v1")
    order = order_for(aws, push(aws, "v2", "crashing"))
    assert follow(aws, begin(aws, order)).end is End.ROLLED_BACK
    aws.world.faults.lag(30)
    again = replace(order, deployment_id="backend-staging-2", image=push(aws, "v3"))
    assert follow(aws, begin(aws, again)).end is End.SUCCEEDED


def test_a_rolled_back_rollback_is_told_from_the_first_run(aws: LocalAws) -> None:
    aws.world.create_service("staging", "backend", image="v1")
    first = aws.rollouts.live(SPEC)
    assert first.image is not None
    assert follow(aws, begin(aws, order_for(aws, push(aws, "v2")))).end is End.SUCCEEDED
    back = Order("backend-staging-2", first.image, base(aws), first.revision)
    assert follow(aws, begin(aws, back)).end is End.SUCCEEDED
    assert base(aws) == first.revision


def test_a_replica_that_takes_over_after_the_end_tells_the_truth(aws: LocalAws) -> None:
    aws.world.create_service("staging", "backend", image="v1")
    watched = begin(aws, order_for(aws, push(aws, "v2", "crashing")))
    assert aws.world.run_until_steady("staging", "backend")
    other = EcsRollouts(aws.clients, Ticks(aws.world))
    blind = replace(watched, handle=None)
    assert other.observe([(SPEC, blind)])[blind.deployment_id].end is End.ROLLED_BACK


def test_a_service_scaled_to_nothing_succeeds_and_says_so(aws: LocalAws) -> None:
    aws.world.create_service("staging", "backend", image="v1", desired=0)
    observed = follow(aws, begin(aws, order_for(aws, push(aws, "v2"))))
    assert observed.end is End.SUCCEEDED
    assert "nothing runs" in observed.explanation


def test_a_throttled_history_delays_the_end_and_changes_nothing(aws: LocalAws) -> None:
    aws.world.create_service("staging", "backend", image="v1")
    watched = begin(aws, order_for(aws, push(aws, "v2")))
    assert aws.world.run_until_steady("staging", "backend")
    aws.world.faults.throttle("DescribeServiceDeployments")
    assert look(aws, watched).end is None
    assert look(aws, watched).end is End.SUCCEEDED


def test_one_cluster_that_fails_hides_no_other(aws: LocalAws) -> None:
    pairs = []
    for cluster in ("one", "two"):
        spec = spec_of(f"app-{cluster}", cluster)
        aws.world.create_service(
            cluster, spec.service, image="v1", repository="backend", container="backend"
        )
        pairs.append((spec, begin(aws, order_for(aws, push(aws, "v2"), spec), spec)))
    aws.world.faults.fail("DescribeServices")
    looks = aws.rollouts.observe(pairs)
    assert list(looks) == ["app-two-staging-1"]
    assert "ecs:DescribeServices on one/" in looks.faults["app-one-staging-1"].message
    aws.world.faults.throttle("DescribeServices", None)
    before = len(aws.world.calls())
    looks = aws.rollouts.observe(pairs)
    assert len(looks) == 0
    assert {type(fault) for fault in looks.faults.values()} == {Throttled}
    assert set(looks.faults) == {"app-one-staging-1", "app-two-staging-1"}
    assert len(aws.world.calls()) == before + 1


def test_nobody_home_is_unreachable(aws: LocalAws) -> None:
    aws.world.create_service("staging", "backend", image="v1")
    aws.rollouts.live(SPEC)
    aws.world.close()
    with pytest.raises(Unreachable):
        aws.rollouts.live(SPEC)


def test_twenty_rollouts_cost_less_than_twenty_waiters(aws: LocalAws) -> None:
    pairs = []
    for number in range(20):
        spec = spec_of(f"app-{number}")
        aws.world.create_service(
            "staging", spec.service, image="v1", repository="backend", container="backend"
        )
        pairs.append((spec, begin(aws, order_for(aws, push(aws, "v2"), spec), spec)))
    begun, before = aws.world.clock.now(), len(aws.world.calls())
    ends: dict[str, End] = {}
    while len(ends) < len(pairs):
        left = [pair for pair in pairs if pair[1].deployment_id not in ends]
        for name, observed in aws.rollouts.observe(left).items():
            if observed.end is not None:
                ends[name] = observed.end
        aws.world.advance(5)
    elapsed = aws.world.clock.now() - begun
    made = Counter(call.operation for call in aws.world.calls()[before:])
    assert set(ends.values()) == {End.SUCCEEDED}
    waiters = 20 * (1 + elapsed // 15)
    assert made.total() <= waiters / 2, made


# --- before a rollout ---


def test_a_dry_run_warns(aws: LocalAws) -> None:
    aws.world.create_service(
        "staging",
        "backend",
        image="v1",
        desired=1,
        health_check=False,
        breaker=False,
        rollback=False,
        minimum_healthy=0,
    )
    plan = aws.rollouts.plan(SPEC, push(aws, "v2"))
    text = "\n".join(plan.warnings)
    for word in (
        "No health check",
        "minimumHealthyPercent is 0",
        "breaker",
        "count is 1",
        "pinned",
    ):
        assert word in text


def test_examining_finds_what_is_wrong_and_does_not_raise(aws: LocalAws) -> None:
    missing = aws.rollouts.examine(SPEC)
    assert [finding.grade for finding in missing] == [Grade.ERROR]
    aws.world.create_service("staging", "backend", image="v1", container="web")
    assert any(
        finding.grade is Grade.ERROR and "'backend', only web" in finding.found
        for finding in aws.rollouts.examine(SPEC)
    )


def test_examining_names_missing_permissions(aws: LocalAws) -> None:
    digest = aws.world.push("backend", "v1")
    aws.world.create_service("staging", "backend", image=digest)
    aws.world.faults.deny("DescribeServiceDeployments")
    (finding,) = aws.rollouts.examine(SPEC)
    assert finding.grade is Grade.WARNING
    assert "ecs:DescribeServiceDeployments" in finding.found
    assert finding.advice
    aws.world.faults.deny("DescribeTaskDefinition")
    (finding,) = aws.rollouts.examine(SPEC)
    assert finding.grade is Grade.ERROR
    assert "ecs:DescribeTaskDefinition" in finding.found
