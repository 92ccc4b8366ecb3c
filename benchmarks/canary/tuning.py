"""The peers' settings with the most power that abort at most 1 % of healthy canaries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.canary.ours import NEVER
from benchmarks.canary.peers import RULES, Family
from benchmarks.canary.scenarios import RATES
from benchmarks.canary.trial import batches, exposed
from bot.analysis.tick import Floats, Truths, Whole

MOST_FALSE = 0.01
#: Of settings within a point of the best power, the one with the least exposure is taken.
NEARLY = 0.01


@dataclass(frozen=True, slots=True)
class Chosen:
    """The place of the setting in each family, and its name."""

    places: tuple[int, ...]
    name: str


def stop(families: tuple[Family, ...], chosen: Chosen) -> Whole:
    """In which tick each run is stopped: by whichever family is first."""
    stops = [family.stops[at] for family, at in zip(families, chosen.places, strict=True)]
    found: Whole = np.min(np.stack(stops), axis=0)
    return found


def tuned(seed: int, runs: int) -> dict[tuple[str, int], Chosen]:
    """One setting of each rule for all rates, as a fleet would have it (rate 0), and one for each
    rate, as an operator would have who tunes every service apart."""
    found: dict[str, list[tuple[Family, ...]]] = {name: [] for name in RULES}
    is_bad, served, rate = [], [], []
    for batch in batches(seed, runs):
        for name, rule in RULES.items():
            found[name].append(rule(batch.runs))
        so_far = np.cumsum(batch.runs.canary[..., 0], axis=1)
        served.append(so_far / np.maximum(so_far[:, -1:], 1))
        is_bad.append(np.full(runs, batch.is_bad))
        rate.append(np.full(runs, batch.rate))
    known = np.concatenate(is_bad), np.concatenate(served)
    rates = np.concatenate(rate)
    chosen = {}
    for name, parts in found.items():
        families = _joined(parts)
        for only in (0, *RATES):
            here = (rates == only) | (only == 0)
            part = tuple(Family(each.settings, each.stops[:, here]) for each in families)
            chosen[name, only] = _best(part, known[0][here], known[1][here])
    return chosen


def _joined(parts: list[tuple[Family, ...]]) -> tuple[Family, ...]:
    return tuple(
        Family(same[0].settings, np.concatenate([each.stops for each in same], axis=1))
        for same in zip(*parts, strict=True)
    )


def _best(families: tuple[Family, ...], is_bad: Truths, served: Floats) -> Chosen:
    false, power = _rates(families, ~is_bad), _rates(families, is_bad)
    allowed = np.where(false <= MOST_FALSE, power, -1.0)
    candidates = np.argwhere(allowed >= allowed.max() - NEARLY)
    bad = [Family(each.settings, each.stops[:, is_bad]) for each in families]

    def exposure(places: Whole) -> float:
        tick = stop(tuple(bad), Chosen(tuple(int(each) for each in places), ""))
        return float(exposed(tick.astype(np.int64), served[is_bad]).mean())

    # The most powerful first: there may be thousands, and these are the ones that matter.
    order = np.argsort(-allowed[tuple(candidates.T)])[:300]
    places = tuple(int(each) for each in min(candidates[order], key=exposure))
    names = (family.settings[at] for family, at in zip(families, places, strict=True))
    return Chosen(places, " | ".join(names))


def _rates(families: tuple[Family, ...], runs: Truths) -> Floats:
    """The share of ``runs`` that each combination of settings stops: a matrix, or a vector."""
    kept = [(family.stops[:, runs] == NEVER).astype(np.float32) for family in families]
    if len(kept) == 1:
        alone: Floats = 1 - kept[0].mean(axis=1).astype(np.float64)
        return alone
    found: Floats = 1 - (kept[0] @ kept[1].T).astype(np.float64) / runs.sum()
    return found
