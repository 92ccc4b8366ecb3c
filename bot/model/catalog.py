"""The catalog: which services exist, where they run, and who may change them.

These models are the file format of ``quarterdeck.yaml`` and its JSON Schema at once. Unknown keys
are errors. ``bot.settings.catalog_file`` reads the file, checks the references between its parts
and hands out a ``Catalog``; so a catalog that exists is a catalog that is whole.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import BeforeValidator, Field, StrictBool, model_validator
from pydantic_core import PydanticCustomError

from bot.model.canary_plan import CanaryPlan, Strategy
from bot.model.deployment import Target
from bot.model.errors import Misconfigured
from bot.model.moments import CronExpression, Duration, Lasting, Moment, TimeZone, instant
from bot.model.part import (
    ACCOUNT,
    MEANING,
    SOURCE,
    ChannelId,
    GroupId,
    Name,
    Part,
    Region,
    RoleArn,
    UserId,
    filled,
)
from bot.model.places import ArgoCdApplication, EcsService, KubernetesDeployment


def _number(value: object) -> object:
    # The file's reader hands scalars over as written, so that 012345678901 keeps its zero.
    return int(value) if isinstance(value, str) and value in {"1", "2", "3"} else value


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
    promoters: People | None = Field(
        default=None,
        description="who may promote, hold or abort a canary by hand; "
        "without it whoever may deploy or approve",
    )
    zero_downtime: Literal["off", "warn", "require"] = Field(
        default="warn",
        description="what a workload is met with that cannot be rolled without downtime",
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


Place = TypeVar("Place", EcsService, ArgoCdApplication, KubernetesDeployment)
Provider = Literal["ecs", "argocd", "kubernetes"]
PROVIDERS: tuple[Provider, ...] = get_args(Provider)
#: What shifts a canary's traffic, under each provider.
CANARIES: dict[str, tuple[Strategy, ...]] = {
    "ecs": ("weighted", "native"),
    "argocd": ("rollout", "route"),
    "kubernetes": (),
}


def place_shape(provider: str, given: list[Provider]) -> str:
    """What is wrong with the places that a target gives."""
    found = " and ".join(f'"{name}"' for name in given)
    if not given:
        return 'a target needs a place: "ecs", "argocd" or "kubernetes"'
    if len(given) > 1:
        return f"a target has one place, but {found} are given"
    return f'"provider" says "{provider}", but the place stands under {found}'


class TargetSpec(Part):
    """One service in one environment, and the provider that rolls it."""

    service: Name = Field(description="one of the services above")
    environment: Name = Field(description="one of the environments above")
    provider: Provider = Field(
        default="ecs", description="what rolls it; the part that is given below says it too"
    )
    ecs_place: Annotated[EcsService | None, BeforeValidator(filled)] = Field(
        default=None, alias="ecs", description="the ECS service that is rolled"
    )
    argocd_place: Annotated[ArgoCdApplication | None, BeforeValidator(filled)] = Field(
        default=None,
        alias="argocd",
        description="the Argo CD Application whose image is changed in git",
    )
    kubernetes_place: Annotated[KubernetesDeployment | None, BeforeValidator(filled)] = Field(
        default=None,
        alias="kubernetes",
        description="the Kubernetes Deployment whose image is patched, without git",
    )
    policy: Name | None = Field(
        default=None, description="one of the policies, in place of the environment's"
    )
    timeout: Duration = Field(
        default=timedelta(minutes=30),
        ge=timedelta(seconds=10),
        description="after this time a rollout that has not settled is TIMED OUT",
    )
    canary: Annotated[CanaryPlan | None, BeforeValidator(filled)] = Field(
        default=None, description="how its canaries go; without it there are none"
    )

    @model_validator(mode="before")
    @classmethod
    def _provider_given(cls, data: Any) -> Any:
        """The part that is given says what rolls it, where ``provider`` does not."""
        given = [name for name in PROVIDERS if isinstance(data, dict) and data.get(name)]
        if not given:
            return data
        filled = {key: value for key, value in data.items() if key not in PROVIDERS or key in given}
        return {"provider": given[0], **filled}

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        given = [name for name in PROVIDERS if getattr(self, f"{name}_place") is not None]
        if given != [self.provider]:
            wrong = place_shape(self.provider, given)
            raise PydanticCustomError("one_place", "{text}", {"text": wrong})
        fits = CANARIES[self.provider]
        if self.canary is not None and self.canary.strategy not in fits:
            ways = " or ".join(f'"{way}"' for way in fits) or "none"
            wrong = f'"{self.provider}" knows no canary by "{self.canary.strategy}"; it has {ways}'
            raise PydanticCustomError("canary_way", "{text}", {"text": wrong})
        return self

    @property
    def key(self) -> Target:
        """The target as commands, locks and the audit trail name it."""
        return Target(self.service, self.environment)

    @property
    def tells_changes(self) -> bool:
        """Whether its provider says by itself that something has changed, and need not be asked."""
        return self.provider != "ecs"

    @property
    def ecs(self) -> EcsService:
        """Its place on ECS. Raises ``Misconfigured`` where another provider rolls it."""
        return self._place(self.ecs_place)

    @property
    def argocd(self) -> ArgoCdApplication:
        """Its place under Argo CD. Raises ``Misconfigured`` where another provider rolls it."""
        return self._place(self.argocd_place)

    @property
    def kubernetes(self) -> KubernetesDeployment:
        """Its place in a cluster. Raises ``Misconfigured`` where another provider rolls it."""
        return self._place(self.kubernetes_place)

    def _place(self, place: Place | None) -> Place:
        if place is None:
            raise Misconfigured(f"{self.key} is rolled by {self.provider} by now.")
        return place


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
