"""An end claims only what was read back, and no fault that may pass ends a rollout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta

from bot.commands.model import Rollback
from bot.model.deployment import Deployment, Kind, Status
from bot.model.errors import AccessDenied, Misconfigured, Throttled, Unknown, Unreachable
from bot.model.ports import Store, Transaction
from bot.model.rollout import Order
from bot.workflows import steps as durable
from bot.workflows.steps import Steps
from tests.fakes.inner_rooms import STAGING, Rooms, a_catalog

HALF_AN_HOUR = timedelta(minutes=31)


class Away:
    """A store that cannot be used the next few times."""

    def __init__(self, store: Store, times: int) -> None:
        self._store, self.times = store, times

    def begin(self) -> AbstractContextManager[Transaction]:
        return self._try(self._store.begin())

    def read(self) -> AbstractContextManager[Transaction]:
        return self._try(self._store.read())

    @contextmanager
    def _try(self, way: AbstractContextManager[Transaction]) -> Iterator[Transaction]:
        if self.times > 0:
            self.times -= 1
            raise Unreachable("The database is away.")
        with way as tx:
            yield tx


def lost(rooms: Rooms) -> Deployment:
    """The provider was told, and its answer never came."""
    made = rooms.deploy()
    rooms.steps.adopt(made.id)
    assert rooms.steps.begin(made.id) == rooms.steps.prepare(made.id) == 0
    rooms.rollouts.break_next("start", Unknown("The answer was lost."), after=True)
    assert rooms.steps.start(made.id) > 0
    return rooms.get(made.id)


def test_a_database_that_is_away_ends_no_rollout(rooms: Rooms) -> None:
    running = rooms.started()
    away = Steps(replace(rooms.parts, store=Away(rooms.database, 1)))
    assert away.remaining(running.id) == durable.AWAY
    assert away.remaining(running.id) > durable.AWAY


def test_a_database_that_is_away_is_waited_for_by_who_takes_over(rooms: Rooms) -> None:
    running = rooms.started()
    parts = rooms.as_replica("replica-2")
    steps = Steps(replace(parts, store=Away(rooms.database, 1)))
    assert steps.adopt(running.id) == durable.AWAY
    assert steps.adopt(running.id) == 0
    assert rooms.get(running.id).owner == "replica-2"


def test_what_cannot_be_read_back_now_has_not_failed(rooms: Rooms) -> None:
    running = lost(rooms)
    rooms.rollouts.break_next("read_back", AccessDenied("The credentials have expired."))
    assert rooms.steps.start(running.id) > 0
    assert rooms.get(running.id).status is Status.RUNNING
    assert rooms.steps.start(running.id) == 0
    assert rooms.get(running.id).handle is not None
    assert len(rooms.rollouts.told) == 1


def test_what_left_the_catalog_after_the_provider_was_told_is_not_called_failed(
    rooms: Rooms,
) -> None:
    running = lost(rooms)
    whole = a_catalog()
    rooms.catalog = whole.__class__(**{**dict(whole), "targets": whole.targets[1:]})
    assert rooms.steps.start(running.id) > 0
    rooms.clock.advance(HALF_AN_HOUR)
    assert rooms.steps.start(running.id) == rooms.steps.time_out(running.id) == 0
    assert rooms.get(running.id).status is Status.OUTCOME_UNKNOWN


def test_what_could_never_be_begun_says_at_the_deadline_that_nothing_was_changed(
    rooms: Rooms,
) -> None:
    made = rooms.deploy()
    rooms.steps.adopt(made.id)
    assert rooms.steps.begin(made.id) == rooms.steps.prepare(made.id) == 0
    rooms.rollouts.break_next("start", Throttled("Rate exceeded."))
    assert rooms.steps.start(made.id) > 0
    rooms.clock.advance(HALF_AN_HOUR)
    assert rooms.steps.start(made.id) == rooms.steps.time_out(made.id) == 0
    ended = rooms.get(made.id)
    assert (ended.status, ended.reason_code) == (Status.FAILED, "TIMED_OUT")
    assert "nothing was changed" in ended.explanation
    assert "Rate exceeded." in ended.explanation
    assert rooms.rollouts.told == []


def test_what_was_told_without_an_answer_is_looked_at_at_the_deadline(rooms: Rooms) -> None:
    running = lost(rooms)
    rooms.rollouts.finish(STAGING)
    rooms.clock.advance(HALF_AN_HOUR)
    assert rooms.steps.start(running.id) == rooms.steps.time_out(running.id) == 0
    assert rooms.get(running.id).status is Status.SUCCEEDED


def test_a_deadline_that_came_too_early_is_waited_for(rooms: Rooms) -> None:
    running = rooms.started()
    assert 0 < rooms.steps.time_out(running.id) <= HALF_AN_HOUR.total_seconds()
    assert rooms.get(running.id).status is Status.RUNNING


def test_a_rollback_waits_for_no_answer_that_a_deployment_before_it_needs(rooms: Rooms) -> None:
    rooms.catalog = a_catalog(relaxed={"hold_after_rollback": timedelta()})
    rooms.finished("v2")
    waiting = rooms.deploy("v3")
    rooms.steps.adopt(waiting.id)
    rooms.rollouts.break_next("live", Unreachable("No answer."))
    assert rooms.steps.begin(waiting.id) > 0
    back = rooms.asked("iris", Rollback(STAGING, "previous", "broken"))
    asked_of_aws = len(rooms.rollouts.calls)
    assert rooms.steps.begin(waiting.id) == 0
    assert len(rooms.rollouts.calls) == asked_of_aws
    refused = rooms.get(waiting.id)
    assert (refused.status, refused.reason_code) == (Status.REFUSED, "ROLLED_BACK_BY_HAND")
    assert back.id in refused.explanation
    assert rooms.start(back).kind is Kind.ROLLBACK


def test_a_rollback_leaves_what_cannot_even_be_read(rooms: Rooms) -> None:
    rooms.finished("v2")
    back = rooms.asked("iris", Rollback(STAGING, "previous", "broken"))
    rooms.rollouts.break_next("live", Misconfigured("The task definition has no such container."))
    running = rooms.start(back)
    assert running.status is Status.RUNNING
    assert running.previous == back.previous
    assert rooms.finish(running).status is Status.SUCCEEDED


def test_what_somebody_took_back_by_hand_is_not_rolled_over(rooms: Rooms) -> None:
    """Also not where they went back to a version that Quarterdeck knows to be good."""
    first = rooms.finished("v2").previous_revision
    waiting = rooms.deploy("v3")
    spec = rooms.catalog.spec(STAGING)
    assert spec is not None
    assert first is not None
    by_hand = Order("by-hand", rooms.image("backend", "v1"), "", first)
    rooms.rollouts.start(spec, by_hand, first)
    rooms.rollouts.finish(STAGING)
    rooms.steps.adopt(waiting.id)
    assert rooms.steps.begin(waiting.id) == 0
    refused = rooms.get(waiting.id)
    assert (refused.status, refused.reason_code) == (Status.REFUSED, "STALE_FROM")
