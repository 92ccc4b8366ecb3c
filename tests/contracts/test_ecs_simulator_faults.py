"""The faults of the local AWS, as boto3 meets them; its call log; and the process of its own."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from bot.playground.aws import World
from tests.fakes.aws_world import Clients, clients_of, running_world


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as started:
        started.push("backend", "v1")
        started.push("backend", "v2")
        started.create_service("prod", "backend", image="v1")
        yield started


@pytest.fixture
def aws(world: World) -> Iterator[Clients]:
    with clients_of(world) as clients:
        yield clients


def describe(aws: Clients) -> Any:
    return aws.ecs.describe_services(cluster="prod", services=["backend"])["services"][0]


def force(aws: Clients) -> None:
    aws.ecs.update_service(cluster="prod", service="backend", forceNewDeployment=True)


def refusal(call: Callable[[], object]) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as refused:
        call()
    error = refused.value.response["Error"]
    return (
        error["Code"],
        error["Message"],
        refused.value.response["ResponseMetadata"]["HTTPStatusCode"],
    )


def test_the_next_calls_are_throttled_and_then_no_more(world: World, aws: Clients) -> None:
    world.faults.throttle("DescribeServices", 2)

    for _ in range(2):
        assert refusal(lambda: describe(aws)) == ("ThrottlingException", "Rate exceeded", 400)
    assert describe(aws)["status"] == "ACTIVE"


def test_a_throttled_update_changes_nothing(world: World, aws: Clients) -> None:
    world.faults.throttle("UpdateService", 1)

    assert refusal(lambda: force(aws))[0] == "ThrottlingException"
    assert len(world.service("prod", "backend").history) == 1


def test_calls_beyond_a_rate_are_throttled(world: World, aws: Clients) -> None:
    world.faults.limit("DescribeServices", 0.001)

    assert refusal(lambda: describe(aws))[0] == "ThrottlingException"
    world.faults.clear("DescribeServices")
    assert describe(aws)["status"] == "ACTIVE"


def test_boto3_s_own_retries_get_through_a_throttle(world: World) -> None:
    import boto3

    world.faults.throttle("ListClusters", 1)
    world.faults.throttle("DescribeServices", 1)
    client = boto3.Session(
        aws_access_key_id="AKIA", aws_secret_access_key="x", region_name="eu-west-1"
    ).client("ecs", endpoint_url=world.serve())
    try:
        client.describe_services(cluster="prod", services=["backend"])
    finally:
        client.close()

    outcomes = [call.outcome for call in world.calls("DescribeServices")]
    assert outcomes == ["ThrottlingException", "ok"]


def test_a_denial_is_in_aws_s_words(world: World, aws: Clients) -> None:
    world.faults.deny("UpdateService")

    assert refusal(lambda: force(aws)) == (
        "AccessDeniedException",
        (
            "User: arn:aws:iam::123456789012:user/quarterdeck is not authorized to perform: "
            "ecs:UpdateService on resource: "
            "arn:aws:ecs:eu-west-1:123456789012:service/prod/backend because no identity-based "
            "policy allows the ecs:UpdateService action"
        ),
        400,
    )
    assert describe(aws)["status"] == "ACTIVE"
    world.faults.clear()
    force(aws)


def test_a_denial_names_an_assumed_role(world: World, aws: Clients) -> None:
    role = aws.sts.assume_role(
        RoleArn="arn:aws:iam::123456789012:role/quarterdeck", RoleSessionName="bot"
    )
    world.faults.deny("DescribeImages")
    assumed = Clients(world.serve(), key=role["Credentials"]["AccessKeyId"])
    try:
        _, message, _ = refusal(lambda: assumed.ecr.describe_images(repositoryName="backend"))
    finally:
        assumed.close()
    assert message.startswith(
        "User: arn:aws:sts::123456789012:assumed-role/quarterdeck/bot is not authorized to "
        "perform: ecr:DescribeImages on resource: "
        "arn:aws:ecr:eu-west-1:123456789012:repository/backend"
    )


def test_expired_credentials_stop_everything_but_sts(world: World, aws: Clients) -> None:
    world.faults.expire_credentials()

    code, message, status = refusal(lambda: describe(aws))

    assert (code, status) == ("ExpiredTokenException", 400)
    assert message == "The security token included in the request is expired"
    assert aws.sts.get_caller_identity()["Account"] == "123456789012"


def test_a_server_fault_is_a_500(world: World, aws: Clients) -> None:
    world.faults.fail("DescribeServices")

    assert refusal(lambda: describe(aws))[::2] == ("ServerException", 500)


def test_an_answer_is_lost_after_the_effect(world: World, aws: Clients) -> None:
    world.faults.lose_answer("UpdateService")

    with pytest.raises(ConnectionClosedError):
        force(aws)

    assert len(world.service("prod", "backend").history) == 2
    assert [call.outcome for call in world.calls("UpdateService")] == ["lost_after"]
    assert world.count("UpdateService") == 1


def test_a_connection_is_cut_before_the_effect(world: World, aws: Clients) -> None:
    world.faults.lose_answer("UpdateService", after_effect=False)

    with pytest.raises(ConnectionClosedError):
        force(aws)

    assert len(world.service("prod", "backend").history) == 1
    assert [call.outcome for call in world.calls("UpdateService")] == ["lost_before"]
    assert world.count("UpdateService") == 0
    force(aws)
    assert world.count("UpdateService") == 1


def test_an_answer_can_be_late(world: World, aws: Clients) -> None:
    world.faults.delay("DescribeServices", 0.3, n=1)
    started = time.monotonic()
    describe(aws)
    assert time.monotonic() - started >= 0.3


def test_an_answer_is_delayed_after_the_call_took_effect(world: World, aws: Clients) -> None:
    world.faults.delay_answer("UpdateService", 600, n=1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(force, aws)
        while not world.count("UpdateService"):
            assert not waiting.done()
        assert len(describe(aws)["deployments"]) == 2
        assert not waiting.done()
        world.close()
        waiting.result(10)


def test_a_delay_ends_with_the_world(world: World) -> None:
    world.faults.delay("DescribeServices", 600)
    with clients_of(world) as aws, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(describe, aws)
        assert world.faults.delaying.wait(10)
        world.close()
        waiting.exception(10)


@pytest.mark.parametrize("code", ["UnsupportedFeatureException", "AccessDeniedException"])
def test_the_service_deployments_api_can_be_missing(world: World, aws: Clients, code: str) -> None:
    world.faults.no_service_deployments(code)

    calls: list[Callable[[], object]] = [
        lambda: aws.ecs.list_service_deployments(cluster="prod", service="backend"),
        lambda: aws.ecs.describe_service_deployments(serviceDeploymentArns=["x"]),
        lambda: aws.ecs.describe_service_revisions(serviceRevisionArns=["x"]),
        lambda: aws.ecs.stop_service_deployment(serviceDeploymentArn="x"),
        lambda: aws.ecs.continue_service_deployment(serviceDeploymentArn="x", hookId="x"),
    ]
    for call in calls * 2:
        assert refusal(call)[0] == code
    assert describe(aws)["status"] == "ACTIVE"


def test_reads_lag_behind_writes(world: World, aws: Clients) -> None:
    world.faults.lag(5)
    before = describe(aws)["deployments"][0]["id"]
    force(aws)

    listed = aws.ecs.list_service_deployments(cluster="prod", service="backend")
    assert [each["id"] for each in describe(aws)["deployments"]] == [before]
    assert len(listed["serviceDeployments"]) == 1
    world.advance(6)
    assert len(describe(aws)["deployments"]) == 2
    listed = aws.ecs.list_service_deployments(cluster="prod", service="backend")
    assert len(listed["serviceDeployments"]) == 2


def test_a_new_definition_shows_late_but_can_be_deployed_at_once(
    world: World, aws: Clients
) -> None:
    world.faults.lag(5)
    container: Any = {"name": "app", "image": "x"}
    made = aws.ecs.register_task_definition(family="backend", containerDefinitions=[container])
    arn = made["taskDefinition"]["taskDefinitionArn"]

    assert arn not in aws.ecs.list_task_definitions()["taskDefinitionArns"]
    assert refusal(lambda: aws.ecs.describe_task_definition(taskDefinition=arn))[0] == (
        "ClientException"
    )
    aws.ecs.update_service(cluster="prod", service="backend", taskDefinition=arn)
    world.advance(6)
    assert arn in aws.ecs.list_task_definitions()["taskDefinitionArns"]
    assert describe(aws)["taskDefinition"] == arn


def test_calls_are_recorded_with_their_parameters(world: World, aws: Clients) -> None:
    force(aws)
    with pytest.raises(ClientError):
        aws.ecs.update_service(cluster="prod", service="nothing")

    first, second = world.calls("UpdateService")
    assert first.parameters == {
        "cluster": "prod",
        "service": "backend",
        "forceNewDeployment": True,
    }
    assert first.took_effect
    assert second.outcome == "ServiceNotFoundException"
    assert not second.took_effect
    assert first.caller == "arn:aws:iam::123456789012:user/quarterdeck"
    assert world.count("UpdateService") == 1


def test_many_callers_at_once_each_get_their_answer(world: World, aws: Clients) -> None:
    def scale(count: int) -> int:
        updated = aws.ecs.update_service(cluster="prod", service="backend", desiredCount=count)
        return updated["service"]["desiredCount"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(scale, range(1, 41))) == list(range(1, 41))
    assert world.count("UpdateService") == 40


def test_creation_is_dated_by_the_wall_s_clock(world: World, aws: Clients) -> None:
    world.advance(86_400)
    before = time.time()
    force(aws)

    created = describe(aws)["deployments"][0]["createdAt"].timestamp()
    # Timestamps travel with millisecond precision at the least.
    assert before - 0.001 <= created <= time.time()


def test_time_does_not_go_back(world: World) -> None:
    with pytest.raises(ValueError, match="forwards"):
        world.advance(-1)


def control(url: str, verb: str, body: Any = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", f"/_control/{verb}", sent)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.fixture
def process() -> Iterator[str]:
    """The URL of a local AWS in a process of its own."""
    command = [sys.executable, "-m", "bot.playground.aws", "--port", "0", "--speed", "1000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        url = started.stdout.readline().strip()
        try:
            yield url
        finally:
            started.terminate()
            assert started.wait(10) == 0


def test_a_process_of_its_own_is_steered_over_http(process: str) -> None:
    assert process.startswith("http://127.0.0.1:")
    for tag, behaviour in (("v1", "good"), ("v2", "crashing")):
        given = {"repository": "backend", "tag": tag, "behaviour": behaviour}
        status, pushed = control(process, "push", given)
        assert (status, pushed["digest"][:7]) == (200, "sha256:")
    service = {"cluster": "prod", "service": "backend", "image": "v1", "desired": 1}
    assert control(process, "create-service", service)[0] == 200
    deploy = {"cluster": "prod", "service": "backend", "image": "v2"}
    assert control(process, "deploy", deploy)[0] == 200
    assert control(process, "advance", {"seconds": 3600})[0] == 200
    assert control(process, "fault", {"kind": "throttle", "op": "ListTasks", "n": 1})[0] == 200

    clients = Clients(process)
    try:
        with pytest.raises(ClientError):
            clients.ecs.list_tasks(cluster="prod")
        clients.ecs.list_tasks(cluster="prod")
    finally:
        clients.close()

    _, seen = control(process, "calls?op=ListTasks")
    assert [call["outcome"] for call in seen["calls"]] == ["ThrottlingException", "ok"]
    _, state = control(process, "state")
    assert [each["rolloutState"] for each in state["services"][0]["deployments"]] == ["COMPLETED"]


def test_deployments_that_shift_traffic_are_steered_over_http(process: str) -> None:
    for tag in ("v1", "v2"):
        control(process, "push", {"repository": "backend", "tag": tag})
    named = {"cluster": "prod", "service": "backend"}
    shifting = {"strategy": "CANARY", "pauses": ["PRE_PRODUCTION_TRAFFIC_SHIFT"]}
    assert control(process, "create-service", {**named, "image": "v1", **shifting})[0] == 200
    control(process, "deploy", {**named, "image": "v2"})
    assert control(process, "run-until-paused", named) == (200, {"paused": True})
    assert control(process, "continue", named) == (200, {"answered": 1})
    assert control(process, "run-until-paused", named) == (200, {"paused": True})
    assert control(process, "stop", {**named, "stop_type": "ROLLBACK"})[0] == 200
    assert control(process, "advance", {"seconds": 600})[0] == 200
    assert control(process, "continue", named) == (200, {"answered": 0})

    _, state = control(process, "state")
    images = [each["taskDefinition"] for each in state["services"][0]["deployments"]]
    assert [each.rpartition("/")[2] for each in images] == ["backend:1"]


@pytest.mark.parametrize(
    ("verb", "body", "status", "said"),
    [
        ("nonsense", {}, 404, "push"),
        ("push", {"repository": "x"}, 400, "tag"),
        ("push", {"repository": "x", "tag": "y", "behaviour": "odd"}, 400, "odd"),
        ("push", [], 400, "object"),
        ("fault", {"kind": "odd"}, 400, "throttle"),
        ("advance", {"seconds": -1}, 400, "forwards"),
        ("scale", {"cluster": "prod", "service": "nothing", "desired": 1}, 400, "not found"),
    ],
)
def test_a_wrong_control_request_is_told_what_is_wrong(
    world: World, verb: str, body: Any, status: int, said: str
) -> None:
    answered, content = control(world.serve(), verb, body)

    assert answered == status
    assert said in content["error"]


def test_it_listens_on_loopback_only(world: World) -> None:
    assert world.serve().startswith("http://127.0.0.1:")


def test_a_closed_world_refuses_connections() -> None:
    with running_world() as world:
        url = world.serve()
    with pytest.raises(ConnectionRefusedError):
        control(url, "state")
