"""``python -m benchmarks.canary``: the judge beside its peers' rules, on simulated canaries.

Exit code 0: every target was met. 1: one was missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.canary import plots, tables
from benchmarks.canary.ours import ended, planned, stopped
from benchmarks.canary.peers import RULES
from benchmarks.canary.speed import seconds_for_a_thousand
from benchmarks.canary.tables import APART, OURS, WITHOUT, Ends
from benchmarks.canary.traffic import Runs
from benchmarks.canary.trial import HELD_BACK, TUNING, Batch, batches, gathered
from benchmarks.canary.tuning import Chosen, stop, tuned
from bot.analysis.plan import Tolerance
from bot.analysis.terms import Terms, termed
from bot.analysis.tick import Whole

#: Runs of each scenario at each rate: for tuning the peers, and for the table.
FULL, QUICK = (100, 250), (20, 25)

Choice = Mapping[tuple[str, int], Chosen]


def main(arguments: list[str]) -> int:
    asked = _parser().parse_args(arguments)
    for_tuning, runs = QUICK if asked.quick else FULL
    began = time.monotonic()
    chosen = tuned(TUNING, for_tuning)
    _say(f"tuning: {time.monotonic() - began:.0f} s")
    ends: Ends = defaultdict(Counter)
    results = gathered(_tried(asked.seed, asked.runs or runs, chosen, ends))
    _say(f"everything: {time.monotonic() - began:.0f} s")
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(tables.seeds(asked.seed, asked.runs or runs, for_tuning))
    for name in RULES:
        console.print(f"  {name}: {chosen[name, 0].name}", highlight=False, soft_wrap=True)
    console.print(tables.rules(results), tables.scenarios(results), tables.rates(results))
    console.print(tables.outcomes(ends))
    verdicts = list(tables.targets(results, seconds_for_a_thousand()))
    console.print(tables.judged(verdicts))
    if asked.plots:
        plots.write(asked.plots, results)
    return 0 if all(verdict.ok for verdict in verdicts) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.canary", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the runs")
    parser.add_argument("--seed", type=int, default=HELD_BACK, help="of the table's runs")
    parser.add_argument("--runs", type=int, help="of each scenario at each rate")
    parser.add_argument("--plots", type=Path, help="the folder to write pictures to")
    return parser


def _tried(
    seed: int, runs: int, chosen: Choice, ends: Ends
) -> Iterator[tuple[Batch, Mapping[str, Whole]]]:
    for batch in batches(seed, runs):
        plans = planned(batch.runs)
        terms = termed(plans)
        tick, evidence = stopped(batch.runs, terms)
        ends[batch.is_bad, batch.rate].update(ended(plans, terms, evidence))
        stops = {OURS: tick}
        for name, rule in RULES.items():
            families = rule(batch.runs)
            stops[name] = stop(families, chosen[name, 0])
            stops[f"{name}{APART}"] = stop(families, chosen[name, batch.rate])
        stops |= dict(_ablated(batch.runs, terms))
        yield batch, stops


def _ablated(runs: Runs, terms: Terms) -> Iterator[tuple[str, Whole]]:
    strict = np.ones_like
    calm = replace(terms, phi=strict(terms.phi), slow_phi=strict(terms.slow_phi))
    yield WITHOUT + "dispersion", stopped(runs, calm)[0]
    exact = replace(terms, ratio=strict(terms.ratio), floor=0 * terms.floor)
    yield WITHOUT + "tolerance", stopped(runs, exact)[0]
    # Nothing is tolerated beyond the usual in the first ticks, and slowness is bet on at once.
    cold = termed(planned(runs, Tolerance(warm_up=(), slow_warm_up=())))
    yield WITHOUT + "warm-up", stopped(runs, cold)[0]


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
