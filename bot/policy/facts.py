"""What a policy decides on: everything it may look at, read beforehand by somebody else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.model.catalog import Policy
from bot.model.deployment import Freeze, Image, Kind, Lock, Pause, Requester, Target


@dataclass(frozen=True, slots=True)
class Facts:
    """One request at one moment. ``now`` is aware.

    ``locks`` and ``freezes`` may hold others than the target's: each rule picks what covers it.
    ``policy`` is the target's own. ``override_freeze`` is what was asked, not what is granted.
    ``orphaned`` says that the target has left the catalog; ``policy`` is what is left of it then.
    ``downtime`` is what keeps the rollout from being free of downtime, each a provider's clause.
    ``at_start`` says that this is the second look, when the turn has come: only words depend on it.
    """

    now: datetime
    kind: Kind
    target: Target
    policy: Policy
    requester: Requester
    image: Image | None = None
    reason: str = ""
    override_freeze: bool = False
    locks: tuple[Lock, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    pause: Pause | None = None
    at_start: bool = False
    orphaned: bool = False
    downtime: tuple[str, ...] = ()
