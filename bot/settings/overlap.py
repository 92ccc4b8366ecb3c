"""Where two targets of a catalog would change one and the same thing.

Reads the plain values of the file, as ``references`` does: what is malformed names no place here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from bot.settings.document import Value

Mapping_ = Mapping[str, Value]

#: What a place is when the file does not say it, as ``model.places`` has it.
DEFAULTS = {"namespace": "argocd", "branch": "main", "path": "."}
FILES = {"kustomize": "kustomization.yaml", "helm": "values.yaml"}
#: The keys that name the value within its file, for each form.
VALUE = {"kustomize": ("image",), "helm": ("key",), "manifest": ("name", "container")}
_ADDRESS = re.compile(r"(?:https?://|ssh://)?(?:[^@/]*@)?([^:/]+)(?::[0-9]+(?=/))?[:/]+(.+)")


class Claim(NamedTuple):
    """One thing that a target changes; ``what`` names it in a sentence."""

    key: tuple[str, ...]
    what: str


def claims(target: Mapping_) -> Iterator[Claim]:
    """Everything that no other target may name as well."""
    ecs, argocd, kubernetes = (part(target, name) for name in ("ecs", "argocd", "kubernetes"))
    if names := texts(target, "service", "environment"):
        yield Claim(("target", *names), "/".join(names))
    if place := texts(ecs, "region", "cluster", "service", "container"):
        # The same names in another account are another place.
        yield Claim(("ecs", *place, _text(ecs, "role")), "this container of this ECS service")
    if place := texts(kubernetes, "namespace", "deployment", "container"):
        cluster = _text(kubernetes, "cluster")
        yield Claim(("kubernetes", cluster, *place), "this container of this Deployment")
    yield from _in_git(part(argocd, "manifests"))


def application(target: Mapping_) -> tuple[str, ...]:
    """Which Argo CD Application it is; several services may share one, but not environments."""
    place = {**DEFAULTS, **part(target, "argocd")}
    name = texts(place, "namespace", "application")
    return (*name, _text(place, "cluster")) if name else ()


def _in_git(manifests: Mapping_) -> Iterator[Claim]:
    place = texts({**DEFAULTS, **manifests}, "repository", "branch", "path")
    for form, keys in VALUE.items():
        how = part(manifests, form)
        file = how.get("file", FILES.get(form))
        names = texts(how, *keys)
        if place and names and isinstance(file, str):
            repository, branch, folder = place
            parts = [
                each for each in (*folder.split("/"), *file.split("/")) if each not in {"", "."}
            ]
            more = (_text(how, "kind") or "Deployment",) if form == "manifest" else ()
            key = ("git", _address(repository), branch, "/".join(parts), form, *names, *more)
            yield Claim(key, "this value of this file in git")


def _address(repository: str) -> str:
    """Host and path: the same repository is reached over HTTPS and over SSH."""
    found = _ADDRESS.fullmatch(repository)
    where = f"{found[1].lower()}/{found[2]}" if found else repository
    return where.rstrip("/").removesuffix(".git")


def part(of: Mapping_, key: str) -> Mapping_:
    """The mapping under a key; empty where there is none."""
    value = of.get(key)
    return value if isinstance(value, dict) else {}


def texts(of: Mapping_, *keys: str) -> tuple[str, ...]:
    """The values of these keys, or nothing where one is not there."""
    values = tuple(value for key in keys if isinstance(value := of.get(key), str))
    return values if len(values) == len(keys) else ()


def _text(of: Mapping_, key: str) -> str:
    value = of.get(key)
    return value if isinstance(value, str) else ""
