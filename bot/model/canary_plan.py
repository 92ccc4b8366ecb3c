"""How a target's canaries go: the part of the catalog that says by which steps, judged by what.

A plan has to make sense without anybody being asked; whether it fits what runs (a listener rule,
target groups, a Rollout's steps) is read before each canary starts.
"""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    StrictBool,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from bot.model import native_shares
from bot.model.moments import Duration, Lasting
from bot.model.part import MEANING, InsidePath, ObjectName, Part, filled

TIME = r"^([0-9]{1,5}(?:\.[0-9]{1,3})?)\s?(ms|s)$"
PERCENT = r"^[0-9]{1,2}(\.[0-9]{1,2})?\s?%$"
UP_TO_ALL = r"^([0-9]{1,2}(\.[0-9]{1,2})?|100)\s?%$"
MEANING |= {
    (RULE := r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener-rule/app/.+$"): (
        "the ARN of a load balancer's listener rule, such as arn:aws:elasticloadbalancing:"
        "eu-central-1:123456789012:listener-rule/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d0"
    ),
    (GROUP_ARN := r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:targetgroup/.+$"): (
        "the ARN of a target group, such as arn:aws:elasticloadbalancing:eu-central-1:"
        "123456789012:targetgroup/backend/73e2d6bc24d8a067"
    ),
    (ENDPOINT := r"^https?://[^\s/@]+(/\S*)?$"): (
        "an address without credentials, such as http://prometheus.monitoring:9090"
    ),
    (LABELS := r"^[^{}]*\{\{version\}\}([^{}]|\{\{version\}\})*$"): (
        'how a version is selected, such as app="{{version}}"'
    ),
}


def _share(value: object) -> float:
    if isinstance(value, float):
        return value
    written = str(value).strip()
    number = written.removesuffix("%").strip()
    if not written.endswith("%") or not number.replace(".", "", 1).isdecimal():
        raise PydanticCustomError("share", "a share is written in percent, such as 10% or 0.5%")
    share = round(float(number) / 100, 6)
    if not 0 < share < 1:
        raise PydanticCustomError("share", "a share lies between 0% and 100%")
    return share


def in_percent(share: float) -> str:
    """``0.1`` as ``10%``: what ``Share`` reads back."""
    return f"{round(share * 100, 4):g}%"


def _response_time(value: object) -> float:
    if isinstance(value, float):
        return value
    found = re.fullmatch(TIME, str(value).strip())
    seconds = float(found[1]) * (0.001 if found[2] == "ms" else 1.0) if found else 0.0
    if seconds <= 0:
        raise PydanticCustomError("response_time", "a response time is written like 800ms or 1.5s")
    return round(seconds, 6)


def in_seconds(seconds: float) -> str:
    """``0.8`` as ``800ms``: what ``ResponseTime`` reads back."""
    return f"{seconds:g}s" if seconds >= 1 else f"{round(seconds * 1000, 3):g}ms"


