"""What every registry promises, on the fake and on ECR."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.model.errors import Throttled, UserError
from tests.contracts.stages import (
    ECR,
    REPOSITORY,
    EcrRegistryStage,
    FakeRegistryStage,
    RegistryStage,
    local_aws,
)


@pytest.fixture(params=["fake", "ecr"])
def stage(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RegistryStage]:
    if request.param == "fake":
        yield FakeRegistryStage()
        return
    with local_aws(monkeypatch) as aws:
        ecr = EcrRegistryStage(aws)
        yield ecr
        ecr.ecr.close()


def test_a_tag_is_pinned(stage: RegistryStage) -> None:
    digest = stage.push("v1")
    image = stage.registry.resolve(ECR, "v1")
    assert (image.repository, image.digest, image.ref) == (REPOSITORY, digest, "v1")


def test_latest_is_a_tag_like_any_other(stage: RegistryStage) -> None:
    stage.push("v1")
    newest = stage.push("latest")
    assert stage.registry.resolve(ECR, "latest").digest == newest


@pytest.mark.parametrize(
    "tag", ["1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d", "sha-1a2b3c4d5e6f", "main-1a2b3c4d5"]
)
def test_a_commit_is_found_by_seven_digits(stage: RegistryStage, tag: str) -> None:
    stage.push("v1")
    digest = stage.push(tag)
    assert stage.registry.resolve(ECR, "1a2b3c4").digest == digest


def test_a_commit_that_could_be_several_is_refused(stage: RegistryStage) -> None:
    stage.push("sha-1a2b3c4d")
    stage.push("sha-1a2b3c4e")
    with pytest.raises(UserError) as refused:
        stage.registry.resolve(ECR, "1a2b3c4")
    assert refused.value.reason_code == "AMBIGUOUS_VERSION"


def test_a_digest_is_verified(stage: RegistryStage) -> None:
    digest = stage.push("v1")
    assert stage.registry.resolve(ECR, digest).digest == digest
    assert stage.registry.exists(ECR, digest)
    stage.remove(digest)
    assert not stage.registry.exists(ECR, digest)
    with pytest.raises(UserError) as refused:
        stage.registry.resolve(ECR, digest)
    assert refused.value.reason_code == "IMAGE_NOT_FOUND"


def test_a_missing_tag_names_what_is_near(stage: RegistryStage) -> None:
    stage.push("v1.4.2")
    with pytest.raises(UserError) as refused:
        stage.registry.resolve(ECR, "v1.4.3")
    assert refused.value.reason_code == "IMAGE_NOT_FOUND"
    assert "v1.4.2" in refused.value.hint


def test_without_latest_the_default_is_explained_and_the_newest_are_named(
    stage: RegistryStage,
) -> None:
    for tag in ("v9", "v1", "v2", "v3", "main-4", "latest-5"):
        stage.push(tag)
    with pytest.raises(UserError) as refused:
        stage.registry.resolve(ECR, "latest")
    assert refused.value.reason_code == "IMAGE_NOT_FOUND"
    assert "the default where no version is typed" in refused.value.message
    assert refused.value.hint.endswith("the newest are latest-5, main-4, v3, v2, v1.")


def test_a_moved_tag_is_seen(stage: RegistryStage) -> None:
    stage.push("other")
    first = stage.push("v1")
    stage.remove(first)
    with pytest.raises(UserError):
        stage.registry.resolve(ECR, "v1")
    assert stage.push("v1") == stage.registry.resolve(ECR, "v1").digest


def test_throttling_is_told_and_not_remembered(stage: RegistryStage) -> None:
    digest = stage.push("v1")
    stage.throttle()
    with pytest.raises(Throttled):
        stage.registry.resolve(ECR, "v1")
    assert stage.registry.resolve(ECR, "v1").digest == digest
