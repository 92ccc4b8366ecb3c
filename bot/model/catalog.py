"""The catalog: which services exist, where they run, and who may change them.

These models are the file format of ``quarterdeck.yaml`` and its JSON Schema at once. Unknown keys
are errors. ``bot.settings.catalog_file`` reads the file, checks the references between its parts
and hands out a ``Catalog``; so a catalog that exists is a catalog that is whole.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator
from pydantic_core import PydanticCustomError

from bot.model.deployment import Target
from bot.model.moments import CronExpression, Duration, Lasting, Moment, TimeZone, instant

#: What each pattern of the file means, in words: a pattern explains nothing to a person.
MEANING: dict[str, str] = {
    (NAME := r"^[a-z][a-z0-9-]{0,39}$"): "a name of lower case letters, digits and dashes",
    (USER := r"^[UW][A-Z0-9]{2,20}$"): "a Slack user id, such as U024BE7LH",
    (GROUP := r"^S[A-Z0-9]{2,20}$"): "a Slack user group id, such as S0614TZR7",
    (CHANNEL := r"^[CDG][A-Z0-9]{2,20}$"): "a Slack channel id, such as C024BE91L",
    (ACCOUNT := r"^[0-9]{12}$"): 'an AWS account id: twelve digits, such as "123456789012"',
    (REGION := r"^[a-z]{2}(-[a-z]+)+-[0-9]$"): "an AWS region, such as eu-central-1",
    (ROLE := r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$"): (
        "the ARN of an IAM role, such as arn:aws:iam::123456789012:role/quarterdeck"
    ),
    (SOURCE := r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$"): "a source repository as owner/name",
}

Name = Annotated[str, Field(pattern=NAME, description=MEANING[NAME])]
UserId = Annotated[str, Field(pattern=USER, description=MEANING[USER])]
GroupId = Annotated[str, Field(pattern=GROUP, description=MEANING[GROUP])]
ChannelId = Annotated[str, Field(pattern=CHANNEL, description=MEANING[CHANNEL])]
Region = Annotated[str, Field(pattern=REGION, description=MEANING[REGION])]
RoleArn = Annotated[str, Field(pattern=ROLE)]


def _number(value: object) -> object:
    # The file's reader hands scalars over as written, so that 012345678901 keeps its zero.
    return int(value) if isinstance(value, str) and value in {"1", "2", "3"} else value


class Part(BaseModel):
    """What every part of the file shares: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class People(Part):
    """Slack users and user groups; ``everyone`` means every full member of the workspace."""

    users: tuple[UserId, ...] = Field(default=(), description="Slack user ids")
    groups: tuple[GroupId, ...] = Field(default=(), description="Slack user group ids")
    everyone: StrictBool = Field(
        default=False, description="every full member of the workspace; never guests or bots"
    )


class FreezeWindow(Part):
    """When nothing is deployed: either ``cron`` with ``duration``, or ``from`` with ``until``.

    ``cron`` is the start in five fields, read in ``time_zone``. ``duration`` is wall-clock time in
    that zone, so a window that crosses a DST change still ends at the hour people expect.
    Dates without an offset are read in ``time_zone``; a date alone is the midnight it begins with.
    """

    name: str = Field(min_length=1, max_length=80, description="what refusals call this window")
    time_zone: TimeZone = Field(
        default="UTC", description="an IANA time zone, such as Europe/Berlin"
    )
    cron: CronExpression | None = Field(
        default=None,
        description="when it starts: minute hour day-of-month month day-of-week",
        examples=["0 18 * * FRI"],
    )
    duration: Lasting | None = Field(
        default=None, description="how long it lasts on the wall clock, with cron"
    )
    begins: Moment | None = Field(default=None, alias="from", description="its first moment")
    ends: Moment | None = Field(
        default=None, alias="until", description="the first moment after it"
    )
    reason: str = Field(default="", max_length=500, description="shown to who is refused")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = {
            "cron": self.cron,
            "duration": self.duration,
            "from": self.begins,
            "until": self.ends,
        }
        if wrong := window_shape({key for key, value in kinds.items() if value is not None}):
            raise PydanticCustomError("window_shape", "{text}", {"text": wrong})
        if self.begins and self.ends and self._length(self.begins, self.ends) <= timedelta():
            raise PydanticCustomError("window_order", '"until" must be later than "from"')
        return self

    def _length(self, begins: datetime, ends: datetime) -> timedelta:
        return instant(ends, self.time_zone, last=True) - instant(begins, self.time_zone)


