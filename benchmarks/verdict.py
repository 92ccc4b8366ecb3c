"""What a benchmark found, beside what was asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the table. ``ratio`` is ours divided by the reference, where there is one."""

    measure: str
    ours: str
    reference: str
    ratio: float | None
    target: str
    ok: bool


def percentile(values: list[float], percent: int) -> float:
    """The value that ``percent`` of the values do not exceed."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def at_least(measure: str, ours: float, reference: float, unit: str, least: float) -> Verdict:
    """Ours must be at least ``least`` times the reference."""
    ratio = ours / reference
    named = (f"{ours:.1f} {unit}", f"{reference:.1f} {unit}")
    return Verdict(measure, *named, ratio, f"ratio >= {least:.2g}", ratio >= least)


def at_most(measure: str, ours: float, reference: float, unit: str, most: float) -> Verdict:
    """Ours must be at most ``most`` times the reference."""
    ratio = ours / reference
    named = (f"{ours:.2f} {unit}", f"{reference:.2f} {unit}")
    return Verdict(measure, *named, ratio, f"ratio <= {most:.2g}", ratio <= most)


def pairs_at_most(
    measure: str, ours: Sequence[float], reference: Sequence[float], most: float
) -> Verdict:
    """The median of the ratios of pairs, in seconds, that were measured one after the other.

    What else the machine does meanwhile slows both of a pair, and so tells little in their ratio.
    """
    ratio = median(one / other for one, other in zip(ours, reference, strict=True))
    named = (f"{median(ours):.2f} s", f"{median(reference):.2f} s")
    return Verdict(measure, *named, ratio, f"ratio <= {most:.2g}", ratio <= most)


def share(measure: str, ours: float, reference: float, unit: str) -> Verdict:
    """A part of something else: good to know, and nothing is asked of it."""
    named = (f"{ours:.1f} {unit}", f"{reference:.1f} {unit}")
    return Verdict(measure, *named, ours / reference, "", ok=True)


def below(measure: str, ours: float, unit: str, limit: float) -> Verdict:
    """Ours must be below a fixed limit."""
    return Verdict(measure, f"{ours:.3g} {unit}", "", None, f"< {limit:g} {unit}", ours < limit)
