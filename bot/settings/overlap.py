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
    """One thing that a target changes; ``what`` names it in a sentence, which ``taken`` ends."""

    key: tuple[str, ...]
    what: str
    taken: str = "is a target already"


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
    yield from _of_canaries(target)


def application(target: Mapping_) -> tuple[str, ...]:
    """Which Argo CD Application it is; several services may share one, but not environments."""
    place = {**DEFAULTS, **part(target, "argocd")}
    name = texts(place, "namespace", "application")
    return (*name, _text(place, "cluster")) if name else ()


def _of_canaries(target: Mapping_) -> Iterator[Claim]:
    """What canaries shift: two at once would take each other's traffic."""
    canary, used = part(target, "canary"), "is used already"
    weighted, rollout = part(canary, "weighted"), part(canary, "rollout")
    groups = (*texts(weighted, "stable"), *texts(weighted, "canary"))
    for arn in texts(weighted, "rule"):
        yield Claim(("arn", arn), "the listener rule of this canary", used)
    for arn in dict.fromkeys(groups):
        yield Claim(("arn", arn), "a target group of this canary", used)
    ecs, argocd = part(target, "ecs"), part(target, "argocd")
    if canary and (place := texts(ecs, "region", "cluster", "service")):
        # Of one service with two containers there is one canary.
        region, cluster, service = place
        made = _text(weighted, "service") or f"{service}-canary"
        service_key = ("canary", region, cluster, made, _text(ecs, "role"))
        yield Claim(service_key, "the ECS service of this canary", used)
    if place := texts(rollout, "namespace", "name"):
        rollout_key = ("rollout", _text(argocd, "cluster"), *place)
        yield Claim(rollout_key, "the Rollout of this canary", used)


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
