"""The API: carries out one request for one user, and answers with a document."""

from __future__ import annotations

from typing import Any

from bot.playground.kube import discovery, refusals, scale
from bot.playground.kube.access import Access, denial
from bot.playground.kube.objects import Objects, Write
from bot.playground.kube.reads import Lists, Watch
from bot.playground.kube.resources import NAMESPACES, PODS, Json
from bot.playground.kube.routing import Place, Request


class Api:
    """Every verb but ``watch``'s stream. Hold the store's lock while it works."""

    def __init__(self, objects: Objects, access: Access) -> None:
        self._objects = objects
        self._access = access
        self.lists = Lists(objects.store)

    def admit(self, request: Request, place: Place) -> None:
        """Raise ``ApiError`` (403) where the caller's roles do not allow the request."""
        if place.resource.virtual:
            return
        asked = request.attributes(place)
        if not self._access.allows(request.user, asked):
            raise denial(request.user, place.resource, asked)

    def answer(self, request: Request) -> tuple[int, Json | str]:
        """HTTP status and document, or text. Raises ``ApiError``."""
        place = request.place
        if place is None:
            return self._discovered(request)
        self.admit(request, place)
        if place.resource.virtual:
            return 201, self._access.review(request.user, request.body)
        if request.verb == "create":
            write = Write(dry_run=request.dry_run)
            return 201, self._objects.create(place.resource, place.namespace, request.body, write)
        return 200, self._done(request, place)

    def watch(self, request: Request, place: Place) -> Watch:
        """Open a watch. Raises ``ApiError``."""
        self.admit(request, place)
        watch = Watch(self._objects.store, request, place)
        watch.open(request.query.get("resourceVersion", ""))
        return watch

    def _discovered(self, request: Request) -> tuple[int, Json | str]:
        if request.path in discovery.HEALTH:
            return 200, "ok"
        found = discovery.found_at(request.path)
        return (404, "404 page not found\n") if found is None else (200, found)

    def _done(self, request: Request, place: Place) -> Json | str:
        match request.verb:
            case "get":
                return self._got(place)
            case "list":
                return self.lists.answer(request, place)
            case "delete":
                return self._deleted(request, place)
            case _:
                return self._written(request, place)

    def _got(self, place: Place) -> Json | str:
        found = self._objects.get(place.key)
        if place.subresource == "scale":
            return scale.scale_of(found)
        if place.subresource == "log":
            return _log(found)
        return found

    def _written(self, request: Request, place: Place) -> Json:
        if place.resource == PODS and place.subresource == "log":
            raise refusals.method_not_allowed()
        write = Write(place.subresource, request.dry_run)
        objects, body, kind = self._objects, request.body, request.content_type
        if place.subresource == "scale":
            if request.verb == "update":
                return scale.replaced(objects, place.key, body, write)
            return scale.scaled(objects, place.key, kind, body, write)
        if request.verb == "update":
            return objects.replace(place.key, body, write)
        return objects.patch(place.key, kind, body, write)

    def _deleted(self, request: Request, place: Place) -> Json:
        options: Json = request.body if isinstance(request.body, dict) else {}
        query: dict[str, Any] = {
            key: int(value) if key == "gracePeriodSeconds" else value
            for key, value in request.query.items()
        }
        left = self._objects.delete(place.key, {**options, **query}, Write(dry_run=request.dry_run))
        if place.resource in {PODS, NAMESPACES} or left["metadata"].get("deletionTimestamp"):
            return left
        details = {"name": place.name, "kind": place.resource.plural}
        if place.resource.group:
            details["group"] = place.resource.group
        details["uid"] = left["metadata"]["uid"]
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": details,
        }


def _log(pod: Json) -> str:
    for status in pod.get("status", {}).get("containerStatuses", []):
        if status.get("restartCount"):
            return "starting\nfatal: could not start\n"
    return "starting\nready\n"
