"""The local ECR and STS against what AWS documents, with boto3 as the client."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bot.playground.aws import World
from tests.fakes.aws_world import Clients, clients_of, running_world


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as started:
        yield started


@pytest.fixture
def aws(world: World) -> Iterator[Clients]:
    with clients_of(world) as clients:
        yield clients


def details(aws: Clients, **given: Any) -> list[Any]:
    return list(aws.ecr.describe_images(repositoryName="backend", **given)["imageDetails"])


def test_an_image_is_found_by_tag_and_by_digest(world: World, aws: Clients) -> None:
    digest = world.push("backend", "v1")

    (by_tag,) = details(aws, imageIds=[{"imageTag": "v1"}])
    (by_digest,) = details(aws, imageIds=[{"imageDigest": digest}])

    assert by_tag == by_digest
    assert by_tag["imageDigest"] == digest
    assert by_tag["imageTags"] == ["v1"]
    assert by_tag["registryId"] == "123456789012"


def test_a_tag_moves_to_the_newest_push(world: World, aws: Clients) -> None:
    old = world.push("backend", "latest", "good")
    new = world.push("backend", "latest", "crashing")

    assert old != new
    assert details(aws, imageIds=[{"imageTag": "latest"}])[0]["imageDigest"] == new
    assert "imageTags" not in details(aws, imageIds=[{"imageDigest": old}])[0]


def test_a_second_tag_on_the_same_image_shows_both(world: World, aws: Clients) -> None:
    digest = world.push("backend", "v1")
    world.tag("backend", digest, "latest")

    assert sorted(details(aws)[0]["imageTags"]) == ["latest", "v1"]


@pytest.mark.parametrize("identifier", [{"imageTag": "v2"}, {"imageDigest": "sha256:" + "0" * 64}])
def test_a_missing_image_is_an_error(
    world: World, aws: Clients, identifier: dict[str, str]
) -> None:
    world.push("backend", "v1")

    with pytest.raises(
        aws.ecr.exceptions.ImageNotFoundException, match="does not exist within the repository"
    ):
        details(aws, imageIds=[identifier])


def test_a_missing_repository_is_an_error(aws: Clients) -> None:
    message = "The repository with name 'backend' does not exist in the registry with id"
    with pytest.raises(aws.ecr.exceptions.RepositoryNotFoundException, match=message):
        details(aws)
    with pytest.raises(aws.ecr.exceptions.RepositoryNotFoundException, match=message):
        aws.ecr.describe_repositories(repositoryNames=["backend"])


def test_an_expired_image_is_gone(world: World, aws: Clients) -> None:
    digest = world.push("backend", "v1")
    world.delete_image("backend", digest)

    with pytest.raises(aws.ecr.exceptions.ImageNotFoundException):
        details(aws, imageIds=[{"imageDigest": digest}])


def test_images_page(world: World, aws: Clients) -> None:
    for number in range(5):
        world.push("backend", f"v{number}")

    pages = aws.ecr.get_paginator("describe_images").paginate(
        repositoryName="backend", PaginationConfig={"PageSize": 2}
    )

    assert [len(page["imageDetails"]) for page in pages] == [2, 2, 1]


def test_ids_and_pages_do_not_go_together(world: World, aws: Clients) -> None:
    world.push("backend", "v1")
    with pytest.raises(aws.ecr.exceptions.InvalidParameterException):
        details(aws, imageIds=[{"imageTag": "v1"}], maxResults=5)


@pytest.mark.parametrize(
    ("status", "expected"), [("TAGGED", ["v1"]), ("UNTAGGED", [None]), ("ANY", [None, "v1"])]
)
def test_ids_are_listed_by_tag_status(
    world: World, aws: Clients, status: Any, expected: list[str | None]
) -> None:
    world.push("backend", "v1", "crashing")
    world.push("backend", "v1", "good")

    listed = aws.ecr.list_images(repositoryName="backend", filter={"tagStatus": status})

    found = [each.get("imageTag") for each in listed["imageIds"]]
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_manifests_come_with_failures_for_what_is_missing(world: World, aws: Clients) -> None:
    digest = world.push("backend", "v1")

    got = aws.ecr.batch_get_image(
        repositoryName="backend", imageIds=[{"imageTag": "v1"}, {"imageTag": "v2"}]
    )

    assert [each["imageId"]["imageDigest"] for each in got["images"]] == [digest]
    assert got["images"][0]["imageManifest"]
    assert [each["failureCode"] for each in got["failures"]] == ["ImageNotFound"]


def test_repositories_are_described(world: World, aws: Clients) -> None:
    world.push("backend", "v1")
    world.push("analytics", "v1")

    shown = aws.ecr.describe_repositories()["repositories"]

    assert [each["repositoryName"] for each in shown] == ["analytics", "backend"]
    assert shown[1]["repositoryUri"] == "123456789012.dkr.ecr.eu-west-1.amazonaws.com/backend"


def test_the_caller_is_told_who_it_is(aws: Clients) -> None:
    who = aws.sts.get_caller_identity()

    assert who["Account"] == "123456789012"
    assert who["Arn"] == "arn:aws:iam::123456789012:user/quarterdeck"


def test_an_assumed_role_acts_in_its_own_account(world: World, aws: Clients) -> None:
    role = aws.sts.assume_role(
        RoleArn="arn:aws:iam::210987654321:role/deployers/quarterdeck", RoleSessionName="bot"
    )
    left = role["Credentials"]["Expiration"] - datetime.now(UTC)
    assert timedelta(minutes=50) < left <= timedelta(hours=1)

    assumed = Clients(world.serve(), key=role["Credentials"]["AccessKeyId"])
    try:
        who = assumed.sts.get_caller_identity()
        assert who["Arn"] == "arn:aws:sts::210987654321:assumed-role/quarterdeck/bot"
        made = assumed.ecs.create_cluster(clusterName="there")["cluster"]
        assert made["clusterArn"] == "arn:aws:ecs:eu-west-1:210987654321:cluster/there"
    finally:
        assumed.close()
    assert aws.ecs.describe_clusters(clusters=["there"])["failures"][0]["reason"] == "MISSING"


@pytest.mark.parametrize(
    "change",
    [{"RoleArn": "arn:aws:iam::1:role/short"}, {"RoleSessionName": "no spaces"}],
)
def test_a_malformed_role_request_is_refused(aws: Clients, change: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "RoleArn": "arn:aws:iam::210987654321:role/quarterdeck",
        "RoleSessionName": "bot",
    }
    with pytest.raises(ClientError) as refused:
        aws.sts.assume_role(**{**good, **change})
    assert refused.value.response["Error"]["Code"] == "ValidationError"


def test_a_denied_role_is_refused_in_sts_s_own_way(world: World, aws: Clients) -> None:
    world.faults.deny("AssumeRole")
    with pytest.raises(ClientError) as refused:
        aws.sts.assume_role(
            RoleArn="arn:aws:iam::210987654321:role/quarterdeck", RoleSessionName="bot"
        )
    error = refused.value.response["Error"]
    assert error["Code"] == "AccessDenied"
    assert "is not authorized to perform: sts:AssumeRole" in error["Message"]
