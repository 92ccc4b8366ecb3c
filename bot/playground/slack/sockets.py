"""Socket Mode: the WebSocket over which Slack reaches an app that has no public URL.

Source: RFC 6455 and https://docs.slack.dev/apis/events-api/using-socket-mode. One frame per
message, text only; that is what Slack sends and what its clients answer.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import socket
import threading
from dataclasses import dataclass, field
from typing import Any, Protocol

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
_SHORT, _LONG = 126, 127


class Readable(Protocol):
    """The reading side of a connection."""

    def read(self, size: int, /) -> bytes:
        """Exactly ``size`` bytes, or fewer when the other side is gone."""
        ...


def accept_key(key: str) -> str:
    """``Sec-WebSocket-Accept`` for a client's key."""
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def frame(opcode: int, payload: bytes) -> bytes:
    """One unmasked frame, as servers send them."""
    size = len(payload)
    head = bytes([0x80 | opcode])
    if size < _SHORT:
        return head + bytes([size]) + payload
    if size < 1 << 16:
        return head + bytes([_SHORT]) + size.to_bytes(2, "big") + payload
    return head + bytes([_LONG]) + size.to_bytes(8, "big") + payload


def read_frame(stream: Readable) -> tuple[int, bytes] | None:
    """Opcode and payload of the next frame; ``None`` when the client is gone."""
    head = stream.read(2)
    if len(head) < 2:  # noqa: PLR2004 - a frame's fixed head
        return None
    size = head[1] & 0x7F
    if size >= _SHORT:
        size = int.from_bytes(stream.read(2 if size == _SHORT else 8), "big")
    mask = stream.read(4) if head[1] & 0x80 else b"\0\0\0\0"
    data = stream.read(size)
    if len(data) < size:
        return None
    return head[0] & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))


@dataclass(slots=True)
class Sockets:
    """The app's open connections, and the envelopes that wait for an acknowledgement."""

    _open: list[socket.socket] = field(default_factory=list)
    _acks: dict[str, dict[str, Any]] = field(default_factory=dict)
    _arrived: threading.Condition = field(default_factory=threading.Condition, repr=False)

    @property
    def connected(self) -> bool:
        """Whether an app listens."""
        with self._arrived:
            return bool(self._open)

    def attach(self, connection: socket.socket, stream: Readable) -> None:
        """Serve one client until it goes; the caller has shaken hands already."""
        hello = {"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A0QDECK01"}}
        connection.sendall(frame(_TEXT, json.dumps(hello).encode()))
        with self._arrived:
            self._open.append(connection)
        try:
            self._listen(connection, stream)
        except OSError:
            return
        finally:
            with self._arrived:
                self._open.remove(connection)

    def _listen(self, connection: socket.socket, stream: Readable) -> None:
        while (received := read_frame(stream)) is not None:
            opcode, payload = received
            if opcode == _CLOSE:
                connection.sendall(frame(_CLOSE, payload))
                return
            if opcode == _PING:
                connection.sendall(frame(_PONG, payload))
            elif opcode == _TEXT:
                self._acknowledged(json.loads(payload))

    def _acknowledged(self, envelope: dict[str, Any]) -> None:
        with self._arrived:
            self._acks[str(envelope.get("envelope_id"))] = envelope.get("payload") or {}
            self._arrived.notify_all()

    def exchange(
        self, kind: str, payload: dict[str, Any], retry: dict[str, Any], patience: float
    ) -> dict[str, Any] | None:
        """Send one envelope and wait for its acknowledgement; ``None`` when none comes in time."""
        identity = secrets.token_hex(8)
        envelope = {
            "envelope_id": identity,
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
        } | retry
        with self._arrived:
            connection = self._open[-1] if self._open else None
        if connection is None:
            return None
        connection.sendall(frame(_TEXT, json.dumps(envelope).encode()))
        with self._arrived:
            self._arrived.wait_for(lambda: identity in self._acks, patience)
            return self._acks.pop(identity, None)

    def close(self) -> None:
        """Hang up on everybody."""
        with self._arrived:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # it was gone already
