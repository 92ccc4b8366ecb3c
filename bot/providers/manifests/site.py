"""The one scalar that is ours to change: where it stands, and why it may not be touched."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bot.model.errors import Misconfigured
from bot.model.places import HelmValue, KustomizeImage, ManifestImage, Manifests
from bot.providers.manifests.parsed import (
    MERGE,
    Alias,
    Document,
    Mapping,
    Node,
    Parsed,
    Scalar,
    Sequence,
    unsuitable,
)

#: What a scalar is taken for by whoever reads it.
Holds = Literal["tag", "digest", "image", "number"]
_NUMBER = (
    r"[-+]?(0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0b[01_]+"
    r"|(\.[0-9][0-9_]*|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?"
    r"|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|\.(inf|Inf|INF))|\.(nan|NaN|NAN)"
)
_WORD = r"(?i:true|false|yes|no|on|off|y|n|null)|~|=|"
_DATE = r"\d{4}-\d\d?-\d\d?([Tt ].*)?"
#: Plain scalars that YAML 1.1 or 1.2, in one reader or another, takes for something else.
_NO_TEXT = re.compile(f"{_NUMBER}|{_WORD}|{_DATE}")
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Site:
    """Where our scalar stands: ``start`` to ``end`` in the text with its quotes, in ``line``.

    ``repository`` is what the file says beside it, where it does; ``event`` is its place among the
    parser's events.
    """

    file: str
    value: str
    line: int
    start: int
    end: int
    quote: str
    holds: Holds
    repository: str | None
    event: int


def is_text(plain: str) -> bool:
    """Whether every reader of YAML takes a plain scalar for text."""
    return _NO_TEXT.fullmatch(plain) is None


def find(manifests: Manifests, parsed: Parsed) -> Site:
    """Our scalar in the file. Raises ``Misconfigured`` where it is not there or may not change."""
    form = manifests.form
    match form:
        case KustomizeImage():
            return _in_kustomization(parsed, form)
        case HelmValue():
            return _in_values(parsed, form)
        case ManifestImage():
            return _in_manifest(parsed, form)


class Walk:
    """A walk from a document's root, which may not lead through what is shared."""

    def __init__(self, parsed: Parsed, document: Document, name: str) -> None:
        self.file = parsed.file
        self._parsed = parsed
        self._document = document
        self._name = name

    def mapping(self, node: Node, what: str) -> Mapping:
        """The node, where it is a mapping of its own."""
        self._unshared(node)
        if isinstance(node, Mapping):
            return node
        raise unsuitable(self.file, node.line, f"{what} is no mapping")

    def sequence(self, node: Node, what: str) -> Sequence:
        """The node, where it is a list of its own."""
        self._unshared(node)
        if isinstance(node, Sequence):
            return node
        raise unsuitable(self.file, node.line, f"{what} is no list")

    def step(self, mapping: Mapping, key: str) -> Node:
        """What stands behind a key."""
        found = mapping.get(key)
        if found is not None:
            return found
        if mapping.get(MERGE) is not None:
            what = f"{self._name} is not written there, and may come through a merge (<<)"
            raise unsuitable(self.file, mapping.line, what, f"Write {key!r} out where it is used.")
        raise self.missing(mapping.line, f"there is no {key!r}")

    def missing(self, line: int, what: str) -> Misconfigured:
        """The refusal of what is not there."""
        return unsuitable(self.file, line, f"{self._name} was not found: {what}")

    def _unshared(self, node: Node) -> None:
        if isinstance(node, Alias):
            what = f"{self._name} stands behind the alias *{node.name}"
            raise unsuitable(self.file, node.line, what, "Write it out where it is used.")
        if node.anchor is not None and node.anchor in self._document.aliases:
            what = f"{self._name} stands in &{node.anchor}, which is used elsewhere too"
            raise unsuitable(self.file, node.line, what, "Write it out where it is used.")

    def site(self, node: Node, holds: Holds, repository: str | None) -> Site:
        """The end of the walk. Refuses what cannot be changed in place."""
        self._unshared(node)
        if not isinstance(node, Scalar):
            raise unsuitable(self.file, node.line, f"{self._name} is no scalar")
        wrong = self._wrong(node, holds)
        if wrong:
            raise unsuitable(self.file, node.line, f"{self._name} {wrong[0]}", wrong[1])
        return Site(
            self.file,
            node.value,
            node.line,
            node.start,
            node.end,
            node.style,
            holds,
            repository,
            node.event,
        )

    def _wrong(self, node: Scalar, holds: Holds) -> tuple[str, str] | None:
        raw = self._parsed.text[node.start : node.end]
        plain = f"{node.style}{node.value}{node.style}"
        table = (
            (node.anchor is not None, f"carries the anchor &{node.anchor}", "Write it without."),
            (node.tag is not None, "carries a tag (!)", "Write it without."),
            (node.style in {"|", ">"}, "is a block scalar", "Write it on one line."),
            ("{{" in raw, "is a template", "Keep the image in a file without templates."),
            (
                holds == "number" and not (not node.style and node.value.isdecimal()),
                f"is no whole number ({raw[:40] or 'empty'})",
                "Write it as a plain number.",
            ),
            (
                holds != "number" and not node.style and not is_text(node.value),
                f"is no text ({raw[:40] or 'empty'})",
                "Put it in quotes.",
            ),
            (raw != plain, "is written with escapes or over lines", "Write it on one line."),
        )
        return next(((what, hint) for wrong, what, hint in table if wrong), None)


