"""git's objects as bytes: a file in a tree, a tree with another file in it, a pack. Pure.

The formats are git's own and do not change: *gitformat-pack(5)*, and *Git Internals - Git Objects*
in *Pro Git*. A name of 40 digits is a SHA-1, one of 64 a SHA-256.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

FOLDER = "40000"
_KINDS = {"commit": 1, "tree": 2, "blob": 3}
_SHA1 = 40


@dataclass(frozen=True, slots=True)
class Object:
    """A commit, tree or blob."""

    name: str
    kind: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """What a tree says of one file or folder: its mode, and the name of its content."""

    mode: str
    name: str


def made(kind: str, content: bytes, like: str) -> Object:
    """An object and its name, in the kind of hash that another one's name is of."""
    digest = _digest(b"%s %d\0%s" % (kind.encode(), len(content), content), like)
    return Object(digest.hex(), kind, content)


def entry_of(tree: Object, leaf: str) -> Entry | None:
    """A file or folder in a tree."""
    for mode, name, at in _entries(tree):
        if name == leaf.encode():
            return Entry(mode.decode(), tree.content[at : at + len(tree.name) // 2].hex())
    return None


def with_entry(tree: Object, leaf: str, content: str) -> Object:
    """The tree in which an entry that it has names another content; raises ``KeyError``."""
    for _, name, at in _entries(tree):
        if name == leaf.encode():
            rest = tree.content[at + len(tree.name) // 2 :]
            return made("tree", tree.content[:at] + bytes.fromhex(content) + rest, tree.name)
    raise KeyError(leaf)


def header(commit: Object, key: str) -> list[str]:
    """What a commit says of its ``tree`` or of each ``parent``."""
    lines = commit.content.partition(b"\n\n")[0].decode(errors="replace").split("\n")
    return [line.removeprefix(f"{key} ") for line in lines if line.startswith(f"{key} ")]


def packed(objects: Sequence[Object]) -> bytes:
    """A pack of whole objects, at least one."""
    stream = bytearray(b"PACK" + struct.pack(">II", 2, len(objects)))
    for each in objects:
        stream += _length(_KINDS[each.kind], len(each.content)) + zlib.compress(each.content)
    return bytes(stream) + _digest(bytes(stream), objects[0].name)


def _length(kind: int, size: int) -> bytes:
    """Kind and length: four bits of it in the first byte, seven in each of those that follow."""
    stream = bytearray([kind << 4 | size & 0x0F])
    size >>= 4
    while size:
        stream[-1] |= 0x80
        stream.append(size & 0x7F)
        size >>= 7
    return bytes(stream)


def _entries(tree: Object) -> Iterator[tuple[bytes, bytes, int]]:
    """The mode, the name, and where the name of the content begins, of each entry."""
    content, at = tree.content, 0
    while at < len(content):
        space = content.index(b" ", at)
        end = content.index(b"\0", space)
        yield content[at:space], content[space + 1 : end], end + 1
        at = end + 1 + len(tree.name) // 2


def _digest(content: bytes, like: str) -> bytes:
    if len(like) == _SHA1:
        return hashlib.sha1(content, usedforsecurity=False).digest()
    return hashlib.sha256(content).digest()
