"""A rollout that failed and that nothing takes back: its card and the form offer the way back."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from bot.commands.model import OpenRollbackForm, Rollback, ShowDeployment
from bot.model.deployment import Deployment, Kind, Status
from bot.model.errors import AccessDenied, Unknown, Unreachable
from bot.model.reply import Details, RollbackForm
from bot.store.tables import outbox
from tests.fakes.inner_rooms import STAGING, Rooms


def stays(rooms: Rooms, made: Deployment) -> bool:
    reply = rooms.says("alice", ShowDeployment(made.id))
    assert isinstance(reply, Details)
    return reply.facts.stays


def offered(rooms: Rooms) -> list[str]:
    form = rooms.says("alice", OpenRollbackForm(STAGING))
    assert isinstance(form, RollbackForm)
    return [release.image.ref for release in form.choices]


def failed(rooms: Rooms, version: str = "v3", code: str = "DEGRADED") -> Deployment:
    made = rooms.started(version)
    rooms.rollouts.break_down(STAGING, "Deployment backend: no pod is ready.", code)
    rooms.observer.look()
    return rooms.get(made.id)


@pytest.fixture
def bad(rooms: Rooms) -> Deployment:
    """v2 ran well; v3 is degraded, and stays."""
    rooms.finished("v2")
    return failed(rooms)


def test_the_last_good_version_is_the_way_back(rooms: Rooms, bad: Deployment) -> None:
    assert bad.status is Status.FAILED
    assert stays(rooms, bad)
    assert offered(rooms) == ["v2", "v1"]
    back = rooms.asked("iris", Rollback(STAGING, "previous", "degraded"))
    assert back.image.ref == "v2"
    rooms.finish(rooms.start(back))
    assert not stays(rooms, bad)
    assert not stays(rooms, back)
    assert offered(rooms) == ["v1"]


def test_it_is_also_where_nothing_can_be_read(rooms: Rooms, bad: Deployment) -> None:
    assert bad.status is Status.FAILED
    rooms.rollouts.break_next("live", Unreachable("No answer."))
    assert offered(rooms) == ["v2", "v1"]
    rooms.rollouts.break_next("live", Unreachable("No answer."), Unreachable("No answer."))
    assert rooms.asked("iris", Rollback(STAGING)).image.ref == "v2"


def test_what_is_live_without_a_digest_is_told_from_the_good_one_by_its_revision(
    rooms: Rooms,
) -> None:
    rooms.finished("v2")
    assert offered(rooms) == ["v1"]
    rooms.rollouts.deploy_elsewhere(STAGING, None)
    assert offered(rooms) == ["v2", "v1"]


def test_the_next_rollout_takes_the_button_away_and_asks_for_the_card(
    rooms: Rooms, bad: Deployment
) -> None:
    def wanted() -> int:
        of_card = sa.and_(outbox.c.deployment_id == bad.id, outbox.c.key == "card")
        with rooms.engine.connect() as connection:
            return int(connection.execute(sa.select(outbox.c.wanted).where(of_card)).scalar_one())

    before = wanted()
    rooms.deploy("v1")
    assert stays(rooms, bad), "what waits has changed nothing"
    rooms.start(rooms.get("backend-staging-3"))
    assert not stays(rooms, bad)
    assert wanted() > before


def test_a_rollback_that_failed_offers_another_one(rooms: Rooms, bad: Deployment) -> None:
    back = rooms.start(
        rooms.asked("iris", Rollback(STAGING, bad.previous.name if bad.previous else ""))
    )
    assert back.kind is Kind.ROLLBACK
    rooms.rollouts.break_down(STAGING)
    rooms.observer.look()
    assert stays(rooms, back)
    assert offered(rooms) == ["v1"]


@pytest.mark.parametrize("end", ["timed out", "unknown"])
def test_so_does_what_ended_without_being_known(rooms: Rooms, end: str) -> None:
    rooms.finished("v2")
    made = rooms.started("v3")
    if end == "unknown":
        rooms.rollouts.lose(STAGING)
        rooms.observer.look()
    else:
        rooms.clock.advance(rooms.catalog.targets[0].timeout * 2)
        rooms.steps.time_out(made.id)
    assert rooms.get(made.id).status in {Status.TIMED_OUT, Status.OUTCOME_UNKNOWN}
    assert stays(rooms, made)
    assert offered(rooms) == ["v2", "v1"]


def test_an_answer_that_was_lost_counts_as_told(rooms: Rooms) -> None:
    made = rooms.deploy("v2")
    rooms.steps.adopt(made.id)
    rooms.steps.begin(made.id)
    rooms.steps.prepare(made.id)
    rooms.rollouts.break_next("start", Unknown("Lost."), after=True)
    rooms.steps.start(made.id)
    rooms.rollouts.break_next("read_back", Unreachable("No answer."))
    rooms.clock.advance(rooms.catalog.targets[0].timeout * 2)
    rooms.steps.time_out(made.id)
    assert rooms.get(made.id).status is Status.OUTCOME_UNKNOWN
    assert stays(rooms, made)


def test_what_changed_nothing_offers_nothing(rooms: Rooms, bad: Deployment) -> None:
    """Its provider refused: what the one before it left is still there."""
    made = rooms.deploy("v1")
    rooms.steps.adopt(made.id)
    rooms.steps.begin(made.id)
    rooms.rollouts.break_next("start", AccessDenied("No push right."))
    rooms.steps.prepare(made.id)
    rooms.steps.start(made.id)
    assert rooms.get(made.id).status is Status.FAILED
    assert not stays(rooms, made)
    assert stays(rooms, bad)


def test_a_pull_request_that_nobody_wanted_has_changed_nothing(
    rooms: Rooms, bad: Deployment
) -> None:
    closed = failed(rooms, "v1", "PULL_REQUEST_CLOSED")
    assert not stays(rooms, closed)
    assert stays(rooms, bad)


def test_what_was_taken_back_by_itself_offers_nothing(rooms: Rooms) -> None:
    made = rooms.started("v2")
    rooms.rollouts.take_back(STAGING)
    rooms.observer.look()
    assert not stays(rooms, made)
