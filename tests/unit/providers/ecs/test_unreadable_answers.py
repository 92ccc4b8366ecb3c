"""What answers 200 and does not speak as ECS does: a proxy's page, or an answer cut short."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot.model.deployment import Image
from bot.model.errors import Unknown, Unreachable
from bot.model.rollout import Order, Told
from bot.providers.ecs.reads import EcsReads, account_of
from tests.contracts.stages import REPOSITORY, SPEC, LocalAws, local_aws

REVISION = "backend:1"
PAGE = b"<html><body>Sign in to the network</body></html>"
BODIES = [PAGE, b"", b"{}", b"[]", b"null"]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    with local_aws(monkeypatch) as aws:
        aws.world.create_service("staging", "backend", image=aws.world.push("backend", "v1"))
        yield aws


def answer_with(aws: LocalAws, operation: str, body: bytes) -> None:
    def garble(response_dict: dict[str, Any], **_: Any) -> None:
        response_dict["body"] = body

    events = aws.clients.ecs(SPEC.ecs.region, SPEC.ecs.role).meta.events
    events.register_first(f"before-parse.ecs.{operation}", garble)


READS: dict[str, Callable[[EcsReads], object]] = {
    "DescribeServices": lambda reads: reads.service(SPEC.ecs),
    "DescribeTaskDefinition": lambda reads: reads.task_definition(SPEC.ecs, REVISION),
    "ListTaskDefinitions": lambda reads: reads.newest_revisions(SPEC.ecs, "backend", 5),
    "ListTasks": lambda reads: reads.tasks(SPEC.ecs, "RUNNING", 5),
    "DescribeTasks": lambda reads: reads.tasks(SPEC.ecs, "RUNNING", 5),
    "ListServiceDeployments": lambda reads: reads.deployments_since(SPEC.ecs, None),
    "DescribeServiceDeployments": lambda reads: reads.deployments(account_of(SPEC.ecs), ["arn"]),
    "DescribeServiceRevisions": lambda reads: reads.task_definitions_of(
        account_of(SPEC.ecs), ["arn"]
    ),
}


@pytest.mark.parametrize("operation", READS)
def test_it_counts_as_no_answer(aws: LocalAws, operation: str) -> None:
    answer_with(aws, operation, PAGE)
    with pytest.raises(Unreachable) as caught:
        READS[operation](EcsReads(aws.clients))
    assert f"ecs:{operation}" in caught.value.message
    assert "Sign in" not in caught.value.message


@pytest.mark.parametrize(
    "body", [*BODIES, json.dumps({"services": [{"status": "ACTIVE"}]}).encode()]
)
def test_asking_again_and_again_always_gets_a_fault(aws: LocalAws, body: bytes) -> None:
    answer_with(aws, "DescribeServices", body)
    for _ in range(5):
        with pytest.raises(Unreachable):
            aws.rollouts.live(SPEC)
    with pytest.raises(Unreachable):
        EcsReads(aws.clients).services(account_of(SPEC.ecs), "staging", ["backend"])


@pytest.mark.parametrize("body", BODIES)
def test_after_a_write_nothing_is_known_until_it_is_read_back(aws: LocalAws, body: bytes) -> None:
    base = aws.rollouts.live(SPEC).revision
    image = Image(REPOSITORY, aws.world.push("backend", "v2"), "v2")
    order = Order("backend-staging-1", image, base)
    revision = aws.rollouts.prepare(SPEC, order)
    answer_with(aws, "UpdateService", body)
    with pytest.raises(Unknown):
        aws.rollouts.start(SPEC, order, revision)
    assert aws.rollouts.read_back(SPEC, order, revision, aws.now()).told is Told.YES
    answer_with(aws, "RegisterTaskDefinition", body)
    again = Order("backend-staging-2", image, revision)
    with pytest.raises(Unknown):
        aws.rollouts.prepare(SPEC, again)
    assert aws.rollouts.prepare(SPEC, again).endswith("backend:3")
