"""``Rollouts`` on AWS ECS: tell a service to roll to another revision, and see what becomes of it.

Every call is made once; retries and waiting belong to the workflow engine.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import Any

from typing_extensions import override

from bot.model.catalog import TargetSpec
from bot.model.deployment import Image
from bot.model.errors import Misconfigured, Terminal
from bot.model.places import EcsService
from bot.model.ports import Rollouts
from bot.model.rollout import Finding, Live, Looks, Order, Plan, ReadBack, Told, Watched
from bot.providers.aws_faults import asking
from bot.providers.aws_session import AwsClients
from bot.providers.ecs import native_settings, task_definition
from bot.providers.ecs.examination import examine, warnings
from bot.providers.ecs.history import CLOCK_SLACK, History
from bot.providers.ecs.observer import Observer
from bot.providers.ecs.raw_json import with_body
from bot.providers.ecs.reads import EcsReads, Found
from bot.providers.ecs.shared_reads import SharedReads
from bot.providers.ecs.task_definition import DEPLOYMENT_TAG, TaskDefinition, short
from bot.providers.ecs.views import ServiceView

#: How many of a family's newest revisions are searched for one that was made for the deployment.
_SEARCHED = 10
_FULL = 100
#: Revisions whose pinned image is kept in memory.
_REMEMBERED = 4096
#: Task definitions that are kept for whoever needs them next, and for how many seconds.
_KEPT, _RECENT = 256, 120.0


class EcsRollouts(Rollouts):
    """Safe to share between threads. ``ticks`` counts seconds; another one is for tests."""

    def __init__(self, clients: AwsClients, ticks: Callable[[], float] = time.monotonic) -> None:
        self._clients = clients
        self._reads = EcsReads(clients)
        self._shared = SharedReads(self._reads.found)
        self._pinned: dict[tuple[str, str], Image] = {}
        self._definitions: OrderedDict[str, tuple[float, TaskDefinition]] = OrderedDict()
        self._ticks = ticks
        self._lock = Lock()
        self._history = History(self._reads, ticks)
        self._observer = Observer(self._reads, self._history, ticks)

    @override
    def live(self, spec: TargetSpec) -> Live:
        service = self._shared.service(spec.ecs).view
        primary = service.primary
        if primary is None:
            raise Misconfigured(f"The ECS service {service.name} runs no deployment.")
        return Live(
            revision=primary.revision,
            image=self._image_of(spec.ecs, primary.revision),
            desired=service.desired,
            running=service.running,
            steady=(
                len(service.deployments) == 1
                and primary.state in {"COMPLETED", ""}
                and service.running == service.desired
            ),
            rollout=primary.id,
        )

    @override
    def plan(self, spec: TargetSpec, image: Image) -> Plan:
        found = self._rollable(spec.ecs)
        base = self._definition(spec.ecs, found.answer["taskDefinition"])
        new = task_definition.succeed(base, spec.ecs.container, image)
        return Plan(task_definition.diff(base, new), warnings(spec.ecs, found, base))

    @override
    def prepare(self, spec: TargetSpec, order: Order) -> str:
        if order.revision is not None:
            return order.revision
        made = self._made_before(spec.ecs, order)
        if made is not None:
            return made
        base = self._recent(order.base) or self._definition(spec.ecs, order.base)
        new = task_definition.succeed(base, spec.ecs.container, order.image)
        body = task_definition.tagged(new, base, order.deployment_id, order.image)
        client = self._clients.ecs(spec.ecs.region, spec.ecs.role)
        with asking("ecs:RegisterTaskDefinition", body["family"], writes=True):
            # boto3 checks the members it knows; the body goes out as it is.
            answer = client.register_task_definition(
                family=body["family"], containerDefinitions=[], **with_body(body)
            )
            return answer["taskDefinition"]["taskDefinitionArn"]

    @override
    def start(self, spec: TargetSpec, order: Order, revision: str) -> str | None:
        ecs = spec.ecs
        found = self._rollable(ecs)
        if order.revision is None:
            unchanged(found.view, order, revision)
        configuration = safe_configuration(self._own(ecs, found))
        body = {
            "cluster": ecs.cluster,
            "service": ecs.service,
            "taskDefinition": revision,
            "deploymentConfiguration": configuration,
        }
        client = self._clients.ecs(ecs.region, ecs.role)
        with asking("ecs:UpdateService", f"{ecs.cluster}/{ecs.service}", writes=True):
            answer = client.update_service(
                cluster=ecs.cluster, service=ecs.service, **with_body(body)
            )
            return next(
                (
                    each["id"]
                    for each in answer["service"].get("deployments", ())
                    if each["status"] == "PRIMARY" and each["taskDefinition"] == revision
                ),
                None,
            )

    @override
    def read_back(self, spec: TargetSpec, order: Order, revision: str, since: datetime) -> ReadBack:
        service = self._reads.service(spec.ecs).view
        handle = _listed(service, order, revision, since)
        if handle is not None:
            return ReadBack(Told.YES, handle)
        known = self._history.knows(spec.ecs, revision, order.base, since)
        if known:
            return ReadBack(
                Told.YES, None, "ECS was told, and the rollout has ended or was replaced since."
            )
        return _not_listed(service, order, since, certain=known is not None)

    @override
    def observe(self, watched: Sequence[tuple[TargetSpec, Watched]]) -> Looks:
        return self._observer.observe(watched)

    @override
    def usable(self, spec: TargetSpec, revision: str) -> str | None:
        definition = self._reads.task_definition(spec.ecs, revision)
        if definition is None:
            return f"The task definition {short(revision)} no longer exists."
        if not definition.active:
            return f"The task definition {short(revision)} was deregistered."
        if spec.ecs.container not in definition.containers:
            return f"The task definition {short(revision)} has no container {spec.ecs.container!r}."
        return None

    @override
    def examine(self, spec: TargetSpec) -> Sequence[Finding]:
        return examine(self._reads, spec)

    def _definition(self, ecs: EcsService, name: str) -> TaskDefinition:
        definition = self._reads.task_definition(ecs, name)
        if definition is None:
            raise Misconfigured(f"The task definition {short(name)} no longer exists.")
        with self._lock:
            self._definitions[name] = (self._ticks(), definition)
            while len(self._definitions) > _KEPT:
                self._definitions.popitem(last=False)
        return definition

    def _recent(self, name: str) -> TaskDefinition | None:
        """As it was read a moment ago: the definition never changes, its tags hardly ever do."""
        with self._lock:
            at, definition = self._definitions.pop(name, (float("-inf"), None))
        return definition if self._ticks() - at < _RECENT else None

    def _own(self, ecs: EcsService, found: Found) -> Mapping[str, Any]:
        """The service's own deployment configuration: a canary's may still be in its place, and
        would hold this rollout up at pauses that nobody answers."""
        if not native_settings.is_set(found.configuration):
            return found.configuration
        tag = self._reads.tagged(ecs).tags.get(native_settings.BEFORE_TAG)
        return native_settings.restored(found.configuration, tag)

    def _rollable(self, ecs: EcsService) -> Found:
        """The service, if it is one whose deployments ECS itself rolls without downtime."""
        found = self._shared.service(ecs)
        if found.view.controller != "ECS":
            raise Misconfigured(
                f"{found.view.controller} controls the deployments of {ecs.service}, not ECS.",
                hint="Quarterdeck rolls services whose deployment controller is ECS.",
            )
        if found.view.scheduling == "DAEMON":
            raise Misconfigured(
                f"{ecs.service} is a DAEMON: ECS stops its tasks before it starts new ones.",
                hint="Quarterdeck rolls REPLICA services only.",
            )
        return found

    def _image_of(self, ecs: EcsService, revision: str) -> Image | None:
        """What a revision runs. A task definition never changes, so a pinned image is kept."""
        key = (revision, ecs.container)
        if (kept := self._pinned.get(key)) is not None:
            return kept
        definition = self._definition(ecs, revision)
        image = self._image(ecs, definition)
        if image is not None and definition.image(ecs.container) is not None:
            if len(self._pinned) >= _REMEMBERED:
                self._pinned.clear()
            self._pinned[key] = image
        return image

    def _image(self, ecs: EcsService, definition: TaskDefinition) -> Image | None:
        """What runs: the pinned digest, or what running tasks say they pulled for the tag."""
        pinned = definition.image(ecs.container)
        if pinned is not None:
            return pinned
        uri = str(definition.container(ecs.container).get("image", ""))
        repository, tag, _ = task_definition.split_image(uri)
        try:
            tasks = self._reads.tasks(ecs, "RUNNING", _SEARCHED)
        except Terminal:
            return None  # not allowed to look: what runs stays unnamed
        digests = {
            container.get("imageDigest", "")
            for task in tasks
            if task.get("taskDefinitionArn") == definition.arn
            for container in task.get("containers", ())
            if container.get("name") == ecs.container
        } - {""}
        # A moved tag may have given tasks of one revision different images: then none is *the* one.
        return Image(repository, digests.pop(), tag or "latest") if len(digests) == 1 else None

    def _made_before(self, ecs: EcsService, order: Order) -> str | None:
        """The revision an earlier try registered. Ours are newer than their base, so that in the
        common case, where the base is the newest, listing is all that is asked."""
        family = task_definition.family_of(order.base)
        for arn in self._reads.newest_revisions(ecs, family, _SEARCHED):
            if task_definition.family_of(arn) != family:
                continue
            if task_definition.number_of(arn) <= task_definition.number_of(order.base):
                return None
            definition = self._reads.task_definition(ecs, arn)
            if definition and definition.tags.get(DEPLOYMENT_TAG) == order.deployment_id:
                return arn
        return None


def safe_configuration(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A service's deployment configuration with what zero downtime needs; all else is kept.

    Old tasks stay until new ones are healthy (minimum 100 %), there is room for new ones
    (maximum above 100 %), and the circuit breaker takes a failed deployment back.
    """
    maximum = configuration.get("maximumPercent") or 0
    breaker = configuration.get("deploymentCircuitBreaker") or {}
    return {
        **configuration,
        "minimumHealthyPercent": _FULL,
        "maximumPercent": maximum if maximum > _FULL else 2 * _FULL,
        "deploymentCircuitBreaker": {**breaker, "enable": True, "rollback": True},
    }


