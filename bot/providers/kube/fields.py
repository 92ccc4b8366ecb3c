"""Reading an object's JSON: what is there has its type, and what is not is empty.

A field of another type is no answer: a proxy, or a resource of another version, speaks. That is
``Unreachable``, as for any answer that cannot be read, and never a guess.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NoReturn

from bot.model.errors import Unreachable
from bot.providers.kube.cluster import Raw


class Fields:
    """One JSON object; ``path`` says where it stands, for the fault."""

    def __init__(self, raw: object, path: str) -> None:
        self._path = path
        self._raw: Raw = raw if isinstance(raw, dict) else self._wrong(path, "an object")

    def inside(self, key: str) -> Fields:
        """A nested object; an empty one where it is absent."""
        return Fields(self._raw.get(key) or {}, self._at(key))

    def has(self, key: str) -> bool:
        """Whether it is there and not null."""
        return self._raw.get(key) is not None

    def keys(self) -> tuple[str, ...]:
        """The names of what is there."""
        return tuple(key for key, value in self._raw.items() if value is not None)

    def items(self, key: str) -> Iterator[Fields]:
        """The objects of a list."""
        for number, each in enumerate(self._list(key)):
            yield Fields(each, f"{self._at(key)}[{number}]")

    def texts(self, key: str) -> tuple[str, ...]:
        """The strings of a list."""
        values = self._list(key)
        if not all(isinstance(each, str) for each in values):
            self._wrong(self._at(key), "a list of strings")
        return tuple(str(each) for each in values)

    def text(self, key: str) -> str:
        """A string; empty where it is absent."""
        value = self._raw.get(key)
        if value is not None and not isinstance(value, str):
            self._wrong(self._at(key), "a string")
        return value or ""

    def number(self, key: str, absent: int = 0) -> int:
        """A whole number."""
        value = self._raw.get(key)
        if value is None:
            return absent
        if isinstance(value, bool) or not isinstance(value, int):
            self._wrong(self._at(key), "a number")
        return int(value)

    def flag(self, key: str, *, absent: bool = False) -> bool:
        """True or false."""
        value = self._raw.get(key)
        if value is None:
            return absent
        if not isinstance(value, bool):
            self._wrong(self._at(key), "true or false")
        return bool(value)

    def moment(self, key: str) -> datetime | None:
        """A time with its zone, as ``2026-01-01T12:00:00Z``."""
        text = self.text(key)
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self._wrong(self._at(key), "a time")
        return moment if moment.tzinfo is not None else self._wrong(self._at(key), "a time")

    def strings(self, key: str) -> dict[str, str]:
        """A mapping of strings, such as labels."""
        values = self._raw.get(key) or {}
        if not isinstance(values, dict):
            self._wrong(self._at(key), "an object")
        if not all(isinstance(each, str) for each in values.values()):
            self._wrong(self._at(key), "a mapping of strings")
        return {name: str(value) for name, value in values.items()}

    def raw(self, key: str) -> object:
        """As it stands."""
        return self._raw.get(key)

    def _list(self, key: str) -> list[object]:
        value = self._raw.get(key)
        if value is None:
            return []
        return value if isinstance(value, list) else self._wrong(self._at(key), "a list")

    def _at(self, key: str) -> str:
        return f"{self._path}.{key}"

    def _wrong(self, path: str, wanted: str) -> NoReturn:
        raise Unreachable(f"What the cluster answered cannot be read: {path} is not {wanted}.")


def line(text: str, longest: int = 400) -> str:
    """In a single line, for a card or a thread."""
    flat = " ".join(text.split())
    return flat if len(flat) <= longest else f"{flat[: longest - 1]}…"
