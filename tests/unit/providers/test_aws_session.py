from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from bot.model.errors import AccessDenied, Misconfigured
from bot.playground.aws import World
from bot.providers.aws_session import AwsClients
from tests.contracts.stages import ECR, REGION, LocalAws, local_aws

ROLE = "arn:aws:iam::210987654321:role/deployer"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    # In real time: botocore holds the end of a role's credentials against the machine's clock.
    with local_aws(monkeypatch, World(strict=True)) as aws:
        yield aws


def test_one_client_per_region_and_role_however_many_ask(aws: LocalAws) -> None:
    together = Barrier(8)

    def ask(_: int) -> int:
        together.wait(10)
        return id(aws.clients.ecs(REGION))

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(ask, range(8)))) == 1
    assert aws.clients.ecs(REGION) is not aws.clients.ecs("us-east-1")
    assert aws.clients.ecs(REGION) is not aws.clients.ecs(REGION, ROLE)
    assert aws.clients.cloudwatch(REGION) is aws.clients.cloudwatch(REGION)
    assert aws.clients.cloudwatch(REGION) is not aws.clients.cloudwatch(REGION, ROLE)


def test_a_call_is_sent_once(aws: LocalAws) -> None:
    aws.world.faults.throttle("ListTaskDefinitions", None)
    client = aws.clients.ecs(REGION)
    with pytest.raises(client.exceptions.ClientError):
        client.list_task_definitions()
    assert len(aws.world.calls("ListTaskDefinitions")) == 1


def test_calls_are_made_as_the_role_which_is_assumed_once(aws: LocalAws) -> None:
    client = aws.clients.ecs(REGION, ROLE)
    assert aws.world.calls() == []
    client.list_task_definitions()
    client.list_task_definitions()
    aws.clients.ecr(ECR.region, ROLE).describe_repositories()
    (assumed,) = aws.world.calls("AssumeRole")
    assert assumed.parameters["RoleSessionName"] == "quarterdeck"
    callers = {call.caller for call in aws.world.calls() if call.operation != "AssumeRole"}
    assert callers == {"arn:aws:sts::210987654321:assumed-role/deployer/quarterdeck"}


def test_a_role_that_may_not_be_assumed_is_named(aws: LocalAws) -> None:
    aws.world.faults.deny("AssumeRole")
    with pytest.raises(AccessDenied, match="sts:AssumeRole"):
        aws.clients.identity(REGION, ROLE)


def test_identity_says_whom_aws_takes_us_for(aws: LocalAws) -> None:
    assert aws.clients.identity(REGION).endswith(":user/quarterdeck")
    assert "assumed-role/deployer" in aws.clients.identity(REGION, ROLE)


def test_no_credentials_is_said_before_anything_is_sent(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    clients = AwsClients()
    for role in (None, ROLE):
        with pytest.raises(AccessDenied, match="No usable AWS credentials"):
            clients.identity(REGION, role)
    assert aws.world.calls() == []


def test_a_profile_that_is_not_there_is_misconfigured(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(Misconfigured):
        AwsClients().ecs(REGION)
    assert aws.world.calls() == []


def test_a_role_whose_credentials_are_expired_on_arrival_is_denied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with local_aws(monkeypatch) as aws:  # its dates lie in the past
        with pytest.raises(AccessDenied, match="No usable AWS credentials"):
            aws.clients.identity(REGION, ROLE)
        assert aws.world.calls("GetCallerIdentity") == []
