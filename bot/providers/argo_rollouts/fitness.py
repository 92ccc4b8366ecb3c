"""Whether a Rollout can be brought on by a plan: what keeps it from that, and what is worth a word.

The plan is the catalog's, the steps are the manifest's. They have to say the same: Quarterdeck ends
the pauses, and changes nothing of the steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from bot.model.canary_plan import CanaryPlan, in_percent
from bot.model.catalog import TargetSpec
from bot.model.places import ArgoCdApplication
from bot.providers.argo_rollouts.scene import ALIKE, Scene
from bot.providers.argo_rollouts.views import RolloutView, Step
from bot.providers.argocd.views import ApplicationView
from bot.providers.kube.cluster import (
    REPLICA_SETS,
    ROLLOUT_STATUS,
    ROLLOUTS,
    Cluster,
    Resource,
)

IMPOSSIBLE = "CANARY_IMPOSSIBLE"
#: What a canary needs of a cluster: verb and resource.
Needed = Sequence[tuple[str, Resource]]
NEEDED: Needed = (("get", ROLLOUTS), ("patch", ROLLOUT_STATUS), ("list", REPLICA_SETS))

#: Why it cannot be, a sentence, and what to do about it.
Misfit = tuple[str, str]


def by_catalog(spec: TargetSpec, plan: CanaryPlan) -> Iterator[Misfit]:
    """What the catalog alone makes impossible."""
    place = spec.argocd
    if plan.prometheus is None:
        yield (
            "CloudWatch does not know which target groups a Rollout's versions are in.",
            'Give the plan a "prometheus" part, by which both versions are measured.',
        )
    yield from by_way_back(place)
    if any(step.tasks is not None for step in plan.steps):
        yield (
            "How many pods a Rollout's canary has follows from its weights.",
            'Take "tasks" out of the plan\'s steps.',
        )


def by_way_back(place: ArgoCdApplication) -> Iterator[Misfit]:
    """What keeps a canary from being taken back through git at once."""
    if place.manifests.delivery != "direct":
        yield (
            "A canary that is taken back cannot wait until people merge a pull request.",
            'Set "delivery: direct", or deploy with --rolling.',
        )
    if place.rollback != "git":
        yield (
            "A canary is taken back by a commit, and rollbacks of this target leave git alone.",
            'Set "rollback: git", or deploy with --rolling.',
        )


def by_application(view: ApplicationView, plan: CanaryPlan) -> Iterator[Misfit]:
    """What the Application makes impossible."""
    rollout = plan.rollout
    if rollout is None:
        return
    yield from by_cluster(view)
    named = (rollout.namespace, rollout.name)
    rollouts = [each for each in view.resources if each.kind == "Rollout"]
    if named not in {(each.namespace, each.name) for each in rollouts}:
        known = ", ".join(f"{each.namespace}/{each.name}" for each in rollouts) or "none"
        yield (
            f"The Application {view.name} has no Rollout {rollout.namespace}/{rollout.name}.",
            f'Correct "rollout" in the catalog: it has {known}.',
        )


def by_cluster(view: ApplicationView) -> Iterator[Misfit]:
    """What is out of reach."""
    if not view.at_home:
        yield (
            f"The Application {view.name} deploys to another cluster than Argo CD runs in.",
            "Deploy with --rolling: what runs there is out of reach.",
        )


def by_rights(cluster: Cluster, namespace: str, needed: Needed = NEEDED) -> Iterator[Misfit]:
    """What the cluster does not let us do."""
    for verb, resource in needed:
        if not cluster.allowed(verb, resource, namespace):
            what = f"{verb} {resource.title} in namespace {namespace}"
            rule = f'["{resource.group}"], resources ["{resource.rule}"], verbs ["{verb}"]'
            yield (
                f"Cluster {cluster.name} does not let us {what}.",
                f"Allow it in a Role: apiGroups {rule}.",
            )


def by_rollout(scene: Scene) -> Iterator[Misfit]:
    """What the Rollout itself makes impossible, or how it stands."""
    view, rollout = scene.view, scene.rollout
    if not view.canary:
        yield (
            f"The Rollout {scene.name} has another strategy than canary.",
            "Give it the canary strategy, or deploy with --rolling.",
        )
        return
    if wrong := misplaced(view, scene.plan):
        yield wrong, f"Write its steps so: {written(scene.plan, view.full)}."
    if rollout.told_by == "service" and not (view.stable_service and view.canary_service):
        yield (
            f"The Rollout {scene.name} names no stableService and canaryService.",
            'Name them there, or take "told_by" out of the plan: the pods\' hash tells them apart.',
        )
    if rollout.told_by == "service" and view.ping_pong:
        yield (
            f"The Services of the Rollout {scene.name} change places (pingPong).",
            'Take "told_by" out of the plan: the pods\' hash tells the versions apart.',
        )
    if restless := _restless(scene):
        yield restless, "Wait until it is Healthy again, or mend it: kubectl argo rollouts get."


def warnings(scene: Scene) -> Sequence[str]:
    """What is worth a word, each a clause."""
    return tuple(_warnings(scene))


def misplaced(view: RolloutView, plan: CanaryPlan) -> str:
    """Why the Rollout's steps are not those of the plan, a sentence; nothing where they are."""
    steps, said = view.steps, ", ".join(each.text for each in view.steps) or "none"
    for step in steps:
        if step.kind == "pause" and step.lasts:
            return (
                f"Its pause of {step.lasts} would end by itself, whatever the judge says: its "
                f"steps are {said}."
            )
    weights = [each.weight for each in steps[::2]]
    shares = [step.share * view.full for step in plan.steps]
    pairs = len(steps) == 2 * len(shares) and all(_is_pair(pair) for pair in _pairs(steps))
    alike = pairs and all(
        abs((weight or 0) - share) < ALIKE * view.full
        for weight, share in zip(weights, shares, strict=True)
    )
    if alike:
        return ""
    wanted = ", ".join(in_percent(step.share) for step in plan.steps)
    return f"Its steps are {said}; the plan goes by {wanted}, with a pause at each."


