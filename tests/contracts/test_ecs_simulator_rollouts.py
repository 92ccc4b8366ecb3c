"""The local ECS against what AWS documents on rolling updates, with boto3 as the client."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from bot.playground.aws import World
from tests.fakes.aws_world import Clients, clients_of, running_world

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import ServiceDeploymentTypeDef, ServiceTypeDef


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as started:
        for tag, behaviour in {
            "v1": "good",
            "v2": "good",
            "crashing": "crashing",
            "slow": "slow",
            "unhealthy": "unhealthy",
            "unpullable": "unpullable",
        }.items():
            started.push("backend", tag, behaviour)
        yield started


@pytest.fixture
def aws(world: World) -> Iterator[Clients]:
    with clients_of(world) as clients:
        yield clients


class Backend:
    """One service and the ways to look at it."""

    def __init__(self, world: World, aws: Clients, **options: Any) -> None:
        self.world, self.aws = world, aws
        world.create_service("prod", "backend", **{"image": "v1", **options})

    def deploy(self, tag: str, **changes: Any) -> str:
        running = self.aws.ecs.describe_task_definition(taskDefinition="backend:1")
        container: dict[str, Any] = dict(running["taskDefinition"]["containerDefinitions"][0])
        container["image"] = container["image"].rpartition(":")[0] + f":{tag}"
        made = self.aws.ecs.register_task_definition(
            family="backend",
            containerDefinitions=[container],  # type: ignore[list-item] # a dict
        )
        arn = made["taskDefinition"]["taskDefinitionArn"]
        self.update(taskDefinition=arn, **changes)
        return arn

    def update(self, **changes: Any) -> ServiceTypeDef:
        return self.aws.ecs.update_service(cluster="prod", service="backend", **changes)["service"]

    def shown(self) -> ServiceTypeDef:
        found = self.aws.ecs.describe_services(cluster="prod", services=["backend"])
        return found["services"][0]

    def states(self) -> list[tuple[str, str]]:
        return [(each["status"], each["rolloutState"]) for each in self.shown()["deployments"]]

    def record(self, age: int = 0) -> ServiceDeploymentTypeDef:
        listed = self.aws.ecs.list_service_deployments(cluster="prod", service="backend")
        arn = listed["serviceDeployments"][age]["serviceDeploymentArn"]
        found = self.aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
        return found["serviceDeployments"][0]

    def events(self) -> list[str]:
        """Oldest first."""
        return [each["message"] for each in reversed(self.shown()["events"])]

    def tasks(self, status: Any = "RUNNING") -> list[Any]:
        arns = self.aws.ecs.list_tasks(cluster="prod", serviceName="backend", desiredStatus=status)[
            "taskArns"
        ]
        if not arns:
            return []
        return list(self.aws.ecs.describe_tasks(cluster="prod", tasks=arns)["tasks"])

    def settle(self) -> None:
        assert self.world.run_until_steady("prod", "backend")


def test_a_new_service_rolls_out_its_first_deployment(world: World, aws: Clients) -> None:
    backend = Backend(world, aws, settled=False)
    assert backend.record()["status"] == "PENDING"

    backend.settle()

    assert backend.states() == [("PRIMARY", "COMPLETED")]
    assert backend.shown()["runningCount"] == 2
    assert backend.record()["status"] == "SUCCESSFUL"
    assert backend.record()["sourceServiceRevisions"] == []


def test_update_answers_with_the_new_primary_and_the_old_active(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    old = backend.shown()["deployments"][0]["id"]

    arn = backend.deploy("v2")

    new, previous = backend.shown()["deployments"]
    assert (new["status"], new["rolloutState"], new["taskDefinition"]) == (
        "PRIMARY",
        "IN_PROGRESS",
        arn,
    )
    assert new["rolloutStateReason"] == f"ECS deployment {new['id']} in progress."
    assert re.fullmatch(r"ecs-svc/\d{19}", new["id"])
    assert (previous["id"], previous["status"]) == (old, "ACTIVE")


def test_a_good_image_replaces_the_old_tasks_and_completes(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    arn = backend.deploy("v2")
    backend.settle()

    shown = backend.shown()
    (only,) = shown["deployments"]
    assert only["rolloutStateReason"] == f"ECS deployment {only['id']} completed."
    assert (only["desiredCount"], only["runningCount"], only["pendingCount"]) == (2, 2, 0)
    assert shown["taskDefinition"] == arn
    assert {task["taskDefinitionArn"] for task in backend.tasks()} == {arn}
    assert {task["healthStatus"] for task in backend.tasks()} == {"HEALTHY"}


def test_the_rollout_is_told_in_events_newest_first(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    backend.deploy("v2")
    backend.settle()

    new = backend.shown()["deployments"][0]["id"]
    started = r"\(service backend\) has started 2 tasks: \(task \w{32}\) \(task \w{32}\)\."
    texts = backend.events()
    assert re.fullmatch(started, texts[2])
    assert sum("has stopped 1 running tasks: (task " in text for text in texts) == 2
    assert texts[-2:] == [
        f"(service backend) (deployment {new}) deployment completed.",
        "(service backend) has reached a steady state.",
    ]
    times = [each["createdAt"] for each in backend.shown()["events"]]
    assert times == sorted(times, reverse=True)


def test_a_service_deployment_goes_from_pending_to_successful(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    source = backend.record()["targetServiceRevision"]["arn"]
    backend.deploy("v2")

    assert backend.record()["status"] == "PENDING"
    assert "startedAt" not in backend.record()
    world.advance(2)
    record = backend.record()
    assert record["status"] == "IN_PROGRESS"
    assert record["startedAt"] >= record["createdAt"]
    assert record["deploymentCircuitBreaker"] == {
        "status": "MONITORING",
        "failureCount": 0,
        "threshold": 3,
    }
    assert [each["arn"] for each in record["sourceServiceRevisions"]] == [source]
    assert record["targetServiceRevision"]["requestedTaskCount"] == 2
    assert record["targetServiceRevision"]["pendingTaskCount"] == 2
    backend.settle()
    record = backend.record()
    assert record["status"] == "SUCCESSFUL"
    assert record["deploymentCircuitBreaker"]["status"] == "MONITORING_COMPLETE"
    assert record["finishedAt"] >= record["startedAt"]
    assert record["targetServiceRevision"]["runningTaskCount"] == 2
    assert record["sourceServiceRevisions"][0]["runningTaskCount"] == 0


def test_the_target_revision_names_definition_and_digest(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    arn = backend.deploy("v2")

    target = backend.record()["targetServiceRevision"]["arn"]
    found = aws.ecs.describe_service_revisions(serviceRevisionArns=[target, target + "0"])

    (revision,) = found["serviceRevisions"]
    assert revision["taskDefinition"] == arn
    assert revision["containerImages"][0]["imageDigest"] == world.push("backend", "v2")
    assert [each["reason"] for each in found["failures"]] == ["MISSING"]


def test_tasks_go_through_provisioning_pending_running_healthy(world: World, aws: Clients) -> None:
    backend = Backend(world, aws, desired=1)
    arn = backend.deploy("v2")
    seen: list[tuple[str, str]] = []
    for _ in range(60):
        for task in backend.tasks():
            state = (task["lastStatus"], task["healthStatus"])
            if task["taskDefinitionArn"] == arn and state not in seen:
                seen.append(state)
        world.advance(1)

    assert seen == [
        ("PROVISIONING", "UNKNOWN"),
        ("PENDING", "UNKNOWN"),
        ("RUNNING", "UNKNOWN"),
        ("RUNNING", "HEALTHY"),
    ]


@pytest.mark.parametrize(
    ("least", "most"), [(100, 200), (100, 125), (50, 100), (50, 150), (0, 100), (75, 150)]
)
def test_the_rollout_keeps_within_its_bounds(
    world: World, aws: Clients, least: int, most: int
) -> None:
    backend = Backend(world, aws, desired=4, minimum_healthy=least, maximum=most)
    backend.deploy("v2")
    fewest, highest = 4, 4
    for _ in range(300):
        world.advance(1)
        service = world.service("prod", "backend")
        ready = sum(task.live and task.ready for task in service.tasks.values())
        there = sum(not task.stopped for task in service.tasks.values())
        fewest, highest = min(fewest, ready), max(highest, there)

    assert backend.states() == [("PRIMARY", "COMPLETED")]
    assert fewest >= 4 * least / 100
    assert highest <= 4 * most / 100


def roll_back(backend: Backend) -> list[Any]:
    """Deploy a crashing image; returns the deployments at the moment the rollback began."""
    backend.deploy("crashing")
    for _ in range(200):
        backend.world.advance(1)
        if backend.record()["status"] == "ROLLBACK_IN_PROGRESS":
            return list(backend.shown()["deployments"])
    raise AssertionError("the breaker never tripped")


def test_the_breaker_starts_a_new_deployment_of_the_last_completed_one(
    world: World, aws: Clients
) -> None:
    backend = Backend(world, aws)
    good = backend.shown()["deployments"][0]

    primary, failed = roll_back(backend)

    assert (primary["status"], primary["rolloutState"]) == ("PRIMARY", "IN_PROGRESS")
    assert primary["id"] not in {failed["id"], good["id"]}
    assert primary["taskDefinition"] == good["taskDefinition"]
    assert primary["rolloutStateReason"] == (
        f"ECS deployment circuit breaker: rolling back to deploymentId {good['id']}."
    )
    assert (failed["status"], failed["rolloutState"]) == ("ACTIVE", "FAILED")
    assert failed["failedTasks"] == 3
    assert failed["rolloutStateReason"] == (
        "ECS deployment circuit breaker: tasks failed to start."
    )
    assert backend.events()[-3:-1] == [
        f"(service backend) (deployment {failed['id']}) deployment failed: tasks failed to start.",
        f"(service backend) rolling back to deployment {good['id']}.",
    ]


def test_a_rollback_by_the_breaker_is_told_by_the_service_deployment(
    world: World, aws: Clients
) -> None:
    backend = Backend(world, aws)
    good = backend.shown()["taskDefinition"]
    good_revision = backend.record()["targetServiceRevision"]["arn"]
    backend.deploy("crashing")
    backend.settle()

    assert backend.states() == [("PRIMARY", "COMPLETED")]
    assert backend.shown()["taskDefinition"] == good
    record = backend.record()
    assert record["status"] == "ROLLBACK_SUCCESSFUL"
    breaker = record["deploymentCircuitBreaker"]
    assert breaker == {"status": "TRIGGERED", "failureCount": 3, "threshold": 3}
    assert record["rollback"]["serviceRevisionArn"] == good_revision
    assert record["rollback"]["reason"] == (
        "Service deployment rolled back because the circuit breaker threshold was exceeded."
    )


def test_the_old_tasks_serve_all_through_a_failed_rollout(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    before = {task["taskArn"] for task in backend.tasks()}
    backend.deploy("crashing")
    for _ in range(200):
        world.advance(1)
        service = world.service("prod", "backend")
        assert sum(task.live and task.ready for task in service.tasks.values()) >= 2

    assert {task["taskArn"] for task in backend.tasks()} == before


@pytest.mark.parametrize(
    ("image", "code", "reason"),
    [
        ("crashing", "EssentialContainerExited", "Essential container in task exited"),
        ("unhealthy", "ServiceSchedulerInitiated", "Task failed container health checks"),
        ("unpullable", "TaskFailedToStart", "CannotPullContainerError: pull image manifest"),
    ],
)
def test_stopped_tasks_say_why(
    world: World, aws: Clients, image: str, code: str, reason: str
) -> None:
    backend = Backend(world, aws)
    arn = backend.deploy(image)
    backend.settle()

    stopped = [task for task in backend.tasks("STOPPED") if task["taskDefinitionArn"] == arn]
    own = [t for t in stopped if not t["stoppedReason"].startswith("Scaling activity")]
    assert len(own) >= 3
    for task in own:
        assert task["stopCode"] == code
        assert task["stoppedReason"].startswith(reason)
    assert backend.record()["status"] == "ROLLBACK_SUCCESSFUL"


def test_a_crash_shows_the_exit_code_of_the_container(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    arn = backend.deploy("crashing")
    backend.settle()

    crashed = [task for task in backend.tasks("STOPPED") if task["taskDefinitionArn"] == arn]
    assert crashed[0]["containers"][0]["exitCode"] == 1
    digest = crashed[0]["containers"][0]["imageDigest"]
    assert digest == world.push("backend", "crashing", "crashing")


def test_a_task_that_never_started_has_a_reason_and_no_exit_code(
    world: World, aws: Clients
) -> None:
    backend = Backend(world, aws)
    arn = backend.deploy("unpullable")
    backend.settle()

    (task, *_) = [t for t in backend.tasks("STOPPED") if t["taskDefinitionArn"] == arn]
    assert "exitCode" not in task["containers"][0]
    assert task["containers"][0]["reason"].startswith("CannotPullContainerError")


def test_an_image_that_is_not_there_is_unpullable(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    backend.deploy("no-such-tag")
    backend.settle()

    assert backend.record()["status"] == "ROLLBACK_SUCCESSFUL"
    assert "not found" in backend.tasks("STOPPED")[-1]["stoppedReason"]


def test_a_bad_image_in_the_second_container_counts_too(world: World, aws: Clients) -> None:
    Backend(world, aws)
    home = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/backend"
    arn = world.register(
        {
            "family": "backend",
            "containerDefinitions": [
                {"name": "proxy", "image": "public.ecr.aws/envoy:1"},
                {
                    "name": "app",
                    "image": f"{home}:crashing",
                    "healthCheck": {"command": ["CMD", "true"]},
                },
            ],
        }
    )
    world.update_out_of_band("prod", "backend", taskDefinition=arn)
    assert world.run_until_steady("prod", "backend")

    assert world.service("prod", "backend").history[-1].status == "ROLLBACK_SUCCESSFUL"


def test_without_the_breaker_a_bad_rollout_is_in_progress_for_ever(
    world: World, aws: Clients
) -> None:
    backend = Backend(world, aws, breaker=False, rollback=False)
    backend.deploy("crashing")
    world.advance(2 * 3600)

    assert backend.states() == [("PRIMARY", "IN_PROGRESS"), ("ACTIVE", "COMPLETED")]
    assert backend.record()["status"] == "IN_PROGRESS"
    assert backend.record()["deploymentCircuitBreaker"]["status"] == "DISABLED"
    assert backend.shown()["deployments"][0]["failedTasks"] > 10


def launched_of(world: World, definition: str) -> int:
    """How many tasks of a definition were launched so far, within the last hour."""
    tasks = world.service("prod", "backend").tasks.values()
    return sum(each.deployment.revision.task_definition.arn == definition for each in tasks)


def test_tasks_that_never_run_are_started_less_and_less_often(world: World, aws: Clients) -> None:
    backend = Backend(world, aws, desired=1, breaker=False, rollback=False)
    arn = backend.deploy("unpullable")
    launched: list[int] = []
    for second in range(2400):
        world.advance(1)
        if launched_of(world, arn) > len(launched):
            launched.append(second)
    waits = [after - before for before, after in pairwise(launched)]

    assert waits == sorted(waits)
    assert waits[-1] > 10 * waits[0]
    assert "is unable to consistently start tasks successfully." in "".join(backend.events())


@pytest.mark.parametrize("image", ["crashing", "unhealthy"])
def test_what_stops_after_it_ran_is_started_anew_at_once(
    world: World, aws: Clients, image: str
) -> None:
    backend = Backend(world, aws, desired=1, breaker=False, rollback=False)
    arn = backend.deploy(image)
    world.advance(1800)

    assert launched_of(world, arn) > 20
    assert not any("unable to consistently" in text for text in backend.events())


def test_the_breaker_without_rollback_stops_and_stays_failed(world: World, aws: Clients) -> None:
    backend = Backend(world, aws, rollback=False)
    backend.deploy("crashing")
    world.advance(3600)

    assert backend.states() == [("PRIMARY", "FAILED"), ("ACTIVE", "COMPLETED")]
    record = backend.record()
    assert record["status"] == "STOPPED"
    assert "stoppedAt" in record
    assert "rollback" not in record
    launched = len(world.service("prod", "backend").tasks)
    world.advance(600)
    assert len(world.service("prod", "backend").tasks) == launched


def test_without_a_health_check_the_breaker_never_trips_on_a_crash_loop(
    world: World, aws: Clients
) -> None:
    backend = Backend(world, aws, desired=1, health_check=False)
    backend.deploy("crashing")
    world.advance(2 * 3600)

    assert backend.states()[0] == ("PRIMARY", "IN_PROGRESS")
    assert backend.record()["deploymentCircuitBreaker"]["failureCount"] < 3


def test_a_first_deployment_that_fails_has_nothing_to_go_back_to(
    world: World, aws: Clients
) -> None:
    backend = Backend(world, aws, settled=False, image="crashing")
    world.advance(3600)

    assert backend.states() == [("PRIMARY", "FAILED")]
    record = backend.record()
    assert record["status"] == "ROLLBACK_FAILED"
    assert "No rollback candidate was found to run the rollback." in record["statusReason"]


@pytest.mark.parametrize(
    ("desired", "configuration", "expected"),
    [
        (1, {}, 3),
        (4, {}, 3),
        (10, {}, 5),
        (11, {}, 6),
        (1000, {}, 200),
        (4, {"type": "COUNT", "value": 1}, 1),
        (10, {"type": "BOUNDED_PERCENT", "value": 100}, 10),
        (2, {"type": "UNBOUNDED_PERCENT", "value": 50}, 1),
        (1000, {"type": "UNBOUNDED_PERCENT", "value": 50}, 500),
    ],
)
def test_the_breaker_s_threshold(
    world: World, aws: Clients, desired: int, configuration: dict[str, Any], expected: int
) -> None:
    backend = Backend(world, aws, desired=1)
    breaker: dict[str, Any] = {"enable": True, "rollback": True}
    if configuration:
        breaker["thresholdConfiguration"] = configuration
    changed = {"deploymentCircuitBreaker": breaker}
    backend.deploy("v2", desiredCount=desired, deploymentConfiguration=changed)

    assert backend.record()["deploymentCircuitBreaker"]["threshold"] == expected


def test_a_slow_image_takes_long_and_then_completes(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    backend.deploy("slow")
    world.advance(60)
    assert backend.states()[0] == ("PRIMARY", "IN_PROGRESS")
    backend.settle()
    assert backend.record()["status"] == "SUCCESSFUL"


def test_the_grace_period_holds_failed_health_checks_back(world: World, aws: Clients) -> None:
    backend = Backend(world, aws, grace=600)
    arn = backend.deploy("unhealthy")
    world.advance(500)
    assert [t for t in backend.tasks("STOPPED") if t["taskDefinitionArn"] == arn] == []
    world.advance(200)
    assert [t for t in backend.tasks("STOPPED") if t["taskDefinitionArn"] == arn] != []


def test_a_newer_deployment_stops_the_one_under_way(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    backend.deploy("slow")
    world.advance(20)
    arn = backend.deploy("v2")

    assert [status for status, _ in backend.states()] == ["PRIMARY", "ACTIVE", "ACTIVE"]
    assert backend.record(1)["status"] == "STOP_REQUESTED"
    backend.settle()
    assert [backend.record(age)["status"] for age in (0, 1)] == ["SUCCESSFUL", "STOPPED"]
    assert backend.shown()["taskDefinition"] == arn


def test_going_back_in_the_middle_of_a_rollout_completes(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    good = backend.shown()["taskDefinition"]
    backend.deploy("slow")
    world.advance(20)
    backend.update(taskDefinition=good)
    backend.settle()

    assert backend.states() == [("PRIMARY", "COMPLETED")]
    assert backend.shown()["taskDefinition"] == good
    assert backend.record()["status"] == "SUCCESSFUL"


def test_a_newer_deployment_replaces_a_rollback_under_way(world: World, aws: Clients) -> None:
    backend = Backend(world, aws, minimum_healthy=0, maximum=100)
    roll_back(backend)
    backend.deploy("v2")
    backend.settle()

    assert [backend.record(age)["status"] for age in (0, 1)] == ["SUCCESSFUL", "STOPPED"]


def test_a_forced_deployment_rolls_the_same_definition(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    before = {task["taskArn"] for task in backend.tasks()}
    backend.update(forceNewDeployment=True)
    backend.settle()

    assert before.isdisjoint(task["taskArn"] for task in backend.tasks())
    assert len(world.service("prod", "backend").history) == 2


def test_the_same_definition_again_starts_nothing(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    backend.update(taskDefinition="backend")
    backend.update(deploymentConfiguration={"maximumPercent": 150})

    assert backend.states() == [("PRIMARY", "COMPLETED")]
    assert len(world.service("prod", "backend").history) == 1
    assert backend.shown()["deploymentConfiguration"]["minimumHealthyPercent"] == 100


@pytest.mark.parametrize("desired", [0, 1, 5])
def test_scaling_starts_no_deployment(world: World, aws: Clients, desired: int) -> None:
    backend = Backend(world, aws)
    world.scale("prod", "backend", desired)
    world.advance(120)

    shown = backend.shown()
    assert (shown["desiredCount"], shown["runningCount"]) == (desired, desired)
    assert len(shown["deployments"]) == 1
    assert backend.events()[-1] == "(service backend) has reached a steady state."


def test_a_service_scaled_to_nothing_deploys_at_once(world: World, aws: Clients) -> None:
    backend = Backend(world, aws, desired=0)
    backend.deploy("crashing")
    backend.settle()

    assert backend.record()["status"] == "SUCCESSFUL"


def test_scaling_in_the_middle_of_a_rollout(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    backend.deploy("v2")
    world.advance(10)
    world.scale("prod", "backend", 5)
    backend.settle()

    assert backend.shown()["runningCount"] == 5
    assert backend.states() == [("PRIMARY", "COMPLETED")]


def test_a_task_that_dies_is_replaced(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    world.kill_task("prod", "backend")
    assert backend.shown()["runningCount"] == 1
    world.advance(120)

    assert backend.shown()["runningCount"] == 2
    assert backend.states() == [("PRIMARY", "COMPLETED")]


def test_somebody_else_s_deployment_is_seen_but_is_no_call_of_ours(
    world: World, aws: Clients
) -> None:
    backend = Backend(world, aws)
    arn = world.deploy_out_of_band("prod", "backend", "v2")

    assert backend.shown()["deployments"][0]["taskDefinition"] == arn
    assert world.calls("UpdateService") == []


def test_an_alarm_rolls_back(world: World, aws: Clients) -> None:
    backend = Backend(world, aws, alarms=["too-many-errors"], bake_minutes=10)
    good = backend.shown()["taskDefinition"]
    backend.deploy("v2")
    world.advance(120)
    assert backend.states() == [("PRIMARY", "IN_PROGRESS")], "healthy, but still baking"
    world.trip_alarm("unrelated")
    assert backend.record()["status"] == "IN_PROGRESS"
    world.trip_alarm("too-many-errors")
    failed = backend.shown()["deployments"][1]["id"]
    backend.settle()

    record = backend.record()
    assert record["status"] == "ROLLBACK_SUCCESSFUL"
    assert record["alarms"]["status"] == "TRIGGERED"
    assert record["alarms"]["triggeredAlarmNames"] == ["too-many-errors"]
    assert backend.shown()["taskDefinition"] == good
    text = f"(service backend) (deployment {failed}) deployment failed: alarm detected."
    assert text in backend.events()


def test_a_bake_that_no_alarm_ends_completes(world: World, aws: Clients) -> None:
    backend = Backend(world, aws, alarms=["too-many-errors"], bake_minutes=10)
    backend.deploy("v2")
    backend.settle()

    record = backend.record()
    assert record["status"] == "SUCCESSFUL"
    assert record["alarms"]["status"] == "MONITORING_COMPLETE"


def test_stopping_a_service_deployment_rolls_back(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    good = backend.shown()["taskDefinition"]
    backend.deploy("slow")
    world.advance(10)
    arn = backend.record()["serviceDeploymentArn"]

    answer = aws.ecs.stop_service_deployment(serviceDeploymentArn=arn)

    assert answer["serviceDeploymentArn"] == arn
    assert backend.record()["status"] == "ROLLBACK_REQUESTED"
    backend.settle()
    assert backend.record()["status"] == "ROLLBACK_SUCCESSFUL"
    assert backend.shown()["taskDefinition"] == good


def test_stopping_what_has_ended_is_a_conflict(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    arn = backend.record()["serviceDeploymentArn"]

    with pytest.raises(aws.ecs.exceptions.ConflictException):
        aws.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    with pytest.raises(aws.ecs.exceptions.ServiceDeploymentNotFoundException):
        aws.ecs.stop_service_deployment(serviceDeploymentArn=arn + "0")


def test_a_stop_that_a_newer_deployment_overtakes_leaves_the_newer_alone(
    world: World, aws: Clients
) -> None:
    backend = Backend(world, aws)
    backend.deploy("slow")
    world.advance(10)
    aws.ecs.stop_service_deployment(serviceDeploymentArn=backend.record()["serviceDeploymentArn"])
    arn = backend.deploy("v2")
    backend.settle()

    assert backend.shown()["taskDefinition"] == arn
    assert [backend.record(age)["status"] for age in (0, 1)] == ["SUCCESSFUL", "STOPPED"]


def test_a_service_deployment_list_filters_and_pages(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    for tag in ("v2", "v1", "crashing"):
        backend.deploy(tag)
        backend.settle()

    def listed(**given: Any) -> list[str]:
        found = aws.ecs.list_service_deployments(cluster="prod", service="backend", **given)
        return [each["status"] for each in found["serviceDeployments"]]

    assert listed() == ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL"]
    assert listed(status=["ROLLBACK_SUCCESSFUL"]) == ["ROLLBACK_SUCCESSFUL"]
    newest = backend.record()["createdAt"]
    assert listed(createdAt={"after": newest}) == ["ROLLBACK_SUCCESSFUL"]
    assert listed(maxResults=3) == ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL"]
    first = aws.ecs.list_service_deployments(cluster="prod", service="backend", maxResults=3)
    assert listed(maxResults=3, nextToken=first["nextToken"]) == ["SUCCESSFUL"]


def test_targets_are_registered_behind_a_load_balancer(world: World, aws: Clients) -> None:
    backend = Backend(world, aws, load_balanced=True, health_check=False)
    backend.deploy("unhealthy")
    backend.settle()

    assert any("registered 1 targets in (target-group arn:" in each for each in backend.events())
    assert any(
        each["stoppedReason"].startswith("Task failed ELB health checks in (target-group arn:")
        for each in backend.tasks("STOPPED")
    )
    assert backend.record()["status"] == "ROLLBACK_SUCCESSFUL"


def test_at_most_100_events_are_kept(world: World, aws: Clients) -> None:
    backend = Backend(world, aws, breaker=False, rollback=False)
    backend.deploy("unhealthy")
    world.advance(6 * 3600)

    assert len(backend.shown()["events"]) == 100


def test_stopped_tasks_are_forgotten_after_an_hour(world: World, aws: Clients) -> None:
    backend = Backend(world, aws)
    backend.deploy("v2")
    backend.settle()
    gone = [task["taskArn"] for task in backend.tasks("STOPPED")]
    assert len(gone) == 2
    world.advance(3700)

    assert backend.tasks("STOPPED") == []
    found = aws.ecs.describe_tasks(cluster="prod", tasks=gone)
    assert [each["reason"] for each in found["failures"]] == ["MISSING", "MISSING"]


def test_the_same_seed_gives_the_same_run() -> None:
    def run(seed: int) -> list[tuple[float, str]]:
        with running_world(seed) as world:
            world.push("backend", "v1")
            world.push("backend", "bad", "crashing")
            world.create_service("prod", "backend", image="v1", desired=3)
            world.deploy_out_of_band("prod", "backend", "bad")
            for _ in range(200):
                world.advance(1)
            service = world.service("prod", "backend")
            return [(service.desired, event["message"]) for event in service.events]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_time_flows_by_itself_at_its_speed() -> None:
    with running_world(speed=2000.0) as world, clients_of(world) as aws:
        world.push("backend", "v1")
        world.push("backend", "v2")
        backend = Backend(world, aws)
        backend.deploy("v2")
        waiter = aws.ecs.get_waiter("services_stable")
        waiter.wait(
            cluster="prod", services=["backend"], WaiterConfig={"Delay": 0, "MaxAttempts": 2000}
        )
        assert backend.shown()["runningCount"] == 2
