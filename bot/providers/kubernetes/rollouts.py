"""``Rollouts`` on plain Deployments: patch the image, and follow the rollout.

A revision is the text of the container's image. Two deployments of one image share it, and are
told apart by an annotation. Every call is made once; retries and waiting belong to the workflow
engine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from typing_extensions import override

from bot.model.catalog import TargetSpec
from bot.model.deployment import Image
from bot.model.errors import Misconfigured, QuarterdeckError, Terminal
from bot.model.places import KubernetesDeployment
from bot.model.ports import Rollouts
from bot.model.rollout import Finding, Live, Looks, Order, Plan, ReadBack, Told, Watched
from bot.providers.kube.cluster import DEPLOYMENTS, PODS, REPLICA_SETS, Clusters, Raw, Select
from bot.providers.kube.faults import NotThere
from bot.providers.kube.fields import Fields
from bot.providers.kube.rollout_status import standing
from bot.providers.kube.watches import Watches
from bot.providers.kube.workload import (
    DEPLOYMENT_ANNOTATION,
    Container,
    Workload,
    digest_in,
    image_of,
    workload_of,
)
from bot.providers.kube.zero_downtime import obstacles
from bot.providers.kubernetes import patches
from bot.providers.kubernetes.examination import examine
from bot.providers.kubernetes.observer import Observer
from bot.providers.manifests.values import value_for

_LOOKED_AT = 20


class Found(NamedTuple):
    """A Deployment as it stands, and as values; and the container in it that is ours."""

    raw: Raw
    view: Workload
    container: Container

    @property
    def template(self) -> Raw:
        """Its pod template."""
        template: Raw = (self.raw.get("spec") or {}).get("template") or {}
        return template


class KubernetesRollouts(Rollouts):
    """Safe to share between threads. ``ticks`` counts seconds; another one is for tests."""

    def __init__(
        self,
        clusters: Clusters,
        watches: Watches,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clusters = clusters
        self._observer = Observer(clusters, watches, ticks)

    @override
    def live(self, spec: TargetSpec) -> Live:
        place = spec.kubernetes
        found = self._read(place)
        view, stands = found.view, standing(found.view)
        return Live(
            revision=found.container.image,
            image=image_of(found.container.image) or self._pulled(place, found),
            desired=view.desired,
            running=view.available,
            steady=stands.done or stands.failed,
            rollout=str(view.generation),
            downtime=_downtime(place, found),
        )

    @override
    def plan(self, spec: TargetSpec, image: Image) -> Plan:
        place = spec.kubernetes
        found = self._read(place)
        after = patches.with_image(found.template, place.container, _text(image))
        paused = "The Deployment is paused: nothing would be rolled."
        return Plan(patches.diff(found.template, after), (paused,) if found.view.paused else ())

    @override
    def prepare(self, spec: TargetSpec, order: Order) -> str:
        if order.revision is not None:
            return order.revision
        self._read(spec.kubernetes)
        return _text(order.image)

    @override
    def start(self, spec: TargetSpec, order: Order, revision: str) -> str | None:
        place = spec.kubernetes
        found = self._read(place)
        if found.view.paused:
            raise Terminal(
                f"Deployment {place.deployment} is paused, so nothing would be rolled.",
                hint="kubectl rollout resume lets it go on.",
            )
        if order.revision is None:
            _unchanged(place, found, order, revision)
        template = None
        if order.revision is not None:
            template = self._earlier(place, found, revision)
        if template is None:
            template = patches.with_image(found.template, place.container, revision)
        body = patches.patch(found.raw, template, order)
        cluster = self._clusters.at(place.cluster)
        answer = cluster.patch(DEPLOYMENTS, place.namespace, place.deployment, body)
        return str(workload_of(answer).generation)

    @override
    def read_back(self, spec: TargetSpec, order: Order, revision: str, since: datetime) -> ReadBack:
        found = self._read(spec.kubernetes)
        if found.view.annotations.get(DEPLOYMENT_ANNOTATION) == order.deployment_id:
            return ReadBack(Told.YES, str(found.view.generation))
        if not order.base or found.container.image in {order.base, revision}:
            return ReadBack(Told.NO)
        said = f"{found.container.image} was deployed by somebody else."
        return ReadBack(Told.SOMEONE_ELSE, None, said)

    @override
    def observe(self, watched: Sequence[tuple[TargetSpec, Watched]]) -> Looks:
        return self._observer.observe(watched)

    @override
    def usable(self, spec: TargetSpec, revision: str) -> str | None:
        # Any image can be patched in; whether the registry still has it is the registry's to say.
        try:
            self._read(spec.kubernetes)
        except Misconfigured as fault:
            return fault.message
        return None

    @override
    def examine(self, spec: TargetSpec) -> Sequence[Finding]:
        def look() -> tuple[Workload, tuple[str, ...]]:
            found = self._read(spec.kubernetes)
            return found.view, _downtime(spec.kubernetes, found)

        return examine(self._clusters, spec, look)

    def _read(self, place: KubernetesDeployment) -> Found:
        """Raises ``Misconfigured`` where Deployment or container are not there."""
        cluster = self._clusters.at(place.cluster)
        raw = cluster.get(DEPLOYMENTS, place.namespace, place.deployment)
        if raw is None:
            raise NotThere(
                f"There is no Deployment {place.deployment} in namespace {place.namespace}.",
                hint="Check cluster, namespace and deployment in the catalog.",
            )
        view = workload_of(raw)
        container = view.container(place.container)
        if container is None:
            others = ", ".join(each.name for each in view.containers)
            raise Misconfigured(
                f"Deployment {place.deployment} has no container {place.container}, only {others}.",
                hint="Correct `container` in the catalog.",
            )
        return Found(raw, view, container)

    def _earlier(self, place: KubernetesDeployment, found: Found, image: str) -> Raw | None:
        """The template that ran that image before, where the history has it and we may read it."""
        labels = ",".join(f"{key}={value}" for key, value in sorted(found.view.selector.items()))
        cluster = self._clusters.at(place.cluster)
        try:
            listed = cluster.list(REPLICA_SETS, place.namespace, Select(labels)).items
        except Terminal:
            return None  # not allowed to look: the image alone goes back
        history = patches.owned(listed, found.view.uid)
        return patches.earlier_template(history, place.container, image)

    def _pulled(self, place: KubernetesDeployment, found: Found) -> Image | None:
        """What running pods say they pulled for a tag. A moved tag may have given them different
        images: then none is *the* one."""
        labels = ",".join(f"{key}={value}" for key, value in sorted(found.view.selector.items()))
        cluster = self._clusters.at(place.cluster)
        try:
            pods = cluster.list(PODS, place.namespace, Select(labels, limit=_LOOKED_AT)).items
        except QuarterdeckError:
            return None
        digests = {digest for pod in pods if (digest := _digest(pod, place.container))}
        if len(digests) != 1:
            return None
        return image_of(f"{found.container.image}@{digests.pop()}")


def _digest(pod: Raw, container: str) -> str:
    statuses = Fields(pod, "Pod").inside("status").items("containerStatuses")
    return next((digest_in(e.text("imageID")) for e in statuses if e.text("name") == container), "")


def _unchanged(place: KubernetesDeployment, found: Found, order: Order, revision: str) -> None:
    """What it was asked to change must still run: somebody's doing would be undone unseen."""
    if found.container.image in {order.base, revision}:
        return
    raise Terminal(
        f"Deployment {place.deployment} ran {order.base} when this began, and by now runs "
        f"{found.container.image}, which Quarterdeck did not deploy. Nothing was changed.",
        reason_code="STALE_FROM",
        hint=f"If that is fine, go on from it with /deploy retry {order.deployment_id}.",
    )


def _downtime(place: KubernetesDeployment, found: Found) -> tuple[str, ...]:
    return () if place.downtime_accepted else obstacles(found.view, (found.container,))


def _text(image: Image) -> str:
    return value_for("image", image)
