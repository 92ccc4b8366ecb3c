"""Everything that the local AWS takes and gives is valid by botocore's own service model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bot.playground.aws import World
from bot.playground.aws.protocol import complaints
from tests.fakes.aws_world import Clients, clients_of, running_world


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as started:
        for tag, behaviour in (("v1", "good"), ("v2", "good"), ("v3", "crashing")):
            started.push("backend", tag, behaviour)
        started.create_service("prod", "backend", image="v1", load_balanced=True)
        yield started


@pytest.fixture
def aws(world: World) -> Iterator[Clients]:
    with clients_of(world) as clients:
        yield clients


def looks(aws: Clients) -> list[Callable[[], Any]]:
    def deployments() -> Any:
        listed = aws.ecs.list_service_deployments(cluster="prod", service="backend")
        arns = [each["serviceDeploymentArn"] for each in listed["serviceDeployments"]]
        return aws.ecs.describe_service_deployments(serviceDeploymentArns=arns[:20])

    def tasks() -> Any:
        for status in ("RUNNING", "STOPPED"):
            arns = aws.ecs.list_tasks(cluster="prod", desiredStatus=status)["taskArns"]
            if arns:
                aws.ecs.describe_tasks(cluster="prod", tasks=arns, include=["TAGS"])

    return [
        deployments,
        tasks,
        lambda: aws.ecs.describe_services(cluster="prod", services=["backend"], include=["TAGS"]),
        lambda: aws.ecs.describe_task_definition(taskDefinition="backend", include=["TAGS"]),
        lambda: aws.ecs.describe_clusters(clusters=["prod"]),
        lambda: aws.ecr.describe_images(repositoryName="backend"),
        aws.ecr.describe_repositories,
    ]


@pytest.mark.parametrize("tag", ["v2", "v3"])
def test_every_answer_of_a_rollout_is_valid_by_the_model(
    world: World, aws: Clients, tag: str
) -> None:
    # A strict world refuses to give an answer that has a member or a type too many.
    assert world.strict
    world.deploy_out_of_band("prod", "backend", tag)
    for _ in range(40):
        world.advance(5)
        for look in looks(aws):
            look()
    assert {call.outcome for call in world.calls()} == {"ok"}


def test_an_answer_that_the_model_does_not_know_is_never_given(world: World, aws: Clients) -> None:
    world.service("prod", "backend").settings["fieldOfTheFuture"] = 1
    with pytest.raises(ClientError) as raised:
        aws.ecs.describe_services(cluster="prod", services=["backend"])
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"service": {"serviceName": 7}}, "serviceName"),
        ({"service": {"deployments": [{"rolloutState": "DONE"}]}}, "DONE"),
        ({"service": {"fieldOfTheFuture": 1}}, "fieldOfTheFuture"),
    ],
)
def test_what_is_wrong_with_an_answer_is_named(answer: dict[str, Any], said: str) -> None:
    assert any(said in each for each in complaints("ecs", "UpdateService", answer))
    assert complaints("ecs", "UpdateService", {"service": {"serviceName": "backend"}}) == []
