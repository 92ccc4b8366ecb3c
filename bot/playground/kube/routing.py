"""From a URL's path to the verb and the object that it means."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from bot.playground.kube import refusals
from bot.playground.kube.access import Attributes
from bot.playground.kube.resources import NAMESPACES, Json, Resource, resource_at
from bot.playground.kube.store import Key

VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
#: A namespace's own subresources, which stand where its objects stand else.
NAMESPACE_SUBRESOURCES = ("status", "finalize")


@dataclass(frozen=True, slots=True)
class Place:
    """What a path names; ``name`` is empty for a whole collection."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> Key:
        """Where the object stands in the store."""
        return self.resource, self.namespace, self.name

    @property
    def title(self) -> str:
        """The plural, with the subresource: ``deployments/scale``."""
        return "/".join(filter(None, (self.resource.plural, self.subresource)))


@dataclass(frozen=True, slots=True)
class Request:
    """One request, by whom, for what. ``place`` is ``None`` for discovery."""

    method: str
    path: str
    verb: str
    place: Place | None
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = "application/json"
    user: str = ""
    user_agent: str = ""

    @property
    def dry_run(self) -> bool:
        """Whether it is to be tried only."""
        return self.query.get("dryRun") == "All"

    def attributes(self, place: Place) -> Attributes:
        """The request as RBAC sees it."""
        group, title = place.resource.group, place.title
        return Attributes(self.verb, group, title, place.namespace, place.name)


def place_of(path: str) -> Place | None:
    """What a path names, ``None`` where it is no object's. Raises ``ApiError`` (404)."""
    steps = [urllib.parse.unquote(each) for each in path.strip("/").split("/")]
    match steps:
        case ["api", version, plural, *rest]:
            return _object(("", version), [plural, *rest])
        case ["apis", group, version, plural, *rest]:
            return _object((group, version), [plural, *rest])
        case _:
            return None


def _object(group_version: tuple[str, str], steps: list[str]) -> Place:
    match steps:
        case ["namespaces", name, sub] if sub in NAMESPACE_SUBRESOURCES:
            return Place(NAMESPACES, "", name, sub)
        case ["namespaces", namespace, plural, *rest]:
            pass
        case _:
            namespace, plural, rest = "", steps[0], steps[1:]
    resource = resource_at(*group_version, plural)
    if resource is None or (namespace and not resource.namespaced):
        raise refusals.no_such_resource()
    match rest:
        case [] | [_]:
            return Place(resource, namespace, "".join(rest))
        case [name, sub] if sub in resource.subresources:
            return Place(resource, namespace, name, sub)
        case _:
            raise refusals.no_such_resource()


def verb_of(method: str, place: Place, query: dict[str, str]) -> str:
    """The verb that a method means at that place. Raises ``ApiError`` (405)."""
    if method == "GET":
        if query.get("watch") in {"1", "true"}:
            return "watch"
        return "get" if place.name else "list"
    verb = VERBS.get(method, "")
    if not verb or bool(place.name) == (verb == "create"):
        raise refusals.method_not_allowed()
    if place.resource.namespaced and not place.namespace:
        raise refusals.method_not_allowed()
    return verb


def query_of(text: str) -> dict[str, str]:
    """The query's parameters; the last of each name counts."""
    parsed = urllib.parse.parse_qs(text, keep_blank_values=True)
    return {key: values[-1] for key, values in parsed.items()}


def document(resource: Resource, items: list[Json], metadata: Json) -> Json:
    """A list as it goes over the wire. Items of built-in lists do not repeat their kind."""
    if not resource.custom:
        items = [{k: v for k, v in i.items() if k not in {"kind", "apiVersion"}} for i in items]
    return {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": metadata,
        "items": items,
    }
