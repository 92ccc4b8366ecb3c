"""Several scalars of several files: the parts of a canary that git says, read and changed.

Each stands in a plain manifest and is named by its resource. What holds for the one scalar of a
target holds for these: they are spliced into the text, and the result is proven by parsing it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from bot.model.errors import Misconfigured
from bot.providers.manifests.change import said, unproven
from bot.providers.manifests.parsed import UNSUITABLE, Parsed, parse, unsuitable
from bot.providers.manifests.parsed import Mapping as Entry
from bot.providers.manifests.site import Site, Walk, container_image, resource
from bot.providers.manifests.values import fits


@dataclass(frozen=True, slots=True)
class Spot:
    """What is meant: the image of a container ``part`` (or the only one), the number of replicas,
    or the weights of a Service ``part`` in all rules of an HTTPRoute.

    ``file`` is named from the root of the repository.
    """

    file: str
    what: Literal["image", "replicas", "weight"]
    name: str
    part: str = ""


def value_at(parsed: Parsed, spot: Spot) -> str:
    """What stands there. Raises ``Misconfigured`` where it is not there, may not be changed, or is
    written differently in several rules."""
    sites = _sites(parsed, spot)
    for each in sites[1:]:
        if each.value != sites[0].value:
            what = (
                f"the weight of {spot.part} is {each.value}, and {sites[0].value} in another rule"
            )
            raise unsuitable(spot.file, each.line, what, "Give it the same weight in all rules.")
    return sites[0].value


def amended(file: str, text: str, values: Mapping[Spot, str]) -> str:
    """The file with those values in place of what stands there. Raises ``Misconfigured``."""
    before = parse(file, text)
    changes = [(site, value) for spot, value in values.items() for site in _sites(before, spot)]
    for site, value in changes:
        if not fits(site.holds, value):
            raise Misconfigured(
                f"{file}, line {site.line}: {value[:120]!r} cannot stand there, it is no "
                f"{site.holds}.",
                reason_code=UNSUITABLE,
            )
    for site, value in sorted(changes, key=lambda each: each[0].start, reverse=True):
        text = f"{text[: site.start]}{site.quote}{value}{site.quote}{text[site.end :]}"
    after = parse(file, text)
    _prove(before, after, values, {site.event for site, _ in changes})
    return text


def _sites(parsed: Parsed, spot: Spot) -> list[Site]:
    match spot.what:
        case "image":
            return [_image(parsed, spot)]
        case "replicas":
            return [_replicas(parsed, spot)]
        case "weight":
            return list(_weights(parsed, spot))


def _image(parsed: Parsed, spot: Spot) -> Site:
    path, root = resource(parsed, ("Deployment", spot.name), f"the image of {spot.name}")
    return container_image(path, root, spot.part)


def _replicas(parsed: Parsed, spot: Spot) -> Site:
    path, root = resource(parsed, ("Deployment", spot.name), f"the replicas of {spot.name}")
    spec = path.mapping(path.step(path.mapping(root, "the Deployment"), "spec"), "spec")
    return path.site(path.step(spec, "replicas"), "number", None)


def _weights(parsed: Parsed, spot: Spot) -> Iterator[Site]:
    path, root = resource(parsed, ("HTTPRoute", spot.name), f"the weight of {spot.part}")
    spec = path.mapping(path.step(path.mapping(root, "the HTTPRoute"), "spec"), "spec")
    rules = path.sequence(path.step(spec, "rules"), "rules")
    found = False
    for rule in rules.items:
        for entry in _references(path, path.mapping(rule, "a rule")):
            if entry.text("name") == spot.part:
                found = True
                yield path.site(path.step(entry, "weight"), "number", None)
    if not found:
        raise path.missing(rules.line, "no rule refers to that Service")


def _references(path: Walk, rule: Entry) -> Iterator[Entry]:
    references = rule.get("backendRefs")
    if references is None:
        return
    for each in path.sequence(references, "backendRefs").items:
        yield path.mapping(each, "an entry of backendRefs")


def _prove(before: Parsed, after: Parsed, values: Mapping[Spot, str], changed: set[int]) -> None:
    """Raises ``Misconfigured`` unless these scalars, and nothing but them, differ now."""
    pairs = zip(before.events, after.events, strict=False)
    same = len(before.events) == len(after.events) and all(
        index in changed or said(old) == said(new) for index, (old, new) in enumerate(pairs)
    )
    if not same or any(value_at(after, spot) != value for spot, value in values.items()):
        raise unproven(before.file, 1)
