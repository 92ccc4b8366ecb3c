"""The reading calls to ECS, each once, with faults translated. No judgement here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from bot.model.canary_plan import CanaryPlan
from bot.model.catalog import TargetSpec
from bot.model.errors import Misconfigured, Terminal
from bot.model.places import EcsService
from bot.providers.aws_faults import asking
from bot.providers.aws_session import AwsClients
from bot.providers.ecs import task_definition
from bot.providers.ecs.raw_json import body_of
from bot.providers.ecs.task_definition import TaskDefinition
from bot.providers.ecs.views import ServiceView, service_view

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import (
        DescribeServicesResponseTypeDef,
        ServiceDeploymentBriefTypeDef,
        ServiceDeploymentTypeDef,
        ServiceRevisionTypeDef,
        ServiceTypeDef,
        TaskTypeDef,
    )

#: ECS's limits per call.
SERVICES_PER_CALL = 10
DEPLOYMENTS_PER_CALL = 20


class Account(NamedTuple):
    """Whose ECS is asked: a region, with the credentials of a role where one is given."""

    region: str
    role: str | None


class Found(NamedTuple):
    """A service, and its deployment configuration as ECS wrote it."""

    view: ServiceView
    answer: ServiceTypeDef
    configuration: dict[str, Any]


class Tagged(NamedTuple):
    """A service, its whole description as ECS wrote it, and its tags."""

    view: ServiceView
    body: Mapping[str, Any]
    tags: Mapping[str, str]

    @property
    def configuration(self) -> Mapping[str, Any]:
        """How it is deployed."""
        return self.body.get("deploymentConfiguration") or {}


def account_of(ecs: EcsService) -> Account:
    """The account of a target's ECS block."""
    return Account(ecs.region, ecs.role)


