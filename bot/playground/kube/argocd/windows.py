"""Sync windows of an AppProject: when its Applications may be synced.

Follows ``SyncWindows.CanSync`` of Argo CD: a deny window that is active wins; allow windows, where
there are any, have to be active. Nothing in an Application's status names the window.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from cronsim import CronSim

from bot.playground.kube.resources import Json

SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def can_sync(project: Json, application: Json, now: float, *, manual: bool) -> bool:
    """Whether the project's windows let this Application be synced at that moment (Unix time)."""
    windows = [w for w in project["spec"].get("syncWindows", []) if _meant(w, application)]
    active = [each for each in windows if is_active(each, now)]
    denied = [each for each in active if each["kind"] == "deny"]
    if denied:
        return manual and all(each.get("manualSync", False) for each in denied)
    allows = [each for each in windows if each["kind"] == "allow"]
    if not allows or any(each in active for each in allows):
        return True
    return manual and all(each.get("manualSync", False) for each in allows)


def is_active(window: Json, now: float) -> bool:
    """Whether the window has been opened by its schedule and not closed by its duration yet."""
    zone = ZoneInfo(window.get("timeZone") or "UTC")
    moment = datetime.fromtimestamp(now, UTC).astimezone(zone)
    duration = seconds(window["duration"])
    opened = next(CronSim(window["schedule"], moment - timedelta(seconds=duration)))
    return bool(opened <= moment)


def seconds(text: str) -> float:
    """A duration as Go writes it: ``1h30m``; a bare number is seconds."""
    if re.fullmatch(r"\d+", text):
        return float(text)
    return sum(float(number) * UNITS[unit] for number, unit in SPAN.findall(text))


def _meant(window: Json, application: Json) -> bool:
    name = application["metadata"]["name"]
    destination = application["spec"]["destination"]
    tests: list[tuple[str, Callable[[str], bool]]] = [
        ("applications", lambda pattern: fnmatchcase(name, pattern)),
        ("namespaces", lambda pattern: fnmatchcase(destination.get("namespace", ""), pattern)),
        (
            "clusters",
            lambda pattern: any(
                fnmatchcase(destination.get(field, ""), pattern) for field in ("server", "name")
            ),
        ),
    ]
    return any(any(test(each) for each in window.get(field) or []) for field, test in tests)
