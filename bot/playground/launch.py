"""``quarterdeck demo``: the bot on local stand-ins, as a page, with a prompt, or as a tour."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from io import TextIOWrapper
from threading import Event
from types import FrameType

from rich.table import Table

from bot.playground.page.play import opened, page
from bot.playground.slack.refusal import CannotDo
from bot.playground.terminal.blocks import Numbering
from bot.playground.terminal.screen import Screen
from bot.playground.tour.bot_process import BotFailed, free_port
from bot.playground.tour.prompt import Prompt
from bot.playground.tour.scene import Scene, StepFailed
from bot.playground.tour.stage import Stage
from bot.playground.tour.story import TOUR, Step

OK, FAILED, IMPOSSIBLE, INTERRUPTED = 0, 1, 2, 130


@dataclass(frozen=True, slots=True)
class Ended:
    """How one step of the tour went; ``fault`` is empty where all was as it should be."""

    step: Step
    seconds: float
    fault: str = ""


class Way(StrEnum):
    """How the demo is seen."""

    PAGE = "page"
    TERMINAL = "terminal"
    TOUR = "tour"


def demo(way: Way, *, keep: bool, port: int, browse: bool) -> int:
    """Set the stage and play. Returns the exit code.

    ``port`` is the page's; ``browse`` opens it in a browser.

    0: everything ended as it should. 1: a step did not. 2: it could not start. 130: interrupted.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without UTF-8 still shows the story
    ways: dict[Way, Callable[[Stage], int]] = {
        Way.PAGE: lambda stage: _show(stage, port, browse=browse),
        Way.TERMINAL: _talk,
        Way.TOUR: _play,
    }
    stage = Stage(keep=keep)
    try:
        if way is Way.PAGE:
            free_port(port)  # before anything is set up
        with _orderly_end(), stage:
            return ways[way](stage)
    except BotFailed as failed:
        return _impossible(str(failed))
    except OSError as fault:
        return _impossible(f"The stage could not be set up: {fault}.")
    except KeyboardInterrupt:
        sys.stdout.write("\nInterrupted; everything was stopped.\n")
        return INTERRUPTED
    finally:
        if keep and stage.set_up:
            sys.stdout.write(f"Kept: {stage.folder} (database, catalog, bot.log)\n")


def _impossible(why: str) -> int:
    sys.stderr.write(f"quarterdeck demo: {why}\n")
    return IMPOSSIBLE


@contextmanager
def _orderly_end() -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP end the demo, so that nothing is left behind."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # SIGINT too: a shell that starts it in the background has it ignored.
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(each, interrupt) for each in signals]
    try:
        yield
    finally:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)


def _show(stage: Stage, port: int, *, browse: bool) -> int:
    with page(stage, port) as address:
        seen = browse and opened(address)
        sys.stdout.write(
            f"Quarterdeck's playground: {address}\n"
            + ("" if seen else "Open it in a browser. ")
            + f"Ready after {stage.ready_after:.1f} s; Ctrl-C stops everything.\n"
            f"The bot's log: {stage.bot.log}\n"
            f"The manifests: git clone {stage.cluster.clone_url()}\n"
        )
        sys.stdout.flush()
        Event().wait()
    return OK


def _talk(stage: Stage) -> int:
    Prompt(stage, Screen(stage.slack, numbering=Numbering(shown=True))).run()
    return OK


def _play(stage: Stage) -> int:
    screen = Screen(stage.slack)
    screen.note(
        "Slack, AWS, git and Kubernetes are stand-ins on loopback; the bot listens on "
        f"{stage.bot.url}, ready after {stage.ready_after:.1f} s. ECS runs in fast motion."
    )
    ended = list(played(Scene(stage, screen)))
    _summary(screen, stage, ended)
    broken = [each for each in ended if each.fault]
    for each in broken:
        sys.stderr.write(f"Step {each.step.title!r} failed: {each.fault}\n")
        sys.stderr.write(f"The bot's last log lines:\n{stage.bot.last_words()}\n")
    return FAILED if broken else OK


def played(scene: Scene, story: Sequence[Step] = TOUR) -> Iterator[Ended]:
    """Play until the end, or until something is not as it should be."""
    for number, step in enumerate(story, start=1):
        scene.screen.heading(f"{number}. {step.title}")
        began = time.monotonic()
        fault = ""
        try:
            step.play(scene)
        except (StepFailed, CannotDo, BotFailed) as wrong:
            fault = str(wrong)
            scene.screen.bad(fault)
        yield Ended(step, time.monotonic() - began, fault)
        if fault:
            return


def _summary(screen: Screen, stage: Stage, ended: Sequence[Ended]) -> None:
    screen.heading("Summary")
    table = Table(box=None, pad_edge=False)
    table.add_column("step")
    table.add_column("seconds", justify="right")
    table.add_column("ended")
    for each in ended:
        table.add_row(each.step.title, f"{each.seconds:.1f}", "✗ failed" if each.fault else "✓")
    for step in TOUR[len(ended) :]:
        table.add_row(step.title, "", "not played")
    screen.console.print(table)
    calls = stage.slack.calls()
    limited = sum(each.answer.get("error") == "ratelimited" for each in calls)
    refused = sum(not each.ok for each in calls) - limited
    screen.note(
        f"{len(calls)} Slack calls, {limited} rate-limited, {refused} refused; "
        f"{len(stage.aws.calls())} AWS calls; {sum(each.seconds for each in ended):.1f} s in all."
    )