def _only_document(parsed: Parsed, what: str) -> Document:
    if len(parsed.documents) == 1:
        return parsed.documents[0]
    line = parsed.documents[1].line if parsed.documents else 1
    found = "more than one document" if parsed.documents else "nothing"
    raise unsuitable(parsed.file, line, f"{what} holds {found}")


def _in_kustomization(parsed: Parsed, form: KustomizeImage) -> Site:
    document = _only_document(parsed, "a kustomization")
    path = Walk(parsed, document, f"the image {form.image!r}")
    images = path.sequence(
        path.step(path.mapping(document.root, "the kustomization"), "images"), "images"
    )
    entries = [path.mapping(each, "an entry of images") for each in images.items]
    named = [each for each in entries if each.text("name") == form.image]
    entry = only(path, images.line, named, [each.text("name") for each in entries])
    repository = entry.text("newName") or form.image
    digest, tag = entry.get("digest"), entry.get("newTag")
    if digest is not None and tag is not None:
        what = f"the image {form.image!r} has both newTag and digest"
        raise unsuitable(parsed.file, entry.line, what, "Keep one of them.")
    if digest is not None:
        return path.site(digest, "digest", repository)
    if tag is None and entry.get(MERGE) is None:
        what = f"the image {form.image!r} has neither newTag nor digest"
        raise unsuitable(parsed.file, entry.line, what, "Add the one that runs now.")
    return path.site(path.step(entry, "newTag"), "tag", repository)


def _in_values(parsed: Parsed, form: HelmValue) -> Site:
    document = _only_document(parsed, "a values file")
    path = Walk(parsed, document, f"the value {form.key!r}")
    node, mapping = document.root, None
    for key in form.key.split("."):
        mapping = path.mapping(node, f"what stands above {key!r}")
        node = path.step(mapping, key)
    # By the charts' own convention the repository stands beside the tag.
    beside = mapping.text("repository") if mapping is not None else None
    registry = mapping.text("registry") if mapping is not None else None
    repository = f"{registry}/{beside}" if registry and beside else beside
    return path.site(node, form.holds, repository)


def _in_manifest(parsed: Parsed, form: ManifestImage) -> Site:
    name = f"the container {form.container!r} of {form.kind} {form.name}"
    path, root = resource(parsed, (form.kind, form.name), name)
    return container_image(path, root, form.container)


def resource(parsed: Parsed, named: tuple[str, str], what: str) -> tuple[Walk, Node]:
    """The document of that kind and name, and a walk that begins there; ``what`` is looked for."""
    kind, name = named
    found = [each for each in parsed.documents if _is(each.root, named)]
    if not found:
        raise unsuitable(parsed.file, 1, f"{what} was not found: there is no {kind} {name!r}")
    if len(found) > 1:
        said = f"{kind} {name!r} stands there twice, first in line {found[0].root.line}"
        raise unsuitable(parsed.file, found[1].root.line, said)
    return Walk(parsed, found[0], what), found[0].root


def container_image(path: Walk, root: Node, container: str) -> Site:
    """The image of a container in the pod template of a workload."""
    pod: Node = root
    for key in ("spec", "template", "spec"):
        pod = path.step(path.mapping(pod, "what stands above it"), key)
    spec = path.mapping(pod, "the pod's spec")
    containers = path.sequence(path.step(spec, "containers"), "containers")
    entries = [path.mapping(each, "an entry of containers") for each in containers.items]
    named = [each for each in entries if each.text("name") == container]
    if not named and container in _init_containers(spec):
        raise path.missing(containers.line, "it is an init container, and no other has that name")
    entry = only(path, containers.line, named, [each.text("name") for each in entries])
    return path.site(path.step(entry, "image"), "image", None)


def _is(root: Node, named: tuple[str, str]) -> bool:
    if not isinstance(root, Mapping) or root.text("kind") != named[0]:
        return False
    metadata = root.get("metadata")
    return isinstance(metadata, Mapping) and metadata.text("name") == named[1]


def _init_containers(spec: Mapping) -> set[str | None]:
    found = spec.get("initContainers")
    items = found.items if isinstance(found, Sequence) else ()
    return {each.text("name") for each in items if isinstance(each, Mapping)}


def only(path: Walk, line: int, found: list[Mapping], all_names: Iterable[str | None]) -> Mapping:
    """The one that was found. Refuses none, and several."""
    if len(found) == 1:
        return found[0]
    if found:
        what = f"that name stands there twice, first in line {found[0].line}"
        raise path.missing(found[1].line, what)
    names = [name[:80] for name in all_names if name is not None]
    more = ", ..." if len(names) > _NAMED else ""
    count = "is only" if len(names) == 1 else "are"
    listed = f"there {count} {', '.join(names[:_NAMED]) or 'none'}{more}"
    raise path.missing(line, listed)
