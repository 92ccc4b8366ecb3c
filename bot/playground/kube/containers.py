"""How one container lives, in the words of the kubelet: its states, its events, its messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.playground.aws.records import Behaviour, digest_of
from bot.playground.kube.resources import Json


@dataclass(frozen=True, slots=True)
class Timings:
    """How long things take, in virtual seconds; each pod varies by up to ``jitter`` of it.

    ``crash`` is counted from the start of the container and is less than ``ready``: a container
    that dies at once is not ready first, where it has a readiness probe.
    """

    schedule: float = 0.3
    pull: float = 4.0
    ready: float = 5.0
    slow: float = 60.0
    crash: float = 2.0
    probe: float = 10.0
    stop: float = 3.0
    backoff: float = 10.0
    longest_backoff: float = 300.0
    jitter: float = 0.2


@dataclass(frozen=True, slots=True)
class Images:
    """What is known of images by their reference, as it stands in a container's ``image``."""

    behaviour_of: Callable[[str], Behaviour]
    digest_of: Callable[[str], str | None]

    def identity(self, reference: str) -> str:
        """The ``imageID``: repository and digest."""
        name, at, digest = reference.partition("@")
        head, slash, tail = name.rpartition("/")
        repository = f"{head}{slash}{tail.partition(':')[0]}"
        found = digest if at else self.digest_of(reference) or digest_of("image", reference)
        return f"{repository}@{found}"


def every_image_is_good(_reference: str) -> Behaviour:
    """What images do where nobody says otherwise."""
    return Behaviour.GOOD


def no_digest(_reference: str) -> str | None:
    """What is known of digests where nobody says: one is made up from the reference."""
    return None


def fresh_status(container: Json) -> Json:
    """The status of a container that has not been created yet."""
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "lastState": {},
        "ready": False,
        "restartCount": 0,
        "started": False,
        "state": {"waiting": {"reason": "ContainerCreating"}},
    }


def crash_loop(seconds: float, container: str, pod: Json) -> Json:
    """The waiting state between two tries of a container that exits."""
    metadata = pod["metadata"]
    where = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
    text = f"back-off {_span(seconds)} restarting failed container={container} pod={where}"
    return {"waiting": {"reason": "CrashLoopBackOff", "message": text}}


def crash_loop_event(container: str, pod: Json) -> str:
    """The message of the event that goes with it."""
    metadata = pod["metadata"]
    where = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
    return f"Back-off restarting failed container {container} in pod {where}"


def pull_failure(reference: str) -> str:
    """What containerd says of an image that is not there."""
    whole = f'"{reference}"'
    return (
        f"rpc error: code = NotFound desc = failed to pull and unpack image {whole}: failed to "
        f"resolve reference {whole}: {reference}: not found"
    )


def probe_failure(container: Json, probe: str) -> str:
    """The message of the event of a failed probe."""
    kind = {"readinessProbe": "Readiness", "livenessProbe": "Liveness"}[probe]
    if "httpGet" in container.get(probe, {}):
        return f"{kind} probe failed: HTTP probe failed with statuscode: 503"
    return f"{kind} probe failed: "


def _span(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:  # noqa: PLR2004 - a minute, as Go writes durations
        return f"{whole}s"
    return f"{whole // 60}m{whole % 60}s"
