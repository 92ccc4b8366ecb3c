"""What one look at a canary knows, and what is written down after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.model.canary import Canary, Ended, Phase, Stand
from bot.workflows.canary.bench import Judged, judgement

#: Phases in which the new version has to earn its share.
ON_TRIAL = frozenset({Phase.SHIFTING, Phase.BAKING, Phase.ASKING})


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look knows. ``blind`` is why nothing could be measured, a sentence or nothing.

    ``settled`` says that the deployment has ended already, by somebody's rollback or word, and
    ``listed`` that its target is in the catalog. ``paused`` is why nothing may start on the target
    now. ``timeout`` is how long the provider may take to bring about what it was told.
    """

    canary: Canary
    stand: Stand
    judged: Judged | None
    blind: str
    settled: bool
    timeout: timedelta
    now: datetime
    listed: bool = True
    paused: str = ""

    @property
    def here(self) -> timedelta:
        """For how long it has been in its phase."""
        return self.now - self.canary.since


@dataclass(frozen=True, slots=True)
class Entry:
    """An audit row that goes with a change."""

    action: str
    decision: str
    reason: str = ""
    reason_code: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A message in the thread, once per ``key``; ``chart`` is drawn beside it."""

    key: str
    text: str
    broadcast: bool = False
    chart: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """What is written down after one look, all of it together. ``ended`` settles the deployment."""

    changes: Mapping[str, Any] = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()
    notes: tuple[Note, ...] = ()
    ended: Ended | None = None


def is_down(stand: Stand) -> bool:
    """Whether the canary's traffic meets no healthy task, while the stable version has some.

    No metrics tell: of a target group without targets no request is counted, and each is answered
    503 (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/
    load-balancer-troubleshooting.html#http-503-issues). Whatever somebody else has put there is
    theirs, until a person says.
    """
    meets_none = bool(stand.share) and not stand.canary.healthy
    return meets_none and stand.stable.healthy > 0 and not stand.foreign


def down_since(canary: Canary, stand: Stand, now: datetime) -> datetime | None:
    """Since when its traffic meets no healthy task. What cannot be read now stays as it was."""
    if canary.phase not in ON_TRIAL or stand.share is None:
        return canary.down_since
    if not is_down(stand):
        return None
    return min(canary.down_since or now, now)


def under_way(stand: Stand) -> str:
    """What is being done, and what is known of why it takes its time: a sync window that is closed,
    pods that do not start."""
    if stand.doing and stand.explanation:
        return f"{stand.doing}. {stand.explanation}"
    return stand.doing


def told(canary: Canary, stand: Stand, judged: Judged | None, at: datetime) -> dict[str, Any]:
    """What the card shows that has changed, also where somebody else changed the weights. A share
    that cannot be told stays what it was."""
    now: dict[str, Any] = {
        "down_since": down_since(canary, stand, at),
        "canary": stand.canary,
        "stable": stand.stable,
        "doing": under_way(stand),
        "expires_at": stand.expires_at,
        "flows": canary.flows if stand.share is None else stand.share,
    }
    if canary.arms is None or (stand.arms is not None and canary.arms != stand.arms):
        now["arms"] = stand.arms
    # Before the first tick "no traffic" would be said of what was only not measured yet.
    if judged is not None and judged.verdict.figures.ticks + judged.verdict.figures.silent:
        now["judgement"] = judgement(judged, canary.step)
    return {name: value for name, value in now.items() if value != getattr(canary, name)}
