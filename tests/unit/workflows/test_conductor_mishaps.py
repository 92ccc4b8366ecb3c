"""What goes wrong around a canary: it ends, truthfully, and no word about it is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.commands.model import Cancel, Conduct, Deploy, LockTarget, PauseAll, ResumeAll, Rollback
from bot.model.canary import Act, Phase
from bot.model.deployment import Deployment, Status
from bot.model.errors import AccessDenied, Misconfigured, Unreachable
from bot.model.reply import Accepted, Refused
from tests.fakes.conducted import Stage, planned
from tests.fakes.inner_rooms import STAGING, Rooms, without


def baking(stage: Stage) -> Deployment:
    """A canary that has its first share."""
    made = stage.begin()
    stage.looks(times=4)
    assert stage.canary(made).phase is Phase.BAKING
    return made


def pressed(stage: Stage, made: Deployment, act: Act, by: str = "alice") -> Accepted | Refused:
    """A button of the newest card."""
    reply = stage.rooms.says(by, Conduct(act, id=made.id, step=stage.canary(made).step))
    assert isinstance(reply, Accepted | Refused)
    return reply


# --- the canary's own tasks ----------------------------------------------------------------------


def test_without_a_healthy_task_it_goes_back_within_seconds(rooms: Rooms) -> None:
    """A load balancer answers 503 in place of a group without targets, and counts no request."""
    stage = Stage(rooms)
    made = baking(stage)
    stage.traffic.healthy = False
    stage.metrics.per_second = 0.0
    stage.looks(3.0, times=8)
    assert stage.traffic.share == 0
    ended = rooms.get(made.id)
    assert (ended.status, ended.reason_code) == (Status.ROLLED_BACK, "CANARY_DOWN")


def test_also_while_people_are_asked_and_while_it_is_held(rooms: Rooms) -> None:
    stage = Stage(rooms, inconclusive="ask")
    stage.metrics.per_second = 1.0
    made = baking(stage)
    stage.minutes(7)
    assert stage.canary(made).phase is Phase.ASKING
    stage.says(Act.HOLD)
    stage.looks()
    stage.traffic.healthy = False
    stage.looks(3.0, times=8)
    assert rooms.get(made.id).reason_code == "CANARY_DOWN"


def test_a_task_that_is_replaced_meanwhile_ends_nothing(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = baking(stage)
    for _ in range(4):
        stage.traffic.healthy = False
        stage.looks(3.0, times=2)
        stage.traffic.healthy = True
        stage.looks(3.0)
    assert stage.canary(made).phase is Phase.BAKING


def test_where_neither_version_is_healthy_the_traffic_stays(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = baking(stage)
    stage.traffic.healthy = stage.traffic.stable_healthy = False
    stage.looks(3.0, times=10)
    assert stage.canary(made).phase is Phase.BAKING


def test_what_somebody_else_put_there_is_left_to_people(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = baking(stage)
    stage.traffic.healthy, stage.traffic.share = False, 0.7
    stage.looks(3.0, times=10)
    assert (stage.canary(made).phase, stage.traffic.share) == (Phase.ASKING, 0.7)


# --- the catalog ---------------------------------------------------------------------------------


def test_a_target_that_leaves_the_catalog_is_still_taken_back(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = baking(stage)
    rooms.catalog = without(rooms.catalog, STAGING)
    stage.looks(times=4)
    ended = rooms.get(made.id)
    assert (ended.status, stage.traffic.share) == (Status.FAILED, 0.0)
    assert "not in the catalog any more" in ended.explanation
    stage.minutes(2)
    assert stage.canary(made).over
    assert not stage.traffic.exists


def test_it_is_conducted_by_the_entry_that_it_began_with(rooms: Rooms) -> None:
    """Another rule in the catalog would seem to be at 0 % while the old one still sends traffic."""
    stage = Stage(rooms)
    made = baking(stage)
    began = stage.traffic.asked_of[-1]
    edited = stage.plan.model_copy(update={"answer_within": timedelta(minutes=1)})
    rooms.catalog = planned(rooms.catalog, STAGING, edited)
    stage.says(Act.ABORT)
    stage.minutes(3)
    assert stage.canary(made).over
    assert {each.model_dump_json() for each in stage.traffic.asked_of} == {began.model_dump_json()}


def test_a_person_may_take_back_what_left_the_catalog(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = baking(stage)
    rooms.catalog = without(rooms.catalog, STAGING)
    assert isinstance(pressed(stage, made, Act.ABORT, by="iris"), Accepted)


# --- a way back that is blocked ------------------------------------------------------------------


def stuck(stage: Stage) -> Deployment:
    """Taken back by hand while the stable version is broken."""
    made = baking(stage)
    stage.says(Act.ABORT)
    stage.traffic.stable_healthy = False
    stage.looks(times=4)
    assert stage.canary(made).phase is Phase.RETURNING
    return made


def test_a_rollback_mends_the_stable_version_that_a_canary_waits_for(rooms: Rooms) -> None:
    rooms.finished("v2")
    stage = Stage(rooms)
    made = stage.begin("v3")
    stage.looks(times=4)
    stage.says(Act.ABORT)
    stage.traffic.stable_healthy = False
    stage.looks(times=4)
    assert stage.canary(made).phase is Phase.RETURNING
    back = rooms.asked("alice", Rollback(STAGING, to="v1"))
    for step in (rooms.steps.adopt, rooms.steps.begin, rooms.steps.prepare):
        step(back.id)
    assert rooms.steps.start(back.id) == 0, "else each would wait for the other"
    assert rooms.get(back.id).handle is not None
    assert any("still gets 10% of the traffic" in text for text in rooms.said(back.id))
    stage.traffic.stable_healthy = True
    stage.looks(times=3)
    assert stage.traffic.share == 0


def test_nor_for_a_load_balancer_that_does_not_answer(rooms: Rooms) -> None:
    rooms.finished("v2")
    stage = Stage(rooms)
    stage.begin("v3")
    stage.looks(times=4)
    stage.traffic.unreadable = Unreachable("AWS did not answer elasticloadbalancing:ModifyRule.")
    back = rooms.asked("alice", Rollback(STAGING, to="v1"))
    for step in (rooms.steps.adopt, rooms.steps.begin, rooms.steps.prepare):
        step(back.id)
    assert rooms.steps.start(back.id) > 0
    stage.looks(3.0, times=4)
    assert rooms.steps.start(back.id) == 0
    assert rooms.get(back.id).handle is not None
    stage.traffic.unreadable = None
    stage.looks(30.0, times=4)
    assert stage.traffic.share == 0


def test_the_way_out_is_told(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stuck(stage)
    told = next(text for text in rooms.said(made.id) if "cannot be taken back yet" in text)
    assert "/rollback" in told
    refused = pressed(stage, made, Act.ABORT)
    assert isinstance(refused, Refused)
    assert "is being taken back already" in refused.text


def test_what_blocks_it_is_told_to_people_once(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stuck(stage)
    for healthy in (True, False) * 3:
        stage.traffic.stuck = "" if healthy else "Only 1 of 4 tasks is healthy."
        stage.looks(times=2)
    assert sum("cannot be taken back yet" in text for text in rooms.said(made.id)) == 1


def test_a_way_back_that_does_not_end_is_told_and_a_rollback_begins(rooms: Rooms) -> None:
    """Nothing says that it is blocked: an earlier version may never start, or a sync never end."""
    rooms.finished("v2")
    stage = Stage(rooms)
    made = stage.begin("v3")
    stage.looks(times=4)
    stage.says(Act.ABORT)
    stage.traffic.slow = True
    stage.looks(60.0, times=29)
    back = rooms.asked("alice", Rollback(STAGING, to="v1"))
    for step in (rooms.steps.adopt, rooms.steps.begin, rooms.steps.prepare):
        step(back.id)
    assert rooms.steps.start(back.id) > 0
    stage.looks(60.0, times=4)
    told = [text for text in rooms.said(made.id) if "cannot be taken back yet" in text]
    assert len(told) == 1
    assert "After 30m it still goes on: something is under way." in told[0]
    assert rooms.steps.start(back.id) == 0
    assert rooms.get(back.id).handle is not None
    stage.traffic.slow = False
    stage.looks(30.0, times=4)
    assert stage.traffic.share == 0


def test_leftovers_that_do_not_go_are_told(rooms: Rooms) -> None:
    """Until they are gone no other canary begins there."""
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=4)
    stage.says(Act.ABORT)
    stage.looks(times=4)
    assert stage.canary(made).phase is Phase.CLEANING
    stage.traffic.slow = True
    stage.looks(60.0, times=40)
    told = [text for text in rooms.said(made.id) if "cannot be removed yet" in text]
    assert len(told) == 1
    assert "it still goes on: something is under way." in told[0]
    assert stage.canary(made).trouble


# --- shifts that are in somebody's way -----------------------------------------------------------


def test_a_shift_that_was_blocked_is_made_once_it_can_be(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = baking(stage)
    stage.says(Act.PROMOTE)
    stage.traffic.share = 0.7
    stage.looks(times=2)
    stage.looks()
    assert (stage.canary(made).phase, stage.canary(made).step) == (Phase.ASKING, 1)
    stage.traffic.share = 0.1
    stage.looks(times=4)
    assert stage.traffic.share == 0.5
    assert len(stage.canary(made).shifts) == 2
    stage.minutes(8)
    assert stage.canary(made).phase is Phase.PROMOTING


def test_promoted_out_of_a_blocked_shift_no_step_is_left_out(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = baking(stage)
    stage.says(Act.PROMOTE)
    stage.looks()
    stage.traffic.share = 0.7
    stage.looks(times=2)
    assert stage.canary(made).phase is Phase.ASKING
    stage.says(Act.PROMOTE)
    stage.looks(times=4)
    assert (stage.canary(made).step, stage.traffic.share) == (1, 0.5)
    assert stage.canary(made).phase is Phase.BAKING


# --- words ---------------------------------------------------------------------------------------


def test_held_on_the_way_to_its_share_it_stays_held(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks()
    assert isinstance(pressed(stage, made, Act.HOLD), Accepted)
    stage.looks(times=4)
    assert stage.canary(made).phase is Phase.BAKING
    stage.minutes(10)
    assert (stage.canary(made).step, stage.canary(made).held_by) == (0, made.requester)


def test_promoted_on_the_way_to_its_share_it_goes_on_from_there(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=2)
    assert isinstance(pressed(stage, made, Act.PROMOTE), Accepted)
    stage.looks(times=8)
    assert (stage.canary(made).step, stage.traffic.share) == (1, 0.5)
    assert stage.traffic.writes == ["create", "weight 0.1", "weight 0.5"]


def test_promoted_fully_it_does_not_wait_for_its_share(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=2)
    assert isinstance(pressed(stage, made, Act.PROMOTE_FULLY), Accepted)
    stage.looks()
    assert stage.canary(made).phase is Phase.PROMOTING


def test_held_it_stays_held_after_a_question(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = baking(stage)
    stage.says(Act.HOLD)
    stage.looks()
    stage.traffic.share = 0.7
    stage.looks(times=2)
    assert stage.canary(made).phase is Phase.ASKING
    stage.traffic.share = 0.1
    stage.minutes(10)
    held = stage.canary(made)
    assert (held.phase, held.step, held.held_by) == (Phase.BAKING, 0, made.requester)


def test_who_cancels_it_is_told_the_word_that_takes_it_back(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = baking(stage)
    refused = rooms.says("alice", Cancel(made.id))
    assert isinstance(refused, Refused)
    assert refused.suggestion == "/canary backend staging abort"


def test_a_second_person_who_types_hold_lets_nothing_go_on(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = baking(stage)
    for by in ("alice", "bob"):
        stage.says(Act.HOLD, by=by)
        stage.looks()
        held_by = stage.canary(made).held_by
        assert held_by is not None
        assert held_by.name == by
    stage.says(Act.HOLD, by="bob")
    stage.looks()
    assert stage.canary(made).held_by is None


@pytest.mark.parametrize("later", [Act.PROMOTE, Act.PROMOTE_FULLY, Act.HOLD])
def test_nobody_overrules_who_takes_it_back(rooms: Rooms, later: Act) -> None:
    stage = Stage(rooms)
    made = baking(stage)
    assert isinstance(pressed(stage, made, Act.ABORT, by="bob"), Accepted)
    refused = pressed(stage, made, later)
    assert isinstance(refused, Refused)
    assert "bob" in refused.text
    stage.looks(times=3)
    ended = rooms.get(made.id)
    assert (ended.reason_code, stage.traffic.share) == ("CANARY_TAKEN_BACK", 0.0)


def test_taken_back_by_a_person_it_is_not_told_as_superseded(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = baking(stage)
    pressed(stage, made, Act.ABORT, by="bob")
    rooms.deploy("v3")
    stage.looks(times=3)
    assert rooms.get(made.id).reason_code == "CANARY_TAKEN_BACK"


def test_a_newer_canary_takes_the_place_of_one_that_has_traffic(rooms: Rooms) -> None:
    """Its weights are shifted and its service is there: that is no reason to refuse the next."""
    stage = Stage(rooms)
    made = baking(stage)
    stage.traffic.refuses = Misconfigured(
        "The rule's weights are shifted already.", reason_code="CANARY_IMPOSSIBLE"
    )
    newer = rooms.asked("alice", Deploy((STAGING,), "v3", canary=True))
    stage.looks(times=3)
    assert rooms.get(made.id).status is Status.SUPERSEDED
    stage.minutes(2)
    stage.traffic.refuses = None
    assert stage.turn(newer).handle == "canary"


# --- holds ---------------------------------------------------------------------------------------


def test_while_everything_is_paused_it_is_not_brought_on(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = baking(stage)
    assert isinstance(rooms.says("iris", PauseAll("an incident")), Accepted)
    stage.minutes(10)
    held = stage.canary(made)
    assert (held.phase, held.step) == (Phase.BAKING, 0)
    assert "an incident" in held.doing
    rooms.says("iris", ResumeAll())
    stage.looks(times=4)
    assert stage.canary(made).step == 1


def test_nor_past_a_lock_but_it_is_taken_back_and_a_person_may(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = baking(stage)
    lock = LockTarget("backend", "staging", reason="migration")
    assert isinstance(rooms.says("iris", lock), Accepted)
    stage.minutes(10)
    assert stage.canary(made).step == 0
    stage.says(Act.PROMOTE)
    stage.looks(times=3)
    assert stage.canary(made).step == 1
    stage.metrics.canary_fails = 0.3
    stage.minutes(4)
    assert rooms.get(made.id).reason_code == "CANARY_WORSE"


# --- what cannot be read -------------------------------------------------------------------------


def test_a_look_that_is_denied_ends_no_healthy_canary(rooms: Rooms) -> None:
    """Credentials expire for a minute; what watches could not take it back just then either."""
    stage = Stage(rooms)
    made = baking(stage)
    stage.traffic.unreadable = AccessDenied("AWS denied ecs:DescribeServices.")
    stage.minutes(3)
    assert stage.canary(made).phase is Phase.BAKING
    assert stage.canary(made).step == 0
    stage.traffic.unreadable = None
    stage.minutes(5)
    assert stage.canary(made).step == 1


def test_denied_for_too_long_it_asks_and_a_breach_still_takes_it_back(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = baking(stage)
    stage.traffic.unreadable = AccessDenied("AWS denied ecs:DescribeServices.")
    stage.minutes(17)
    asking = stage.canary(made)
    assert asking.phase is Phase.ASKING
    assert "AWS denied ecs:DescribeServices." in asking.trouble
    stage.metrics.canary_fails = 0.5
    stage.minutes(3)
    assert stage.canary(made).phase is Phase.RETURNING
    stage.traffic.unreadable = None
    stage.looks(times=3)
    assert (rooms.get(made.id).reason_code, stage.traffic.share) == ("CANARY_WORSE", 0.0)


def test_a_source_that_breaks_keeps_nobody_from_taking_it_back(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = baking(stage)
    stage.metrics.broken = ValueError("A negative number of requests.")
    stage.says(Act.ABORT)
    stage.looks(20.0, times=4)
    assert rooms.get(made.id).status is Status.ROLLED_BACK


def test_the_past_is_not_asked_for_each_second_where_it_cannot_be_read(rooms: Rooms) -> None:
    stage = Stage(rooms)
    stage.begin()
    stage.metrics.fault = Unreachable("CloudWatch does not answer.")
    stage.looks(times=60)
    assert stage.metrics.pasts <= 8


# --- clocks and replicas -------------------------------------------------------------------------


def test_a_clock_that_is_set_back_stops_nothing(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = baking(stage)
    rooms.clock.advance(-timedelta(hours=1))
    stage.traffic.healthy = False
    stage.looks(3.0, times=8)
    assert rooms.get(made.id).reason_code == "CANARY_DOWN"


def test_nothing_is_done_on_a_view_that_has_become_old(rooms: Rooms) -> None:
    """Measuring took so long that another replica has taken over, and back, what this one saw."""
    stage = Stage(rooms)
    made = baking(stage)
    stage.says(Act.PROMOTE)
    stage.looks(10.0)
    assert stage.canary(made).phase is Phase.SHIFTING

    def taken_over() -> None:
        seen = stage.canary(made)
        with rooms.database.begin() as tx:
            assert tx.canaries.change(seen, phase=Phase.RETURNING)

    stage.metrics.meanwhile = taken_over
    stage.looks()
    assert stage.traffic.writes == ["create", "weight 0.1"]


def test_a_planned_stop_hands_over_at_once(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks()
    stage.conductor.stop()
    stage.restart("replica-2")
    stage.looks(times=4)
    assert stage.canary(made).phase is Phase.BAKING


def test_what_was_cancelled_in_the_last_moment_does_not_begin(rooms: Rooms) -> None:
    rooms.finished("v2")
    stage = Stage(rooms)
    made = rooms.asked("alice", Deploy((STAGING,), "v3", canary=True))
    for step in (rooms.steps.adopt, rooms.steps.begin, rooms.steps.prepare):
        step(made.id)
    stage.traffic.meanwhile = lambda: rooms.asked("alice", Rollback(STAGING))
    rooms.steps.start(made.id)
    with rooms.database.read() as tx:
        assert tx.canaries.get(made.id) is None
    assert rooms.get(made.id).status is Status.CANCELLED
