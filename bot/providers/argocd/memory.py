"""What earlier looks showed of one rollout; losing it costs calls and time, never truth."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from bot.providers.argocd.desired import Landed, Relation
from bot.providers.argocd.judge import Mood

_REMEMBERED = 1024
_RELATIONS = 16
_NEVER = float("-inf")


@dataclass(slots=True)
class Memory:
    """Times are ticks. ``home`` is project and destination as they were first seen, ``automated``
    whether auto-sync was on then; ``may_not`` says what we were denied to do for it. ``unknown`` is
    the commit that git did not have when it was last asked."""

    mood: Mood | None = None
    mood_key: object = None
    mood_since: float = 0.0
    home: tuple[str, ...] = ()
    automated: bool | None = None
    landed: Landed | None = None
    landed_at: float = _NEVER
    relations: dict[str, Relation] = field(default_factory=dict)
    unknown: str = ""
    related_at: float = _NEVER
    refreshed_at: float = _NEVER
    synced_at: float = _NEVER
    may_not: str = ""
    reasons: tuple[str, ...] = ()
    reasons_at: float = _NEVER
    reason_looks: int = 0

    def lasted(self, mood: Mood, key: object, now: float) -> float:
        """For how many seconds this mood has been seen without another one between.

        ``key`` changes where it came anew though no look showed what was in between.
        """
        if (self.mood, self.mood_key) != (mood, key):
            self.mood, self.mood_key, self.mood_since = mood, key, now
        return now - self.mood_since

    def relate(self, commit: str, relation: Relation) -> Relation:
        """Keep how a commit stands to ours: it never changes once it is known."""
        if relation is not Relation.UNKNOWN:
            if len(self.relations) >= _RELATIONS:
                self.relations.clear()
            self.relations[commit] = relation
        return relation


class Memories:
    """Bounded, and safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[str, Memory] = OrderedDict()

    def of(self, deployment_id: str) -> Memory:
        """What is remembered of one rollout."""
        with self._lock:
            memory = self._kept.setdefault(deployment_id, Memory())
            self._kept.move_to_end(deployment_id)
            while len(self._kept) > _REMEMBERED:
                self._kept.popitem(last=False)
            return memory
