"""Processes of their own for everything that is measured or that stands in for something."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Self

ROOT = Path(__file__).resolve().parents[1]
STOPS_WITHIN = 20.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Died(Exception):
    """A process ended that should have gone on; the message has its last words."""


class Child:
    """``python -m <module> ...`` with an environment of its own; what it says goes to a file.

    Leaving the context stops it: in order, and by force where that is not heard.
    """

    def __init__(
        self, name: str, folder: Path, command: list[str], environment: Mapping[str, str]
    ) -> None:
        self.log = folder / f"{name}.log"
        self._output = folder / f"{name}.out"
        base = {"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "HOME": str(folder)}
        with self.log.open("wb") as log, self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=folder,
                env=base | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def check(self) -> None:
        """Raises ``Died`` where the process has ended."""
        if self._process.poll() is not None:
            raise Died(f"{self.log.name}: {self.log.read_text(errors='replace')[-3000:]}")

    def first_line(self) -> str:
        """What it prints first: where it listens."""
        pause = Event()
        while "\n" not in (said := self._output.read_text()):
            self.check()
            pause.wait(0.02)
        return said.splitlines()[0]

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def peak_mebibytes(self) -> float:
        """The largest resident memory so far."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        kibibytes = status.partition("VmHWM:")[2].split()[0]
        return int(kibibytes) / 1024
