from __future__ import annotations

from bot.workflows.constitution import ACTION, Constitution, fingerprint
from tests.fakes.inner_rooms import Rooms, a_catalog


def recorded(rooms: Rooms) -> list[str]:
    return [row.entry.detail["sha256"] for row in rooms.rows(action=ACTION)]


def test_each_catalog_that_comes_into_force_is_recorded_once(rooms: Rooms) -> None:
    first, second = rooms.catalog, a_catalog(approvals=2)
    watch = Constitution(rooms.parts)
    assert watch.record()
    assert not watch.record()
    rooms.catalog = second
    assert watch.record()
    assert sorted(recorded(rooms)) == sorted([fingerprint(first), fingerprint(second)])


def test_a_second_replica_or_a_restart_adds_no_row(rooms: Rooms) -> None:
    assert Constitution(rooms.parts).record()
    assert not Constitution(rooms.parts).record()
    assert len(recorded(rooms)) == 1


def test_a_catalog_that_comes_back_is_in_force_anew(rooms: Rooms) -> None:
    first = rooms.catalog
    watch = Constitution(rooms.parts)
    watch.record()
    rooms.catalog = a_catalog(approvals=2)
    watch.record()
    rooms.catalog = first
    assert watch.record()
    assert len(recorded(rooms)) == 3
