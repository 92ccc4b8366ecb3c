"""What the cluster shows of a Rollout and of its ReplicaSets, as values. Pure.

Fields are those of the CRD argoproj.io/v1alpha1; what they mean is told by Argo Rollouts'
``utils/rollout`` and ``rollout/canary.go``. ``status.phase`` is there since version 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.model.errors import Unreachable
from bot.providers.kube.cluster import Raw
from bot.providers.kube.fields import Fields, line
from bot.providers.kube.workload import containers_of

#: What tells the ReplicaSets of one Rollout, and their pods, from each other.
HASH = "rollouts-pod-template-hash"
#: Why a Rollout waits: at one of its steps, or because an analysis could not tell.
AT_STEP, INCONCLUSIVE = "CanaryPauseStep", "InconclusiveAnalysisRun"
_WORKLOAD_GENERATION = "rollout.argoproj.io/workload-generation"
_ALL = 100


@dataclass(frozen=True, slots=True)
class Step:
    """One canary step. ``weight`` is set by ``setWeight``; ``lasts`` is a pause's own end, and
    empty where it has none. ``kind`` is its name in the manifest."""

    kind: str
    weight: int | None = None
    lasts: str = ""

    @property
    def text(self) -> str:
        """For people: ``setWeight: 10``, ``pause: 5m``."""
        value = self.weight if self.weight is not None else self.lasts
        return self.kind if value in {None, ""} else f"{self.kind}: {value}"


@dataclass(frozen=True, slots=True)
class Pause:
    """Why a Rollout waits, and since when by the cluster's clock."""

    reason: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Weights:
    """What the traffic router was told last: weights by the hash of the pods that get them.

    ``verified`` is ``False`` while the router's own answer is still awaited.
    """

    by_hash: Mapping[str, int]
    verified: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a Rollout is. ``current`` and ``stable`` are hashes: of what is to run, and of what
    got through all steps last. ``promoting`` says that all steps are to be left out."""

    phase: str
    message: str
    current: str
    stable: str
    index: int
    pauses: tuple[Pause, ...]
    controller_pause: bool
    aborted: bool
    promoting: bool


@dataclass(frozen=True, slots=True)
class RolloutView:
    """A Rollout. ``full`` is the weight of all traffic; ``routed`` says that a router divides it,
    not the pods' number. ``gradual`` says that an abort takes traffic off no faster than
    pods of the stable version become available. ``seen`` tells whether the controller has seen its
    newest spec.

    ``images`` are those of its own pod template, none where it takes one from a Deployment.
    ``rewinds`` says that an earlier version may leave out all steps (``rollbackWindow``).
    """

    uid: str
    version: str
    seen: bool
    deleting: bool
    replicas: int
    paused: bool
    canary: bool
    routed: bool
    gradual: bool
    full: int
    stable_service: str
    canary_service: str
    ping_pong: bool
    analysed: bool
    rewinds: bool
    steps: tuple[Step, ...]
    images: tuple[str, ...]
    selector: Mapping[str, str]
    progress: Progress
    weights: Weights | None

    @property
    def promoted(self) -> bool:
        """Whether what is to run got through all steps."""
        return self.progress.stable != "" and self.progress.stable == self.progress.current

    @property
    def unpausing(self) -> bool:
        """Whether a pause was ended that the controller has not taken note of yet."""
        return self.progress.controller_pause and not self.progress.pauses

    @property
    def at_step(self) -> bool:
        """Whether it waits at a step for somebody to promote it."""
        return any(each.reason == AT_STEP for each in self.progress.pauses)

    @property
    def weight(self) -> int:
        """The weight of the step that it is at, or was at last."""
        if self.progress.aborted:
            return 0
        if self.progress.index >= len(self.steps):
            return self.full
        reached = self.steps[: self.progress.index + 1]
        return next((each.weight for each in reversed(reached) if each.weight is not None), 0)

    @property
    def pauses_ahead(self) -> int:
        """How many of its steps still are to be waited at, the one where it waits now included."""
        return sum(each.kind == "pause" for each in self.steps[self.progress.index :])


@dataclass(frozen=True, slots=True)
class PodsView:
    """A ReplicaSet: how many pods of one version are wanted, run, and are available."""

    hash: str
    images: tuple[str, ...]
    desired: int
    running: int
    available: int


def rollout_of(raw: Raw) -> RolloutView:
    """From the API's JSON. Raises ``Unreachable`` where it cannot be read."""
    found = Fields(raw, "Rollout")
    metadata, spec, status = (found.inside(key) for key in ("metadata", "spec", "status"))
    canary = spec.inside("strategy").inside("canary")
    routing = canary.inside("trafficRouting")
    steps = tuple(_step(each) for each in canary.items("steps"))
    return RolloutView(
        uid=metadata.text("uid"),
        version=metadata.text("resourceVersion"),
        seen=_seen(metadata, status),
        deleting=metadata.has("deletionTimestamp"),
        replicas=spec.number("replicas", 1),
        paused=spec.flag("paused"),
        canary=spec.inside("strategy").has("canary"),
        routed=canary.has("trafficRouting"),
        gradual=not canary.has("trafficRouting") or canary.flag("dynamicStableScale"),
        full=routing.number("maxTrafficWeight", _ALL),
        stable_service=canary.text("stableService"),
        canary_service=canary.text("canaryService"),
        ping_pong=canary.has("pingPong"),
        analysed=canary.has("analysis"),
        rewinds=spec.inside("rollbackWindow").number("revisions") > 0,
        steps=steps,
        images=tuple(each.image for each in containers_of(spec.inside("template"))),
        selector=spec.inside("selector").strings("matchLabels"),
        progress=_progress(status, len(steps)),
        weights=_weights(status.inside("canary")),
    )


