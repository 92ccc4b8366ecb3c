"""Events as controllers and kubelets record them: repeated ones are counted, old ones go."""

from __future__ import annotations

from bot.playground.kube.objects import Objects
from bot.playground.kube.resources import EVENTS, Json

EVENTS_KEPT = 2000


class Recorder:
    """Records events in the namespace of what they are about."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._names: dict[tuple[str, str, str], tuple[str, str]] = {}
        self._order: list[tuple[str, str]] = []

    def normal(self, about: Json, reason: str, message: str, component: str) -> None:
        """Something happened as it should."""
        self._record(about, ("Normal", reason, message), component)

    def warning(self, about: Json, reason: str, message: str, component: str) -> None:
        """Something went wrong."""
        self._record(about, ("Warning", reason, message), component)

    def _record(self, about: Json, told: tuple[str, str, str], component: str) -> None:
        kind, reason, message = told
        metadata = about["metadata"]
        same = (metadata["uid"], reason, message)
        namespace = metadata.get("namespace", "default")
        now = self._objects.now()
        if same in self._names:
            self._again(self._names[same], now)
            return
        name = f"{metadata['name']}.{self._objects.word('event', 16)}"
        self._names[same] = (namespace, name)
        self._order.append((namespace, name))
        self._objects.create(
            EVENTS,
            namespace,
            {
                "metadata": {"name": name},
                "involvedObject": {
                    "kind": about["kind"],
                    "namespace": namespace,
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                    "apiVersion": about["apiVersion"],
                    "resourceVersion": metadata["resourceVersion"],
                },
                "reason": reason,
                "message": message,
                "source": {"component": component},
                "reportingComponent": component,
                "reportingInstance": "",
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
                "type": kind,
            },
        )
        self._prune()

    def _again(self, place: tuple[str, str], now: str) -> None:
        key = (EVENTS, *place)
        if self._objects.store.find(*key) is None:
            return

        def count(event: Json) -> None:
            event["count"] += 1
            event["lastTimestamp"] = now

        self._objects.edit(key, count)

    def _prune(self) -> None:
        while len(self._order) > EVENTS_KEPT:
            oldest = self._order.pop(0)
            if self._objects.store.find(EVENTS, *oldest) is not None:
                self._objects.store.remove(EVENTS, *oldest)
