"""The inner rooms over a SQLite file of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.clock import FakeClock
from tests.fakes.inner_rooms import Rooms, rooms_in


@pytest.fixture
def rooms(sqlite_url: str, clock: FakeClock) -> Iterator[Rooms]:
    with rooms_in(sqlite_url, clock) as rooms:
        yield rooms