def pods_of(raw: Raw, owner: str) -> PodsView | None:
    """From a ReplicaSet's JSON; ``None`` where another object than the one of that uid owns it."""
    found = Fields(raw, "ReplicaSet")
    metadata, spec, status = (found.inside(key) for key in ("metadata", "spec", "status"))
    if all(each.text("uid") != owner for each in metadata.items("ownerReferences")):
        return None
    return PodsView(
        metadata.strings("labels").get(HASH, ""),
        tuple(each.image for each in containers_of(spec.inside("template"))),
        spec.number("replicas", 1),
        status.number("replicas"),
        status.number("availableReplicas"),
    )


def _step(step: Fields) -> Step:
    if step.has("setWeight"):
        return Step("setWeight", step.number("setWeight"))
    if step.raw("pause") is not None:
        lasts = step.inside("pause").raw("duration")
        return Step("pause", lasts="" if lasts is None else str(lasts))
    return Step(next(iter(step.keys()), "a step without a kind"))


def _seen(metadata: Fields, status: Fields) -> bool:
    """As ``GetRolloutPhase`` has it: an observed generation is a string, and a number in it since
    version 0.10. A Deployment that lends its pod template has a generation of its own."""
    observed = _number(status.text("observedGeneration"))
    if observed is not None and observed < metadata.number("generation"):
        return False
    lent = _number(metadata.strings("annotations").get(_WORKLOAD_GENERATION, ""))
    known = _number(status.text("workloadObservedGeneration"))
    return lent is None or known is None or lent == known


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _progress(status: Fields, steps: int) -> Progress:
    return Progress(
        phase=status.text("phase"),
        message=line(status.text("message")),
        current=status.text("currentPodHash"),
        stable=status.text("stableRS"),
        index=min(status.number("currentStepIndex"), steps),
        pauses=tuple(
            Pause(each.text("reason"), each.moment("startTime"))
            for each in status.items("pauseConditions")
        ),
        controller_pause=status.flag("controllerPause"),
        aborted=status.flag("abort"),
        promoting=status.flag("promoteFull"),
    )


def _weights(canary: Fields) -> Weights | None:
    if not canary.has("weights"):
        return None
    weights = canary.inside("weights")
    by_hash: dict[str, int] = {}
    parts = [weights.inside("canary"), weights.inside("stable"), *weights.items("additional")]
    for each in parts:
        pods = each.text("podTemplateHash")
        by_hash[pods] = by_hash.get(pods, 0) + each.number("weight")
    if any(weight < 0 for weight in by_hash.values()):
        raise Unreachable("What the cluster answered cannot be read: a Rollout's weights.")
    return Weights(by_hash, weights.flag("verified", absent=True))
