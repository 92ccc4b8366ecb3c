"""What should have been woken, and was not."""

from __future__ import annotations

from datetime import timedelta
from threading import Event

from sqlalchemy.exc import DataError
from typing_extensions import override

from bot.model.deployment import Status
from bot.workflows.keeper import Keeper
from bot.workflows.reaper import OVERDUE, Reaper
from tests.fakes.inner_rooms import PRODUCTION, Rooms
from tests.fakes.replicas import FakeReplicas

EXPIRY = timedelta(hours=4)


def test_a_request_whose_timer_was_lost_expires_all_the_same(rooms: Rooms) -> None:
    made = rooms.deploy(target=PRODUCTION)
    reaper = Reaper(rooms.parts, None)
    rooms.clock.advance(EXPIRY + OVERDUE)
    reaper.mend()
    assert rooms.get(made.id).status is Status.AWAITING_APPROVAL  # its own timer may still come
    rooms.clock.advance(timedelta(seconds=1))
    reaper.mend()
    ended = rooms.get(made.id)
    assert (ended.status, ended.reason_code) == (Status.EXPIRED, "EXPIRED")
    assert rooms.audit(deployment_id=made.id)[-1] == ("deploy.expired", "failed", "EXPIRED")
    assert rooms.deploy(target=PRODUCTION).image == made.image


class Surprising(FakeReplicas):
    """The second beat, the first of the thread, fails with what no port speaks of."""

    def __init__(self) -> None:
        super().__init__()
        self.again = Event()
        self._count = 0

    @override
    def beat(self, replica_id: str, lease: timedelta, host: str = "") -> bool:
        self._count += 1
        if self._count == 2:
            raise DataError("SELECT 1", {}, ValueError("out of range"))
        if self._count > 2:
            self.again.set()
        return super().beat(replica_id, lease, host)


def test_a_lease_is_kept_after_any_fault_of_the_database() -> None:
    leases = Surprising()
    keeper = Keeper("replica-1", leases, timedelta(milliseconds=50), lambda: None)
    keeper.start()
    try:
        assert leases.again.wait(10)
    finally:
        keeper.stop()
