"""On what it was measured."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def described() -> str:
    """One sentence; other work on the machine shows in its load."""
    processor = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"{os.cpu_count()} cores ({processor}), {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, load average {load}"
    )
