"""Reads the text of a YAML file into plain values, and knows where each of them stands.

The nodes of the parser are walked here rather than constructed by the library, so that every
duplicate key is found and not only the first, no tag can construct anything, and aliases cannot
multiply without end. Scalars are handed over as they are written, but for ``true``, ``false`` and
null: a registry 012345678901 keeps its zero, and a date stays in the zone it was written in.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from bot.settings.problems import Problem, quoted

Where = tuple[str | int, ...]
Value = str | bool | None | list["Value"] | dict[str, "Value"]

MAX_BYTES = 1024 * 1024
_MAX_VALUES = 200_000
_MAX_DEPTH = 40
_TAG = "tag:yaml.org,2002:"
_PLAIN = {_TAG + kind for kind in ("str", "int", "float", "bool", "null", "timestamp")}
_COLLECTION = {_TAG + "map", _TAG + "seq"}
_MERGE = _TAG + "merge"
_TRUE = {"true", "yes", "on", "y"}


class Unreadable(Exception):
    """The file cannot be read as YAML at all; carries the one problem there is to tell."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes when a file does: modification time in ns, size in bytes, device and inode."""

    modified: int
    size: int
    device: int
    inode: int


@dataclass(slots=True)
class Document:
    """The values of one file, the places they stand at and what was wrong with their form."""

    file: str
    root: Value = None
    keys: dict[Where, tuple[int, int]] = field(default_factory=dict)
    values: dict[Where, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(
        self, path: Where, message: str, suggestion: str = "", *, at_key: bool = False
    ) -> Problem:
        """A problem at a path: at the key's own place or its value's, or the nearest above."""
        line, column = self._place(path, self.keys if at_key else self.values)
        return Problem(self.file, line, column, dotted(path), message, suggestion)

    def _place(self, path: Where, first: dict[Where, tuple[int, int]]) -> tuple[int, int]:
        if path in first:
            return first[path]
        for length in range(len(path), -1, -1):
            known = path[:length]
            if place := self.keys.get(known) or self.values.get(known):
                return place
        return (1, 1)


def dotted(path: Where) -> str:
    """``("targets", 2, "ecs")`` as ``targets[2].ecs``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text if text.isprintable() else quoted(text)


def stamp(path: Path) -> Stamp:
    """The stamp of the file a path leads to now. Raises ``OSError``."""
    return _stamp(path.stat())


def read_text(path: Path) -> tuple[str, Stamp]:
    """The text of a file of at most 1 MiB and its stamp. Raises ``Unreadable``."""
    file = str(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable(Problem(file, 0, 0, "", "this is not a file"))
        with path.open("rb") as stream:
            taken = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        suggestion = "Set QUARTERDECK_CATALOG to the path of your catalog, or create it here."
        raise Unreadable(Problem(file, 0, 0, "", "there is no such file", suggestion)) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Unreadable(Problem(file, 0, 0, "", f"it cannot be read: {reason}")) from None
    if len(taken) > MAX_BYTES:
        raise Unreadable(Problem(file, 0, 0, "", "it is larger than 1 MiB, which no catalog is"))
    return _decoded(file, taken), _stamp(status)


def parse(file: str, text: str) -> Document:
    """Read YAML. Raises ``Unreadable`` where its syntax is broken.

    Duplicate keys, unknown tags and endless aliases are problems of the document it returns.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = _MAX_DEPTH
    yaml.composer.warn_double_anchors = False  # YAML allows it: the later one counts
    try:
        root = yaml.compose(text)
    except YAMLError as error:
        raise Unreadable(_syntax_problem(file, text, error)) from None
    except (ValueError, OverflowError, LookupError, TypeError, AttributeError) as error:
        # What the parser lets out on some malformed escapes and directives.
        raise Unreadable(Problem(file, 0, 0, "", f"not YAML: {quoted(error)}")) from None
    if root is None:
        message = "the file is empty"
        raise Unreadable(Problem(file, 1, 1, "", message, "It starts with: version: 1"))
    return _Walk(Document(file)).document(root)


def _stamp(status: object) -> Stamp:
    modified, size, device, inode = (
        int(getattr(status, name)) for name in ("st_mtime_ns", "st_size", "st_dev", "st_ino")
    )
    return Stamp(modified, size, device, inode)


def _decoded(file: str, taken: bytes) -> str:
    try:
        return taken.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = taken.count(b"\n", 0, error.start) + 1
        message = "this is not text in UTF-8"
        raise Unreadable(Problem(file, line, 0, "", message, "Save it as UTF-8.")) from None


def _syntax_problem(file: str, text: str, error: YAMLError) -> Problem:
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        if isinstance(error, MaxDepthExceededError):
            said = f"it is nested deeper than {_MAX_DEPTH} levels"
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
        tab = "\\t" in said
        suggestion = "Indent with spaces: YAML takes no tabs." if tab else ""
        return Problem(file, line, column, "", f"not YAML: {_one_line(said)}", suggestion)
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, error.position) + 1
        message = f"not YAML: the character U+{error.character:04X} is not allowed in text"
        return Problem(file, line, 0, "", message)
    return Problem(file, 0, 0, "", f"not YAML: {_one_line(str(error))}")


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))[:200]


