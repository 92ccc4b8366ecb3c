"""The local ECS against what AWS documents on services and tasks: limits and errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bot.playground.aws import World
from tests.fakes.aws_world import Clients, clients_of, running_world

SERVICE_ARN = "arn:aws:ecs:eu-west-1:123456789012:service/prod/backend"


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as started:
        started.push("backend", "v1")
        started.create_service(
            "prod", "backend", image="v1", tags=[{"key": "team", "value": "core"}]
        )
        yield started


@pytest.fixture
def aws(world: World) -> Iterator[Clients]:
    with clients_of(world) as clients:
        yield clients


@pytest.mark.parametrize("name", ["backend", SERVICE_ARN])
@pytest.mark.parametrize("cluster", ["prod", "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"])
def test_a_service_is_found_by_name_and_by_arn(aws: Clients, name: str, cluster: str) -> None:
    (found,) = aws.ecs.describe_services(cluster=cluster, services=[name])["services"]

    assert found["serviceArn"] == SERVICE_ARN
    assert found["status"] == "ACTIVE"
    assert found["launchType"] == "FARGATE"
    assert found["deploymentConfiguration"]["deploymentCircuitBreaker"] == {
        "enable": True,
        "rollback": True,
    }


def test_service_tags_are_shown_only_where_asked_for(aws: Clients) -> None:
    def shown(**given: Any) -> Any:
        return aws.ecs.describe_services(cluster="prod", services=["backend"], **given)["services"]

    assert "tags" not in shown()[0]
    assert shown(include=["TAGS"])[0]["tags"] == [{"key": "team", "value": "core"}]


def test_a_missing_service_is_a_failure_beside_the_found_ones(aws: Clients) -> None:
    answer = aws.ecs.describe_services(cluster="prod", services=["backend", "nothing"])

    assert len(answer["services"]) == 1
    assert answer["failures"] == [
        {
            "arn": "arn:aws:ecs:eu-west-1:123456789012:service/prod/nothing",
            "reason": "MISSING",
        }
    ]


def test_a_service_of_another_cluster_is_missing(world: World, aws: Clients) -> None:
    world.create_service("staging", "backend", image="v1")

    answer = aws.ecs.describe_services(cluster="staging", services=[SERVICE_ARN])

    assert answer["services"] == []
    assert answer["failures"][0]["reason"] == "MISSING"


def test_a_missing_cluster_is_an_error(aws: Clients) -> None:
    with pytest.raises(aws.ecs.exceptions.ClusterNotFoundException, match=r"Cluster not found\."):
        aws.ecs.describe_services(cluster="nowhere", services=["backend"])
    with pytest.raises(aws.ecs.exceptions.ClusterNotFoundException):
        aws.ecs.update_service(cluster="nowhere", service="backend")
    with pytest.raises(aws.ecs.exceptions.ClusterNotFoundException):
        aws.ecs.list_tasks(cluster="nowhere")


def test_a_cluster_that_is_not_named_is_the_default_one(aws: Clients) -> None:
    with pytest.raises(aws.ecs.exceptions.ClusterNotFoundException):
        aws.ecs.describe_services(services=["backend"])


@pytest.mark.parametrize("count", [0, 11])
def test_1_to_10_services_are_described(aws: Clients, count: int) -> None:
    with pytest.raises(aws.ecs.exceptions.InvalidParameterException):
        aws.ecs.describe_services(cluster="prod", services=["backend"] * count)


@pytest.mark.parametrize("count", [0, 21])
def test_1_to_20_service_deployments_are_described(aws: Clients, count: int) -> None:
    arn = "arn:aws:ecs:eu-west-1:123456789012:service-deployment/prod/backend/x"
    with pytest.raises(aws.ecs.exceptions.InvalidParameterException):
        aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn] * count)
    with pytest.raises(aws.ecs.exceptions.InvalidParameterException):
        aws.ecs.describe_service_revisions(serviceRevisionArns=[arn] * count)


@pytest.mark.parametrize("count", [0, 101])
def test_1_to_100_tasks_are_described(aws: Clients, count: int) -> None:
    with pytest.raises(aws.ecs.exceptions.InvalidParameterException):
        aws.ecs.describe_tasks(cluster="prod", tasks=["x"] * count)


def test_an_unknown_service_deployment_is_a_failure(aws: Clients) -> None:
    arn = "arn:aws:ecs:eu-west-1:123456789012:service-deployment/prod/backend/unknown"

    answer = aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn, "nonsense"])

    assert [each["reason"] for each in answer["failures"]] == ["MISSING", "MISSING"]


def test_an_unknown_service_cannot_be_updated_or_listed(aws: Clients) -> None:
    missing = aws.ecs.exceptions.ServiceNotFoundException
    with pytest.raises(missing, match=r"Service not found\."):
        aws.ecs.update_service(cluster="prod", service="nothing")
    with pytest.raises(missing):
        aws.ecs.list_service_deployments(cluster="prod", service="nothing")
    with pytest.raises(missing):
        aws.ecs.list_tasks(cluster="prod", serviceName="nothing")


def test_an_inactive_definition_is_refused(world: World, aws: Clients) -> None:
    arn = world.register(
        {"family": "backend", "containerDefinitions": [{"name": "app", "image": "x"}]}
    )
    aws.ecs.deregister_task_definition(taskDefinition=arn)

    with pytest.raises(aws.ecs.exceptions.ClientException, match="TaskDefinition is inactive"):
        aws.ecs.update_service(cluster="prod", service="backend", taskDefinition=arn)
    assert len(world.service("prod", "backend").history) == 1


def test_a_service_on_an_inactive_definition_can_still_scale(world: World, aws: Clients) -> None:
    aws.ecs.deregister_task_definition(taskDefinition="backend:1")

    aws.ecs.update_service(cluster="prod", service="backend", desiredCount=3)

    assert world.run_until_steady("prod", "backend")
    world.advance(60)
    (found,) = aws.ecs.describe_services(cluster="prod", services=["backend"])["services"]
    assert found["runningCount"] == 3


def test_an_unknown_definition_is_refused(aws: Clients) -> None:
    with pytest.raises(aws.ecs.exceptions.ClientException, match=r"TaskDefinition not found\."):
        aws.ecs.update_service(cluster="prod", service="backend", taskDefinition="backend:99")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"minimumHealthyPercent": 100, "maximumPercent": 100}, "will block deployments"),
        ({"maximumPercent": 100}, "will block deployments"),
        ({"minimumHealthyPercent": 101}, "between 0 and 100"),
        ({"minimumHealthyPercent": 50, "maximumPercent": 90}, "at least 100"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_and_changes_nothing(
    world: World, aws: Clients, change: dict[str, Any], message: str
) -> None:
    before = world.service("prod", "backend").configuration
    with pytest.raises(aws.ecs.exceptions.InvalidParameterException, match=message):
        aws.ecs.update_service(
            cluster="prod",
            service="backend",
            forceNewDeployment=True,
            deploymentConfiguration=change,  # type: ignore[arg-type] # a plain dict
        )
    assert world.service("prod", "backend").configuration == before
    assert len(world.service("prod", "backend").history) == 1


def test_a_negative_desired_count_is_refused(aws: Clients) -> None:
    with pytest.raises(aws.ecs.exceptions.InvalidParameterException):
        aws.ecs.update_service(cluster="prod", service="backend", desiredCount=-1)


def test_strategies_that_are_not_simulated_say_so(world: World, aws: Clients) -> None:
    with pytest.raises(aws.ecs.exceptions.UnsupportedFeatureException, match="CODE_DEPLOY"):
        aws.ecs.update_service(
            cluster="prod", service="backend", deploymentController={"type": "CODE_DEPLOY"}
        )
    controller = world.service("prod", "backend").settings["deploymentController"]
    assert controller == {"type": "ECS"}


def test_a_service_name_is_taken_once(aws: Clients) -> None:
    with pytest.raises(aws.ecs.exceptions.InvalidParameterException, match="was not idempotent"):
        aws.ecs.create_service(
            cluster="prod", serviceName="backend", taskDefinition="backend", desiredCount=1
        )


def test_creating_again_with_the_same_token_creates_nothing(world: World, aws: Clients) -> None:
    world.register({"family": "other", "containerDefinitions": [{"name": "app", "image": "x"}]})
    asked: dict[str, Any] = {
        "cluster": "prod",
        "serviceName": "other",
        "taskDefinition": "other",
        "desiredCount": 1,
        "clientToken": "once",
    }
    first = aws.ecs.create_service(**asked)["service"]

    assert aws.ecs.create_service(**asked)["service"]["serviceArn"] == first["serviceArn"]
    assert len(world.service("prod", "other").history) == 1
    for change in ({"clientToken": "twice"}, {"desiredCount": 2}):
        with pytest.raises(
            aws.ecs.exceptions.InvalidParameterException, match="was not idempotent"
        ):
            aws.ecs.create_service(**{**asked, **change})


@pytest.mark.parametrize("token", ["x" * 37, "with space", "é"])
def test_a_token_has_up_to_36_visible_characters(aws: Clients, token: str) -> None:
    with pytest.raises(aws.ecs.exceptions.InvalidParameterException, match="ClientToken"):
        aws.ecs.create_service(
            cluster="prod", serviceName="other", taskDefinition="backend", clientToken=token
        )


def test_tasks_are_listed_by_service_family_and_starter(world: World, aws: Clients) -> None:
    world.push("analytics", "v1")
    world.create_service("prod", "analytics", image="v1", desired=3)
    (found,) = aws.ecs.describe_services(cluster="prod", services=["backend"])["services"]

    def count(**given: Any) -> int:
        return len(aws.ecs.list_tasks(cluster="prod", **given)["taskArns"])

    assert count() == 5
    assert count(serviceName="analytics") == 3
    assert count(family="backend") == 2
    assert count(startedBy=found["deployments"][0]["id"]) == 2
    assert count(desiredStatus="STOPPED") == 0
    assert count(desiredStatus="PENDING") == 0
    assert count(launchType="EC2") == 0
    with pytest.raises(aws.ecs.exceptions.InvalidParameterException):
        count(startedBy="x", family="backend")


def test_tasks_page(world: World, aws: Clients) -> None:
    world.scale("prod", "backend", 5)
    pages = aws.ecs.get_paginator("list_tasks").paginate(
        cluster="prod", PaginationConfig={"PageSize": 2}
    )
    assert [len(page["taskArns"]) for page in pages] == [2, 2, 1]


def test_tasks_are_described_by_id_and_arn(aws: Clients) -> None:
    arns = aws.ecs.list_tasks(cluster="prod")["taskArns"]

    answer = aws.ecs.describe_tasks(
        cluster="prod", tasks=[arns[0], arns[1].rpartition("/")[2], "nothing"]
    )

    assert [each["taskArn"] for each in answer["tasks"]] == arns
    assert {each["group"] for each in answer["tasks"]} == {"service:backend"}
    assert [each["reason"] for each in answer["failures"]] == ["MISSING"]


def test_clusters_count_their_services_and_tasks(aws: Clients) -> None:
    answer = aws.ecs.describe_clusters(clusters=["prod", "nowhere"])

    (found,) = answer["clusters"]
    assert (found["activeServicesCount"], found["runningTasksCount"]) == (1, 2)
    assert [each["reason"] for each in answer["failures"]] == ["MISSING"]


def test_services_are_listed(world: World, aws: Clients) -> None:
    for number in range(11):
        world.create_service("prod", f"s{number}", image="v1")

    first = aws.ecs.list_services(cluster="prod")

    assert len(first["serviceArns"]) == 10
    rest = aws.ecs.list_services(cluster="prod", nextToken=first["nextToken"])
    assert len(rest["serviceArns"]) == 2


def test_a_token_that_was_never_given_out_is_refused(aws: Clients) -> None:
    with pytest.raises(aws.ecs.exceptions.InvalidParameterException, match=r"Invalid token\."):
        aws.ecs.list_services(cluster="prod", nextToken="made-up")


def test_tags_of_what_is_not_there_cannot_be_read(aws: Clients) -> None:
    with pytest.raises(aws.ecs.exceptions.InvalidParameterException, match="not found"):
        aws.ecs.list_tags_for_resource(resourceArn=SERVICE_ARN + "-nothing")


def test_tags_are_removed_by_key(aws: Clients) -> None:
    aws.ecs.untag_resource(resourceArn=SERVICE_ARN, tagKeys=["team"])

    assert aws.ecs.list_tags_for_resource(resourceArn=SERVICE_ARN)["tags"] == []
