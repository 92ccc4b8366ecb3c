"""Why tasks of a revision stopped, in one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.model.errors import QuarterdeckError
from bot.model.places import EcsService
from bot.providers.ecs.reads import EcsReads

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import TaskTypeDef

_LOOKED_AT = 20
_QUOTED = 4


def reasons(
    reads: EcsReads, ecs: EcsService, revision: str, known: tuple[str, ...]
) -> tuple[str, ...]:
    """``known`` and what is new, the newest few, oldest first; ``known`` where it is unreadable.

    Reasons only decorate: no fault in reading them may hide how the rollout stands.
    """
    try:
        tasks = reads.tasks(ecs, "STOPPED", _LOOKED_AT)
    except QuarterdeckError:
        return known
    failed = [each for each in tasks if each.get("taskDefinitionArn") == revision]
    failed.sort(key=lambda each: str(each.get("stoppedAt", "")))
    said = dict.fromkeys((*known, *(describe(each) for each in failed)))
    return tuple(said)[-_QUOTED:]


def describe(task: TaskTypeDef) -> str:
    """``Task stopped: <reason>; container app exited with 1 (<reason>)``, without the task's id.

    Without the id so that a hundred tasks that fail alike are one line.
    """
    parts = [task.get("stoppedReason", "") or task.get("stopCode", "") or "no reason given"]
    for container in task.get("containers", ()):
        code, reason = container.get("exitCode"), container.get("reason", "")
        if code:
            parts.append(f"container {container.get('name', '?')} exited with {code}")
        if reason:
            parts.append(reason)
    return " ".join(f"Task stopped: {'; '.join(parts)}".split())[:500]
