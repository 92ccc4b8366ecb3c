"""Bots without the wait: one process loads the bot's modules, and forks for each that is started.

Loading them is most of what a start costs, and tests start the bot hundreds of times. A fork has
its own signals, files, environment and end, and runs the program's own ``__main__`` from its first
line on. ``Slipway`` is the test's side; ``python -m tests.fakes.slipway`` is the process, which
ends with whoever started it.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import IO

#: Bytes of an order, at most.
ORDER = 1 << 16
#: Only Linux tells of the end of a process in a way that can be waited for beside other things.
AVAILABLE = sys.platform == "linux"


@dataclass(frozen=True, slots=True)
class Order:
    """What a fork is to become: ``python -m module *words``."""

    module: str
    words: tuple[str, ...]
    home: str
    environment: Mapping[str, str]


class Launched:
    """A process that was forked, with the methods of ``subprocess.Popen`` that a test needs."""

    def __init__(self, pid: int, ended: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)
        self._ended = ended
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; ``None`` while it runs."""
        return self._read(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its exit code. Raises ``TimeoutExpired`` after so many seconds."""
        code = self._read(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """To this very process, or to none where it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._handle, number)

    def _read(self, timeout: float | None) -> int | None:
        if self._code is None and select.select([self._ended], [], [], timeout)[0]:
            self._code = int(os.read(self._ended, 16))
            os.close(self._ended)
            os.close(self._handle)
        return self._code


class Slipway:
    """The process that forks, and how to ask it to. Safe to share between threads."""

    def __init__(self, home: Path) -> None:
        self._lock = Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fakes.slipway", str(theirs.fileno())],
                cwd=home,
                env={"PATH": os.defpath, "PYTHONUNBUFFERED": "1", "OPENBLAS_NUM_THREADS": "1"},
                pass_fds=[theirs.fileno()],
            )

    def launch(self, order: Order, log: IO[bytes]) -> Launched:
        """Start a program, whose output goes to that file."""
        parts = (order.module, order.words, order.home, dict(order.environment))
        ended, tells = os.pipe()
        try:
            with self._lock:
                files = [log.fileno(), tells]
                socket.send_fds(self._control, [json.dumps(parts).encode()], files)
                pid = int(self._control.recv(ORDER))
        finally:
            os.close(tells)
        return Launched(pid, ended)

    def close(self) -> None:
        """Let it end. What it has started goes on."""
        self._control.close()
        self._process.wait()


@cache
def slipway(home: Path) -> Slipway:
    """The one of this test process."""
    made = Slipway(home)
    atexit.register(made.close)
    return made


# --- in the process that forks -------------------------------------------------------------------


class Forks:
    """``until_forked`` returns an order in the fork that is to carry it out, and ``None`` here."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        #: By the handle of each fork that runs: its number, and where its end is told.
        self._running: dict[int, tuple[int, int]] = {}

    def until_forked(self) -> Order | None:
        """Serve, until nobody asks any more."""
        while True:
            ready, _, _ = select.select([self._control.fileno(), *self._running], [], [])
            for handle in ready:
                if handle in self._running:
                    self._tell_end(handle)
                    continue
                message, files, _, _ = socket.recv_fds(self._control, ORDER, 2)
                if not message:
                    return None
                pid = os.fork()
                if pid == 0:
                    self._leave(files)
                    module, words, home, environment = json.loads(message)
                    return Order(module, tuple(words), home, environment)
                log, tells = files
                os.close(log)
                self._running[os.pidfd_open(pid)] = pid, tells
                self._control.send(str(pid).encode())

    def _tell_end(self, handle: int) -> None:
        pid, tells = self._running.pop(handle)
        _, status = os.waitpid(pid, 0)
        os.write(tells, str(os.waitstatus_to_exitcode(status)).encode())
        os.close(tells)
        os.close(handle)

    def _leave(self, files: list[int]) -> None:
        """In the fork: keep nothing but the log, as the only output."""
        log, tells = files
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        others = [number for fork, (_, end) in self._running.items() for number in (fork, end)]
        for number in (log, tells, *others):
            os.close(number)
        self._control.close()


def main() -> None:
    """Load what the bot needs, and become it in each fork."""
    for module in ("bot.__main__", "bot.app", "bot.settings.start"):
        import_module(module)
    gc.collect()
    gc.freeze()  # so that forks share what was loaded
    order = Forks(socket.socket(fileno=int(sys.argv[1]))).until_forked()
    if order is None:
        return
    os.chdir(order.home)
    os.environ.clear()  # noqa: TID251 - a fork has the one that it was started with
    os.environ.update(order.environment)  # noqa: TID251 - as above
    sys.argv = [order.module, *order.words]
    runpy.run_module(order.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
