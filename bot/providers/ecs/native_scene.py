"""All that is read for one look at a canary that ECS itself shifts: nothing is judged here.

Two accounts of the traffic are read: what ECS has asked for, which its model calls "a snapshot",
and then the weights of the load balancer's rule. The rule is read last, so that it is never older
than the pause that is told beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from bot.model.canary import Arms, Crew
from bot.model.canary_plan import Weighted
from bot.model.catalog import TargetSpec
from bot.model.errors import Misconfigured
from bot.model.places import EcsService
from bot.providers.aws_session import AwsClients
from bot.providers.ecs.listener import ALIKE, IMPOSSIBLE, Health, Listener, Split
from bot.providers.ecs.native_settings import pauses_of_others
from bot.providers.ecs.reads import Account, EcsReads, Tagged, account_of
from bot.providers.ecs.views import ServiceDeploymentView, service_deployment_view

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import ServiceDeploymentTypeDef

#: Statuses of a service deployment that has not ended, and of one that is taken back.
OPEN = frozenset({"PENDING", "IN_PROGRESS"})
BACKWARDS = frozenset({"ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "STOP_REQUESTED"})
#: By which part of itself a rule's share may differ from what ECS asked for: weights are whole.
ROUNDED = 0.1
#: The stable version has to have so much of itself healthy before traffic goes back to it.
SOUND = 0.5
_FINAL = ("BAKE_TIME", "CLEAN_UP")
_APPLICATION_RULE = ":listener-rule/app/"
_NEEDED = ("alternateTargetGroupArn", "productionListenerRule", "roleArn")
_REMEMBERED = 2048


@dataclass(frozen=True, slots=True)
class Pause:
    """A PAUSE hook that waits for an answer, under the id it has this time."""

    id: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Our service deployment. ``share`` is what ECS has asked for, from 0 to 1.

    ``waiting`` are the hooks that wait, whoever they belong to. Which stage it is at decides only
    between a hook of ours and one of somebody else's: for our first stage AWS's documentation and
    its model name different ones.
    """

    view: ServiceDeploymentView
    share: float
    stage: str
    waiting: tuple[Pause, ...]
    others: frozenset[str]

    @property
    def open(self) -> bool:
        """Whether it goes on, forwards."""
        return self.view.status in OPEN

    @property
    def final(self) -> bool:
        """Whether it is past every pause of ours."""
        return self.view.status == "SUCCESSFUL" or (self.open and self.stage in _FINAL)

    @property
    def pause(self) -> Pause | None:
        """The hook that waits for us."""
        return self.waiting[0] if self.waiting and self.stage not in self.others else None

    @property
    def strange(self) -> bool:
        """Whether it waits for somebody else."""
        return bool(self.waiting) and self.stage in self.others


@dataclass(frozen=True, slots=True)
class Newest:
    """The service's newest deployment, whosever it is."""

    arn: str
    status: str
    revision: str

    @property
    def busy(self) -> bool:
        """Whether it has not ended."""
        return self.status in OPEN | BACKWARDS