class EcsReads:
    """Reads through shared clients; safe to share between threads."""

    def __init__(self, clients: AwsClients) -> None:
        self.clients = clients

    def service(self, ecs: EcsService) -> Found:
        """Raises ``Misconfigured`` where the service does not exist."""
        found = self.found(account_of(ecs), ecs.cluster, [ecs.service]).get(ecs.service)
        if found is None:
            raise unknown_service(ecs)
        return found

    def found(self, account: Account, cluster: str, names: Sequence[str]) -> dict[str, Found]:
        """Up to ten services of one cluster, by name and by ARN; missing ones are left out."""
        with _describing(cluster, names):
            answer = self._describe(account, cluster, names)
            founds = [
                Found(service_view(each), each, raw.get("deploymentConfiguration") or {})
                for each, raw in zip(answer["services"], body_of(answer)["services"], strict=True)
            ]
        return {name: found for found in founds for name in (found.view.name, found.view.arn)}

    def services(
        self, account: Account, cluster: str, names: Sequence[str]
    ) -> dict[str, ServiceView]:
        """As ``found``, without what nobody needs who only looks."""
        with _describing(cluster, names):
            answer = self._describe(account, cluster, names)
            views = [service_view(each) for each in answer["services"]]
        return {name: view for view in views for name in (view.name, view.arn)}

    def _describe(
        self, account: Account, cluster: str, names: Sequence[str]
    ) -> DescribeServicesResponseTypeDef:
        client = self.clients.ecs(*account)
        return client.describe_services(cluster=cluster, services=list(names))

    def tagged(self, ecs: EcsService) -> Tagged:
        """The service with its tags. Raises ``Misconfigured`` where it does not exist."""
        client = self.clients.ecs(ecs.region, ecs.role)
        with _describing(ecs.cluster, [ecs.service]):
            answer = client.describe_services(
                cluster=ecs.cluster, services=[ecs.service], include=["TAGS"]
            )
            found = [
                Tagged(service_view(each), raw, tags_of(raw))
                for each, raw in zip(answer["services"], body_of(answer)["services"], strict=True)
            ]
        if not found:
            raise unknown_service(ecs)
        return found[0]

    def task_definition(self, ecs: EcsService, name: str) -> TaskDefinition | None:
        """With its tags; ``None`` where ECS does not know it (any more)."""
        client = self.clients.ecs(ecs.region, ecs.role)
        try:
            with asking("ecs:DescribeTaskDefinition", task_definition.short(name)):
                answer = client.describe_task_definition(taskDefinition=name, include=["TAGS"])
                return task_definition.read(body_of(answer))
        except Terminal as fault:
            if "unable to describe" in fault.message.casefold():
                return None
            raise

    def newest_revisions(self, ecs: EcsService, family: str, limit: int) -> list[str]:
        """The ARNs of a family's newest active revisions, newest first."""
        client = self.clients.ecs(ecs.region, ecs.role)
        with asking("ecs:ListTaskDefinitions", family):
            answer = client.list_task_definitions(
                familyPrefix=family, status="ACTIVE", sort="DESC", maxResults=limit
            )
            return answer["taskDefinitionArns"]

    def tasks(self, ecs: EcsService, status: str, limit: int) -> list[TaskTypeDef]:
        """Some of the service's tasks; ``status`` is RUNNING or STOPPED (kept for an hour)."""
        client = self.clients.ecs(ecs.region, ecs.role)
        with asking("ecs:ListTasks", _name(ecs)):
            listed = client.list_tasks(
                cluster=ecs.cluster,
                serviceName=ecs.service,
                desiredStatus="STOPPED" if status == "STOPPED" else "RUNNING",
                maxResults=limit,
            )["taskArns"]
        if not listed:
            return []
        with asking("ecs:DescribeTasks", _name(ecs)):
            return client.describe_tasks(cluster=ecs.cluster, tasks=listed)["tasks"]

    def deployments_since(
        self, ecs: EcsService, since: datetime | None
    ) -> list[ServiceDeploymentBriefTypeDef]:
        """The service's newest deployments (at most 20), newest first."""
        client = self.clients.ecs(ecs.region, ecs.role)
        window: Any = {"createdAt": {"after": since}} if since is not None else {}
        with asking("ecs:ListServiceDeployments", _name(ecs)):
            answer = client.list_service_deployments(
                cluster=ecs.cluster,
                service=ecs.service,
                maxResults=DEPLOYMENTS_PER_CALL,
                **window,
            )
            return answer["serviceDeployments"]

    def deployments(self, account: Account, arns: Sequence[str]) -> list[ServiceDeploymentTypeDef]:
        """Up to twenty service deployments, whichever services they belong to."""
        client = self.clients.ecs(*account)
        with asking("ecs:DescribeServiceDeployments", f"{len(arns)} service deployments"):
            answer = client.describe_service_deployments(serviceDeploymentArns=list(arns))
            return answer["serviceDeployments"]

    def task_definitions_of(self, account: Account, arns: Sequence[str]) -> dict[str, str]:
        """The task definition of up to twenty service revisions."""
        return {
            each["serviceRevisionArn"]: each.get("taskDefinition", "")
            for each in self.revisions(account, arns)
        }

    def revisions(self, account: Account, arns: Sequence[str]) -> list[ServiceRevisionTypeDef]:
        """Up to twenty service revisions, whichever services they belong to."""
        client = self.clients.ecs(*account)
        with asking("ecs:DescribeServiceRevisions", f"{len(arns)} service revisions"):
            answer = client.describe_service_revisions(serviceRevisionArns=list(arns))
            return answer["serviceRevisions"]


def tags_of(body: Mapping[str, Any]) -> dict[str, str]:
    """The tags of what ECS describes, by key."""
    return {each["key"]: each.get("value", "") for each in body.get("tags") or ()}


def _describing(cluster: str, names: Sequence[str]) -> AbstractContextManager[None]:
    named = names[0] if len(names) == 1 else f"({len(names)} services)"
    return asking("ecs:DescribeServices", f"{cluster}/{named}")


def unknown_service(ecs: EcsService) -> Misconfigured:
    """The catalog names a service that ECS does not know."""
    return Misconfigured(
        f"ECS knows no service {_name(ecs)} in {ecs.region}.",
        hint="Check the region, the cluster and the service's name in the catalog.",
    )


def _name(ecs: EcsService) -> str:
    return f"{ecs.cluster}/{ecs.service}"


def plan_of(spec: TargetSpec) -> CanaryPlan:
    """The target's plan. Raises ``Misconfigured`` where the catalog has none any more."""
    if spec.canary is None:
        raise Misconfigured(
            f"The catalog has no plan for canaries of {spec.key} any more.",
            hint="Put it back until this one has ended.",
        )
    return spec.canary
