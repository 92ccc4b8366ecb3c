"""A Gateway's controller, as far as it says that it has taken note of an HTTPRoute.

Follows the conditions of https://gateway-api.sigs.k8s.io/reference/spec/#httproutestatus. It routes
nothing: weights are for whoever reads them.
"""

from __future__ import annotations

from bot.playground.kube.objects import STATUS, Objects
from bot.playground.kube.resources import HTTP_ROUTES, SERVICES, Json
from bot.playground.kube.store import Change, Key, key_of
from bot.playground.kube.workqueue import Workqueue
from bot.playground.timeline import Timeline

CONTROLLER = "quarterdeck.dev/gateway"


class HttpRoutes:
    """Looks at an HTTPRoute whenever it, or a Service, has changed."""

    def __init__(self, timeline: Timeline, objects: Objects) -> None:
        self._objects = objects
        self._halted = False
        self.queue: Workqueue[Key] = Workqueue(timeline, self._sync)
        objects.store.listeners.append(self._hear)

    def halt(self, *, halted: bool) -> None:
        """Whether it looks at nothing: it is down."""
        self._halted = halted
        for each in self._objects.store.all(HTTP_ROUTES):
            self.queue.add(key_of(HTTP_ROUTES, each))

    def _hear(self, change: Change) -> None:
        if change.resource == HTTP_ROUTES and change.kind != "DELETED":
            self.queue.add(change.key)
        elif change.resource == SERVICES:
            for each in self._objects.store.all(HTTP_ROUTES, change.key[1]):
                self.queue.add(key_of(HTTP_ROUTES, each))

    def _sync(self, key: Key) -> None:
        route = self._objects.store.find(*key)
        if self._halted or route is None:
            return
        conditions = [
            self._condition(route, "Accepted", "", ""),
            self._condition(route, "ResolvedRefs", *self._unresolved(route)),
        ]
        parents = [
            {"parentRef": each, "controllerName": CONTROLLER, "conditions": conditions}
            for each in route["spec"].get("parentRefs", [])
        ]

        def change(found: Json) -> None:
            found["status"] = {"parents": parents}

        if _undated(route.get("status", {}).get("parents")) != _undated(parents):
            self._objects.edit(key, change, STATUS)

    def _condition(self, route: Json, kind: str, reason: str, message: str) -> Json:
        return {
            "type": kind,
            "status": "False" if reason else "True",
            "reason": reason or kind,
            "message": message,
            "observedGeneration": route["metadata"]["generation"],
            "lastTransitionTime": self._objects.now(),
        }

    def _unresolved(self, route: Json) -> tuple[str, str]:
        namespace = route["metadata"]["namespace"]
        for rule in route["spec"].get("rules", []):
            for each in rule.get("backendRefs", []):
                if self._objects.store.find(SERVICES, namespace, each["name"]) is None:
                    return "BackendNotFound", f"Service {each['name']} not found"
        return "", ""


def _undated(parents: list[Json] | None) -> list[Json]:
    return [
        {
            **parent,
            "conditions": [
                {key: value for key, value in each.items() if key != "lastTransitionTime"}
                for each in parent["conditions"]
            ],
        }
        for parent in parents or []
    ]
