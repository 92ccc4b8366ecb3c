"""All that one look at a canary by a rule's weights shows: nothing is judged here. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.model.canary import Arms, Crew, Stand
from bot.model.canary_plan import Weighted
from bot.model.catalog import TargetSpec
from bot.model.places import EcsService
from bot.model.rollout import End
from bot.providers.ecs.canary_service import name_of
from bot.providers.ecs.listener import ALIKE, Health, Split
from bot.providers.ecs.views import ServiceView

#: The stable version has to have so much of itself healthy before traffic goes back to it.
SOUND = 0.5
#: How many of a service's newest events are quoted.
QUOTED = 5


@dataclass(frozen=True, slots=True)
class Service:
    """A service as it was described; ``body`` is the answer's own JSON."""

    view: ServiceView
    body: Mapping[str, Any]

    @property
    def tags(self) -> dict[str, str]:
        """Its tags by their keys."""
        return {each["key"]: each.get("value", "") for each in self.body.get("tags", ())}

    @property
    def alive(self) -> bool:
        """Whether it runs tasks, or could."""
        return self.view.status == "ACTIVE"


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that was read for one look."""

    spec: TargetSpec
    weighted: Weighted
    stable: Service
    canary: Service | None
    split: Split
    stable_health: Health
    canary_health: Health

    @property
    def ecs(self) -> EcsService:
        """Where the stable service is."""
        return self.spec.ecs

    @property
    def name(self) -> str:
        """The canary's service."""
        return name_of(self.ecs, self.weighted)

    @property
    def able(self) -> int:
        """Tasks of the stable version that can serve: a target that has just died still counts as
        healthy until its checks fail."""
        return min(self.stable_health.healthy, self.stable.view.running)

    @property
    def sound(self) -> bool:
        """Whether the stable version can take all the traffic."""
        return self.able >= 1 and self.able >= SOUND * self.stable.view.desired

    def is_at(self, share: float) -> bool:
        """Whether the canary has that share."""
        return abs(self.split.share - share) < ALIKE


def stands(  # noqa: PLR0913 - the ways in which a look can differ, each by its name
    scene: Scene,
    *,
    reached: bool = False,
    doing: str = "",
    blocked: str = "",
    foreign: str = "",
    end: End | None = None,
    said: str = "",
) -> Stand:
    """How the canary stands."""
    service = scene.canary.view if scene.canary is not None and scene.canary.alive else None
    stable = scene.stable.view
    return Stand(
        reached=reached,
        share=scene.split.share,
        canary=Crew(
            service.desired if service else 0,
            service.running if service else 0,
            scene.canary_health.healthy if service else 0,
        ),
        stable=Crew(stable.desired, stable.running, scene.stable_health.healthy),
        doing=doing,
        blocked=blocked or foreign,
        foreign=bool(foreign),
        end=end,
        explanation=said,
        events=_events(service),
        arms=Arms(scene.weighted.stable, scene.weighted.canary, scene.weighted.load_balancer),
    )


def _events(service: ServiceView | None) -> tuple[str, ...]:
    if service is None:
        return ()
    recent = sorted(service.events, key=lambda each: each.at)[-QUOTED:]
    return tuple(each.message for each in recent)
