"""As much of Helm as a stand-in needs: values in templates, and nothing else of its language."""

from __future__ import annotations

import posixpath
import re
from typing import Any

from bot.playground.kube.argocd.git import RepositoryError
from bot.playground.kube.argocd.trees import Release, Tree, parsed
from bot.playground.kube.resources import Json, cloned

PLACEHOLDER = re.compile(r"\{\{-?\s*(?P<what>.*?)\s*-?\}\}")
REFERENCE = re.compile(r"\.(?P<path>[A-Za-z0-9_]+(\.[A-Za-z0-9_-]+)*)(\s*\|\s*(?P<filter>quote))?")


def render(tree: Tree, folder: str, source: Json, release: Release) -> list[Any]:
    """What ``helm template`` gives for templates that only name values."""
    helm = source.get("helm", {})
    chart = _one(tree, posixpath.join(folder, "Chart.yaml"))
    scope: Json = {
        "Values": _values(tree, folder, helm, release),
        "Release": {
            "Name": helm.get("releaseName", release.name),
            "Namespace": release.namespace,
            "Service": "Helm",
        },
        "Chart": {key.title(): each for key, each in chart.items() if isinstance(each, str)},
    }
    found: list[Any] = []
    templates = posixpath.normpath(posixpath.join(folder, "templates"))
    for path in tree.files(templates):
        if path.endswith((".yaml", ".yml")):
            found += parsed(_filled(tree.text(path), scope, path), path)
    return found


def _values(tree: Tree, folder: str, helm: Json, release: Release) -> Json:
    values: Json = {}
    default = posixpath.normpath(posixpath.join(folder, "values.yaml"))
    if default in tree.files(folder):
        _merge(values, _one(tree, default))
    for each in helm.get("valueFiles", []):
        _merge(values, _values_file(tree, folder, each, release))
    if helm.get("values"):
        _merge(values, next(iter(parsed(helm["values"], "values")), {}))
    _merge(values, helm.get("valuesObject", {}))
    for each in helm.get("parameters", []):
        _set(values, each["name"].split("."), each.get("value", ""))
    return values


def _values_file(tree: Tree, folder: str, path: str, release: Release) -> Json:
    if not path.startswith("$"):
        return _one(tree, posixpath.join(folder, path))
    name, _, inside = path[1:].partition("/")
    if name not in release.refs:
        raise RepositoryError(f"source referenced {name!r}, which is not one of the sources")
    return _one(release.refs[name], inside)


def _one(tree: Tree, path: str) -> Json:
    documents = tree.documents(posixpath.normpath(path))
    if not documents:
        return {}
    if not isinstance(documents[0], dict):
        raise RepositoryError(f"`helm template` failed exit status 1: {path} is no table")
    return documents[0]


def _filled(text: str, scope: Json, path: str) -> str:
    def replace(found: re.Match[str]) -> str:
        reference = REFERENCE.fullmatch(found["what"])
        if reference is None:
            raise RepositoryError(
                f"`helm template` failed exit status 1: parse error at ({path}): {found['what']}"
            )
        value: Any = scope
        for step in reference["path"].split("."):
            value = value.get(step) if isinstance(value, dict) else None
        shown = "" if value is None else _shown(value)
        return f'"{shown}"' if reference["filter"] else shown

    return PLACEHOLDER.sub(replace, text)


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _merge(target: Json, wanted: Json) -> None:
    for key, value in wanted.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = cloned(value)


def _set(target: Json, steps: list[str], value: Any) -> None:
    for step in steps[:-1]:
        inner = target.get(step)
        if not isinstance(inner, dict):
            inner = target[step] = {}
        target = inner
    target[steps[-1]] = value
