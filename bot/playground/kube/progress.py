"""A Deployment's condition Progressing: made, seen to move, complete, paused, timed out.

Follows progress.go and ``util/deployment_util.go`` of the Deployment controller. Deadlines run on
virtual time; the times that conditions show are the wall's.
"""

from __future__ import annotations

from bot.playground.kube.conditions import condition_of, drop_condition, set_condition
from bot.playground.kube.objects import STATUS, Objects
from bot.playground.kube.resources import Json
from bot.playground.kube.revisions import REVISION
from bot.playground.kube.store import Key
from bot.playground.timeline import Timeline

PROGRESSING = "Progressing"
AVAILABLE = "Available"
COMPLETE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
NO_DEADLINE = 2**31 - 1


def true(reason: str, message: str) -> Json:
    """A condition Progressing that is so."""
    return {"type": PROGRESSING, "status": "True", "reason": reason, "message": message}


def complete(deployment: Json, status: Json) -> bool:
    """Whether the rollout is over: all pods new, available, and none of the old ones left."""
    wanted = deployment["spec"]["replicas"]
    counts = ("updatedReplicas", "replicas", "availableReplicas")
    return (
        all(status.get(each, 0) == wanted for each in counts)
        and status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    )


def say_available(status: Json, *, enough: bool, now: str) -> None:
    """Put the condition Available there."""
    told: Json = {
        "type": AVAILABLE,
        "status": "True",
        "reason": "MinimumReplicasAvailable",
        "message": "Deployment has minimum availability.",
    }
    if not enough:
        told["status"] = "False"
        told["reason"] = "MinimumReplicasUnavailable"
        told["message"] = "Deployment does not have minimum availability."
    set_condition(status, told, now)


class Progress:
    """Keeps the condition, and the virtual time at which each Deployment moved last."""

    def __init__(self, timeline: Timeline, objects: Objects) -> None:
        self._timeline = timeline
        self._objects = objects
        self._moved: dict[str, float] = {}

    def note(self, key: Key, revision: int, told: Json, *, only_first: bool = False) -> None:
        """Give a Deployment its revision, and the condition where it has a deadline."""
        now = self._objects.now()

        def change(found: Json) -> None:
            found["metadata"].setdefault("annotations", {})[REVISION] = str(revision)
            status = found.setdefault("status", {})
            known = condition_of(status, PROGRESSING) is not None
            if has_deadline(found) and not (only_first and known):
                set_condition(status, told, now)
                self._moved[found["metadata"]["uid"]] = self._timeline.now

        self._objects.edit(key, change, STATUS)

    def note_pause(self, key: Key) -> None:
        """Say in the condition that a Deployment was paused or resumed."""
        found = self._objects.get(key)
        condition = condition_of(found.get("status", {}), PROGRESSING)
        reason = condition["reason"] if condition else ""
        if not has_deadline(found) or reason == TIMED_OUT:
            return
        paused = bool(found["spec"].get("paused"))
        if paused == (reason == "DeploymentPaused"):
            return
        word = "paused" if paused else "resumed"
        told = true(f"Deployment{word.title()}", f"Deployment is {word}")
        now = self._objects.now()

        def change(each: Json) -> None:
            set_condition(each.setdefault("status", {}), {**told, "status": "Unknown"}, now)
            self._moved[each["metadata"]["uid"]] = self._timeline.now

        self._objects.edit(key, change, STATUS)

    def judge(self, deployment: Json, status: Json, new: Json | None) -> float | None:
        """Put the condition into ``status``; returns when to look again, in virtual seconds."""
        if not has_deadline(deployment):
            drop_condition(status, PROGRESSING)
            return None
        before = deployment.get("status", {})
        condition = condition_of(before, PROGRESSING)
        settled = status.get("replicas", 0) == status.get("updatedReplicas", 0)
        if settled and condition and condition["reason"] == COMPLETE:
            return None
        name = new["metadata"]["name"] if new else deployment["metadata"]["name"]
        what = f'{"ReplicaSet" if new else "Deployment"} "{name}"'
        now, uid = self._objects.now(), deployment["metadata"]["uid"]
        if complete(deployment, status):
            set_condition(status, true(COMPLETE, f"{what} has successfully progressed."), now)
            return None
        if _moved(before, status):
            told = true("ReplicaSetUpdated", f"{what} is progressing.")
            since = condition["lastTransitionTime"] if condition and _is_true(condition) else now
            drop_condition(status, PROGRESSING)
            times = {"lastUpdateTime": now, "lastTransitionTime": since}
            status["conditions"].append({**told, **times})
            self._moved[uid] = self._timeline.now
        return self._deadline(deployment, status, what)

    def _deadline(self, deployment: Json, status: Json, what: str) -> float | None:
        condition = condition_of(status, PROGRESSING)
        if condition is None or condition["reason"] in {COMPLETE, TIMED_OUT}:
            return None
        moved = self._moved.setdefault(deployment["metadata"]["uid"], self._timeline.now)
        left = moved + float(deployment["spec"]["progressDeadlineSeconds"]) - self._timeline.now
        if left >= 0:
            return left + 1.0
        told = true(TIMED_OUT, f"{what} has timed out progressing.")
        set_condition(status, {**told, "status": "False"}, self._objects.now())
        return None


def has_deadline(deployment: Json) -> bool:
    """Whether lack of progress is looked for at all."""
    return bool(deployment["spec"].get("progressDeadlineSeconds", NO_DEADLINE) != NO_DEADLINE)


def _is_true(condition: Json) -> bool:
    return bool(condition["status"] == "True")


def _moved(before: Json, after: Json) -> bool:
    def old_ones(status: Json) -> int:
        return int(status.get("replicas", 0) - status.get("updatedReplicas", 0))

    more = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return old_ones(after) < old_ones(before) or any(
        after.get(each, 0) > before.get(each, 0) for each in more
    )
