"""Why pods of a workload do not run, in one line each: what their containers and events say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bot.model.errors import QuarterdeckError
from bot.providers.kube.cluster import EVENTS, PODS, Cluster, Raw, Select
from bot.providers.kube.fields import Fields, line
from bot.providers.kube.workload import Workload

_LOOKED_AT = 50
_QUOTED = 4
_ASKED_ABOUT = 2
#: Seconds from the first look at pods to the second, and between two looks at most.
_SOON, _SELDOM = 5.0, 60.0
#: What a container waits for in the common run of things.
_STARTING = frozenset({"ContainerCreating", "PodInitializing", ""})


@dataclass(frozen=True, slots=True)
class Trouble:
    """What one container, or one pod, suffers from; ``pod`` is the pod's name."""

    pod: str
    text: str


def patience(looks: int) -> float:
    """Seconds that pods are left alone after so many looks at them: what hinders them shows early.

    So a rollout that takes its time costs few calls, and one that never ends is looked at still.
    """
    return min(_SELDOM, _SOON * 2.0 ** min(looks - 1, 10)) if looks else 0.0


def reasons(
    cluster: Cluster, namespace: str, workload: Workload, image: str, known: tuple[str, ...]
) -> tuple[str, ...]:
    """``known`` and what is new, the newest few; ``known`` where nothing can be read.

    Only pods that run ``image`` (a digest, or an image's text) count. Reasons only decorate: no
    fault in reading them may hide how the rollout stands.
    """
    labels = ",".join(f"{key}={value}" for key, value in sorted(workload.selector.items()))
    if not labels:
        return known
    try:
        pods = cluster.list(PODS, namespace, Select(labels, limit=_LOOKED_AT)).items
        found = [each for pod in pods for each in troubles(pod, image)]
    except QuarterdeckError:
        return known
    told = list(dict.fromkeys(each.text for each in found))
    if not told:
        silent = [str(pod.get("metadata", {}).get("name", "")) for pod in pods if runs(pod, image)]
        told = _events(cluster, namespace, silent)
    return tuple(dict.fromkeys((*known, *told)))[-_QUOTED:]


def runs(pod: Raw, image: str) -> bool:
    """Whether one of its containers was told to run that image."""
    spec = Fields(pod, "Pod").inside("spec")
    return any(image in each.text("image") for each in spec.items("containers"))


def troubles(pod: Raw, image: str) -> Iterator[Trouble]:
    """What the pod suffers from, if it runs that image."""
    if not runs(pod, image):
        return
    fields = Fields(pod, "Pod")
    name, status = fields.inside("metadata").text("name"), fields.inside("status")
    for key in ("initContainerStatuses", "containerStatuses"):
        for each in status.items(key):
            if said := _container(each):
                yield Trouble(name, said)
    for each in status.items("conditions"):
        if each.text("type") == "PodScheduled" and each.text("reason") == "Unschedulable":
            yield Trouble(name, line(f"Unschedulable: {each.text('message')}"))
    if status.text("phase") == "Failed":
        said = f"Pod failed: {status.text('reason')} {status.text('message')}"
        yield Trouble(name, line(said))


def _container(status: Fields) -> str:
    """``Container app: CrashLoopBackOff; last exited with 1 (Error): <its last message>``."""
    state, last = status.inside("state"), status.inside("lastState").inside("terminated")
    waiting, ended = state.inside("waiting"), state.inside("terminated")
    parts = []
    if waiting.text("reason") not in _STARTING:
        message = waiting.text("message")
        parts.append(waiting.text("reason") + (f" ({message})" if message else ""))
    for each, how in ((ended, "exited"), (last, "last exited")):
        if each.number("exitCode") or each.text("reason") == "OOMKilled":
            said = f"{how} with {each.number('exitCode')} ({each.text('reason') or 'no reason'})"
            parts.append(said + (f": {each.text('message')}" if each.text("message") else ""))
    if not parts:
        return ""
    return line(f"Container {status.text('name')}: {'; '.join(parts)}")


def _events(cluster: Cluster, namespace: str, pods: list[str]) -> list[str]:
    """Warnings about pods whose containers say nothing: a volume that is missing, a denied pull."""
    told: list[str] = []
    for name in [each for each in pods if each][:_ASKED_ABOUT]:
        fields = f"involvedObject.name={name},involvedObject.kind=Pod"
        try:
            found = cluster.list(EVENTS, namespace, Select(fields=fields, limit=_LOOKED_AT)).items
        except QuarterdeckError:
            return told
        told += [said for each in found if (said := warning(each)) and said not in told]
    return told


def warning(event: Raw) -> str:
    """A Warning's text; empty for what is none."""
    if event.get("type") != "Warning":
        return ""
    return line(f"{event.get('reason', 'Warning')}: {event.get('message', '')}")
