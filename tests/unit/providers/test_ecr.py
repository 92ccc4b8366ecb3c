"""What only shows on the wire: calls, pages, deadlines. The rest is in the registry's contract."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from bot.model.errors import AccessDenied, Misconfigured, Unreachable, UserError
from bot.providers.ecr import EcrRegistry, repository_of
from tests.contracts.stages import ECR, LocalAws, Ticks, local_aws


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    with local_aws(monkeypatch) as aws:
        yield aws


@pytest.fixture
def registry(aws: LocalAws) -> Iterator[EcrRegistry]:
    registry = EcrRegistry(aws.clients, Ticks(aws.world), answer_within=30)
    yield registry
    registry.close()


def test_a_burst_costs_one_call(aws: LocalAws, registry: EcrRegistry) -> None:
    digest = aws.world.push("backend", "v1")
    aws.world.faults.delay("DescribeImages", 0.2)
    together = Barrier(10)

    def ask(_: int) -> str:
        together.wait(10)
        return registry.resolve(ECR, "v1").digest

    with ThreadPoolExecutor(10) as threads:
        assert set(threads.map(ask, range(10))) == {digest}
    assert len(aws.world.calls()) == 1


def test_after_two_seconds_it_is_asked_again(aws: LocalAws, registry: EcrRegistry) -> None:
    first = aws.world.push("backend", "v1")
    assert registry.resolve(ECR, "v1").digest == first
    second = aws.world.push("backend", "v1", "slow")
    assert registry.resolve(ECR, "v1").digest == first
    aws.world.advance(2)
    assert registry.resolve(ECR, "v1").digest == second


def test_a_fault_is_not_remembered(aws: LocalAws, registry: EcrRegistry) -> None:
    aws.world.push("backend", "v1")
    aws.world.faults.deny("DescribeImages", 1)
    with pytest.raises(AccessDenied, match="ecr:DescribeImages"):
        registry.resolve(ECR, "v1")
    assert registry.resolve(ECR, "v1").ref == "v1"


def test_an_answer_that_takes_too_long_is_unreachable(aws: LocalAws) -> None:
    aws.world.push("backend", "v1")
    aws.world.faults.delay("DescribeImages", 1.0)
    hasty = EcrRegistry(aws.clients, answer_within=0.05)
    with pytest.raises(Unreachable, match=r"backend within 0.05 s"):
        hasty.resolve(ECR, "v1")
    hasty.close()


@pytest.mark.parametrize(
    "ref", ["", "a b", "-v1", "../x", "x" * 129, "sha256:12", "<!channel>", "v1\n", "é"]
)
def test_what_cannot_be_a_version_is_refused_without_a_call(
    aws: LocalAws, registry: EcrRegistry, ref: str
) -> None:
    with pytest.raises(UserError) as refused:
        registry.resolve(ECR, ref)
    assert refused.value.reason_code == "IMAGE_NOT_FOUND"
    assert aws.world.calls() == []


def test_a_missing_repository_is_the_catalogs_mistake(registry: EcrRegistry) -> None:
    with pytest.raises(Misconfigured, match="backend"):
        registry.resolve(ECR, "v1")


def test_all_pages_are_searched_but_not_without_end(aws: LocalAws, registry: EcrRegistry) -> None:
    for number in range(2100):
        aws.world.push("backend", f"main-{number:08d}")
    digest = aws.world.push("backend", "main-feedbee1")
    assert registry.resolve(ECR, "feedbee").digest == digest
    assert len(aws.world.calls("ListImages")) == 3


def test_latest_costs_one_call_where_it_is_there(aws: LocalAws, registry: EcrRegistry) -> None:
    digest = aws.world.push("backend", "latest")
    assert registry.resolve(ECR, "latest").digest == digest
    assert len(aws.world.calls()) == 1


def test_the_newest_tags_are_looked_for_on_every_page(aws: LocalAws, registry: EcrRegistry) -> None:
    aws.world.push("backend", "newest")
    for number in range(2100):
        aws.world.push("backend", f"v{number}")
    (newest,) = [
        each
        for each in aws.world.estate().repositories["backend"].images.values()
        if "newest" in each.tags
    ]
    newest.pushed_at += 60
    with pytest.raises(UserError, match=r"no image 'latest', the default") as refused:
        registry.resolve(ECR, "latest")
    assert "the newest are newest, v" in refused.value.hint
    assert len(aws.world.calls("DescribeImages")) == 4
    assert aws.world.calls("ListImages") == []


def test_what_cannot_be_listed_in_time_is_left_out(aws: LocalAws) -> None:
    aws.world.push("backend", "v1")
    seconds = iter([0.0, 0.0, 1.0])
    late = EcrRegistry(aws.clients, lambda: next(seconds), answer_within=2)
    with pytest.raises(UserError) as refused:
        late.resolve(ECR, "latest")
    assert refused.value.hint == "Type a version, or push one that is tagged latest."
    assert len(aws.world.calls()) == 1
    late.close()


def test_a_fault_while_listing_does_not_hide_that_latest_is_missing(
    aws: LocalAws, registry: EcrRegistry
) -> None:
    for number in range(1100):
        aws.world.push("backend", f"v{number}")
    client = aws.clients.ecr(ECR.region)
    looks = []

    def second_page(**_: object) -> None:
        looks.append(1)
        if len(looks) == 2:
            aws.world.faults.throttle("DescribeImages")

    client.meta.events.register("after-call.ecr.DescribeImages", second_page)
    with pytest.raises(UserError, match="the default where no version is typed") as refused:
        registry.resolve(ECR, "latest")
    assert "; there are v" in refused.value.hint


def test_a_full_sha_finds_the_tag_that_was_cut_short(aws: LocalAws, registry: EcrRegistry) -> None:
    digest = aws.world.push("backend", "sha-1a2b3c4d")
    sha = "1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d"
    assert registry.resolve(ECR, sha).digest == digest


def test_two_tags_of_one_image_are_not_ambiguous(aws: LocalAws, registry: EcrRegistry) -> None:
    image = aws.world.push("backend", "sha-1a2b3c4d")
    aws.world.estate().repositories["backend"].images[image].tags.append("main-1a2b3c4d")
    assert registry.resolve(ECR, "1a2b3c4").digest == image


def test_the_repository_is_named_as_its_partition_names_it() -> None:
    assert repository_of(ECR).startswith("123456789012.dkr.ecr.eu-west-1.amazonaws.com/")
    china = ECR.model_copy(update={"region": "cn-north-1"})
    assert repository_of(china) == "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/backend"
