"""The three kinds of patch: JSON merge patch, JSON patch, and the strategic merge of built-ins."""

from __future__ import annotations

from typing import Any

from bot.playground.kube.refusals import (
    ApiError,
    bad_request,
    unprocessable_patch,
    unsupported_media,
)
from bot.playground.kube.resources import Json, Resource, cloned

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
#: By which key the lists of built-in objects are merged; ``patchMergeKey`` in their Go types.
MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "volumes": "name",
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "conditions": "type",
    "ownerReferences": "uid",
    "topologySpreadConstraints": "topologyKey",
}
DIRECTIVES = ("$patch", "$retainKeys", "$setElementOrder/", "$deleteFromPrimitiveList/")


def patched(resource: Resource, found: Json, content_type: str, patch: Any) -> Json:
    """A copy of ``found`` with the patch applied. Raises ``ApiError`` where it does not apply."""
    kinds = (JSON_PATCH, MERGE) if resource.custom else (JSON_PATCH, MERGE, STRATEGIC)
    kind = content_type.partition(";")[0].strip()
    if kind not in kinds:
        raise unsupported_media(kinds)
    if kind == JSON_PATCH:
        if not isinstance(patch, list):
            raise bad_request("error decoding patch: json: cannot unmarshal object into a patch")
        return json_patched(found, patch)
    if not isinstance(patch, dict):
        raise bad_request("error decoding patch: the body is no JSON object")
    return merged(found, patch) if kind == MERGE else strategically_merged(found, patch)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396: what is null goes, objects are merged, everything else is replaced."""
    if not isinstance(patch, dict):
        return cloned(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def strategically_merged(target: Any, patch: Json) -> Json:
    """As ``merged``, with lists of named things merged by their name."""
    how = patch.get("$patch")
    wanted = {key: each for key, each in patch.items() if not key.startswith(DIRECTIVES)}
    if how == "replace":
        return cloned(wanted)
    result = dict(target) if isinstance(target, dict) else {}
    if "$retainKeys" in patch:
        result = {key: each for key, each in result.items() if key in patch["$retainKeys"]}
    for key, value in wanted.items():
        if value is None or (isinstance(value, dict) and value.get("$patch") == "delete"):
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = strategically_merged(result.get(key), value)
        elif isinstance(value, list) and key in MERGE_KEYS:
            result[key] = _merged_list(result.get(key) or [], value, key)
        else:
            result[key] = cloned(value)
    return result


def _merged_list(target: list[Json], patch: list[Json], field: str) -> list[Json]:
    if any(each.get("$patch") == "replace" for each in patch):
        return [cloned(each) for each in patch if "$patch" not in each]
    # A Service's ports are merged by another key than a container's.
    of_service = field == "ports" and all("port" in each for each in patch)
    key = "port" if of_service else MERGE_KEYS[field]
    result = list(target)
    for wanted in patch:
        if key not in wanted:
            raise bad_request(f"map: {wanted} does not contain declared merge key: {key}")
        place = next((i for i, each in enumerate(result) if each.get(key) == wanted[key]), None)
        if wanted.get("$patch") == "delete":
            result = [each for each in result if each.get(key) != wanted[key]]
        elif place is None:
            result.append(strategically_merged({}, wanted))
        else:
            result[place] = strategically_merged(result[place], wanted)
    return result


def json_patched(target: Json, operations: list[Json]) -> Json:
    """RFC 6902. Raises ``ApiError`` (422) where a path is missing or a test fails."""
    result: Any = cloned(target)
    for each in operations:
        try:
            result = _operate(result, each)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise _missing(each) from error
    if not isinstance(result, dict):
        raise unprocessable_patch("the patched document is no object")
    return result


def _missing(operation: Json) -> ApiError:
    name, path = operation.get("op", ""), operation.get("path", "")
    return unprocessable_patch(f"{name} operation does not apply: doc is missing path: {path}")


def _operate(document: Any, operation: Json) -> Any:
    steps = _steps(operation["path"])
    match operation["op"]:
        case "add":
            return _add(document, steps, cloned(operation["value"]))
        case "remove":
            return _remove(document, steps)
        case "replace":
            _look(document, steps)
            removed = _remove(document, steps) if steps else None
            return _add(removed, steps, cloned(operation["value"]))
        case "test":
            if _look(document, steps) != operation.get("value"):
                raise unprocessable_patch(f"testing value {operation['path']} failed: test failed")
            return document
        case "copy":
            return _add(document, steps, cloned(_look(document, _steps(operation["from"]))))
        case "move":
            origin = _steps(operation["from"])
            moved = _look(document, origin)
            return _add(_remove(document, origin), steps, moved)
        case other:
            raise unprocessable_patch(f"Unexpected kind: {other}")


def _steps(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"{pointer} is no JSON pointer")
    return [each.replace("~1", "/").replace("~0", "~") for each in pointer.split("/")[1:]]


def _look(document: Any, steps: list[str]) -> Any:
    for step in steps:
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def _add(document: Any, steps: list[str], value: Any) -> Any:
    if not steps:
        return value
    place = _look(document, steps[:-1])
    if isinstance(place, list):
        index = len(place) if steps[-1] == "-" else int(steps[-1])
        if index > len(place):
            raise IndexError(index)
        place.insert(index, value)
    elif isinstance(place, dict):
        place[steps[-1]] = value
    else:
        raise TypeError(steps)
    return document


def _remove(document: Any, steps: list[str]) -> Any:
    place = _look(document, steps[:-1])
    if isinstance(place, list):
        del place[int(steps[-1])]
    else:
        del place[steps[-1]]
    return document
