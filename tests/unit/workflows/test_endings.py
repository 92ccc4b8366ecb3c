from __future__ import annotations

from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from bot.commands.model import Approve, Cancel, Rollback
from bot.model.catalog import TargetSpec
from bot.model.deployment import SYSTEM, Progress, Status
from bot.model.errors import AccessDenied, Throttled, Unreachable
from bot.model.rollout import Looks, Watched
from bot.workflows.deadline import Deadline
from bot.workflows.ending import ALARMING, Ending, settle
from bot.workflows.observer import Observer
from tests.fakes.inner_rooms import ANALYTICS, STAGING, Rooms, person, without
from tests.fakes.rollouts import FakeRollouts


def test_the_first_end_stands(rooms: Rooms) -> None:
    running = rooms.started()
    with rooms.database.begin() as tx:
        first = settle(tx, running, Ending(Status.FAILED, "It broke."), rooms.clock.now())
    with rooms.database.begin() as tx:
        second = settle(tx, running, Ending(Status.SUCCEEDED), rooms.clock.now())
    assert first is not None
    assert second is None
    assert rooms.get(running.id) == first
    assert rooms.known_good()[0].deployment_id is None
    assert rooms.said(running.id).count("v2 failed on backend staging: It broke.") == 1


def test_an_end_names_who_decided_it(rooms: Rooms) -> None:
    running = rooms.started()
    with rooms.database.begin() as tx:
        ending = Ending(Status.CANCELLED, "Cancelled.", "CANCELLED", person("bob"))
        ended = settle(tx, running, ending, rooms.clock.now())
    assert ended is not None
    assert (ended.ended_by, ended.finished_at) == (person("bob"), rooms.clock.now())
    assert rooms.rows(action="deploy.cancelled")[0].entry.actor == person("bob")


def test_an_end_by_the_system_names_nobody(rooms: Rooms) -> None:
    ended = rooms.finished()
    assert ended.ended_by is None
    assert rooms.rows(action="deploy.succeeded")[0].entry.actor == SYSTEM
    assert rooms.audit(action="deploy.succeeded") == [("deploy.succeeded", "done", "")]


def test_only_what_succeeded_is_known_good(rooms: Rooms) -> None:
    ended = rooms.finished("v2")
    failed = rooms.started("v3")
    rooms.rollouts.take_back(STAGING)
    rooms.observer.look()
    assert rooms.get(failed.id).status is Status.ROLLED_BACK
    release = rooms.known_good()[0]
    assert (release.deployment_id, release.revision) == (ended.id, ended.revision)


def test_the_card_of_what_ran_before_is_drawn_anew(rooms: Rooms) -> None:
    first = rooms.finished("v2")
    shown = rooms.cards_asked(first.id)
    failed = rooms.started("v3")
    rooms.rollouts.take_back(STAGING)
    rooms.observer.look()
    assert rooms.get(failed.id).status is Status.ROLLED_BACK
    assert rooms.cards_asked(first.id) == shown
    second = rooms.finished("v3")
    assert rooms.cards_asked(first.id) == shown + 1
    shown = rooms.cards_asked(second.id)
    rooms.finish(rooms.start(rooms.asked("alice", Rollback(STAGING))))
    assert rooms.cards_asked(second.id) == shown + 1


def test_what_somebody_should_look_at_is_told_to_the_channel() -> None:
    quiet = {Status.SUCCEEDED, Status.CANCELLED, Status.REJECTED, Status.EXPIRED, Status.REFUSED}
    ends = {status for status in Status if status not in {"awaiting_approval", "queued", "running"}}
    assert ends - quiet == ALARMING


# --- the observer ---


def test_progress_is_written_once_and_told_on_the_card(rooms: Rooms) -> None:
    made = rooms.started()
    rooms.observer.look()
    rooms.rollouts.show(STAGING, Progress(desired=2, running=1, old=2), "task started")
    assert rooms.observer.look()
    found = rooms.get(made.id)
    assert found.progress == Progress(desired=2, running=1, old=2)
    assert rooms.said(made.id)[-1] == "task started"
    before = rooms.everything()
    assert not rooms.observer.look()
    assert rooms.everything() == before


