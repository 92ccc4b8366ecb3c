"""What the trial found, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import sqrt

import numpy as np
from rich.table import Table

from benchmarks.canary.ours import NEVER
from benchmarks.canary.peers import RULES
from benchmarks.canary.scenarios import BAD, HEALTHY, RATES
from benchmarks.canary.trial import TUNING, VALIDATION, Stops
from benchmarks.canary.tuning import MOST_FALSE
from benchmarks.verdict import Verdict, below
from bot.analysis.tick import Truths
from bot.analysis.verdict import Outcome

OURS = "Quarterdeck"
APART = ", each rate tuned apart"
WITHOUT = "Quarterdeck without "

Results = Mapping[str, Stops]
#: How often each outcome was the last word, by whether the canary was bad and by rate.
Ends = dict[tuple[bool, int], Counter[Outcome]]
_KINDS = ("healthy:", "bad:")


def seeds(seed: int, runs: int, for_tuning: int) -> str:
    return (
        f"Table: seed {seed}, {runs} runs of each scenario at each of {RATES} requests/s. "
        f"Peers tuned on seed {TUNING} ({for_tuning} runs each) to at most 1 % false aborts; the "
        f"judge's constants on seeds {TUNING} and {VALIDATION}. The peers' settings:"
    )


def rules(results: Results) -> Table:
    drawn = _table(
        "",
        "false aborts",
        "(95 %)",
        "worst scenario",
        "power",
        "(95 %)",
        "median min",
        "of stopped",
        "exposure",
    )
    for name, stops in results.items():
        healthy, bad = stops.is_stopped[~stops.is_bad], stops.is_stopped[stops.is_bad]
        worst = max(HEALTHY, key=lambda each: _share(stops, each))
        found = stops.minutes[stops.is_bad & stops.is_stopped]
        drawn.add_row(
            name,
            f"{100 * healthy.mean():.2f} %",
            _interval(healthy),
            f"{worst} {100 * _share(stops, worst):.1f} %",
            f"{100 * bad.mean():.1f} %",
            _interval(bad),
            f"{np.median(stops.minutes[stops.is_bad]):.1f}",
            f"{np.median(found):.1f}" if found.size else "-",
            f"{stops.exposure[stops.is_bad].mean():.2f}",
        )
    return drawn


def scenarios(results: Results) -> Table:
    """The share of runs that are stopped: of the healthy none should be, of the bad ones all."""
    names = [OURS, *RULES]
    drawn = _table("stopped, all rates", *names, "ours, minutes", "fastest peer's")
    best = best_peer(results)
    for scenario in (*HEALTHY, *BAD):
        shares = [f"{100 * _share(results[name], scenario):.1f} %" for name in names]
        minutes = ["", ""]
        if scenario in BAD:
            minutes = [_median(results[each], scenario) for each in (OURS, best)]
        drawn.add_row(scenario, *shares, *minutes)
    return drawn


def rates(results: Results) -> Table:
    names = [OURS, *RULES, *(f"{name}{APART}" for name in RULES)]
    drawn = _table(
        "requests/s: power, median minutes", *(str(rate) for rate in RATES), "false aborts"
    )
    for name in names:
        stops = results[name]
        cells = []
        for rate in RATES:
            here = stops.is_bad & (stops.rate == rate)
            share = 100 * stops.is_stopped[here].mean()
            cells.append(f"{share:.0f} % {np.median(stops.minutes[here]):.1f}")
        false = stops.is_stopped[~stops.is_bad].mean()
        drawn.add_row(name, *cells, f"{100 * false:.2f} %")
    return drawn


def outcomes(ends: Ends) -> Table:
    """What the judge says of healthy and of bad canaries when the 15 minutes are over."""
    said = tuple(Outcome)
    drawn = _table("after 15 minutes", *(f"{kind} {each}" for kind in _KINDS for each in said))
    for rate in RATES:
        counts = [ends[is_bad, rate] for is_bad in (False, True)]
        shares = [100 * count[each] / count.total() for count in counts for each in said]
        drawn.add_row(f"{rate} requests/s", *(f"{share:.1f} %" for share in shares))
    return drawn


def best_peer(results: Results) -> str:
    """The peer that is fastest among those that may be compared."""
    return min(
        _comparable(results), key=lambda name: (_middle(results[name]), -_power(results[name]))
    )


def _comparable(results: Results) -> list[str]:
    """Peers, tuned for all rates or apart, that do not abort many more healthy canaries here than
    the 1 % they were tuned to; else one could be fast by aborting everything."""
    names = [*RULES, *(f"{name}{APART}" for name in RULES)]
    return [name for name in names if _false(results[name]) <= 1.5 * MOST_FALSE] or names


def targets(results: Results, seconds: float) -> Iterator[Verdict]:
    """Each measure is held against the peer that is best in it."""
    ours, peers = results[OURS], [results[name] for name in _comparable(results)]
    yield _most("false aborts, healthy", 100 * _false(ours), 0.5)
    worst = max(HEALTHY, key=lambda each: _share(ours, each))
    yield _most(f"false aborts, worst: {worst}", 100 * _share(ours, worst), 2.0)
    power, theirs = 100 * _power(ours), 100 * max(_power(each) for each in peers)
    named = f"{power:.1f} %", f"{theirs:.1f} %"
    yield Verdict("power", *named, power / theirs, ">= 78 %", power >= 78)
    fastest = results[best_peer(results)]
    yield _ratio("median minutes, all bad", [_middle(each) for each in (ours, fastest)], 0.5)
    yield _ratio("median minutes, where both stop", _both(ours, fastest), 0.5)
    yield _ratio("exposure", [_exposure(ours), min(_exposure(each) for each in peers)], 0.6)
    crash = ours.of("crash loop") & (ours.rate >= 10)
    at_once = 100 * float((ours.tick[crash] == 0).mean())
    said = "crash loop stopped in one tick, >= 10 requests/s"
    yield Verdict(said, f"{at_once:.1f} %", "", None, "100 %", at_once == 100)
    yield below("1,000 canaries, one tick", seconds, "s", 1.0)


def judged(verdicts: list[Verdict]) -> Table:
    drawn = _table("target", "ours", "best peer", "ratio", "asked", "")
    for each in verdicts:
        ratio = "" if each.ratio is None else f"{each.ratio:.2f}"
        ok = "✓" if each.ok else "✗ missed"
        drawn.add_row(each.measure, each.ours, each.reference, ratio, each.target, ok)
    return drawn


def _most(measure: str, percent: float, most: float) -> Verdict:
    return Verdict(measure, f"{percent:.2f} %", "", None, f"<= {most:g} %", percent <= most)


def _ratio(measure: str, pair: list[float], most: float) -> Verdict:
    ratio = pair[0] / pair[1]
    named = f"{pair[0]:.2f}", f"{pair[1]:.2f}"
    return Verdict(measure, *named, ratio, f"ratio <= {most:g}", ratio <= most)


def _both(ours: Stops, peer: Stops) -> list[float]:
    both = ours.is_bad & ours.is_stopped & peer.is_stopped
    return [float(np.median(each.minutes[both])) for each in (ours, peer)]


def _middle(stops: Stops) -> float:
    return float(np.median(stops.minutes[stops.is_bad]))


def _median(stops: Stops, scenario: str) -> str:
    return f"{np.median(stops.minutes[stops.of(scenario)]):.1f}"


def _power(stops: Stops) -> float:
    return float(stops.is_stopped[stops.is_bad].mean())


def _false(stops: Stops) -> float:
    return float(stops.is_stopped[~stops.is_bad].mean())


def _exposure(stops: Stops) -> float:
    return float(stops.exposure[stops.is_bad].mean())


def _share(stops: Stops, scenario: str) -> float:
    return float((stops.tick[stops.of(scenario)] < NEVER).mean())


def _interval(stopped: Truths) -> str:
    """Wilson's 95 % interval of a share (1927)."""
    n, share, z = stopped.size, float(stopped.mean()), 1.96
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    around = z * sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return f"{100 * (middle - around):.2f}..{100 * (middle + around):.2f}"


def _table(*headings: str) -> Table:
    drawn = Table(box=None, pad_edge=False, padding=(1, 1, 0, 0), show_header=True)
    drawn.padding = (0, 1)
    for place, heading in enumerate(headings):
        drawn.add_column(heading, justify="right" if place else "left")
    return drawn
