"""``quarterdeck demo``: the tour ends as it should, says where it does not, leaves nothing."""

from __future__ import annotations

import io
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from bot.playground.launch import Ended, played
from bot.playground.slack.state import State
from bot.playground.terminal.screen import Screen
from bot.playground.tour.scene import Scene, StepFailed
from bot.playground.tour.stage import Stage
from bot.playground.tour.story import TOUR, Step


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bot", "demo", *options],
        env={"TMPDIR": str(folder), "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def bots_in(folder: Path) -> list[int]:
    """Processes that work in a folder below this one."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if each.readlink().is_relative_to(folder):
                found.append(int(each.parent.name))
        except OSError:
            continue  # it ended meanwhile, or is somebody else's
    return found


def test_the_tour_ends_as_it_should_and_leaves_nothing(tmp_path: Path) -> None:
    process = start(tmp_path, "--tour")
    output, errors = process.communicate(timeout=240)

    assert process.returncode == 0, output + errors
    for step in TOUR:
        assert f"{step.title}" in output
    assert "✗" not in output
    assert "0 refused" in output
    assert list(tmp_path.iterdir()) == []
    assert bots_in(tmp_path) == []


def test_a_taken_port_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(tmp_path, "--port", str(port))
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 2
    assert f"Port {port} cannot be used" in errors
    assert "--port" in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (("--terminal",), ("listens on",)),
        (
            ("--port", "0", "--no-open"),
            ("playground: http://", "Ready after", "bot.log", "git clone http://guest:"),
        ),
    ],
)
def test_interrupted_it_leaves_nothing(
    tmp_path: Path, how: signal.Signals, options: tuple[str, ...], lines: tuple[str, ...]
) -> None:
    process = start(tmp_path, *options)
    assert process.stdout is not None
    for said in lines:
        assert said in process.stdout.readline()
    assert len(bots_in(tmp_path)) == 1

    process.send_signal(how)
    output, errors = process.communicate(timeout=60)

    assert process.returncode == 130, errors
    assert "everything was stopped" in output
    assert list(tmp_path.iterdir()) == []
    assert bots_in(tmp_path) == []


def test_a_step_that_goes_wrong_ends_the_tour_and_is_named() -> None:
    def wrong(_scene: Scene) -> None:
        raise StepFailed("ECS was told twice.")

    paper = io.StringIO()
    screen = Screen(State(), Console(file=paper, width=88, markup=False))
    story = (Step("goes wrong", wrong), Step("is not reached", wrong))

    ended = list(played(Scene(Stage(), screen), story))

    assert [(each.step.title, each.fault) for each in ended] == [
        ("goes wrong", "ECS was told twice.")
    ]
    assert isinstance(ended[0], Ended)
    assert "✗ ECS was told twice." in paper.getvalue()
