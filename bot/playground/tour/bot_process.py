"""The bot as a process of its own: started, killed, started again, and asked for its last words."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import bot

STARTS_WITHIN = 30.0
STOPS_WITHIN = 15.0
_LAST_WORDS = 15


class BotFailed(Exception):
    """The bot did not start, or died. The message holds its last log lines."""


def free_port(wanted: int | None) -> int:
    """A port to listen on: the wanted one, or any. ``BotFailed`` where it cannot be used."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted or 0))
        except (OSError, OverflowError) as taken:
            why = str(taken).rstrip(".")
            raise BotFailed(
                f"Port {wanted} cannot be used: {why}. Another demo may be running there; choose "
                "another --port (0 is any free one)."
            ) from None
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class BotProcess:
    """``python -m bot run`` with nothing of the caller's environment but what is given here."""

    folder: Path
    port: int
    environment: Mapping[str, str]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def log(self) -> Path:
        """Where its output goes, over all of its lives."""
        return self.folder / "bot.log"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> float:
        """Start it and wait until it is ready; returns the seconds that took."""
        began = time.monotonic()
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bot", "run"],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the demo, which then stops it in order
            )
        self._wait_ready(began + STARTS_WITHIN)
        return time.monotonic() - began

    def _environment(self) -> dict[str, str]:
        home = str(Path(bot.__file__).resolve().parent.parent)
        base = {"HOME": str(self.folder), "LANG": "C.UTF-8", "PYTHONPATH": home}
        return base | dict(self.environment)

    def _wait_ready(self, deadline: float) -> None:
        pause = threading.Event()
        while time.monotonic() < deadline:
            if not self.alive:
                raise BotFailed(f"The bot ended at its start.\n{self.last_words()}")
            if self._ready():
                return
            pause.wait(0.05)
        raise BotFailed(f"The bot was not ready within {STARTS_WITHIN:g} s.\n{self.last_words()}")

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """``kill -9``: no farewell."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that is not heard."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command of the same bot, such as ``audit verify``, in the same environment."""
        return subprocess.run(  # noqa: S603 - our own interpreter and our own words
            [sys.executable, "-m", "bot", *arguments],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def last_words(self) -> str:
        """The end of its log."""
        if not self.log.exists():
            return "It logged nothing."
        with self.log.open(encoding="utf-8", errors="replace") as lines:
            return "".join(deque(lines, maxlen=_LAST_WORDS)).rstrip()