@dataclass(frozen=True, slots=True)
class Scene:
    """One look. ``run`` is ``None`` where ECS lists no deployment of the revision.

    ``pair`` are the stable version's target group and the canary's, as they are now: they take
    turns from deployment to deployment. ``split`` is the rule's, with the canary's share.
    """

    spec: TargetSpec
    service: Tagged
    pair: Weighted
    split: Split
    stable_health: Health
    canary_health: Health
    newest: Newest | None = None
    run: Run | None = None
    revision: str = ""

    @property
    def ecs(self) -> EcsService:
        """Where the service is."""
        return self.spec.ecs

    @property
    def asked(self) -> float:
        """The canary's share as ECS wants it."""
        return self.run.share if self.run is not None else 0.0

    @property
    def agrees(self) -> bool:
        """Whether the rule's weights are what ECS asked for."""
        apart = abs(self.split.share - self.asked)
        return apart <= ROUNDED * max(self.split.share, self.asked) or apart < ALIKE

    @property
    def share(self) -> float:
        """The canary's share of the traffic."""
        return self.asked if self.agrees else self.split.share

    @property
    def off(self) -> bool:
        """Whether no traffic goes to the canary, by either account."""
        return max(self.asked, self.split.share) < ALIKE

    @property
    def overtaken(self) -> bool:
        """Whether another deployment was started after ours."""
        return (
            self.run is not None
            and self.newest is not None
            and self.newest.arn != self.run.view.arn
        )

    @property
    def busy(self) -> bool:
        """Whether any deployment of the service is under way."""
        return self.newest is not None and self.newest.busy

    @property
    def tasks(self) -> int:
        """Running tasks of the canary."""
        return sum(
            each.running for each in self.service.view.deployments if each.revision == self.revision
        )

    @property
    def done(self) -> bool:
        """Whether the service is the canary's by now, and no one else's."""
        return self.run is not None and self.run.view.status == "SUCCESSFUL" and not self.overtaken

    @property
    def canary(self) -> Crew:
        """Its tasks: ECS runs the new version at the service's full size."""
        on = self.done or (self.run is not None and self.run.open)
        return Crew(self.service.view.desired if on else 0, self.tasks, self.canary_health.healthy)

    @property
    def stable(self) -> Crew:
        """The tasks of what ran before."""
        view = self.service.view
        wanted = 0 if self.done else view.desired
        return Crew(wanted, view.running - self.tasks, self.stable_health.healthy)

    @property
    def able(self) -> int:
        """Tasks of the stable version that can serve: a target that has just died still counts as
        healthy until its checks fail."""
        return min(self.stable.healthy, self.stable.running)

    @property
    def sound(self) -> bool:
        """Whether the stable version can take all the traffic."""
        desired = self.stable.desired
        return self.able >= min(1, desired) and self.able >= SOUND * desired

    @property
    def arms(self) -> Arms:
        """By which CloudWatch tells the two apart."""
        return Arms(self.pair.stable, self.pair.canary, self.pair.load_balancer)


class Scenes:
    """Reads scenes. Safe to share between threads; each call is made once."""

    def __init__(self, clients: AwsClients) -> None:
        self._reads = EcsReads(clients)
        self._listener = Listener(clients)
        self._lock = Lock()
        self._definitions: dict[str, str] = {}
        self._groups: dict[str, Mapping[str, str]] = {}

    def of(self, spec: TargetSpec, revision: str = "") -> Scene:
        """How the service stands, and the deployment of ``revision``, where it is told of.

        Raises ``Misconfigured`` where the service has not what ECS needs to shift traffic.
        """
        account = account_of(spec.ecs)
        service = self._reads.tagged(spec.ecs)
        balancer = balancer_of(service, spec.ecs)
        rule = balancer["advancedConfiguration"]["productionListenerRule"]
        newest, record = self._deployments(spec.ecs, revision)
        run, group = None, None
        if record is not None:
            run = run_of(record, revision)
            group = self._group(account, record, rule)
        pair, split = self._pair(account, balancer, group)
        return Scene(
            spec,
            service,
            pair,
            split,
            self._listener.health(account, pair.stable),
            self._listener.health(account, pair.canary),
            newest,
            run,
            revision,
        )

    def _deployments(
        self, ecs: EcsService, revision: str
    ) -> tuple[Newest | None, ServiceDeploymentTypeDef | None]:
        """The newest, and the newest of ``revision``, which no one else's order rolls out."""
        account = account_of(ecs)
        briefs = self._reads.deployments_since(ecs, None)
        if not briefs:
            return None, None
        targets = [each.get("targetServiceRevisionArn", "") for each in briefs]
        names = self._names(account, targets)
        newest = Newest(
            briefs[0]["serviceDeploymentArn"],
            briefs[0].get("status", ""),
            names.get(targets[0], ""),
        )
        arn = next(
            (
                brief["serviceDeploymentArn"]
                for brief, target in zip(briefs, targets, strict=True)
                if revision and names.get(target) == revision
            ),
            None,
        )
        found = self._reads.deployments(account, [arn]) if arn is not None else []
        return newest, found[0] if found else None

    def _names(self, account: Account, revisions: Sequence[str]) -> dict[str, str]:
        """The task definitions of service revisions, which never change; asked for once."""
        with self._lock:
            missing = sorted({each for each in revisions if each not in self._definitions})
        if missing:
            self._ask(account, missing)
        with self._lock:
            return {each: self._definitions.get(each, "") for each in revisions}

    def _group(self, account: Account, record: ServiceDeploymentTypeDef, rule: str) -> str | None:
        """The target group that ECS gave the canary; ``None`` as long as it has not."""
        arn = record.get("targetServiceRevision", {}).get("arn", "")
        with self._lock:
            known = arn in self._groups
        if not known:
            self._ask(account, [arn])
        with self._lock:
            return self._groups.get(arn, {}).get(rule)

    def _ask(self, account: Account, arns: Sequence[str]) -> None:
        answered = self._reads.revisions(account, arns)
        with self._lock:
            if len(self._definitions) + len(answered) > _REMEMBERED:
                self._definitions.clear()
                self._groups.clear()
            for each in answered:
                arn = each["serviceRevisionArn"]
                self._definitions[arn] = each.get("taskDefinition", "")
                resolved = each.get("resolvedConfiguration", {}).get("loadBalancers", ())
                groups = {
                    one.get("productionListenerRule", ""): one.get("targetGroupArn", "")
                    for one in resolved
                }
                if groups:
                    self._groups[arn] = groups

    def _pair(
        self, account: Account, balancer: Mapping[str, Any], canary: str | None
    ) -> tuple[Weighted, Split]:
        """Which group is whose. Before ECS has said so, the one in production is the stable's."""
        advanced = balancer["advancedConfiguration"]
        groups = (balancer["targetGroupArn"], advanced["alternateTargetGroupArn"])
        rule = advanced["productionListenerRule"]
        pair = Weighted(rule=rule, stable=groups[0], canary=groups[1])
        split = self._listener.split(account, pair)
        turned = split.share > 1 / 2 if canary is None else canary == groups[0]
        if not turned:
            return pair, split
        pair = Weighted(rule=rule, stable=groups[1], canary=groups[0])
        return pair, Split(1.0 - split.share, split.sticky, split.wrong, split.forward)


