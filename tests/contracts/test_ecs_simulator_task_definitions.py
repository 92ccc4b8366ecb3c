"""The local ECS against what AWS documents on task definitions, with boto3 as the client."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bot.playground.aws import World
from tests.fakes.aws_world import Clients, clients_of, running_world

SIGNED = "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/eu-west-1/ecs/aws4_request, Signature=00"


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as started:
        yield started


@pytest.fixture
def aws(world: World) -> Iterator[Clients]:
    with clients_of(world) as clients:
        yield clients


def register(aws: Clients, family: str = "backend", image: str = "backend:1") -> str:
    made = aws.ecs.register_task_definition(
        family=family, containerDefinitions=[{"name": "app", "image": image}]
    )
    return made["taskDefinition"]["taskDefinitionArn"]


def raw(world: World, operation: str, body: Any, headers: dict[str, str] | None = None) -> Any:
    """A call that boto3 would not make."""
    connection = http.client.HTTPConnection(world.serve().removeprefix("http://"), timeout=5)
    target = f"AmazonEC2ContainerServiceV20141113.{operation}"
    sent = {"X-Amz-Target": target, "Authorization": SIGNED, **(headers or {})}
    text = body if isinstance(body, str) else json.dumps(body)
    try:
        connection.request("POST", "/", text, sent)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_each_registration_is_the_next_revision_and_active(aws: Clients) -> None:
    first, second = register(aws), register(aws)

    assert first.endswith(":task-definition/backend:1")
    assert second.endswith(":task-definition/backend:2")
    shown = aws.ecs.describe_task_definition(taskDefinition=second)["taskDefinition"]
    assert shown["status"] == "ACTIVE"
    assert shown["registeredBy"] == "arn:aws:iam::123456789012:user/quarterdeck"
    assert "EC2" in shown["compatibilities"]
    assert shown["requiresAttributes"]


def test_the_number_of_a_deregistered_revision_is_not_used_again(aws: Clients) -> None:
    aws.ecs.deregister_task_definition(taskDefinition=register(aws))

    assert register(aws).endswith("backend:2")


def test_a_family_name_means_its_newest_active_revision(aws: Clients) -> None:
    register(aws)
    aws.ecs.deregister_task_definition(taskDefinition=register(aws))

    shown = aws.ecs.describe_task_definition(taskDefinition="backend")["taskDefinition"]

    assert shown["revision"] == 1


def test_an_inactive_revision_can_still_be_described(aws: Clients) -> None:
    aws.ecs.deregister_task_definition(taskDefinition=register(aws))

    shown = aws.ecs.describe_task_definition(taskDefinition="backend:1")["taskDefinition"]

    assert shown["status"] == "INACTIVE"
    assert "deregisteredAt" in shown


def test_tags_are_shown_only_where_asked_for(aws: Clients) -> None:
    tags = [{"key": "quarterdeck:deployment", "value": "backend-staging-1"}]
    aws.ecs.register_task_definition(
        family="backend",
        containerDefinitions=[{"name": "app", "image": "x"}],
        tags=tags,  # type: ignore[arg-type] # the stubs want their own TypedDict
    )

    assert "tags" not in aws.ecs.describe_task_definition(taskDefinition="backend")
    included = aws.ecs.describe_task_definition(taskDefinition="backend", include=["TAGS"])
    assert included["tags"] == tags
    arn = included["taskDefinition"]["taskDefinitionArn"]
    assert aws.ecs.list_tags_for_resource(resourceArn=arn)["tags"] == tags


def test_tagging_adds_and_replaces_by_key(aws: Clients) -> None:
    arn = register(aws)

    aws.ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}])
    aws.ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "2"}])

    tags = aws.ecs.list_tags_for_resource(resourceArn=arn)["tags"]
    assert tags == [{"key": "a", "value": "2"}]


def test_fields_that_this_boto3_does_not_know_are_kept(world: World) -> None:
    container = {"name": "app", "image": "x", "futureContainerField": {"a": [1]}}
    body = {"family": "backend", "containerDefinitions": [container], "futureField": "kept"}

    raw(world, "RegisterTaskDefinition", body)
    status, shown = raw(world, "DescribeTaskDefinition", {"taskDefinition": "backend"})

    assert status == 200
    assert shown["taskDefinition"]["futureField"] == "kept"
    kept = shown["taskDefinition"]["containerDefinitions"][0]
    assert kept["futureContainerField"] == {"a": [1]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"containerDefinitions": []}, "Container list cannot be empty."),
        ({"family": "with space"}, "Family contains invalid characters."),
        ({"containerDefinitions": [{"name": "app"}]}, "Container.image should not be null"),
        ({"containerDefinitions": [{"image": "x"}]}, "Container.name should not be null"),
        (
            {"containerDefinitions": [{"name": "a", "image": "x"}] * 2},
            "Container names must be unique.",
        ),
        ({"requiresCompatibilities": ["FARGATE"]}, "Fargate only supports network mode"),
        (
            {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc"},
            "Fargate requires task definition to have cpu and memory",
        ),
    ],
)
def test_bad_definitions_are_refused(aws: Clients, change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {
        "family": "backend",
        "containerDefinitions": [{"name": "app", "image": "x"}],
    }
    with pytest.raises(aws.ecs.exceptions.ClientException, match=message):
        aws.ecs.register_task_definition(**{**good, **change})
    assert aws.ecs.list_task_definitions()["taskDefinitionArns"] == []


def test_an_unknown_definition_cannot_be_described(aws: Clients) -> None:
    with pytest.raises(
        aws.ecs.exceptions.ClientException, match="Unable to describe task definition"
    ):
        aws.ecs.describe_task_definition(taskDefinition="nothing:7")


def test_deregistering_needs_a_revision(aws: Clients) -> None:
    register(aws)
    with pytest.raises(aws.ecs.exceptions.ClientException, match="missing a revision"):
        aws.ecs.deregister_task_definition(taskDefinition="backend")


def test_definitions_are_listed_by_whole_family_status_and_order(aws: Clients) -> None:
    for _ in range(3):
        register(aws)
    register(aws, "backend-worker")
    aws.ecs.deregister_task_definition(taskDefinition="backend:2")

    def listed(**given: Any) -> list[str]:
        arns = aws.ecs.list_task_definitions(**given)["taskDefinitionArns"]
        return [arn.rpartition("/")[2] for arn in arns]

    assert listed() == ["backend:1", "backend:3", "backend-worker:1"]
    assert listed(familyPrefix="backend", sort="DESC") == ["backend:3", "backend:1"]
    assert listed(familyPrefix="back") == []
    assert listed(status="INACTIVE") == ["backend:2"]


def test_listing_definitions_pages(aws: Clients) -> None:
    for _ in range(5):
        register(aws)

    pages = aws.ecs.get_paginator("list_task_definitions").paginate(
        familyPrefix="backend", PaginationConfig={"PageSize": 2}
    )

    assert [len(page["taskDefinitionArns"]) for page in pages] == [2, 2, 1]


@pytest.mark.parametrize("size", [0, 101])
def test_a_page_has_1_to_100_entries(aws: Clients, size: int) -> None:
    with pytest.raises(aws.ecs.exceptions.InvalidParameterException):
        aws.ecs.list_task_definitions(maxResults=size)


def test_a_missing_required_member_is_named(world: World) -> None:
    status, error = raw(world, "DescribeTaskDefinition", {})

    assert (status, error["__type"]) == (400, "InvalidParameterException")
    assert "taskDefinition" in error["message"]


def test_a_member_of_the_wrong_type_is_a_serialization_error(world: World) -> None:
    status, error = raw(world, "DescribeTaskDefinition", {"taskDefinition": 7})

    assert (status, error["__type"]) == (400, "SerializationException")


@pytest.mark.parametrize("body", ["{", "[]"])
def test_a_body_that_is_no_json_object_is_a_serialization_error(world: World, body: str) -> None:
    status, error = raw(world, "DescribeTaskDefinition", body)

    assert (status, error["__type"]) == (400, "SerializationException")


def test_a_value_outside_an_enum_is_refused(aws: Clients) -> None:
    with pytest.raises(aws.ecs.exceptions.InvalidParameterException, match="SIDEWAYS"):
        aws.ecs.list_task_definitions(sort="SIDEWAYS")  # type: ignore[arg-type] # on purpose


def test_unsigned_calls_are_refused(world: World) -> None:
    status, error = raw(world, "ListTaskDefinitions", {}, {"Authorization": ""})

    assert (status, error["__type"]) == (403, "MissingAuthenticationTokenException")


def test_unknown_operations_are_refused(world: World) -> None:
    status, error = raw(world, "MakeCoffee", {})

    assert (status, error["__type"]) == (400, "UnknownOperationException")


def test_what_is_not_simulated_says_so(aws: Clients) -> None:
    with pytest.raises(ClientError, match="does not know ecs:RunTask"):
        aws.ecs.run_task(taskDefinition="backend")


def test_regions_do_not_see_one_another(world: World, aws: Clients) -> None:
    register(aws)
    elsewhere = Clients(world.serve(), region="us-east-1")
    try:
        assert elsewhere.ecs.list_task_definitions()["taskDefinitionArns"] == []
    finally:
        elsewhere.close()
