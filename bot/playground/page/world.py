"""The simulated ECS as pictures: one for each service, with its tasks, deployments and events.

What is drawn is copied under the world's lock, so that a picture is of one moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Final

from markupsafe import Markup

from bot.playground.aws.records import (
    Deployment,
    Estate,
    Json,
    Revision,
    Service,
    Task,
)
from bot.playground.aws.world import World
from bot.playground.page.templating import template
from bot.playground.tour.stage import SPEED

#: Most tasks, failed tasks and events that one picture shows.
TASKS, FAILURES, EVENTS = 24, 6, 3

_MOVING = "latest"
_LONG: Final = re.compile(r"\b[0-9a-f]{32}\b|\b[0-9]{19}\b|arn:aws:\S+/")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


class Phase(Enum):
    """Where a task stands in its life.

    Its name in the style sheet, the sign that tells it apart without colours, and its meaning.
    """

    PROVISIONING = ("provisioning", "○", "provisioning: ECS looks for a place for it")
    PENDING = ("pending", "◔", "pending: its image is being pulled")
    RUNNING = ("running", "◑", "running, but not healthy yet")
    HEALTHY = ("healthy", "✓", "running and healthy")
    DRAINING = ("draining", "↓", "draining: it was told to stop")
    FAILED = ("failed", "✕", "failed")

    def __init__(self, word: str, sign: str, meaning: str) -> None:
        self.word = word
        self.sign = sign
        self.meaning = meaning


@dataclass(frozen=True, slots=True)
class Square:
    """One task. ``side`` is ``new`` for the PRIMARY's revision and ``old`` for any other."""

    phase: Phase
    side: str
    title: str


@dataclass(frozen=True, slots=True)
class Release:
    """One deployment of a service."""

    status: str
    side: str
    version: str
    state: str
    reason: str
    failed: int
    mood: str = ""

    @property
    def tone(self) -> str:
        """How its state looks."""
        return self.mood or tone(self.state)