def unchanged(service: ServiceView, order: Order, revision: str) -> None:
    """What a new revision was made from must still run: somebody's doing would be undone unseen.

    Raises ``Terminal`` (``STALE_FROM``).
    """
    primary = service.primary
    if primary is None or primary.revision in {order.base, revision}:
        return
    raise Terminal(
        f"{service.name} ran {short(order.base)} when this began, and by now runs "
        f"{short(primary.revision)}, which Quarterdeck did not deploy. ECS was told nothing.",
        reason_code="STALE_FROM",
        hint=f"If that is fine, go on from it with /deploy retry {order.deployment_id}.",
    )


def _listed(service: ServiceView, order: Order, revision: str, since: datetime) -> str | None:
    """The id of a deployment that shows that ECS was told.

    A revision made for this order is only rolled by it. One that ran before (a rollback's) may
    still be draining from earlier: then only a PRIMARY one, or one younger than that of ``base``
    (than ``since``, where that is gone), counts.
    """
    bases = [each.created_at for each in service.deployments if each.revision == order.base]
    after = max((at for at in bases if at is not None), default=since - CLOCK_SLACK)
    for each in service.deployments:
        young = each.created_at is not None and each.created_at > after
        told = each.status == "PRIMARY" or order.revision is None or young
        if each.revision == revision and told:
            return each.id
    return None


def _not_listed(service: ServiceView, order: Order, since: datetime, *, certain: bool) -> ReadBack:
    """ECS shows no deployment of our revision: never told, or told and over?"""
    primary = service.primary
    if primary is None:
        return ReadBack(Told.CANNOT_KNOW, None, "ECS shows no deployment of the service at all.")
    if order.base and primary.revision != order.base:
        return ReadBack(
            Told.SOMEONE_ELSE, None, f"{short(primary.revision)} was deployed by somebody else."
        )
    undone = any(
        each.at >= since - CLOCK_SLACK
        and ("rolling back" in each.message or "deployment failed" in each.message)
        for each in service.events
    )
    if not certain and undone:
        return ReadBack(
            Told.CANNOT_KNOW, None, "ECS took a deployment back, and does not say whose it was."
        )
    return ReadBack(Told.NO)
