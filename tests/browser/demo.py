"""``quarterdeck demo`` as a process of its own, and its page in a real browser."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.playground.page.visit_levers import TRAITS

#: What brings the world back to what it was, whatever was pulled.
MENDED: tuple[tuple[str, dict[str, str]], ...] = (
    ("bring-slack-back", {}),
    ("bring-database-back", {}),
    ("answer", {}),
    ("fresh", {}),
    ("pace", {"speed": "20"}),
    ("start", {}),
    ("incident", {"state": "over"}),
    ("visitors", {"crowd": "1"}),
    *(("trait", {"trait": each, "option": "usual"}) for each in TRAITS),
)
STOPS_WITHIN = 60.0


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo: where its page is, and its acts without a browser."""

    address: str

    def act(self, verb: str, **asked: Any) -> dict[str, Any]:
        """What the page's script would ask the server to do."""
        return self.acts(verb, [asked])[0]

    def acts(self, verb: str, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The same many times, over one connection."""
        connection = http.client.HTTPConnection(self.address.removeprefix("http://"), timeout=60)
        answers = []
        try:
            for each in asked:
                headers = {"Content-Type": "application/json"}
                connection.request("POST", f"/act/{verb}", json.dumps(each), headers)
                answers.append(json.load(connection.getresponse()))
        finally:
            connection.close()
        return answers

    def mend(self) -> None:
        """Bring back whatever is down."""
        for lever, arguments in MENDED:
            self.act("lever", person="alice", lever=lever, arguments=arguments)


@contextmanager
def running_demo(folder: Path) -> Iterator[Demo]:
    """Start it, and stop it as Ctrl-C would; it must leave nothing in ``folder``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "demo", "--no-open", "--port", "0"],
        env={
            "TMPDIR": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    try:
        assert "playground: http://" in first, first + process.communicate()[1]
        yield Demo(first.split()[-1])
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=STOPS_WITHIN)
    assert process.returncode == 130, errors
    assert list(folder.iterdir()) == [], "the demo left something behind"
