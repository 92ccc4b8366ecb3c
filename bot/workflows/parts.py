"""What the workflows are given: ports, and who this replica is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

from bot.model.canary_ports import Canaries
from bot.model.catalog import Catalog
from bot.model.ports import Clock, Groups, Registry, Rollouts, Store
from bot.workflows.courtesy import Courtesy


@dataclass(frozen=True, slots=True)
class Parts:
    """The ports a rollout needs. ``catalog`` answers with the newest good catalog each time.

    ``conducted`` is set when something is asked of a canary, so that it is looked at at once.
    ``canaries`` is ``None`` only where nothing shifts traffic (in tests of other things).
    """

    store: Store
    registry: Registry
    rollouts: Rollouts
    groups: Groups
    clock: Clock
    catalog: Callable[[], Catalog]
    replica: str
    canaries: Canaries | None = None
    courtesy: Courtesy = field(default_factory=Courtesy)
    conducted: Event = field(default_factory=Event)