def written(plan: CanaryPlan, full: int) -> str:
    """The steps that fit the plan, as they stand in a manifest."""
    pairs = (f"{{setWeight: {step.share * full:g}}}, {{pause: {{}}}}" for step in plan.steps)
    return f"[{', '.join(pairs)}]"


def _pairs(steps: Sequence[Step]) -> list[tuple[Step, Step]]:
    return list(zip(steps[::2], steps[1::2], strict=True))


def _is_pair(pair: tuple[Step, Step]) -> bool:
    return pair[0].weight is not None and pair[1].kind == "pause"


def _restless(scene: Scene) -> str:
    """Why a canary cannot begin as the Rollout stands now; the first of it."""
    return next((said for wrong, said in _states(scene) if wrong), "")


def _states(scene: Scene) -> Sequence[tuple[bool, str]]:
    view, progress, name = scene.view, scene.view.progress, scene.name
    moves = not view.seen or not view.promoted or bool(progress.pauses) or progress.promoting
    waits = f": {progress.message}" if progress.message else ""
    unheard = (
        f"Argo Rollouts says nothing about the Rollout {name}: its controller does not run, or is "
        "older than 1.0."
    )
    return (
        (not progress.phase, unheard),
        (view.deleting, f"The Rollout {name} is being deleted."),
        (view.paused, f"Somebody paused the Rollout {name} (spec.paused)."),
        (progress.aborted, f"The Rollout {name} was aborted: git still asks for what it gave up."),
        (moves, f"The Rollout {name} is in the middle of an update{waits}."),
        (progress.phase == "Degraded", f"The Rollout {name} is Degraded{waits}"),
    )


def _warnings(scene: Scene) -> Iterator[str]:
    view = scene.view
    if not view.routed:
        weight = view.steps[0].weight or 0
        canary = ceil(view.replicas * weight / view.full)
        stable = ceil(view.replicas * (1 - weight / view.full))
        yield (
            f"no traffic router divides the requests, so that shares are those of pods: "
            f"{canary} of {canary + stable} at the first step"
        )
    if view.analysed:
        yield "the Rollout has an analysis of its own, which may end the canary too"
    if view.rewinds:
        yield "the Rollout's rollbackWindow lets no version be tried that ran before"
