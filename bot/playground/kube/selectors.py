"""Label and field selectors, as ``list`` and ``watch`` take them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from bot.playground.kube.refusals import bad_request
from bot.playground.kube.resources import EVENTS, PODS, REPLICA_SETS, Json, Resource

Matches = Callable[[Json], bool]
Labels = Mapping[str, str]

SET_BASED = re.compile(r"(?P<key>\S+)\s+(?P<how>in|notin)\s*\((?P<values>[^)]*)\)")
EQUALITY = re.compile(r"(?P<key>[^=!\s]+)\s*(?P<how>==|!=|=)\s*(?P<value>[^=!\s]*)")
KEY = r"[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?"
FIELDS: dict[Resource, tuple[str, ...]] = {
    PODS: ("spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.phase"),
    EVENTS: (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "reason",
        "type",
    ),
    REPLICA_SETS: ("status.replicas",),
}


def selection(resource: Resource, labels: str, fields: str) -> Matches:
    """Whether an object is meant by both selectors. Raises ``ApiError`` where one is malformed."""
    wanted = [_label(each) for each in re.split(r",(?![^(]*\))", labels) if each.strip()]
    tests = [_field(resource, each) for each in fields.split(",") if each.strip()]

    def matches(found: Json) -> bool:
        theirs = found["metadata"].get("labels") or {}
        return all(test(theirs) for test in wanted) and all(test(found) for test in tests)

    return matches


def matches_labels(selector: Json, labels: Labels) -> bool:
    """Whether a ``LabelSelector`` (matchLabels, matchExpressions) means these labels."""
    exact = all(labels.get(key) == each for key, each in selector.get("matchLabels", {}).items())
    return exact and all(_expression(each, labels) for each in selector.get("matchExpressions", []))


def _expression(wanted: Json, labels: Labels) -> bool:
    key, values = wanted["key"], wanted.get("values", [])
    match wanted["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _label(text: str) -> Callable[[Labels], bool]:
    text = text.strip()
    if found := SET_BASED.fullmatch(text):
        key, inside = found["key"], found["how"] == "in"
        values = {each.strip() for each in found["values"].split(",")}
        return lambda labels: (labels.get(key) in values) == inside
    if found := EQUALITY.fullmatch(text):
        key, value, equal = found["key"], found["value"], found["how"] != "!="
        return lambda labels: (labels.get(key) == value) == equal
    if re.fullmatch(f"!?{KEY}", text):
        key, present = text.lstrip("!"), not text.startswith("!")
        return lambda labels: (key in labels) == present
    raise bad_request(f"unable to parse requirement: found '{text}', expected: identifier")


def _field(resource: Resource, text: str) -> Matches:
    found = EQUALITY.fullmatch(text.strip())
    if found is None:
        raise bad_request(f"invalid field selector: '{text}'; can't understand '{text}'")
    path, value, equal = found["key"], found["value"], found["how"] != "!="
    if path not in {"metadata.name", "metadata.namespace", *FIELDS.get(resource, ())}:
        raise bad_request(f"field label not supported: {path}")
    return lambda each: (str(_at(each, path)) == value) == equal


def _at(found: Json, path: str) -> object:
    place: object = found
    for step in path.split("."):
        place = place.get(step, "") if isinstance(place, dict) else ""
    return place