@dataclass(frozen=True, slots=True)
class Event:
    """One event; ``age`` in ECS's own time."""

    text: str
    whole: str
    age: str


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit that changed what is to run; ``ours`` where the bot made it."""

    hash: str
    author: str
    subject: str
    ours: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """One service in one environment; ``mood`` is how its state looks, where it is no ECS state.

    ``deployed_at`` is the wall's time, 0 where nothing was deployed since it was made.
    """

    id: str
    service: str
    environment: str
    desired: int
    running: int
    pending: int
    state: str
    reason: str
    squares: list[Square]
    hidden: int
    releases: list[Release]
    events: list[Event]
    place: str = "ECS"
    mood: str = ""
    commits: tuple[Commit, ...] = ()
    deployed_at: float = 0.0

    @property
    def tone(self) -> str:
        """How its state looks."""
        return self.mood or tone(self.state)


def tone(state: str) -> str:
    """``good``, ``bad``, ``warn`` or ``busy``, for a state of ECS."""
    if state in {"COMPLETED", "SUCCESSFUL"}:
        return "good"
    if state.startswith(("ROLLBACK", "STOP")):
        return "warn" if state != "ROLLBACK_FAILED" else "bad"
    return "bad" if state == "FAILED" else "busy"


def services(world: World, speed: float = SPEED) -> list[Picture]:
    """Every service on ECS. ``speed``: virtual seconds in a real one, for ages."""
    with world.lock:
        world.advance(0.0)  # nothing moves on in the world until somebody looks
        return [_picture(world, each, speed) for each in world.services()]


def draw_all(pictures: Iterable[Picture]) -> list[tuple[str, Markup]]:
    """Element id and HTML of each, the last that was deployed to first."""
    ordered = sorted(pictures, key=lambda each: each.deployed_at, reverse=True)
    return [(each.id, draw(each)) for each in ordered]


def draw(picture: Picture) -> Markup:
    """A picture as HTML, under its id."""
    return Markup(template("world.html").render(it=picture))  # noqa: S704 - autoescaped


def id_of(service: str, environment: str) -> str:
    """The id of the element that shows a service."""
    return "svc-" + re.sub(r"[^a-z0-9]+", "-", f"{service}-{environment}".lower())


def _last_deployed(service: Service) -> float:
    """When its newest deployment began; its creation does not count."""
    return service.history[-1].created_at if len(service.history) > 1 else 0.0


def draw_legend() -> Markup:
    """What the squares mean."""
    drawn = template("legend.html").render(phases=list(Phase))
    return Markup(drawn)  # noqa: S704 - an autoescaped template made it


def _picture(world: World, service: Service, speed: float) -> Picture:
    environment = service.cluster_arn.rpartition("/")[2]
    _, _, _, region, account, _ = service.arn.split(":", 5)
    estate = world.estate(account, region)
    squares = [_square(service, task, estate) for task in _shown(service)]
    record = service.history[-1]
    return Picture(
        id=id_of(service.name, environment),
        service=service.name,
        environment=environment,
        desired=service.desired,
        running=sum(task.running for task in service.tasks.values()),
        pending=sum(task.pending for task in service.tasks.values()),
        state=record.status,
        reason=record.reason or "",
        squares=squares[:TASKS],
        hidden=max(len(squares) - TASKS, 0),
        releases=[_release(service, each, estate) for each in service.deployments],
        events=[_event(service, each, world.clock.wall(), speed) for each in _newest(service)],
        deployed_at=_last_deployed(service),
    )


def _shown(service: Service) -> list[Task]:
    """Who is there, and the last that failed in the newest service deployment; oldest first."""
    record = service.history[-1]
    failed = [
        task
        for task in service.tasks.values()
        if task.stopped and _failed(task) and task.deployment.record is record
    ][-FAILURES:]
    return [task for task in service.tasks.values() if not task.stopped or task in failed]


def _failed(task: Task) -> bool:
    return not task.live and not (task.stopped_reason or "").startswith("Scaling activity")


def phase_of(task: Task) -> Phase:
    """Where the task stands."""
    if _failed(task):
        return Phase.FAILED
    if not task.live:
        return Phase.DRAINING
    if task.ready:
        return Phase.HEALTHY
    if task.running:
        return Phase.RUNNING
    return Phase.PROVISIONING if task.last_status == "PROVISIONING" else Phase.PENDING


def _square(service: Service, task: Task, estate: Estate) -> Square:
    phase, revision = phase_of(task), task.deployment.revision
    why = f" ({task.stopped_reason})" if phase is Phase.FAILED and task.stopped_reason else ""
    title = f"Task {task.id[:8]}, {version_of(revision, estate)}: {phase.meaning}{why}"
    return Square(phase, _side(service, revision), title)


def _side(service: Service, revision: Revision) -> str:
    return "new" if revision is service.primary.revision else "old"


def _release(service: Service, deployment: Deployment, estate: Estate) -> Release:
    return Release(
        status=deployment.status,
        side=_side(service, deployment.revision),
        version=version_of(deployment.revision, estate),
        state=deployment.rollout_state,
        reason=deployment.reason,
        failed=deployment.failed,
    )


def version_of(revision: Revision, estate: Estate) -> str:
    """The tag of the image that a revision runs, or the beginning of its digest.

    A deployment names a digest, so the tag is the one that points at it now.
    """
    pinned = [each for each in revision.images if "imageDigest" in each]
    image: Json = next(iter(pinned or revision.images))
    home, _, digest = str(image["image"]).partition("@")
    uri, _, tag = home.partition(":")
    digest = str(image.get("imageDigest", digest))
    named = _tags(estate, uri, digest)
    versions = [each for each in named if each != _MOVING]
    return next(iter(versions or named), tag or digest.removeprefix("sha256:")[:12])


def _tags(estate: Estate, uri: str, digest: str) -> list[str]:
    homes = (each for each in estate.repositories.values() if each.uri == uri)
    return [tag for home in homes if (image := home.find(digest)) for tag in image.tags]


def _newest(service: Service) -> list[Json]:
    return list(islice(service.events, EVENTS))


def _event(service: Service, event: Json, now: float, speed: float) -> Event:
    whole = str(event["message"]).removeprefix(f"(service {service.name}) ")
    passed = max(now - float(event["createdAt"]), 0.0) * (speed or 1.0)
    return Event(_LONG.sub(_shortened, whole), whole, age(passed))


def _shortened(found: re.Match[str]) -> str:
    return "" if found[0].startswith("arn:") else found[0][:8]


def age(seconds: float) -> str:
    """How long ago, coarsely: a picture that changed every second would be sent every second."""
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return f"{int(seconds // 10) * 10} s ago" if seconds >= 10 else "now"  # noqa: PLR2004
