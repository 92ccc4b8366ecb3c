"""What is asked for in one go, and comes about in part; what is retried as something else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from bot.commands.model import Deploy, Retry, Rollback
from bot.intake.front_door import Intake
from bot.model.errors import Unreachable
from bot.model.ports import Transaction
from bot.model.reply import Accepted, Refused
from bot.store.database import Database
from tests.fakes.inner_rooms import ANALYTICS, STAGING, Rooms, requester


class GoneAfter:
    """A store that takes so many transactions, and then cannot be used."""

    def __init__(self, store: Database, writes: int) -> None:
        self._store, self._writes = store, writes

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        if self._writes == 0:
            raise Unreachable("The database is away.")
        self._writes -= 1
        with self._store.begin() as tx:
            yield tx

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        with self._store.read() as tx:
            yield tx


def test_what_was_recorded_before_the_database_went_away_is_not_denied(rooms: Rooms) -> None:
    both = Deploy((STAGING, ANALYTICS), "v2")
    intake = Intake(replace(rooms.parts, store=GoneAfter(rooms.database, 1)))
    reply = intake.submit(both, requester("alice"), "request-a")
    assert isinstance(reply, Accepted)
    assert [made.target for made in reply.deployments] == [STAGING]
    assert [refused.reason_code for refused in reply.refused] == ["UNREACHABLE"]
    assert str(ANALYTICS) in reply.refused[0].text


def test_where_nothing_was_recorded_the_fault_is_told(rooms: Rooms) -> None:
    both = Deploy((STAGING, ANALYTICS), "v2")
    intake = Intake(replace(rooms.parts, store=GoneAfter(rooms.database, 0)))
    with pytest.raises(Unreachable):
        intake.submit(both, requester("alice"), "request-a")


def test_a_rollback_is_retried_as_a_rollback(rooms: Rooms) -> None:
    rooms.finished("v2")
    back = rooms.start(rooms.asked("iris", Rollback(STAGING)))
    rooms.rollouts.break_down(STAGING)
    rooms.observer.look()
    reply = rooms.says("iris", Retry(back.id), "request-r")
    assert isinstance(reply, Refused)
    assert reply.suggestion == f"/rollback backend staging {back.image.digest}"
    assert rooms.audit(deployment_id=back.id)[-1] == ("deploy.retry", "denied", "USAGE")
    assert rooms.says("iris", Retry(back.id), "request-r") == reply  # its button too
