"""What a watch tells is looked at at once, and never so often that anybody minds."""

from __future__ import annotations

from threading import Event

import pytest
from structlog.testing import capture_logs

from bot.model.deployment import Progress, Status
from bot.model.errors import Throttled
from bot.workflows.deadline import Deadline
from bot.workflows.observer import BREATH, QUICK, Observer
from tests.fakes.inner_rooms import ANALYTICS, STAGING, Rooms, a_catalog, under_argo_cd


class Hands:
    """An observer whose rounds are made by hand, on a clock that a test moves."""

    def __init__(self, rooms: Rooms) -> None:
        self.now = 1000.0
        self.stirred = Event()
        self._rooms = rooms
        self._observer = Stepping(
            rooms.parts, quick=QUICK, stirred=self.stirred, ticks=lambda: self.now
        )

    def round(self) -> float:
        return self._observer.step()

    def looks(self) -> list[str]:
        """How many rollouts each look so far was at."""
        return [count for verb, count in self._rooms.rollouts.calls if verb == "observe"]


class Stepping(Observer):
    def step(self) -> float:
        return self._round()


@pytest.fixture
def hands(rooms: Rooms) -> Hands:
    """A rollout on ECS and one under Argo CD; the first look is over."""
    rooms.catalog = under_argo_cd(a_catalog(), ANALYTICS)
    rooms.started("v2", STAGING)
    rooms.started("v2", ANALYTICS)
    hands = Hands(rooms)
    assert 0 < hands.round() <= QUICK
    assert hands.looks() == ["2"]
    return hands


def test_a_change_that_is_told_is_seen_without_asking_those_that_tell_none(
    rooms: Rooms, hands: Hands
) -> None:
    rooms.rollouts.finish(ANALYTICS)
    rooms.rollouts.finish(STAGING)
    hands.now += BREATH
    pause = hands.round()
    assert hands.looks() == ["2", "1"]
    assert rooms.get("analytics-staging-1").status is Status.SUCCEEDED
    assert rooms.get("backend-staging-1").status is Status.RUNNING
    hands.now += pause
    hands.round()
    assert hands.looks() == ["2", "1", "1"]
    assert rooms.get("backend-staging-1").status is Status.SUCCEEDED


def test_a_storm_of_changes_costs_a_few_looks(hands: Hands) -> None:
    """And what is told too soon after a look is looked at as soon as it may be."""
    for _ in range(1000):
        wait = hands.round()
        assert 0 < wait <= BREATH
        hands.now += wait / 500
    assert len(hands.looks()) < 4
    hands.now += wait
    hands.round()
    assert hands.looks()[-1] == "1"


def test_a_storm_does_not_put_off_the_look_that_is_due(hands: Hands) -> None:
    for _ in range(12):
        hands.round()
        hands.now += BREATH
    assert hands.looks().count("2") == 2


def test_a_look_in_between_that_failed_is_made_again_and_slows_nothing_else(
    rooms: Rooms, hands: Hands
) -> None:
    hands.now += BREATH
    rooms.rollouts.break_next("observe", Throttled("Slower."))
    with capture_logs() as logs:
        pause = hands.round()
    assert [each["error"] for each in logs if each["event"] == "cannot look at once"] == ["Slower."]
    assert BREATH < pause <= QUICK
    assert hands.round() == pause, "what is told meanwhile waits too"
    rooms.rollouts.finish(ANALYTICS)
    rooms.rollouts.finish(STAGING)
    hands.now += pause
    hands.round()
    hands.now += QUICK
    hands.round()
    assert rooms.get("analytics-staging-1").status is Status.SUCCEEDED
    assert rooms.get("backend-staging-1").status is Status.SUCCEEDED


def test_a_fault_of_ours_in_between_is_logged_with_its_trace(rooms: Rooms, hands: Hands) -> None:
    def fall() -> None:
        raise LookupError

    hands.now += BREATH
    rooms.rollouts.meanwhile["observe"] = fall
    with capture_logs() as logs:
        assert hands.round() > 0
    (told,) = [each for each in logs if each["event"] == "cannot look at once"]
    assert isinstance(told["exc_info"], LookupError)


def test_the_thread_looks_when_it_is_stirred(rooms: Rooms) -> None:
    rooms.catalog = under_argo_cd(a_catalog(), ANALYTICS)
    running = rooms.started("v2", ANALYTICS)
    stirred, seen = Event(), Event()
    observer = Observer(rooms.parts, quick=3600.0, stirred=stirred)
    rooms.rollouts.finish(ANALYTICS)
    rooms.rollouts.meanwhile["observe"] = seen.set
    observer.start()
    stirred.set()
    assert seen.wait(30)
    observer.stop()
    assert rooms.get(running.id).status is Status.SUCCEEDED


# --- what a rollout waits for ---


def test_what_it_waits_for_stands_on_its_card_while_it_does(rooms: Rooms) -> None:
    made = rooms.started()
    progress = Progress(desired=2, old=2)
    for waits in ("The sync window is closed.", "Another operation is in progress.", ""):
        rooms.rollouts.show(STAGING, progress, waits=waits)
        rooms.observer.look()
        assert rooms.get(made.id).explanation == waits
        before = rooms.everything()
        assert not rooms.observer.look()
        assert rooms.everything() == before


def test_what_it_waited_for_is_not_why_it_ended(rooms: Rooms) -> None:
    made = rooms.started()
    rooms.rollouts.show(STAGING, Progress(desired=2), waits="The sync window is closed.")
    rooms.observer.look()
    rooms.rollouts.finish(STAGING)
    rooms.observer.look()
    ended = rooms.get(made.id)
    assert (ended.status, ended.explanation) == (Status.SUCCEEDED, "")


@pytest.mark.parametrize("waits", ["The sync window is closed", "The sync window is closed."])
def test_what_it_still_waits_for_at_the_deadline_is_told(rooms: Rooms, waits: str) -> None:
    made = rooms.started()
    rooms.rollouts.show(STAGING, Progress(desired=2, old=2), waits=waits)
    ending = Deadline(rooms.parts).last_look(made)
    assert ending.status is Status.TIMED_OUT
    assert "with 0 of 2 tasks running. The sync window is closed. The prov" in ending.explanation


def test_a_closer_name_of_an_end_reaches_row_and_trail(rooms: Rooms) -> None:
    made = rooms.started()
    rooms.rollouts.break_down(STAGING, "Deployment backend: no Pods.", "DEGRADED")
    rooms.observer.look()
    assert rooms.get(made.id).reason_code == "DEGRADED"
    assert rooms.audit(action="deploy.failed") == [("deploy.failed", "failed", "DEGRADED")]


def test_a_closer_name_of_an_end_is_kept_at_the_deadline(rooms: Rooms) -> None:
    made = rooms.started()
    rooms.rollouts.break_down(STAGING, "Deployment backend: no Pods.", "DEGRADED")
    ending = Deadline(rooms.parts).last_look(made)
    assert (ending.status, ending.reason_code) == (Status.FAILED, "DEGRADED")


def test_without_a_closer_name_an_end_has_that_of_its_state(rooms: Rooms) -> None:
    made = rooms.started()
    rooms.rollouts.break_down(STAGING)
    rooms.observer.look()
    assert rooms.get(made.id).reason_code == "FAILED"