def balancer_of(service: Tagged, ecs: EcsService) -> Mapping[str, Any]:
    """The load balancer of the service's container. Raises ``Misconfigured`` if it cannot do."""
    balancers = service.body.get("loadBalancers") or ()
    wrong = ""
    if not balancers:
        wrong = f"{ecs.service} is behind no load balancer."
    for each in balancers:
        advanced = each.get("advancedConfiguration") or {}
        lacks = [name for name in _NEEDED if not advanced.get(name)]
        if lacks:
            wrong = f"{ecs.service}'s load balancer has no advancedConfiguration.{lacks[0]}."
        elif _APPLICATION_RULE not in advanced["productionListenerRule"]:
            wrong = f"{ecs.service}'s traffic comes by no rule of an application load balancer."
    if wrong:
        raise Misconfigured(
            wrong,
            reason_code=IMPOSSIBLE,
            hint="Give each of its loadBalancers an advancedConfiguration with a second target "
            "group, a listener rule and a role, and deploy it once; or deploy with --rolling.",
        )
    ours = [each for each in balancers if each.get("containerName") == ecs.container]
    chosen: Mapping[str, Any] = (ours or list(balancers))[0]
    return chosen


def run_of(record: ServiceDeploymentTypeDef, revision: str) -> Run:
    """From an entry of DescribeServiceDeployments. Pure."""
    target = record.get("targetServiceRevision", {})
    return Run(
        view=service_deployment_view(record, revision),
        share=round(target.get("requestedProductionTrafficWeight", 0.0) / 100, 6),
        stage=record.get("lifecycleStage", ""),
        waiting=tuple(
            Pause(each.get("hookId", ""), each.get("expiresAt"))
            for each in record.get("lifecycleHookDetails", ())
            if each.get("targetType") == "PAUSE" and each.get("status") == "AWAITING_ACTION"
        ),
        others=pauses_of_others(record.get("deploymentConfiguration", {})),
    )