def window_shape(given: set[str]) -> str:
    """What is wrong with the set of keys a freeze window has, or the empty string."""
    repeating, dated = given & {"cron", "duration"}, given & {"from", "until"}
    if repeating and dated:
        return f'"{min(repeating)}" and "{min(dated)}" exclude each other'
    if not repeating and not dated:
        return 'a window needs "cron" and "duration", or "from" and "until"'
    missing = {"cron", "duration"} - given if repeating else {"from", "until"} - given
    return f'"{min(missing)}" is missing beside "{min(repeating | dated)}"' if missing else ""


class Policy(Part):
    """Who may do what on the targets it applies to. The defaults refuse rather than allow."""

    deployers: People = Field(default=People(), description="who may deploy and roll back")
    approvers: People = Field(default=People(), description="who may approve or reject")
    approvals: int = Field(
        default=0, ge=0, le=10, description="how many different people must approve"
    )
    required_group: GroupId | None = Field(
        default=None, description="at least one of the approvals must come from this group"
    )
    self_approval: StrictBool = Field(
        default=False, description="whether the requester's own approval counts"
    )
    approval_expires_after: Lasting = Field(
        default=timedelta(hours=4),
        description="after this time a request that nobody approved is void",
    )
    incident_responders: People = Field(
        default=People(), description="who may deploy in a freeze, which is audited"
    )
    channels: tuple[ChannelId, ...] = Field(
        default=(), description="where commands are accepted; empty: everywhere"
    )
    freezes: tuple[FreezeWindow, ...] = Field(
        default=(), description="times in which nothing is deployed; rollbacks are exempt"
    )
    hold_after_rollback: Duration = Field(
        default=timedelta(hours=24), description="how long a target stays locked after a rollback"
    )


class Ecr(Part):
    """Where a service's images are: an ECR repository, by name, in one account and region."""

    registry: str = Field(pattern=ACCOUNT, description=MEANING[ACCOUNT])
    region: Region
    repository: str = Field(
        min_length=2, max_length=256, description="the repository's name in that registry"
    )
    role: RoleArn | None = Field(
        default=None, description="the IAM role assumed here, by its ARN; without it our own"
    )


class Service(Part):
    """Something that is built into one image and deployed."""

    repository: str = Field(pattern=SOURCE, description=MEANING[SOURCE])
    ecr: Ecr
    aliases: tuple[Name, ...] = Field(default=(), description="other names people may type")


class Environment(Part):
    """A place services run in. ``policy`` names one of ``policies``."""

    policy: Name = Field(description="one of the policies below")
    aliases: tuple[Name, ...] = Field(default=(), description="other names people may type")


class EcsService(Part):
    """The ECS service and the container in it whose image is ours to change."""

    region: Region
    cluster: str = Field(min_length=1, max_length=255, description="the ECS cluster's name")
    service: str = Field(min_length=1, max_length=255, description="the ECS service's name")
    container: str = Field(
        min_length=1, max_length=255, description="the container in the task definition"
    )
    role: RoleArn | None = Field(
        default=None, description="the IAM role assumed here, by its ARN; without it our own"
    )


class TargetSpec(Part):
    """One service in one environment, and the provider that rolls it."""

    service: Name = Field(description="one of the services above")
    environment: Name = Field(description="one of the environments above")
    provider: Literal["ecs"] = Field(default="ecs", description="what rolls it")
    ecs: EcsService
    policy: Name | None = Field(
        default=None, description="one of the policies, in place of the environment's"
    )
    timeout: Duration = Field(
        default=timedelta(minutes=30),
        ge=timedelta(seconds=10),
        description="after this time a rollout that has not settled is TIMED OUT",
    )

    @property
    def key(self) -> Target:
        """The target as commands, locks and the audit trail name it."""
        return Target(self.service, self.environment)


class Catalog(Part):
    """The whole file. Cards whose own channel cannot be reached go to ``announce_in``."""

    version: Annotated[Literal[1], BeforeValidator(_number)] = Field(
        description="the version of this file's format"
    )
    services: dict[Name, Service] = Field(description="what can be deployed, by name")
    environments: dict[Name, Environment] = Field(description="where it can run, by name")
    policies: dict[Name, Policy] = Field(description="who may do what, by name")
    targets: tuple[TargetSpec, ...] = Field(description="which service runs where, and how")
    announce_in: ChannelId | None = Field(
        default=None, description="the channel for cards whose own channel cannot be reached"
    )

    def spec(self, target: Target) -> TargetSpec | None:
        """The target's entry, or ``None`` where the service does not run in that environment."""
        return self._specs.get(target)

    @cached_property
    def _specs(self) -> dict[Target, TargetSpec]:
        return {spec.key: spec for spec in reversed(self.targets)}

    def policy_of(self, target: Target) -> Policy:
        """The target's own policy, else its environment's. ``KeyError`` for an unknown target."""
        spec = self.spec(target)
        own = spec.policy if spec is not None else None
        return self.policies[own or self.environments[target.environment].policy]
