"""One trial: every scenario at every rate, and what each rule did in each run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.canary.ours import NEVER
from benchmarks.canary.scenarios import BAD, HEALTHY, RATES, TICKS, calm
from benchmarks.canary.traffic import Runs, drawn
from bot.analysis.tick import Floats, Truths, Whole

#: What each seed is for. Constants of the judge were chosen on ``TUNING``, as the settings of the
#: peers are; ``VALIDATION`` was looked at while that was done; ``HELD_BACK`` was run once, at last.
#: Before it 20261125 was, with an alpha of .025, and 20261126, with a weaker test of slowness.
TUNING, VALIDATION, HELD_BACK = 1, 2, 20_261_128


@dataclass(frozen=True, slots=True)
class Batch:
    """The runs of one scenario at one rate."""

    scenario: str
    is_bad: bool
    rate: int
    runs: Runs


@dataclass(frozen=True, slots=True)
class Stops:
    """Of N runs in which tick one rule stopped each (``NEVER``), beside what is known of them."""

    scenario: list[str]
    is_bad: Truths
    rate: Whole
    onset: Floats
    served: Floats  # (N, TICKS): the share of the canary's requests up to and with each tick
    tick: Whole

    @property
    def is_stopped(self) -> Truths:
        stopped: Truths = self.tick < NEVER
        return stopped

    def of(self, scenario: str) -> Truths:
        return np.array([each == scenario for each in self.scenario])

    @property
    def minutes(self) -> Floats:
        """From the onset to the stop; a run that is not stopped takes the whole 15 minutes."""
        return minutes_to(self.tick, self.onset)

    @property
    def exposure(self) -> Floats:
        return exposed(self.tick, self.served)


def minutes_to(tick: Whole, onset: Floats) -> Floats:
    since = np.maximum(tick - onset + 1, 1) / 2
    found: Floats = np.where(tick < NEVER, since, TICKS / 2)
    return found


def exposed(tick: Whole, served: Floats) -> Floats:
    """The share of the canary's requests that were served before it was stopped."""
    found: Floats = served[np.arange(len(served)), np.minimum(tick, TICKS - 1)]
    return found


def batches(seed: int, runs: int, *, bad: bool = True) -> Iterator[Batch]:
    kinds = [(HEALTHY, False), (BAD, True)] if bad else [(HEALTHY, False)]
    for group, is_bad in kinds:
        for place, (name, change) in enumerate(group.items()):
            for rate in RATES:
                weather = calm(np.random.default_rng([seed, is_bad, place, rate]), runs)
                change(weather)
                yield Batch(name, is_bad, rate, drawn(weather, rate))


def gathered(found: Iterator[tuple[Batch, Mapping[str, Whole]]]) -> dict[str, Stops]:
    """What every rule did, from the ticks in which it stopped each run of each batch."""
    pairs = list(found)
    scenario = [batch.scenario for batch, _ in pairs for _ in batch.runs.onset]

    def joined(of: Callable[[Batch], Floats]) -> Floats:
        return np.concatenate([of(batch) for batch, _ in pairs])

    is_bad = joined(lambda batch: np.full(len(batch.runs.onset), batch.is_bad)).astype(np.bool_)
    rate = joined(lambda batch: np.full(len(batch.runs.onset), batch.rate)).astype(np.int64)
    onset = joined(lambda batch: batch.runs.onset)
    served = joined(lambda batch: _served(batch.runs))
    return {
        rule: Stops(
            scenario,
            is_bad,
            rate,
            onset,
            served,
            np.concatenate([stops[rule] for _, stops in pairs]).astype(np.int64),
        )
        for rule in pairs[0][1]
    }


def _served(runs: Runs) -> Floats:
    so_far = np.cumsum(runs.canary[..., 0], axis=1)
    found: Floats = so_far / np.maximum(so_far[:, -1:], 1)
    return found
