"""Mishaps that need holding: a database that nobody else can write to, a bot that is starting."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from bot.playground.slack.refusal import CannotDo
from bot.playground.tour.bot_process import BotFailed, BotProcess

#: Seconds for which the database is waited for before it can be taken away.
TAKES = 3.0
_PAUSE = 0.05


class LostDatabase:
    """Takes SQLite's write lock and keeps it: nothing can be recorded until it is given back.

    Not safe to share between threads: whoever has it takes care of that.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: sqlite3.Connection | None = None

    @property
    def lost(self) -> bool:
        """Whether it is taken away at the moment."""
        return self._held is not None

    def lose(self) -> None:
        """Take it away. ``CannotDo`` where that does not work now."""
        if self._held is not None:
            raise CannotDo("The database is lost already.")
        connection = None
        try:
            connection = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=rw",  # a file that is gone is not made anew
                uri=True,
                timeout=TAKES,
                isolation_level=None,
                check_same_thread=False,
            )
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as fault:
            if connection is not None:
                connection.close()
            raise CannotDo(f"The database cannot be taken away now: {fault}.") from fault
        self._held = connection

    def bring_back(self) -> None:
        """Give it back. ``CannotDo`` where it is there."""
        if self._held is None:
            raise CannotDo("The database is there already.")
        self.close()

    def close(self) -> None:
        """Let go, if it is held."""
        held, self._held = self._held, None
        if held is not None:
            held.close()  # what it began is rolled back


class Restart:
    """Starts the bot behind the page's back, which goes on meanwhile."""

    def __init__(self, bot: BotProcess) -> None:
        self._bot = bot
        self._thread: threading.Thread | None = None
        self._unwanted = False
        self.failure = ""

    @property
    def under_way(self) -> bool:
        """Whether it has not come to an end yet."""
        return self._thread is not None and self._thread.is_alive()

    def begin(self) -> None:
        """Start the bot; ``failure`` says later why that did not work, in the bot's last words."""
        self.failure, self._unwanted = "", False
        self._thread = threading.Thread(target=self._start, name="bot start", daemon=True)
        self._thread.start()

    def _start(self) -> None:
        try:
            self._bot.start()
        except (BotFailed, OSError) as failed:
            if not self._unwanted:
                self.failure = str(failed)

    def abandon(self) -> None:
        """Kill the bot, also one that is only being started; returns when nothing is left of it."""
        self._unwanted, self.failure = True, ""
        self._bot.kill()
        while self._thread is not None and self._thread.is_alive():
            self._bot.kill()
            self._thread.join(_PAUSE)
