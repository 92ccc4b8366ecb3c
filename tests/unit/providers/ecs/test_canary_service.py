"""The service that a canary runs in: what it has of the stable one, and what it must not have."""

from __future__ import annotations

from typing import Any

from bot.model.canary_plan import Weighted
from bot.providers.ecs.canary_service import creation

ELB = "arn:aws:elasticloadbalancing:eu-west-1:123456789012"
WEIGHTED = Weighted(
    rule=f"{ELB}:listener-rule/app/web/1/2/3",
    stable=f"{ELB}:targetgroup/app/1",
    canary=f"{ELB}:targetgroup/app-canary/1",
)
LOGS = {"logDriver": "awslogs"}


def made(**stable: Any) -> dict[str, Any]:
    return creation(stable, ("main", "app-canary"), WEIGHTED, ("app-staging-1", "app:2", 1))


def test_it_reaches_others_by_service_connect_and_is_reached_by_the_weights_alone() -> None:
    connect = {
        "enabled": True,
        "namespace": "acme",
        "services": [{"portName": "http", "clientAliases": [{"port": 80}]}],
        "logConfiguration": LOGS,
    }
    old = {"status": "ACTIVE", "serviceConnectConfiguration": {"enabled": False}}
    primary = {"status": "PRIMARY", "serviceConnectConfiguration": connect}
    found = made(deployments=[old, primary], serviceRegistries=[{"registryArn": "arn"}])
    wanted = {"enabled": True, "namespace": "acme", "logConfiguration": LOGS}
    assert found["serviceConnectConfiguration"] == wanted
    assert "serviceRegistries" not in found


def test_volumes_that_a_service_gives_its_tasks_are_given_to_the_canary_s() -> None:
    volumes = [{"name": "data", "managedEBSVolume": {"roleArn": "arn", "sizeInGiB": 10}}]
    assert (
        made(deployments=[{"status": "PRIMARY", "volumeConfigurations": volumes}])[
            "volumeConfigurations"
        ]
        == volumes
    )


def test_what_the_stable_one_does_not_have_it_does_not_ask_for() -> None:
    found = made(deployments=[{"status": "PRIMARY"}])
    assert "serviceConnectConfiguration" not in found
    assert "volumeConfigurations" not in found
    off = {"status": "PRIMARY", "serviceConnectConfiguration": {"enabled": False}}
    assert "serviceConnectConfiguration" not in made(deployments=[off])
