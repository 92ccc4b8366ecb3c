"""The bot, on a clock that a test moves: ``python -m tests.fakes.shifted run``.

``SHIFTED_BY`` names a file with the seconds by which it is ahead of the machine's.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from bot.__main__ import main
from bot.providers import fleet
from bot.settings import clock
from bot.workflows.canary import conductor

AHEAD = Path(os.environ["SHIFTED_BY"])  # noqa: TID251 - the test that starts this says where


def now(self: clock.SystemClock) -> datetime:
    """The machine's time, and what a test has added."""
    del self
    return datetime.now(UTC) + timedelta(seconds=float(AHEAD.read_text()))


def ticks() -> float:
    """Seconds that never go back, by which the patience with Argo Rollouts is measured."""
    return time.monotonic() + float(AHEAD.read_text())


if __name__ == "__main__":
    # Its time goes by fast, so canaries are looked at more often than every few seconds.
    conductor.QUICK, conductor.CALM = 0.1, 0.3
    fleet.RolloutCanaries = partial(fleet.RolloutCanaries, ticks=ticks)  # type: ignore[assignment,attr-defined]
    clock.SystemClock.now = now  # type: ignore[method-assign]
    main()