def test_an_event_that_comes_again_is_told_once(rooms: Rooms) -> None:
    made = rooms.started()
    rooms.rollouts.show(STAGING, Progress(desired=2), "first")
    rooms.observer.look()
    rooms.rollouts.show(STAGING, Progress(desired=2, running=1), "first", "second")
    rooms.observer.look()
    another = Observer(rooms.parts)
    another.look()
    told = "\n".join(rooms.said(made.id)).split("\n")
    assert (told.count("first"), told.count("second")) == (1, 1)


def test_only_what_is_ours_and_was_told_is_watched(rooms: Rooms) -> None:
    rooms.deploy("v2")
    assert not rooms.observer.look()
    rooms.started("v2", ANALYTICS)
    other = Observer(rooms.as_replica("replica-2"))
    assert not other.look()
    assert ("observe", "1") not in rooms.rollouts.calls
    rooms.observer.look()
    assert ("observe", "1") in rooms.rollouts.calls


def test_all_that_runs_is_looked_at_in_one_call(rooms: Rooms) -> None:
    rooms.started("v2")
    rooms.started("v2", ANALYTICS)
    rooms.rollouts.finish(STAGING)
    rooms.observer.look()
    assert [what for verb, what in rooms.rollouts.calls if verb == "observe"] == ["2"]
    assert rooms.get("backend-staging-1").status is Status.SUCCEEDED
    assert rooms.get("analytics-staging-1").status is Status.RUNNING


def test_what_left_the_catalog_is_not_looked_at_and_hides_nothing(rooms: Rooms) -> None:
    left, kept = rooms.started("v2"), rooms.started("v2", ANALYTICS)
    rooms.catalog = without(rooms.catalog, STAGING)
    rooms.rollouts.finish(ANALYTICS)
    rooms.observer.look()
    assert rooms.get(left.id).status is Status.RUNNING
    assert rooms.get(kept.id).status is Status.SUCCEEDED


@pytest.mark.parametrize("fault", [Throttled("Slow down."), Unreachable("No answer.")])
def test_a_look_that_fails_changes_nothing(rooms: Rooms, fault: Throttled | Unreachable) -> None:
    rooms.started()
    before = rooms.everything()
    rooms.rollouts.break_next("observe", fault)
    with pytest.raises(type(fault)):
        rooms.observer.look()
    assert rooms.everything() == before


class Interrupting(FakeRollouts):
    """Something happens between the look and its record."""

    between: object = None

    @override
    def observe(self, watched: Sequence[tuple[TargetSpec, Watched]]) -> Looks:
        seen = super().observe(watched)
        if callable(self.between):
            self.between()
        return seen


@pytest.fixture
def interrupted(rooms: Rooms) -> Interrupting:
    provider = Interrupting(rooms.clock.now)
    for spec in rooms.catalog.targets:
        provider.place(spec.key, rooms.image(spec.service, "v1"))
    rooms.use(provider)
    return provider


def test_a_rollback_that_came_in_between_wins_over_what_was_seen(
    rooms: Rooms, interrupted: Interrupting
) -> None:
    running = rooms.started("v2")

    def taken_back() -> None:
        rooms.says("alice", Rollback(STAGING))

    interrupted.finish(STAGING)
    interrupted.between = taken_back
    rooms.observer.look()
    assert rooms.get(running.id).status is Status.CANCELLED
    assert rooms.audit(action="deploy.succeeded") == []


def test_an_owner_that_came_in_between_records_it_instead(
    rooms: Rooms, interrupted: Interrupting
) -> None:
    running = rooms.started("v2")

    def taken_over() -> None:
        with rooms.database.begin() as tx:
            tx.deployments.note(running.id, None, owner="replica-2")

    interrupted.finish(STAGING)
    interrupted.between = taken_over
    rooms.observer.look()
    assert rooms.get(running.id).status is Status.RUNNING
    interrupted.between = None
    Observer(rooms.as_replica("replica-2")).look()
    assert rooms.get(running.id).status is Status.SUCCEEDED


