"""Where canaries are tried: services with visitors, and the two versions that these may get.

The charts and the levers know a ``Site`` alone. What kind it is (an ECS service behind a load
balancer, pods behind a route) is the business of whoever makes one: ``bot.playground.page.sites``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from bot.playground.aws.arrivals import Moment

#: Weights that somebody else may set: of the stable version and of the canary.
WEIGHTS: Final = {"100:0": (100, 0), "50:50": (50, 50), "0:100": (0, 100)}
#: What the stable version and the canary had lately, each oldest first.
Recent = tuple[Sequence[Moment], Sequence[Moment]]


@dataclass(frozen=True, slots=True)
class Arm:
    """One version: ``weight`` is its part of the two weights.

    ``version`` and ``digest`` are empty where nothing runs. ``healthy`` of its ``targets`` get
    requests.
    """

    weight: int
    version: str
    digest: str
    healthy: int
    targets: int

    @property
    def there(self) -> bool:
        """Whether something runs for it."""
        return bool(self.version)


@dataclass(frozen=True, slots=True)
class Arms:
    """Both at one moment."""

    stable: Arm
    canary: Arm

    @property
    def share(self) -> float:
        """The canary's share of the traffic, from 0 to 1."""
        return self.canary.weight / max(self.stable.weight + self.canary.weight, 1)


@dataclass(frozen=True, slots=True)
class Subject:
    """The version that levers act on: its tag, and how each of its levers stands, by name."""

    tag: str
    levers: Mapping[str, float]


class Site(Protocol):
    """One service in one environment that has visitors. Safe to share between threads.

    ``behind`` is what shares them out, in a word or two; ``per_second`` how many requests come as
    usual. ``hands`` are what somebody else may do past the bot, with the weights that it comes to;
    ``deed`` tells of it.
    """

    service: str
    environment: str
    behind: str
    per_second: float
    hands: Mapping[str, tuple[int, int]] = WEIGHTS
    deed: str = "set the weights of {where} to {hand}"

    def arms(self) -> Arms:
        """Both versions now."""
        ...

    def recent(self, seconds: float) -> Recent:
        """What they had in the last ``seconds``."""
        ...

    def subject(self) -> Subject:
        """The canary's version; without one the newest that starts at all, which may be next."""
        ...

    def bend(self, levers: Mapping[str, float]) -> None:
        """Set levers of the subject by name, from now on: those of ``aws.versions.Version``."""
        ...

    def crowd(self, factor: float) -> None:
        """Let so many times as many come as usual."""
        ...

    def suffering(self) -> bool:
        """Whether an incident harms every version."""
        ...

    def suffer(self, errors: float, latency: float) -> None:
        """Begin one: a share of ``errors`` more, ``latency`` times as slow, until it is calmed."""
        ...

    def calm(self) -> None:
        """End it."""
        ...

    def shift(self, stable: int, canary: int) -> None:
        """Let somebody else see to those weights, past the bot: one of ``hands``."""
        ...


class Watch:
    """All sites, and which service is watched: the one that was chosen, or else the last one that
    was seen with a canary.

    Safe to share between threads.
    """

    def __init__(self, sites: Sequence[Site]) -> None:
        self.sites = tuple(sites)
        self.services = tuple(dict.fromkeys(each.service for each in sites))
        self._chosen = self._followed = ""

    def choose(self, service: str) -> None:
        """Watch that one from now on. ``ValueError`` for one that has no visitors."""
        if service not in self.services:
            raise ValueError(
                f"There is no service {service!r} with visitors; choose {', '.join(self.services)}."
            )
        self._chosen = service

    def arms(self) -> list[tuple[Site, Arms]]:
        """Every site, whatever has a canary first, and production before the rest."""
        # Production comes last in the catalog, and first here; services stay in their order.
        places = {each: place for place, each in enumerate(self.services)}
        ordered = [*reversed(self.sites)]
        ordered.sort(key=lambda each: places[each.service])
        found = [(each, each.arms()) for each in ordered]
        return sorted(found, key=lambda each: not each[1].canary.there)

    def watched(self) -> tuple[Site, Arms]:
        """Where levers act: of the watched service, where it has a canary, or else production."""
        found = self.arms()
        if found[0][1].canary.there:
            self._followed = found[0][0].service
        wanted = self._chosen or self._followed
        return next((each for each in found if each[0].service == wanted), found[0])