#: A response time in seconds; in the file it is written like 800ms or 1.5s.
ResponseTime = Annotated[
    float,
    BeforeValidator(_response_time),
    PlainSerializer(in_seconds, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": TIME, "examples": ["800ms", "1.5s"]}),
]
#: A share of requests, from 0 to 1; in the file it is written in percent.
Share = Annotated[
    float,
    BeforeValidator(_share),
    PlainSerializer(in_percent, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": PERCENT, "examples": ["10%", "0.5%"]}),
]


def _share_or_all(value: object) -> float:
    return 1.0 if re.fullmatch(r"100\s?%", str(value).strip()) else _share(value)


#: The same, up to 100%.
StepShare = Annotated[
    float,
    BeforeValidator(_share_or_all),
    PlainSerializer(in_percent, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": UP_TO_ALL, "examples": ["10%", "0.5%"]}),
]


class CanaryStep(Part):
    """One step: a share of the traffic, for as long as it takes to judge it."""

    share: StepShare = Field(description="how much of the traffic the new version gets")
    bake: Lasting = Field(
        default=timedelta(minutes=5),
        ge=timedelta(minutes=1),
        description="how long it is watched at least before the next step, while it has traffic",
    )
    tasks: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="tasks of the new version; without it as many as the share takes",
    )
    requests: int = Field(
        default=0, ge=0, description="requests it must have served before the next step"
    )
    increase: Share = Field(
        default=0.01,
        description="the increase of the error rate, in points, that has to be excluded",
    )


class CanaryLimits(Part):
    """What is never accepted, whatever the stable version does."""

    error_rate: Share = Field(default=0.5, description="the share of requests that fail")
    p95: ResponseTime | None = Field(
        default=None, description="the response time that 95% of requests stay below, such as 800ms"
    )


class Weighted(Part):
    """Traffic by the weights of a listener rule, between the stable target group and a second."""

    rule: str = Field(pattern=RULE, description=MEANING[RULE])
    stable: str = Field(
        pattern=GROUP_ARN, description="the target group's ARN of the service itself"
    )
    canary: str = Field(
        pattern=GROUP_ARN, description="the target group's ARN that only canaries are put into"
    )
    service: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="the name of the ECS service that is made for a canary; "
        "without it the service's own with -canary at its end",
    )

    @model_validator(mode="after")
    def _two_groups(self) -> Self:
        if self.stable == self.canary:
            raise PydanticCustomError(
                "two_groups", '"stable" and "canary" have to be different target groups'
            )
        return self

    @property
    def load_balancer(self) -> str:
        """As CloudWatch names it: ``app/web/50dc6c495c0c9188``."""
        return "/".join(self.rule.partition(":listener-rule/")[2].split("/")[:3])


class Native(Part):
    """ECS's own deployment strategies: it shifts the traffic, and waits for our answer."""

    kind: native_shares.Kind = Field(
        default="canary",
        description="one share first (canary: one step), equal steps (linear), or all at once with "
        "a bake before the old version is given up (blue_green: one step of 100%)",
    )


class Rollout(Part):
    """An Argo Rollouts Rollout with canary steps of its own; its pauses are ours to end."""

    namespace: ObjectName = Field(description="the Rollout's namespace")
    name: ObjectName = Field(description="the Rollout's name")
    told_by: Literal["hash", "service"] = Field(
        default="hash",
        description='what Prometheus tells the versions apart by, in place of "{{version}}": '
        "the pods' rollouts-pod-template-hash, or the names of stableService and canaryService",
    )


class Route(Part):
    """A canary Deployment beside the stable one, and the weights of an HTTPRoute, through git."""

    file: InsidePath = Field(description="the HTTPRoute's manifest, below the path")
    name: ObjectName = Field(description="the HTTPRoute's name")
    stable: ObjectName = Field(description="the Kubernetes Service of the stable version")
    canary: ObjectName = Field(description="the Kubernetes Service of the canary")
    canary_file: InsidePath = Field(
        description="the manifest of the canary's Deployment, below the path"
    )
    deployment: ObjectName = Field(description="the canary's Deployment")
    container: ObjectName = Field(description="the container in it that runs the image")


class CloudWatch(Part):
    """The load balancer's own metrics, per target group. Minutes, known some minutes later."""

    settles_after: Duration = Field(
        default=timedelta(minutes=3),
        le=timedelta(hours=1),
        description="how long after its end a minute counts as final: CloudWatch shows minutes "
        "late, and may still add to them",
    )


class Prometheus(Part):
    """A Prometheus server, and how each version's requests are told apart in it.

    In ``labels`` ``{{version}}`` stands for the name by which a version is told from the other:
    that of its target group, its Kubernetes Service or its pods' template hash.
    """

    url: str = Field(pattern=ENDPOINT, description=MEANING[ENDPOINT])
    requests: str = Field(
        default="http_requests_total",
        pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$",
        description="the counter of requests",
    )
    failed: str = Field(
        default='code=~"5.."',
        min_length=1,
        max_length=500,
        description="the labels of a failed request",
    )
    durations: str | None = Field(
        default=None,
        pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$",
        description="the histogram of response times in seconds, without _bucket",
    )
    labels: str = Field(max_length=500, pattern=LABELS, description=MEANING[LABELS])
    pod: str = Field(
        default="pod",
        pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$",
        description="the label that tells one replica from another",
    )
    scrape_interval: Lasting = Field(
        default=timedelta(minutes=1),
        le=timedelta(minutes=1),
        description="how often it is scraped: up to 15s a tick is 30 seconds long, else a minute",
    )


Strategy = Literal["weighted", "native", "rollout", "route"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

#: The seed's: a tenth of the traffic for a quarter of an hour, then gradually the rest.
STEPS = (
    CanaryStep(share=0.1, bake=timedelta(minutes=15)),
    CanaryStep(share=0.25),
    CanaryStep(share=0.5),
)
#: Where ECS shifts the traffic there are no others than these.
NATIVE_STEPS: dict[str, tuple[CanaryStep, ...]] = {
    kind: tuple(CanaryStep(share=each, bake=timedelta(minutes=15)) for each in shares)
    for kind, shares in native_shares.USUAL.items()
}


class CanaryPlan(Part):
    """How canaries of a target go. After the last step the new version takes over everything."""

    strategy: Strategy = Field(
        default="weighted",
        description="what shifts the traffic; the part that is given below says it too",
    )
    weighted: Annotated[Weighted | None, BeforeValidator(filled)] = Field(
        default=None, description="on ECS: weights of a listener rule, shifted by Quarterdeck"
    )
    native: Annotated[Native | None, BeforeValidator(filled)] = Field(
        default=None, description="on ECS: its own canary, linear or blue/green deployments"
    )
    rollout: Annotated[Rollout | None, BeforeValidator(filled)] = Field(
        default=None, description="under Argo CD: an Argo Rollouts Rollout"
    )
    route: Annotated[Route | None, BeforeValidator(filled)] = Field(
        default=None, description="under Argo CD: a canary Deployment and an HTTPRoute's weights"
    )
    steps: tuple[CanaryStep, ...] = Field(
        default=STEPS,
        min_length=1,
        max_length=20,
        description="shares that grow from step to step; without them 10%, 25% and 50%, "
        "or what the kind of native can: 10% (canary), quarters (linear), 100% (blue_green)",
    )
    warm_up: Annotated[Duration | None, Field(le=timedelta(hours=1))] = Field(
        default=None,
        description="how long the new tasks of a step may fail more and be slower than usual, as "
        "they start cold; no step is passed sooner; without it three ticks of the metrics",
    )
    limits: CanaryLimits = Field(default=CanaryLimits(), description="what is never accepted")
    cloudwatch: Annotated[CloudWatch | None, BeforeValidator(filled)] = Field(
        default=None, description="judge by the load balancer's metrics, which is the default"
    )
    prometheus: Annotated[Prometheus | None, BeforeValidator(filled)] = Field(
        default=None, description="judge by what a Prometheus server has scraped"
    )
    inconclusive: Literal["extend", "ask", "roll_back"] = Field(
        default="extend",
        description="where the traffic was too little to tell: bake once more and then ask, "
        "ask at once, or roll back",
    )
    patience: Lasting = Field(
        default=timedelta(minutes=15),
        description="how long there may be no traffic or no metrics, or both versions suffer, "
        "before people are asked (or it is rolled back)",
    )
    answer_within: Lasting = Field(
        default=timedelta(hours=2),
        description="after this time without an answer a canary is rolled back",
    )
    clean_up_after: Duration = Field(
        default=timedelta(minutes=1),
        description="how long a canary without traffic keeps its tasks, so that requests end",
    )
    by_default: StrictBool = Field(
        default=False, description="whether /deploy makes a canary where it is not told how"
    )

    @model_validator(mode="before")
    @classmethod
    def _strategy_given(cls, data: Any) -> Any:
        """The part that is given says what shifts the traffic, where ``strategy`` does not."""
        given = [
            name for name in STRATEGIES if isinstance(data, dict) and data.get(name) is not None
        ]
        return {"strategy": given[0], **data} if given else data

    @model_validator(mode="before")
    @classmethod
    def _steps_of_native(cls, data: Any) -> Any:
        """Those that ECS can go by, where none are named."""
        if not isinstance(data, dict) or "steps" in data:
            return data
        native = data.get("native")
        if native is None and data.get("strategy") != "native":
            return data
        kind = native.get("kind", "canary") if isinstance(native, dict) else _kind(native)
        usual = NATIVE_STEPS.get(kind) if isinstance(kind, str) else None
        return data if usual is None else {**data, "steps": usual}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if wrong := self._shape() or self._order():
            raise PydanticCustomError("canary_plan", "{text}", {"text": wrong})
        return self

    def _shape(self) -> str:
        given = [name for name in STRATEGIES if getattr(self, name) is not None]
        if self.cloudwatch is not None and self.prometheus is not None:
            return 'a canary is judged by one source: "cloudwatch" or "prometheus"'
        if given == [self.strategy] or (not given and self.strategy == "native"):
            return ""
        parts = ", ".join(f'"{name}"' for name in STRATEGIES)
        if not given:
            return f"a canary needs one of {parts}: what shifts its traffic"
        found = " and ".join(f'"{name}"' for name in given)
        return f'"strategy" says "{self.strategy}", but {found} is given'

    def _order(self) -> str:
        at_once = self.native is not None and self.native.kind == "blue_green"
        if self.steps[-1].share == 1 and not at_once:
            return (
                "after its last step a canary gets everything anyway: only native blue_green has "
                "a step of 100%"
            )
        for number, (step, after) in enumerate(pairwise(self.steps), start=2):
            if after.share <= step.share:
                return (
                    f"shares grow from step to step: step {number} has {in_percent(after.share)} "
                    f"after {in_percent(step.share)}"
                )
        if self.strategy != "native":
            return ""
        return native_shares.wrong(_kind(self.native), [step.share for step in self.steps])


def _kind(native: object) -> native_shares.Kind:
    return native.kind if isinstance(native, Native) else "canary"
