"""The workload in which our image runs: picked from an Application's resources."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bot.model.errors import Misconfigured, Terminal
from bot.model.places import ArgoCdApplication
from bot.providers.argocd.views import ApplicationView, ResourceView
from bot.providers.kube.cluster import DEPLOYMENTS, ROLLOUTS, Raw, Resource
from bot.providers.kube.faults import NotThere
from bot.providers.kube.workload import Workload, digest_in, workload_of

_RESOURCES: dict[tuple[str, str], Resource] = {
    ("apps", "Deployment"): DEPLOYMENTS,
    ("argoproj.io", "Rollout"): ROLLOUTS,
}
#: Workloads of one Application that are read to find ours among them.
_READ = 10

#: Reads one object: its resource, namespace and name.
Read = Callable[[Resource, str, str], Raw | None]


def find(view: ApplicationView, place: ArgoCdApplication, value: str, read: Read) -> Workload:
    """The Deployment or Rollout that is ours to roll.

    Where there are several, the one that runs the image of ``value``, or the only one that is
    pinned at all. Raises ``Misconfigured`` where none can be told for ours, and whatever reading
    one raises.
    """
    if not view.at_home:
        raise Terminal("it runs in another cluster than Argo CD does.")
    found = [
        workload_of(raw)
        for each in _candidates(view, place)
        if (raw := read(_RESOURCES[each.group, each.kind], each.namespace, each.name)) is not None
    ]
    return _ours(found, value)


def _candidates(view: ApplicationView, place: ArgoCdApplication) -> list[ResourceView]:
    listed = [each for each in view.resources if (each.group, each.kind) in _RESOURCES]
    manifest = place.manifests.manifest
    if manifest is not None:
        named = (manifest.kind, manifest.name)
        listed = [each for each in listed if (each.kind, each.name) == named]
    return listed[:_READ]


def _ours(found: Iterable[Workload], value: str) -> Workload:
    found = list(found)
    # One without pods is no rollout of anything, such as a canary's between two canaries.
    workloads = [each for each in found if each.desired] or found
    digest = digest_in(value)
    running = [each for each in workloads if digest and digest in _images(each)]
    pinned = [each for each in workloads if digest_in(_images(each))]
    for some in (running, workloads, pinned):
        if len(some) == 1:
            return some[0]
    if not workloads:
        raise NotThere("the Application has no Deployment or Rollout (yet).")
    raise Misconfigured("the Application has several workloads, and none of them is surely ours.")


def _images(workload: Workload) -> str:
    return " ".join(each.image for each in workload.containers)


def serving(workload: Workload, value: str) -> str:
    """The image of the container that is ours: the one that runs the value's image, or the first
    that is pinned."""
    images = [each.image for each in workload.containers]
    digest = digest_in(value)
    ours = [each for each in images if digest and digest in each]
    pinned = [each for each in images if digest_in(each)]
    return next(iter(ours or pinned or images), "")
