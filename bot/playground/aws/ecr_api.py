"""ECR operations: looking up repositories and images."""

from __future__ import annotations

import hashlib

from bot.playground.aws.errors import AwsError, invalid
from bot.playground.aws.lookup import page
from bot.playground.aws.operations import Context, operation
from bot.playground.aws.records import Image, Json, Repository

MOST_PER_PAGE = 1000
DEFAULT_PAGE = 100
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"


@operation("ecr", "DescribeRepositories")
def describe_repositories(context: Context, request: Json) -> Json:
    """All repositories, or those named."""
    estate = context.estate_of(request.get("registryId", context.estate.account))
    if "repositoryNames" in request:
        chosen = [_repository(context, {"repositoryName": n}) for n in request["repositoryNames"]]
        return {"repositories": [_shown(each, estate.account) for each in chosen]}
    everything = [estate.repositories[name] for name in sorted(estate.repositories)]
    found, more = page(everything, {"maxResults": DEFAULT_PAGE, **request}, MOST_PER_PAGE)
    return {"repositories": [_shown(each, estate.account) for each in found], **more}


@operation("ecr", "DescribeImages")
def describe_images(context: Context, request: Json) -> Json:
    """All images of a repository, or those named by tag or digest; a missing one is an error."""
    repository = _repository(context, request)
    account = request.get("registryId", context.estate.account)
    if "imageIds" in request:
        if {"maxResults", "nextToken", "filter"} & set(request):
            raise invalid("maxResults, nextToken and filter cannot be used with imageIds.")
        # Two ids of one image give it once, as in ECR.
        chosen = {_image(repository, each, account).digest: each for each in request["imageIds"]}
        images = [repository.images[digest] for digest in chosen]
        return {"imageDetails": [_detail(repository, each, account) for each in images]}
    images = _filtered(repository, request)
    found, more = page(images, {"maxResults": DEFAULT_PAGE, **request}, MOST_PER_PAGE)
    return {"imageDetails": [_detail(repository, each, account) for each in found], **more}


@operation("ecr", "ListImages")
def list_images(context: Context, request: Json) -> Json:
    """One id per tag, and one per untagged image."""
    repository = _repository(context, request)
    ids: list[Json] = []
    for image in _filtered(repository, request):
        ids += [{"imageDigest": image.digest, "imageTag": tag} for tag in image.tags]
        if not image.tags:
            ids.append({"imageDigest": image.digest})
    found, more = page(ids, {"maxResults": DEFAULT_PAGE, **request}, MOST_PER_PAGE)
    return {"imageIds": found, **more}


@operation("ecr", "BatchGetImage")
def batch_get_image(context: Context, request: Json) -> Json:
    """Manifests by tag or digest; a missing one becomes a failure."""
    repository = _repository(context, request)
    account = request.get("registryId", context.estate.account)
    images, failures = [], []
    for identifier in request["imageIds"]:
        image = repository.find(identifier.get("imageDigest") or identifier.get("imageTag", ""))
        if image is None:
            failures.append(
                {
                    "imageId": identifier,
                    "failureCode": "ImageNotFound",
                    "failureReason": "Requested image not found",
                }
            )
            continue
        shown = {"imageDigest": image.digest}
        if "imageTag" in identifier:
            shown["imageTag"] = identifier["imageTag"]
        images.append(
            {
                "registryId": account,
                "repositoryName": repository.name,
                "imageId": shown,
                "imageManifest": image.manifest,
                "imageManifestMediaType": MANIFEST_TYPE,
            }
        )
    return {"images": images, "failures": failures}


def _repository(context: Context, request: Json) -> Repository:
    account = request.get("registryId", context.estate.account)
    name = request["repositoryName"]
    found = context.estate_of(account).repositories.get(name)
    if found is None:
        raise AwsError(
            "RepositoryNotFoundException",
            f"The repository with name '{name}' does not exist in the registry with id '{account}'",
        )
    return found


def _image(repository: Repository, identifier: Json, account: str) -> Image:
    digest, tag = identifier.get("imageDigest"), identifier.get("imageTag")
    if digest is None and tag is None:
        raise invalid(
            "Invalid parameter at 'imageIds' failed to satisfy constraint: must not be empty"
        )
    found = repository.find(digest or tag or "")
    if found is None or (tag is not None and tag not in found.tags):
        asked = f"imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'"
        raise AwsError(
            "ImageNotFoundException",
            f"The image with imageId {{{asked}}} does not exist within the repository with name "
            f"'{repository.name}' in the registry with id '{account}'",
        )
    return found


def _filtered(repository: Repository, request: Json) -> list[Image]:
    status = request.get("filter", {}).get("tagStatus", "ANY")
    return [
        image
        for image in repository.images.values()
        if status == "ANY" or (status == "TAGGED") == bool(image.tags)
    ]


def _detail(repository: Repository, image: Image, account: str) -> Json:
    size = 20_000_000 + int(hashlib.sha256(image.digest.encode()).hexdigest()[:6], 16)
    shown: Json = {
        "registryId": account,
        "repositoryName": repository.name,
        "imageDigest": image.digest,
        "imageSizeInBytes": size,
        "imagePushedAt": image.pushed_at,
        "imageManifestMediaType": MANIFEST_TYPE,
        "artifactMediaType": CONFIG_TYPE,
        "imageStatus": "ACTIVE",
    }
    return {**shown, "imageTags": image.tags} if image.tags else shown


def _shown(repository: Repository, account: str) -> Json:
    return {
        "repositoryArn": repository.arn,
        "registryId": account,
        "repositoryName": repository.name,
        "repositoryUri": repository.uri,
        "createdAt": repository.created_at,
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": False},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    }
