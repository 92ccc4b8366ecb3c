"""YAML as a tree of nodes that know where they stand in the text, aliases unresolved."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from bot.model.errors import Misconfigured

UNSUITABLE = "MANIFEST_UNSUITABLE"
MERGE = "<<"
_MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Scalar:
    """``start`` and ``end`` are its span in the text, tag, anchor and quotes included.

    ``event`` is its place among the parser's events; ``style`` is empty for a plain one.
    """

    value: str
    style: str
    anchor: str | None
    tag: str | None
    start: int
    end: int
    line: int
    event: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list, in block or in flow style."""

    items: tuple[Node, ...]
    anchor: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in their order; a key that is a scalar stands there once."""

    pairs: tuple[tuple[Node, Node], ...]
    anchor: str | None
    line: int

    def get(self, key: str) -> Node | None:
        """The value behind a key; keys are unique by now."""
        for name, value in self.pairs:
            if isinstance(name, Scalar) and name.value == key:
                return value
        return None

    def text(self, key: str) -> str | None:
        """The value behind a key where it is a scalar."""
        value = self.get(key)
        return value.value if isinstance(value, Scalar) else None


@dataclass(frozen=True, slots=True)
class Alias:
    """A reference to what an anchor named; it is not followed."""

    name: str
    line: int


Node = Scalar | Sequence | Mapping | Alias


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file; ``aliases`` are the anchors that are referred to in it."""

    root: Node
    line: int
    aliases: frozenset[str]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A whole file. ``events`` is what the parser saw, for a comparison of two files."""

    file: str
    text: str
    documents: tuple[Document, ...]
    events: tuple[Event, ...] = field(repr=False)


def unsuitable(file: str, line: int, what: str, hint: str = "") -> Misconfigured:
    """The refusal of a manifest, which names the place. ``what`` is a clause."""
    return Misconfigured(f"{file}, line {line}: {what}.", reason_code=UNSUITABLE, hint=hint)


def parse(file: str, text: str) -> Parsed:
    """Raises ``Misconfigured`` where it is no YAML, or a key stands twice in a mapping."""
    yaml = YAML(typ="safe", pure=True)
    try:
        events = tuple(yaml.parse(text))
    except YAMLError as error:
        raise _broken(file, text, error) from None
    except (ValueError, OverflowError, LookupError, TypeError, AttributeError):
        # What the parser lets out on some malformed escapes and directives.
        raise unsuitable(file, 1, "it is no YAML") from None
    return Parsed(file, text, tuple(_Builder(file, text, events).documents()), events)


class _Builder:
    """Builds the tree of each document from the stream of events, once."""

    def __init__(self, file: str, text: str, events: tuple[Event, ...]) -> None:
        self._file = file
        self._breaks = [each.start() for each in re.finditer("\n", text)]
        self._events = enumerate(events)
        self._anchors: set[str] = set()
        self._aliases: set[str] = set()
        self._depth = 0

    def documents(self) -> Iterator[Document]:
        for _, event in self._events:
            if isinstance(event, DocumentStartEvent):
                self._anchors, self._aliases = set(), set()
                line = self._line(event)
                root = self._node(*next(self._events))
                yield Document(root, line, frozenset(self._aliases))

    def _line(self, event: Event) -> int:
        """As git and editors count them: YAML breaks lines at more characters than they do."""
        return bisect_left(self._breaks, event.start_mark.index) + 1

    def _node(self, index: int, event: Event) -> Node:
        line = self._line(event)
        if isinstance(event, AliasEvent):
            if event.anchor not in self._anchors:
                what = f"it is no YAML: the alias *{event.anchor} refers to nothing above it"
                raise unsuitable(self._file, line, what)
            self._aliases.add(event.anchor)
            return Alias(event.anchor, line)
        self._anchors.add(getattr(event, "anchor", None) or "")
        if isinstance(event, ScalarEvent):
            tag = None if event.tag is None else str(event.tag)
            span = (event.start_mark.index, event.end_mark.index)
            style = event.style or ""
            return Scalar(event.value, style, event.anchor, tag, *span, line, index)
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise unsuitable(self._file, line, f"it is nested deeper than {_MAX_DEPTH} levels")
        try:
            return self._collection(event, line)
        finally:
            self._depth -= 1

    def _collection(self, event: Event, line: int) -> Node:
        if isinstance(event, SequenceStartEvent):
            items = []
            while not isinstance((found := next(self._events))[1], SequenceEndEvent):
                items.append(self._node(*found))
            return Sequence(tuple(items), event.anchor, line)
        assert isinstance(event, MappingStartEvent)  # noqa: S101 - there are no others
        pairs: list[tuple[Node, Node]] = []
        seen: dict[str, int] = {}
        while not isinstance((found := next(self._events))[1], MappingEndEvent):
            key = self._node(*found)
            if isinstance(key, Scalar) and key.value != MERGE:
                self._once(key, seen)
            pairs.append((key, self._node(*next(self._events))))
        return Mapping(tuple(pairs), event.anchor, line)

    def _once(self, key: Scalar, seen: dict[str, int]) -> None:
        if key.value in seen:
            what = f"the key {key.value[:80]!r} stands there twice, first in line {seen[key.value]}"
            raise unsuitable(self._file, key.line, what, "Remove one of them.")
        seen[key.value] = key.line


def _broken(file: str, text: str, error: YAMLError) -> Misconfigured:
    line, said = 1, "it cannot be read"
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, error.position) + 1
        said = f"the character U+{error.character:04X} is not allowed in text"
    elif isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        words = " ".join((error.problem or "it cannot be read").split())
        said = "".join(c if c.isprintable() else " " for c in words)[:120]
    hint = ""
    if "{{" in text:
        said = f"it is a template and no YAML ({said})"
        hint = "Keep the image in a file without templates: a values file, or a kustomization."
        return unsuitable(file, line, said, hint)
    return unsuitable(file, line, f"it is no YAML: {said}")
