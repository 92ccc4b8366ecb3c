"""AWS's query protocol by a service's model: form fields in, XML out.

Source: ``query`` in the Smithy documentation of AWS's protocols. Lists are ``Name.member.1``, maps
``Name.entry.1.key`` and ``Name.entry.1.value``, counted from 1.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from botocore.model import ListShape, MapShape, Shape, StructureShape

from bot.playground.aws.records import Json

NUMBERS = {"integer": int, "long": int, "float": float, "double": float}


def decode(shape: Shape | None, fields: dict[str, str]) -> Json:
    """The parameters that the form fields give; what the shape does not know is kept as text.

    Raises ``ValueError`` where a field is no number, date or truth value that it must be.
    """
    tree: Json = {}
    for path, text in fields.items():
        *way, last = path.split(".")
        node = tree
        for step in way:
            node = node.setdefault(step, {})
            if not isinstance(node, dict):
                raise ValueError(f"{path} is given twice.")  # noqa: TRY004 - the caller's mistake
        node[last] = text
    return {key: _value(_member(shape, key), each) for key, each in tree.items()}


def encode(shape: Shape | None, value: Json) -> str:
    """The members of a structure as XML elements, in their order."""
    texts = {key: _text(_member(shape, key), each) for key, each in value.items()}
    return "".join(f"<{key}>{text}</{key}>" for key, text in texts.items())


def _member(shape: Shape | None, name: str) -> Shape | None:
    return shape.members.get(name) if isinstance(shape, StructureShape) else None


def _value(shape: Shape | None, node: Any) -> Any:
    if shape is None:
        return node
    if isinstance(shape, StructureShape):
        return {key: _value(_member(shape, key), each) for key, each in _inside(node).items()}
    if isinstance(shape, ListShape):
        members = _inside(_inside(node).get("member", {}))
        return [_value(shape.member, members[key]) for key in sorted(members, key=int)]
    if isinstance(shape, MapShape):
        entries = _inside(_inside(node).get("entry", {})).values()
        return {each["key"]: _value(shape.value, each["value"]) for each in entries}
    return _scalar(shape.type_name, node)


def _inside(node: Any) -> Json:
    # An empty list is sent as a field with no text.
    return node if isinstance(node, dict) else {}


def _scalar(kind: str, text: Any) -> Any:
    if not isinstance(text, str):
        raise ValueError("One value is a structure.")  # noqa: TRY004 - the caller's mistake
    if kind in NUMBERS:
        return NUMBERS[kind](text)
    if kind == "boolean":
        return {"true": True, "false": False}[text.lower()]
    if kind == "timestamp":
        return datetime.fromisoformat(text).timestamp()
    return text


def _text(shape: Shape | None, value: Any) -> str:
    if isinstance(value, dict):
        if isinstance(shape, MapShape):
            entries = value.items()
            return "".join(
                f"<entry><key>{escape(key)}</key><value>{_text(shape.value, each)}</value></entry>"
                for key, each in entries
            )
        return encode(shape, value)
    if isinstance(value, list):
        member = shape.member if isinstance(shape, ListShape) else None
        return "".join(f"<member>{_text(member, each)}</member>" for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    if shape is not None and shape.type_name == "timestamp":
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")
    return escape(str(value))