class _TooMuch(Exception):
    """The walk met more values than a catalog has."""


class _Walk:
    """Turns nodes into plain values once, into one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._left = _MAX_VALUES
        self._inside: set[int] = set()

    def document(self, root: Node) -> Document:
        try:
            self._document.root = self._value(root, ())
        except _TooMuch:
            self._add((), root, "its aliases unfold to more than 200,000 values")
            self._document.root = None
        return self._document

    def _value(self, node: Node, path: Where) -> Value:
        self._left -= 1
        if self._left < 0 or len(path) > _MAX_DEPTH:
            raise _TooMuch
        self._document.values[path] = _place(node)
        if node.tag not in _PLAIN | _COLLECTION:
            self._add(path, node, f"the tag {quoted(node.tag)} is not allowed", "Remove it.")
            return None
        if isinstance(node, ScalarNode):
            return _scalar(node)
        if id(node) in self._inside:
            self._add(path, node, "an alias that contains itself")
            return None
        self._inside.add(id(node))
        try:
            return self._collection(node, path)
        finally:
            self._inside.discard(id(node))

    def _collection(self, node: Node, path: Where) -> Value:
        if isinstance(node, SequenceNode):
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        mapping: dict[str, Value] = {}
        for key, value in node.value:
            name = self._key(key, path)
            if name is None:
                continue
            here = (*path, name)
            if name in mapping:
                line = self._document.keys[here][0]
                message = f"{quoted(name)} stands here twice, first in line {line}"
                self._add(here, key, message, "Remove one of them.")
                continue
            self._document.keys[here] = _place(key)
            mapping[name] = self._value(value, here)
            if mapping[name] is None:
                # What is empty stands nowhere: the parser puts it behind the next line break.
                self._document.values[here] = _place(key)
        return mapping

    def _key(self, key: Node, path: Where) -> str | None:
        if key.tag == _MERGE:
            # YAML 1.2 has none, and who may deploy should be read where it stands.
            suggestion = "Write the keys out, or use an alias (*name) for a whole value."
            self._add(path, key, '"<<" is not supported', suggestion)
        elif isinstance(key, ScalarNode):
            return str(key.value)
        else:
            self._add(path, key, "a key must be a plain name")
        return None

    def _add(self, path: Where, node: Node, message: str, suggestion: str = "") -> None:
        line, column = _place(node)
        file = self._document.file
        self._document.problems.append(
            Problem(file, line, column, dotted(path), message, suggestion)
        )


def _place(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _scalar(node: ScalarNode) -> str | bool | None:
    if node.tag == _TAG + "null":
        return None
    if node.tag == _TAG + "bool":
        return str(node.value).lower() in _TRUE
    return str(node.value)