def test_what_cannot_be_seen_in_this_look_is_left_for_the_next(rooms: Rooms) -> None:
    made = rooms.started()
    rooms.rollouts.forget(STAGING)
    assert not rooms.observer.look()
    assert rooms.get(made.id).status is Status.RUNNING


def test_a_person_is_never_asked_again_after_the_end(rooms: Rooms) -> None:
    made = rooms.finished()
    before = rooms.get(made.id)
    for command in (Approve(made.id), Cancel(made.id)):
        rooms.says("bob", command)
    assert rooms.get(made.id) == before


def test_what_cannot_be_watched_says_so_on_its_card_until_it_can(rooms: Rooms) -> None:
    made = rooms.started()
    rooms.rollouts.break_next("observe", AccessDenied("No ecs:DescribeServices."))
    with pytest.raises(AccessDenied):
        rooms.observer.look()
    found = rooms.get(made.id)
    assert found.status is Status.RUNNING
    assert found.explanation.endswith("goes on: No ecs:DescribeServices.")
    rooms.observer.look()
    assert rooms.get(made.id).explanation == ""


def test_what_alone_cannot_be_watched_says_so_and_the_others_go_on(rooms: Rooms) -> None:
    blind, well = rooms.started(), rooms.started("v2", ANALYTICS)
    rooms.rollouts.blind[STAGING] = AccessDenied("No ecs:DescribeServices.")
    rooms.rollouts.show(ANALYTICS, Progress(desired=2, running=1))
    with capture_logs() as logs:
        rooms.observer.look()
        before = rooms.everything()
        rooms.observer.look()
    assert rooms.get(well.id).progress == Progress(desired=2, running=1)
    assert rooms.get(blind.id).explanation.endswith("goes on: No ecs:DescribeServices.")
    assert rooms.everything() == before
    told = [each for each in logs if each["event"] == "cannot watch"]
    assert [(each["deployment_id"], each["reason_code"]) for each in told] == [
        (blind.id, "ACCESS_DENIED")
    ]
    rooms.rollouts.finish(ANALYTICS)
    rooms.observer.look()
    assert rooms.get(well.id).status is Status.SUCCEEDED
    rooms.rollouts.blind.clear()
    rooms.observer.look()
    assert rooms.get(blind.id).explanation == ""


def test_what_alone_passes_is_said_when_it_does_not(rooms: Rooms) -> None:
    blind, well = rooms.started(), rooms.started("v2", ANALYTICS)
    rooms.rollouts.blind[STAGING] = Throttled("Slower.")
    rooms.observer.look()
    assert rooms.get(blind.id).explanation == ""
    rooms.observer.look()
    assert rooms.get(blind.id).explanation.endswith("goes on: Slower.")
    assert rooms.get(well.id).explanation == ""


def test_each_card_names_its_own_reason(rooms: Rooms) -> None:
    one, other = rooms.started(), rooms.started("v2", ANALYTICS)
    rooms.rollouts.blind = {STAGING: AccessDenied("Denied."), ANALYTICS: Throttled("Slower.")}
    for _ in range(2):
        with pytest.raises(Throttled):
            rooms.observer.look()
    assert rooms.get(one.id).explanation.endswith("goes on: Denied.")
    assert rooms.get(other.id).explanation.endswith("goes on: Slower.")


def test_what_cannot_be_watched_at_the_deadline_ends_with_the_reason(rooms: Rooms) -> None:
    made = rooms.started()
    rooms.rollouts.blind[STAGING] = AccessDenied("No ecs:DescribeServices.")
    ending = Deadline(rooms.parts).last_look(made)
    assert ending.status is Status.OUTCOME_UNKNOWN
    assert "cannot be read: No ecs:DescribeServices." in ending.explanation
