"""Whether a project's sync windows let an Application be synced now. Pure.

As https://argo-cd.readthedocs.io/en/stable/user-guide/sync_windows/ has it: an active deny window
closes; so does an allow window that is not active, where no other allow window is. A manual sync
passes where every window that closes says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from bot.providers.argocd.views import ApplicationView
from bot.providers.kube.cluster import Raw
from bot.providers.kube.fields import Fields

_PART = re.compile(r"(\d+(?:\.\d+)?)(h|m|s)")
_SECONDS = {"h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True, slots=True)
class Window:
    """One of a project's windows; ``names``, ``clusters`` and ``namespaces`` are globs."""

    kind: str
    schedule: str
    lasts: timedelta
    zone: str
    manual: bool
    names: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    all_of: bool = False

    def covers(self, view: ApplicationView) -> bool:
        """Whether it is meant for this Application."""
        found = [
            any(fnmatchcase(each, glob) for each in values if each for glob in globs)
            for globs, values in (
                (self.names, (view.name,)),
                (self.clusters, (view.server, view.cluster_name)),
                (self.namespaces, (view.namespace,)),
            )
            if globs
        ]
        return bool(found) and (all(found) if self.all_of else any(found))

    def active(self, now: datetime) -> bool | None:
        """Whether it began less than its length ago; ``None`` where it cannot be read here."""
        try:
            local = now.astimezone(ZoneInfo(self.zone))
            # The first one after that, and no earlier: it would hide the next, which still lasts.
            began = next(CronSim(self.schedule, local - self.lasts))
        except (CronSimError, ZoneInfoNotFoundError, ValueError, StopIteration):
            return None
        return local - self.lasts < began <= local


def windows_of(project: Raw) -> tuple[Window, ...]:
    """From the JSON of an AppProject."""
    return tuple(_windows(Fields(project, "AppProject").inside("spec")))


def closed(
    windows: tuple[Window, ...], view: ApplicationView, now: datetime, *, manual: bool
) -> str:
    """What keeps a sync from being let through, in words; empty where nothing does."""
    mine = [each for each in windows if each.covers(view)]
    deny = [each for each in mine if each.kind == "deny" and each.active(now)]
    if deny:
        return "" if manual and all(each.manual for each in deny) else _said(deny[0])
    allow = [each for each in mine if each.kind == "allow"]
    if not allow or any(each.active(now) is not False for each in allow):
        return ""  # what cannot be read is Argo CD's to say: no sync is held back for it
    return "" if manual and all(each.manual for each in allow) else _said(allow[0])


def _said(window: Window) -> str:
    when = f"{window.schedule} for {_hours(window.lasts)} {window.zone}"
    if window.kind == "deny":
        return f"The project's sync window ({when}) lets no sync through now"
    return f"The project lets syncs through only in its window ({when})"


def _windows(spec: Fields) -> Iterator[Window]:
    for each in spec.items("syncWindows"):
        yield Window(
            kind=each.text("kind"),
            schedule=each.text("schedule"),
            lasts=_lasts(each.text("duration")),
            zone=each.text("timeZone") or "UTC",
            manual=each.flag("manualSync"),
            names=each.texts("applications"),
            clusters=each.texts("clusters"),
            namespaces=each.texts("namespaces"),
            all_of=each.flag("andOperator"),
        )


def _lasts(text: str) -> timedelta:
    """A duration as Go writes it, such as ``1h30m``."""
    parts = _PART.findall(text)
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))


def _hours(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
