"""The catalog: which services exist, where they run, and who may change them.

These models are the file format of ``quarterdeck.yaml`` and its JSON Schema at once. Unknown keys
are errors. ``bot.settings.catalog_file`` reads the file, checks the references between its parts
and hands out a ``Catalog``; so a catalog that exists is a catalog that is whole.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.model.deployment import Target

Name = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$", description="lower case letters, digits, dashes")
]
UserId = Annotated[
    str, Field(pattern=r"^[UW][A-Z0-9]{2,20}$", description="a Slack user id, such as U024BE7LH")
]
GroupId = Annotated[
    str, Field(pattern=r"^S[A-Z0-9]{2,20}$", description="a Slack user group id, such as S0614TZR7")
]
ChannelId = Annotated[
    str,
    Field(pattern=r"^[CDG][A-Z0-9]{2,20}$", description="a Slack channel id, such as C024BE91L"),
]


class Part(BaseModel):
    """What every part of the file shares: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class People(Part):
    """Slack users and user groups; ``everyone`` means every full member of the workspace."""

    users: tuple[UserId, ...] = ()
    groups: tuple[GroupId, ...] = ()
    everyone: bool = False


class FreezeWindow(Part):
    """A time in which nothing is deployed: either ``cron`` with ``duration``, or ``from``-``until``.

    ``cron`` is the start in five fields, read in ``time_zone``. ``duration`` is wall-clock time in
    that zone, so a window that crosses a DST change still ends at the hour people expect.
    Dates without an offset are read in ``time_zone``.
    """

    name: str = Field(min_length=1, max_length=80)
    time_zone: str = "UTC"
    cron: str | None = None
    duration: timedelta | None = None
    begins: datetime | None = Field(default=None, alias="from")
    ends: datetime | None = Field(default=None, alias="until")
    reason: str = ""


class Policy(Part):
    """Who may do what on the targets it applies to. The defaults refuse rather than allow."""

    deployers: People = People()
    approvers: People = People()
    approvals: int = Field(default=0, ge=0, le=10)
    required_group: GroupId | None = None
    self_approval: bool = False
    approval_expires_after: timedelta = timedelta(hours=4)
    incident_responders: People = People()
    channels: tuple[ChannelId, ...] = ()
    freezes: tuple[FreezeWindow, ...] = ()
    hold_after_rollback: timedelta = timedelta(hours=24)


class Ecr(Part):
    """Where a service's images are: an ECR repository, by name, in one account and region."""

    registry: str = Field(pattern=r"^\d{12}$", description="the AWS account id that owns it")
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    repository: str = Field(min_length=2, max_length=256)
    role: str | None = Field(default=None, pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/.+$")


class Service(Part):
    """Something that is built into one image and deployed."""

    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="the source, owner/name")
    ecr: Ecr
    aliases: tuple[Name, ...] = ()


class Environment(Part):
    """A place services run in. ``policy`` names one of ``policies``."""

    policy: Name
    aliases: tuple[Name, ...] = ()


class EcsService(Part):
    """The ECS service and the container in it whose image is ours to change."""

    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    cluster: str = Field(min_length=1, max_length=255)
    service: str = Field(min_length=1, max_length=255)
    container: str = Field(min_length=1, max_length=255)
    role: str | None = Field(default=None, pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/.+$")


class TargetSpec(Part):
    """One service in one environment, and the provider that rolls it."""

    service: Name
    environment: Name
    provider: Literal["ecs"] = "ecs"
    ecs: EcsService
    policy: Name | None = None
    timeout: timedelta = Field(default=timedelta(minutes=30), ge=timedelta(minutes=1))

    @property
    def key(self) -> Target:
        """The target as commands, locks and the audit trail name it."""
        return Target(self.service, self.environment)


class Catalog(Part):
    """The whole file. ``announce_in`` is where cards go when their own channel cannot be reached."""

    version: Literal[1]
    services: dict[Name, Service]
    environments: dict[Name, Environment]
    policies: dict[Name, Policy]
    targets: tuple[TargetSpec, ...]
    announce_in: ChannelId | None = None

    def spec(self, target: Target) -> TargetSpec | None:
        """The target's entry, or ``None`` where the service does not run in that environment."""
        return next((spec for spec in self.targets if spec.key == target), None)

    def policy_of(self, target: Target) -> Policy:
        """The target's own policy, else its environment's. ``KeyError`` for an unknown target."""
        spec = self.spec(target)
        own = spec.policy if spec is not None else None
        return self.policies[own or self.environments[target.environment].policy]
