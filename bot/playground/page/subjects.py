"""The version of a service that levers act on, and the levers themselves."""

from __future__ import annotations

from collections.abc import Mapping

from bot.playground.aws.records import Image
from bot.playground.aws.traffic import set_levers
from bot.playground.aws.versions import BROKEN
from bot.playground.aws.world import World
from bot.playground.page.arms import Subject
from bot.playground.page.versions import number, versions

#: The levers that a leak is set by, as ``set_levers`` calls them.
_LEAKS = {"leak_errors": "errors_per_minute", "leak_latency": "latency_per_minute"}


class Releases:
    """What was pushed of one service: its canary's version is the subject of the levers."""

    def __init__(self, world: World, service: str) -> None:
        self._world = world
        self._service = service

    def subject(self, canary: str) -> Subject:
        """The version with that digest; without one the newest that starts at all."""
        with self._world.lock:
            tag, image = self._chosen(canary)
            version = self._world.traffic.version(image.digest)
            fields = version.__dataclass_fields__
            levers = {name: getattr(version, name) for name in fields if name != "now"}
        return Subject(tag, levers)

    def bend(self, canary: str, levers: Mapping[str, float]) -> None:
        """Set levers of that version by name, from now on."""
        with self._world.lock:
            _, image = self._chosen(canary)
            named = {_LEAKS.get(name, name): value for name, value in levers.items()}
            set_levers(self._world.traffic.version(image.digest), named)

    def tag(self, digest: str) -> str:
        """The version's name; the beginning of its digest where it has none."""
        with self._world.lock:
            named = [tag for tag, image in self._known() if image.digest == digest]
        return named[-1] if named else digest.removeprefix("sha256:")[:12]

    def _chosen(self, canary: str) -> tuple[str, Image]:
        there = self._known()
        if canary:
            running = [each for each in there if each[1].digest == canary]
            return running[-1] if running else there[-1]
        return [each for each in there if each[1].behaviour not in BROKEN][-1]

    def _known(self) -> list[tuple[str, Image]]:
        home = self._world.estate().repositories[self._service]
        known = [(tag, home.find(tag)) for tag in sorted(versions(home), key=number)]
        return [(tag, image) for tag, image in known if image is not None]
