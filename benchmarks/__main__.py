"""``python -m benchmarks [NAME...]``: measure, and print one table.

Exit code 0: every target was met. 1: one was missed. 2: there is no such benchmark.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.table import Table

from benchmarks import acknowledgement, argocd, crowd, following, manifests, playground, promptness
from benchmarks.databases import NewDatabase, databases
from benchmarks.machine import described
from benchmarks.verdict import Verdict

Each = Callable[[str, NewDatabase], Iterator[Verdict]]
Benchmark = Callable[[dict[str, NewDatabase]], Iterator[Verdict]]


def on_each(measure: Each) -> Benchmark:
    """The same on one database after the other."""

    def run(kinds: dict[str, NewDatabase]) -> Iterator[Verdict]:
        for kind, new in kinds.items():
            yield from measure(kind, new)

    return run


BENCHMARKS: dict[str, Benchmark] = {
    "acknowledgement": on_each(acknowledgement.measure),
    "following": following.measure,
    "crowd": crowd.measure,
    "promptness": on_each(promptness.measure),
    "manifests": manifests.measure,
    "argocd": argocd.measure,
    "playground": playground.measure,
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(f"No benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}.\n")
        return 2
    console = Console(width=None if sys.stdout.isatty() else 160)
    verdicts: list[Verdict] = []
    with databases() as kinds:
        for name in names or BENCHMARKS:
            began = time.monotonic()
            verdicts += BENCHMARKS[name](kinds)
            sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
    console.print(table(verdicts))
    console.print(described())
    return 0 if all(verdict.ok for verdict in verdicts) else 1


def table(verdicts: list[Verdict]) -> Table:
    drawn = Table(box=None, pad_edge=False)
    for heading in ("measure", "ours", "reference", "ratio", "target", ""):
        drawn.add_column(heading, justify="left" if heading in {"measure", "target"} else "right")
    for each in verdicts:
        ratio = "" if each.ratio is None else f"{each.ratio:.3f}"
        ok = "✓" if each.ok else "✗ missed"
        drawn.add_row(each.measure, each.ours, each.reference, ratio, each.target, ok)
    return drawn


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
