"""Operations of Applications: from the ``operation`` field to applied objects and a history.

Follows ``processRequestedAppOperation`` and ``SyncAppState`` of Argo CD. An operation that is set
while another one runs is not queued: the running one goes on as it was asked for, and takes the
field away at its end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from bot.playground.kube.argocd import windows
from bot.playground.kube.argocd.applying import Applier
from bot.playground.kube.argocd.comparing import Comparison, Comparisons
from bot.playground.kube.argocd.projects import sources_of, spec_errors
from bot.playground.kube.events import Recorder
from bot.playground.kube.objects import Objects
from bot.playground.kube.resources import APP_PROJECTS, Json
from bot.playground.kube.store import Key
from bot.playground.kube.workqueue import Workqueue
from bot.playground.timeline import Timeline

COMPONENT = "argocd-application-controller"
RUNNING = ("Running", "Terminating")
HISTORY = 10
ALL_DONE = "successfully synced (all tasks run)"
BLOCKED = "Sync operation blocked by sync window"


@dataclass
class Pace:
    """How long Argo CD takes, in virtual seconds. ``poll`` is ``timeout.reconciliation``."""

    poll: float = 180.0
    compare: float = 0.3
    apply: float = 1.0
    self_heal: float = 5.0
    grace: float = 180.0


@dataclass
class Running:
    """An operation that has begun: when its next step is due, in virtual time."""

    due: float


class Operations:
    """Carries out the operations of all Applications; tells ``refresh`` at the end of each."""

    def __init__(
        self,
        timeline: Timeline,
        objects: Objects,
        recorder: Recorder,
        comparisons: Comparisons,
    ) -> None:
        self._timeline = timeline
        self._objects = objects
        self._recorder = recorder
        self._comparisons = comparisons
        self._running: dict[str, Running] = {}
        self.applier = Applier(objects)
        self.pace = Pace()
        self.finished: dict[str, float] = {}  # virtual times, by the Application's uid
        self.instant = False
        self.refresh: Callable[[Key], None] = lambda _key: None
        self.queue: Workqueue[Key] = Workqueue(timeline, self._process)

    def _process(self, key: Key) -> None:
        app = self._objects.store.find(*key)
        if app is None or "operation" not in app:
            return
        state = app.get("status", {}).get("operationState")
        if state is None or state["phase"] not in RUNNING:
            self._begin(key, app)
            return
        uid = app["metadata"]["uid"]
        running = self._running.setdefault(uid, Running(self._timeline.now))
        if state["phase"] == "Terminating":
            self._end(key, {**state, "phase": "Failed", "message": "Operation terminated"})
        elif running.due <= self._timeline.now:
            self._step(key, app, dict(state))

    def _begin(self, key: Key, app: Json) -> None:
        seconds = 0.0 if self.instant else self.pace.apply
        self._running[app["metadata"]["uid"]] = Running(self._timeline.now + seconds)
        state = {
            "phase": "Running",
            "operation": app["operation"],
            "startedAt": self._objects.now(),
        }
        self._write(key, state)
        self._look_after(key, seconds)

    def _look_after(self, key: Key, seconds: float) -> None:
        if self.instant:
            self.queue.add(key)
        else:
            self.queue.add_after(key, seconds)

    def _step(self, key: Key, app: Json, state: Json) -> None:
        if "finishedAt" in state:  # the attempt before failed; this is the next one
            del state["finishedAt"]
            state.pop("syncResult", None)
        project = self._objects.store.find(APP_PROJECTS, key[1], app["spec"]["project"])
        manual = not state["operation"].get("initiatedBy", {}).get("automated", False)
        errors = spec_errors(app, project)
        if "sync" not in state["operation"]:
            told = "Invalid operation request: no operation specified"
            self._fail(key, {**state, "phase": "Failed", "message": told})
        elif project is None or errors:
            told = ";".join(f"InvalidSpecError: {each}" for each in errors)
            self._fail(key, {**state, "phase": "Error", "message": told})
        elif not windows.can_sync(project, app, self._timeline.stamp(), manual=manual):
            self._write(key, {**state, "message": BLOCKED})
            self._running[app["metadata"]["uid"]].due = self._timeline.now
            self._look_after(key, self.pace.poll)
        else:
            self._sync(key, app, state)

    def _sync(self, key: Key, app: Json, state: Json) -> None:
        sync = state["operation"]["sync"]
        sources = sync.get("sources") or ([sync["source"]] if sync.get("source") else None)
        several = bool(sync.get("sources")) or (not sources and "sources" in app["spec"])
        sources = sources or sources_of(app["spec"])
        asked = sync.get("revisions") if several else [sync.get("revision", "")]
        usual = [each.get("targetRevision", "") for each in sources]
        revisions = [a or u for a, u in zip(asked or usual, usual, strict=False)]
        found = self._comparisons.compare(app, sources, revisions)
        named: Json = {"sources": sources} if several else {"source": sources[0]}
        state["syncResult"] = {"revision": "", **named}
        if found.error:
            told = f"ComparisonError: {found.error}"
            self._fail(key, {**state, "phase": "Error", "message": told})
            return
        if several:
            state["syncResult"] |= {"revisions": found.commits}
        else:
            state["syncResult"] |= {"revision": found.commits[0]}
        self._apply(key, app, state, found)

    def _apply(self, key: Key, app: Json, state: Json, found: Comparison) -> None:
        sync = state["operation"]["sync"]
        results, why = self.applier.apply(app, sync, found)
        state["syncResult"] |= {"resources": results}
        if why:
            self._fail(key, {**state, "phase": "Failed", "message": why})
            return
        if not sync.get("dryRun") and not sync.get("resources"):
            self._objects.edit(key, partial(self._remember, state))
        self._end(key, {**state, "phase": "Succeeded", "message": ALL_DONE})

    def _remember(self, state: Json, app: Json) -> None:
        result = state["syncResult"]
        history = list(app.setdefault("status", {}).get("history", []))
        entry = {
            "id": history[-1]["id"] + 1 if history else 0,
            "deployedAt": self._objects.now(),
            "deployStartedAt": state["startedAt"],
            "initiatedBy": state["operation"].get("initiatedBy", {}),
        }
        names = ("revision", "revisions", "source", "sources")
        entry |= {each: result[each] for each in names if result.get(each)}
        limit = app["spec"].get("revisionHistoryLimit", HISTORY)
        app["status"]["history"] = [*history, entry][-limit:] if limit else []

    def _fail(self, key: Key, state: Json) -> None:
        retry = state["operation"].get("retry") or {}
        count, limit = state.get("retryCount", 0), retry.get("limit", 0)
        if limit >= 0 and count >= limit:
            if count:
                state["message"] += f" (retried {count} times)."
            self._end(key, state)
            return
        wait = _backoff(retry, count)
        uid = self._objects.get(key)["metadata"]["uid"]
        self._running[uid] = Running(self._timeline.now + wait)
        again = f"Retrying attempt #{count + 1} at {_kitchen(self._timeline.stamp() + wait)}."
        state |= {
            "phase": "Running",
            "retryCount": count + 1,
            "finishedAt": self._objects.now(),
            "message": f"{state['message']}. {again}",
        }
        self._write(key, state)
        self._look_after(key, wait)

    def _end(self, key: Key, state: Json) -> None:
        state = {**state, "finishedAt": self._objects.now()}
        app = self._write(key, state, over=True)
        uid = app["metadata"]["uid"]
        self._running.pop(uid, None)
        self.finished[uid] = self._timeline.now
        self._announce(app, state)
        self.refresh(key)

    def _announce(self, app: Json, state: Json) -> None:
        revision = state.get("syncResult", {}).get("revision", "")
        if state["phase"] == "Succeeded":
            text = f"Sync operation to {revision} succeeded"
            self._recorder.normal(app, "OperationCompleted", text, COMPONENT)
        else:
            text = f"Sync operation to {revision} failed: {state['message']}"
            self._recorder.warning(app, "OperationCompleted", text, COMPONENT)

    def _write(self, key: Key, state: Json, *, over: bool = False) -> Json:
        def change(app: Json) -> None:
            app.setdefault("status", {})["operationState"] = state
            if over:
                app.pop("operation", None)

        return self._objects.edit(key, change)


def _backoff(retry: Json, count: int) -> float:
    told = retry.get("backoff") or {}
    first = windows.seconds(told.get("duration") or "5s")
    longest = windows.seconds(told.get("maxDuration") or "3m")
    return float(min(longest, first * (told.get("factor") or 2) ** count))


def _kitchen(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%I:%M%p").lstrip("0")
