"""What a canary needs from the outer rooms: who shifts its traffic, who counts, who remembers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from bot.model.canary import Aim, Arms, Canary, Measured, Past, Readings, Stand, Wanted
from bot.model.catalog import TargetSpec
from bot.model.deployment import Target
from bot.model.rollout import Order


class Canaries(Protocol):
    """What shifts traffic to a canary and back. Each call is made once.

    Everything is level-triggered: ``toward`` reads how things stand, and makes at most one change
    that brings the aim nearer. So it may be repeated after any crash, and is repeated until the
    aim is ``reached``. A lost answer to a call that writes is ``Unknown``: the next look tells.
    """

    def check(self, spec: TargetSpec) -> Sequence[str]:
        """What is worth a warning before a canary starts. Reads only.

        Raises ``UserError`` or ``Terminal`` (``CANARY_IMPOSSIBLE``) where it cannot be: a rule with
        other actions, a missing target group, weights already shifted, leftovers of another one.
        """
        ...

    def look(self, spec: TargetSpec, order: Order, revision: str, aim: Aim) -> Stand:
        """How it stands, with nothing changed."""
        ...

    def toward(self, spec: TargetSpec, order: Order, revision: str, aim: Aim) -> Stand:
        """How it stood, after which at most one change was made toward the aim.

        Weights that somebody else changed, and a stable version that is not healthy, are told
        (``Stand.blocked``) and not overruled, but that ``NOTHING`` may always be aimed at while the
        stable version is healthy.
        """
        ...


class Metrics(Protocol):
    """Where requests are counted. Reads only; safe to repeat.

    Raises ``Transient``, ``Throttled``, ``AccessDenied`` or ``Misconfigured``.
    """

    def past(self, spec: TargetSpec, arms: Arms, until: datetime) -> Past:
        """The hour of the stable version before ``until``."""
        ...

    def readings(self, wanted: Sequence[Wanted], now: datetime) -> Readings:
        """Closed ticks of many canaries, in as few calls as the source allows.

        A tick is closed when it cannot change any more; none is left out in between. One in which
        nothing was measured at all counts no requests. What failed for one canary is among the
        faults, beside the others.
        """
        ...


class CanaryTable(Protocol):
    """The canaries and their ticks. A canary is one row, under its deployment's id.

    Whoever asks for one that cannot be read (see ``unreadable``) gets ``Terminal``.
    """

    def add(self, canary: Canary) -> None:
        """Insert. A second one for the same deployment is a mistake of the caller."""
        ...

    def get(self, deployment_id: str) -> Canary | None:
        """``None`` where the deployment is no canary, or has not begun."""
        ...

    def get_for_update(self, deployment_id: str) -> Canary | None:
        """As ``get``; until this transaction ends nobody else changes it."""
        ...

    def of(self, target: Target) -> Canary | None:
        """The target's canary that is not over, if there is one."""
        ...

    def open(self) -> Sequence[Canary]:
        """All that are not over, oldest first, but for those of ``unreadable``."""
        ...

    def unreadable(self) -> Sequence[str]:
        """Ids of those that are not over, and were written by a version that this one cannot
        read."""
        ...

    def change(self, canary: Canary, /, **changes: Any) -> Canary | None:
        """Compare-and-set on ``version``; ``None`` where somebody was faster: nothing is changed
        then."""
        ...

    def claim(self, deployment_id: str, replica: str, now: datetime, until: datetime) -> bool:
        """Conduct it until then: True where nobody else does. The holder extends its own claim."""
        ...

    def tick(self, deployment_id: str, number: int, tick: Measured) -> bool:
        """Append the tick of that number, counted from 0; False where it is there already.

        Ticks are never changed, nor removed.
        """
        ...

    def ticks(self, deployment_id: str) -> Sequence[Measured]:
        """All ticks, oldest first."""
        ...
