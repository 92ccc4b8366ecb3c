"""The part of CBOR (RFC 8949) that Smithy's ``rpcv2Cbor`` protocol uses.

Dates are tag 1: ``encode`` takes ``datetime``, ``decode`` gives seconds since 1970.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)
#: Additional information: the argument follows in that many bytes, or the length is open.
WIDTHS = {24: 1, 25: 2, 26: 4, 27: 8}
OPEN = 31
CONSTANTS = {20: False, 21: True, 22: None, 23: None}
FLOATS = {25: ">e", 26: ">f", 27: ">d"}
BREAK = b"\xff"


def encode(value: Any) -> bytes:
    """One data item. Raises ``TypeError`` for what has no form in CBOR here."""
    if isinstance(value, dict):
        pairs = (encode(key) + encode(each) for key, each in value.items())
        return _head(MAP, len(value)) + b"".join(pairs)
    if isinstance(value, list):
        return _head(ARRAY, len(value)) + b"".join(map(encode, value))
    if isinstance(value, datetime):
        return _head(TAG, 1) + encode(value.timestamp())
    return _scalar(value)


def _scalar(value: Any) -> bytes:
    match value:
        case None | bool():
            return bytes([SIMPLE << 5 | {False: 20, True: 21, None: 22}[value]])
        case int():
            return _head(UNSIGNED, value) if value >= 0 else _head(NEGATIVE, -1 - value)
        case float():
            return bytes([SIMPLE << 5 | 27]) + struct.pack(">d", value)
        case str():
            text = value.encode()
            return _head(TEXT, len(text)) + text
        case _:
            raise TypeError(f"{type(value).__name__} has no form in CBOR here")


def decode(data: bytes) -> Any:
    """The data item that ``data`` is. Raises ``ValueError`` where it is none."""
    stream = io.BytesIO(data)
    try:
        value = _item(stream)
    except (IndexError, struct.error, KeyError, TypeError, RecursionError) as error:
        raise ValueError("This is no CBOR.") from error
    if stream.read(1):
        raise ValueError("Something follows the data item.")
    return value


def _head(major: int, argument: int) -> bytes:
    if argument < min(WIDTHS):
        return bytes([major << 5 | argument])
    for code, width in WIDTHS.items():
        if argument < 1 << 8 * width:
            return bytes([major << 5 | code]) + argument.to_bytes(width, "big")
    raise ValueError(f"{argument} is too much for CBOR.")


def _item(stream: io.BytesIO) -> Any:
    first = stream.read(1)[0]
    major, info = first >> 5, first & 31
    if major == SIMPLE:
        if info in FLOATS:
            return struct.unpack(FLOATS[info], stream.read(WIDTHS[info]))[0]
        return CONSTANTS[info]
    return READERS[major](stream, None if info == OPEN else _argument(stream, info))


def _argument(stream: io.BytesIO, info: int) -> int:
    if info < min(WIDTHS):
        return info
    data = stream.read(WIDTHS[info])
    if len(data) < WIDTHS[info]:
        raise ValueError("The data ends too early.")
    return int.from_bytes(data, "big")


def _number(_stream: io.BytesIO, argument: int | None) -> int:
    if argument is None:
        raise ValueError("A number has no open length.")
    return argument


def _string(stream: io.BytesIO, count: int | None) -> bytes:
    if count is None:
        return b"".join(_bytes(_item(stream)) for _ in _times(stream, None))
    data = stream.read(count)
    if len(data) < count:
        raise ValueError("The data ends too early.")
    return data


def _bytes(part: str | bytes) -> bytes:
    return part.encode() if isinstance(part, str) else part


def _times(stream: io.BytesIO, count: int | None) -> Iterator[int]:
    """As many turns as there are items: ``count``, or until the break."""
    turn = 0
    while turn != count:
        if count is None and stream.getbuffer()[stream.tell() : stream.tell() + 1] == BREAK:
            stream.read(1)
            return
        turn += 1
        yield turn


#: By major type. A tag says what its content means: a date is its seconds.
READERS: dict[int, Callable[[io.BytesIO, int | None], Any]] = {
    UNSIGNED: _number,
    NEGATIVE: lambda stream, argument: -1 - _number(stream, argument),
    BYTES: _string,
    TEXT: lambda stream, count: _string(stream, count).decode(),
    ARRAY: lambda stream, count: [_item(stream) for _ in _times(stream, count)],
    MAP: lambda stream, count: {_item(stream): _item(stream) for _ in _times(stream, count)},
    TAG: lambda stream, _argument: _item(stream),
}
