"""SQLite's one write lock, for every writer of this process: first come, first served.

SQLite's own waiting is a sleep that grows, so that under load somebody starves; the workflow
engine's writers and ours meet at the same lock. So whoever begins to write on any connection takes
a turn first, and gives it back when the transaction is over.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final, Self

from typing_extensions import override

from bot.store.turnstile import Turnstile

#: Seconds for which the write lock is waited for.
TURN = 30
#: How statements begin before which the driver begins a transaction, or that begin one to write.
_WRITES: Final = ("INSERT", "UPDATE", "DELETE", "REPLACE", "BEGIN IMMEDIATE")
_LONGEST: Final = max(map(len, _WRITES))
_WRITER = Turnstile()


class Busy(sqlite3.OperationalError):
    """Others have written for too long; as when SQLite itself gives up waiting."""

    sqlite_errorname = "SQLITE_BUSY"


class TurnTaking(sqlite3.Connection):
    """A connection that waits for its turn before it begins to write. One thread at a time."""

    _mine = False

    @override
    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or _Cursor)

    def take(self, statement: str) -> None:
        """Wait for the turn if ``statement`` needs one. Raises ``Busy`` after ``TURN`` seconds."""
        if self._mine or not statement.lstrip()[:_LONGEST].upper().startswith(_WRITES):
            return
        if not _WRITER.enter(TURN):
            raise Busy("database is locked")
        self._mine = True

    def give(self) -> None:
        """Pass the turn on, unless a transaction is still open."""
        if self._mine and not self.in_transaction:
            self._mine = False
            _WRITER.leave()

    @override
    def commit(self) -> None:
        try:
            super().commit()
        finally:
            self.give()

    @override
    def rollback(self) -> None:
        try:
            super().rollback()
        finally:
            self.give()

    @override
    def close(self) -> None:
        super().close()
        if self._mine:
            self._mine = False
            _WRITER.leave()


class _Cursor(sqlite3.Cursor):
    connection: TurnTaking

    @override
    def execute(self, sql: str, parameters: Any = (), /) -> Self:
        self.connection.take(sql)
        try:
            return super().execute(sql, parameters)
        finally:
            self.connection.give()

    @override
    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Self:
        self.connection.take(sql)
        try:
            return super().executemany(sql, parameters)
        finally:
            self.connection.give()
