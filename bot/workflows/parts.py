"""What the workflows are given: ports, and who this replica is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bot.model.catalog import Catalog
from bot.model.ports import Clock, Groups, Registry, Rollouts, Store
from bot.workflows.courtesy import Courtesy


@dataclass(frozen=True, slots=True)
class Parts:
    """The ports a rollout needs. ``catalog`` answers with the newest good catalog each time."""

    store: Store
    registry: Registry
    rollouts: Rollouts
    groups: Groups
    clock: Clock
    catalog: Callable[[], Catalog]
    replica: str
    courtesy: Courtesy = field(default_factory=Courtesy)
