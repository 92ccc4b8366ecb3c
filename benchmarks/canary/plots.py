"""Two pictures of the trial, as SVG written by hand: they need no library and diff well."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.canary.peers import RULES
from benchmarks.canary.scenarios import BAD, TICKS
from benchmarks.canary.tables import OURS, Results
from benchmarks.canary.trial import Stops

COLOURS = dict(
    zip([OURS, *RULES], ["#1264a3", "#d9822b", "#7a8a3c", "#9467bd", "#8c8c8c"], strict=True)
)
WIDTH, LEFT, RIGHT, TOP = 860, 150, 170, 40


def write(folder: Path, results: Results) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "canary-detection.svg").write_text(_detection(results))
    (folder / "canary-scenarios.svg").write_text(_scenarios(results))


def _detection(results: Results) -> str:
    """How many of the bad canaries are stopped by each minute since they went bad."""
    height, plot = 400, 310
    across = WIDTH - LEFT - RIGHT
    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = TOP + plot * (1 - share)
        parts.append(_line((LEFT, y), (LEFT + across, y), "#e4e4e4"))
        parts.append(_text(LEFT - 8, y + 4, f"{100 * share:.0f} %", "end"))
    parts += [
        _text(LEFT + across * minute / 15, TOP + plot + 20, f"{minute} min", "middle")
        for minute in range(0, 16, 3)
    ]
    ends: dict[str, float] = {}
    for name, colour in COLOURS.items():
        shares = [0.0, *_stopped_by(results[name])]
        points = [
            (LEFT + across * tick / TICKS, TOP + plot * (1 - share))
            for tick, share in enumerate(shares)
        ]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        wide = 3 if name == OURS else 1.8
        parts.append(
            f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="{wide}"/>'
        )
        ends[name] = points[-1][1]
    above = 0.0
    for name in sorted(ends, key=lambda each: ends[each]):
        # Lines that end in the same place have their names one below the other.
        above = max(ends[name], above + 16)
        parts.append(_text(LEFT + across + 8, above + 4, name, "start", COLOURS[name]))
    return _svg("Bad canaries stopped, by minutes since they went bad", height, parts)


def _stopped_by(stops: Stops) -> Iterator[float]:
    minutes = stops.minutes[stops.is_bad & stops.is_stopped]
    count = stops.is_bad.sum()
    for tick in range(1, TICKS + 1):
        yield float((minutes <= tick / 2).sum() / count)


def _scenarios(results: Results) -> str:
    """The share of each scenario's runs that is stopped, all rates together."""
    row, across = 26, WIDTH - LEFT - RIGHT
    height = TOP + row * len(BAD) + 50
    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = LEFT + across * share
        parts.append(_line((x, TOP), (x, height - 44), "#e4e4e4"))
        parts.append(_text(x, height - 26, f"{100 * share:.0f} %", "middle"))
    for place, scenario in enumerate(BAD):
        y = TOP + row * place + row / 2
        parts.append(_text(LEFT - 8, y + 4, scenario, "end"))
        # Ours is drawn last, so that it lies on top where rules agree.
        for name, colour in reversed(COLOURS.items()):
            stops = results[name]
            share = float(np.mean(stops.is_stopped[stops.of(scenario)]))
            size = 6.5 if name == OURS else 4.5
            parts.append(_dot(LEFT + across * share, y, size, colour))
    for place, (name, colour) in enumerate(COLOURS.items()):
        y = TOP + 14 + 20 * place
        parts.append(_dot(WIDTH - RIGHT + 22, y - 4, 5, colour))
        parts.append(_text(WIDTH - RIGHT + 34, y, name, "start", colour))
    return _svg("Bad canaries stopped within 15 minutes, 1 to 1,000 requests/s", height, parts)


def _line(one: tuple[float, float], other: tuple[float, float], colour: str) -> str:
    ends = f'x1="{one[0]:.1f}" y1="{one[1]:.1f}" x2="{other[0]:.1f}" y2="{other[1]:.1f}"'
    return f'<line {ends} stroke="{colour}"/>'


def _dot(x: float, y: float, size: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{colour}"/>'


def _text(x: float, y: float, said: str, anchor: str, colour: str = "#444") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{said}</text>'


def _svg(title: str, height: int, parts: list[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-family="sans-serif" font-size="13" role="img">'
    )
    frame = f'<title>{title}</title><rect width="{WIDTH}" height="{height}" fill="#fff"/>'
    heading = f'<text x="{LEFT}" y="24" font-size="15" fill="#222">{title}</text>'
    return "\n".join([head, frame, heading, *parts, "</svg>"]) + "\n"
