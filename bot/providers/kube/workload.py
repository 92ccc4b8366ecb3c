"""A Deployment, or an Argo Rollout, as values. Pure.

Fields: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.model.deployment import Image, Progress
from bot.providers.kube.cluster import Raw
from bot.providers.kube.fields import Fields

#: What tells of our deployment on a Deployment that we patched.
DEPLOYMENT_ANNOTATION = "quarterdeck.dev/deployment-id"
_ROLLOUT_KINDS = ("canary", "blueGreen")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Container:
    """A container of the pod template; ``probed`` says whether readiness is looked at."""

    name: str
    image: str
    probed: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """One of the object's conditions; ``holds`` is its status being True."""

    kind: str
    holds: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Strategy:
    """How pods are replaced; numbers or percentages, as they are written."""

    kind: str = "RollingUpdate"
    unavailable: int | str = "25%"
    surge: int | str = "25%"


@dataclass(frozen=True, slots=True)
class Workload:
    """What is to run, and what does: counts are of pods, ``updated`` those of the newest template.

    ``generation`` counts changes of the wish, ``observed`` is the one its controller has seen.
    """

    kind: str
    name: str
    namespace: str
    uid: str
    generation: int
    observed: int
    desired: int
    replicas: int
    updated: int
    available: int
    containers: tuple[Container, ...]
    strategy: Strategy
    selector: Mapping[str, str]
    conditions: tuple[Condition, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    paused: bool = False
    deleting: bool = False

    def container(self, name: str) -> Container | None:
        """By its name."""
        return next((each for each in self.containers if each.name == name), None)

    def condition(self, kind: str) -> Condition | None:
        """By its type."""
        return next((each for each in self.conditions if each.kind == kind), None)

    @property
    def progress(self) -> Progress:
        """Old pods are taken for available: a rollout takes them away only as new ones are.

        Until its controller has seen the newest template, what it counts is of the one before.
        """
        if self.observed < self.generation:
            return Progress(self.desired, old=self.replicas)
        old = max(0, self.replicas - self.updated)
        running = max(0, min(self.updated, self.available - old))
        short = max(0, self.updated - running)
        pending, failed = (0, short) if self._failed else (short, 0)
        return Progress(self.desired, running, pending, failed, old)

    def misses(self, digest: str) -> bool:
        """Whether its newest template surely has no image of that digest."""
        images = [each.image for each in self.containers]
        return bool(digest and images) and not any(digest in image for image in images)

    @property
    def _failed(self) -> bool:
        progressing = self.condition("Progressing")
        return progressing is not None and progressing.reason == "ProgressDeadlineExceeded"


def workload_of(raw: Raw) -> Workload:
    """From the API's JSON. Raises ``Unreachable`` where it cannot be read."""
    found = Fields(raw, str(raw.get("kind") or "workload"))
    metadata, spec, status = (found.inside(key) for key in ("metadata", "spec", "status"))
    return Workload(
        kind=found.text("kind") or "Deployment",
        name=metadata.text("name"),
        namespace=metadata.text("namespace"),
        uid=metadata.text("uid"),
        generation=metadata.number("generation"),
        observed=_observed(status),
        desired=spec.number("replicas", 1),
        replicas=status.number("replicas"),
        updated=status.number("updatedReplicas"),
        available=status.number("availableReplicas"),
        containers=containers_of(spec.inside("template")),
        strategy=_strategy(spec.inside("strategy")),
        selector=spec.inside("selector").strings("matchLabels"),
        conditions=tuple(
            Condition(
                each.text("type"),
                each.text("status") == "True",
                each.text("reason"),
                each.text("message"),
            )
            for each in status.items("conditions")
        ),
        annotations=metadata.strings("annotations"),
        paused=spec.flag("paused"),
        deleting=metadata.has("deletionTimestamp"),
    )


def containers_of(template: Fields) -> tuple[Container, ...]:
    """The containers of a pod template."""
    return tuple(
        Container(each.text("name"), each.text("image"), each.has("readinessProbe"))
        for each in template.inside("spec").items("containers")
    )


def _observed(status: Fields) -> int:
    # An Argo Rollout writes it as a string.
    value = status.raw("observedGeneration")
    if isinstance(value, str):
        return int(value) if value.isdigit() else 0
    return status.number("observedGeneration")


def _strategy(strategy: Fields) -> Strategy:
    named = next((each for each in _ROLLOUT_KINDS if strategy.has(each)), strategy.text("type"))
    rolling = strategy.inside("canary" if named == "canary" else "rollingUpdate")
    return Strategy(
        named or "RollingUpdate",
        _share(rolling.raw("maxUnavailable")),
        _share(rolling.raw("maxSurge")),
    )


def _share(value: object) -> int | str:
    return value if isinstance(value, int | str) and not isinstance(value, bool) else "25%"


def digest_in(text: str) -> str:
    """The digest that an image's text, or a value in git, is pinned to; empty where it is not."""
    found = _DIGEST.search(text)
    return found[0] if found else ""


def image_of(text: str) -> Image | None:
    """``repository:tag@sha256:...`` as a value; ``None`` where it is not pinned to a digest."""
    digest = digest_in(text)
    name, at, _ = text.partition("@")
    if not digest or not at:
        return None
    folder, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return Image(f"{folder}{slash}{last}", digest, tag or digest)
