"""The catalog of a process that goes on running while people edit the file."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import structlog

from bot.commands.grammar import RESERVED
from bot.model.catalog import Catalog
from bot.settings.catalog_file import load_stamped
from bot.settings.document import Stamp, stamp
from bot.settings.problems import CatalogProblems

log = structlog.get_logger(__name__)

#: Seconds between two looks at the file.
LOOK_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the last look found, replaced as a whole: readers need no lock."""

    catalog: Catalog
    stamp: Stamp | None
    broken: CatalogProblems | None = None


class LiveCatalog:
    """Always a whole catalog: the newest one that was. Raises ``CatalogProblems`` at first only.

    ``clock`` counts seconds from anywhere. Any thread may ask; the one whose turn it is to look
    reads the file, and the others get what was known before, without waiting.
    """

    def __init__(
        self,
        path: Path,
        *,
        reserved: frozenset[str] = RESERVED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self._reserved = reserved
        self._clock = clock
        self._looking = Lock()
        self._next_look = clock() + LOOK_EVERY
        catalog, read = load_stamped(path, reserved=reserved)
        self._seen = _Seen(catalog, read)

    def current(self) -> Catalog:
        """The catalog; the file is looked at no more than once a second."""
        if self._clock() >= self._next_look and self._looking.acquire(blocking=False):
            try:
                self._next_look = self._clock() + LOOK_EVERY
                self._seen = self._look(self._seen)
            finally:
                self._looking.release()
        return self._seen.catalog

    @property
    def broken(self) -> CatalogProblems | None:
        """Why the file as it is now is not in use, or ``None`` where it is."""
        self.current()
        return self._seen.broken

    def _look(self, seen: _Seen) -> _Seen:
        now = self._stamp()
        if now is not None and now == seen.stamp:
            return seen
        try:
            catalog, read = load_stamped(self.path, reserved=self._reserved)
        except CatalogProblems as broken:
            if str(broken) != str(seen.broken):
                log.warning("catalog_broken", in_force="the last good one", problems=str(broken))
            return _Seen(seen.catalog, now, broken)
        log.info("catalog_read", path=str(self.path), targets=len(catalog.targets))
        return _Seen(catalog, read)

    def _stamp(self) -> Stamp | None:
        try:
            return stamp(self.path)
        except OSError:
            return None
