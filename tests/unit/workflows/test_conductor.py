"""A canary's whole life over a real database: fakes shift the traffic and count it."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from bot.commands.model import Conduct, Deploy, Rollback
from bot.intake.cards import card_facts
from bot.model.canary import Act, Canary, Past, Phase
from bot.model.canary_plan import CanaryStep
from bot.model.deployment import Status
from bot.model.errors import AccessDenied, Misconfigured, Terminal, Unknown, Unreachable
from bot.model.reply import Accepted, Refused
from bot.slack.views.canary_card import brief
from bot.workflows.canary.bench import analysis_plan
from bot.workflows.canary.conductor import UNREADABLE
from tests.fakes.conducted import STEPS, Stage
from tests.fakes.inner_rooms import STAGING, Rooms

MINUTE = timedelta(minutes=1)


def test_a_good_canary_goes_by_its_steps_to_the_whole_traffic(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    assert (made.status, made.handle) == (Status.RUNNING, "canary")
    assert stage.traffic.writes == []
    stage.looks(times=5)
    assert stage.canary(made).phase is Phase.BAKING
    assert stage.traffic.writes == ["create", "weight 0.1"]
    stage.minutes(7)
    assert stage.canary(made).step == 1
    assert stage.traffic.share == 0.5
    stage.minutes(7)
    assert stage.canary(made).phase is Phase.PROMOTING
    assert rooms.get(made.id).status is Status.RUNNING
    stage.traffic.rolled = True
    stage.looks(times=3)
    done = rooms.get(made.id)
    assert done.status is Status.SUCCEEDED
    assert [release.image.ref for release in rooms.known_good()][:1] == ["v2"]
    assert stage.canary(made).phase is Phase.CLEANING
    assert stage.traffic.exists, "it keeps its tasks so that requests end"
    stage.minutes(2)
    assert stage.canary(made).over
    assert stage.traffic.writes == [
        "create",
        "weight 0.1",
        "weight 0.5",
        "roll",
        "weight 0",
        "remove",
    ]
    assert stage.actions(made) == [
        "canary.begin intent",
        "canary.shifted done",
        "canary.verdict done",
        "canary.shift intent",
        "canary.shifted done",
        "canary.verdict done",
        "canary.promote intent",
        "canary.promoted done",
        "canary.gone done",
    ]


def test_a_service_that_is_soon_warm_is_soon_at_its_next_step(rooms: Rooms) -> None:
    steps = (CanaryStep(share=0.1, bake=2 * MINUTE), CanaryStep(share=0.5))
    slow, soon = Stage(rooms, steps=steps), Stage(rooms, steps=steps, warm_up=MINUTE)
    made = soon.begin()
    soon.looks(times=5)
    soon.minutes(4)
    assert soon.canary(made).step == 1
    plans = [
        analysis_plan(Canary(made.id, each.plan, Phase.BAKING, rooms.clock.now()), Past((), 60))
        for each in (slow, soon)
    ]
    assert [plan.tolerance.warm_up for plan in plans] == [(0.02, 0.01, 0.005), (0.02,)]


def test_a_bad_canary_is_taken_back_with_its_evidence(rooms: Rooms) -> None:
    stage = Stage(rooms)
    stage.metrics.canary_fails = 0.05
    made = stage.begin()
    stage.looks(times=4)
    stage.minutes(5)
    ended = rooms.get(made.id)
    assert (ended.status, ended.reason_code) == (Status.ROLLED_BACK, "CANARY_WORSE")
    assert "the odds against chance are" in ended.explanation
    assert stage.traffic.share == 0
    assert stage.traffic.writes[-1] == "weight 0"
    stage.minutes(2)
    assert stage.canary(made).over
    assert not stage.traffic.exists
    assert rooms.known_good() == rooms.known_good()
    assert all(release.image.ref != "v2" for release in rooms.known_good())


def test_before_it_begins_the_card_says_what_its_traffic_can_show(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks()
    told = stage.canary(made).foreseen
    assert told.startswith("At 100 requests/s this canary can rule out")
    assert stage.traffic.writes == []


def test_without_metrics_it_does_not_begin(rooms: Rooms) -> None:
    stage = Stage(rooms)
    stage.metrics.fault = Unreachable("CloudWatch does not answer.")
    made = stage.begin()
    stage.minutes(2)
    doing = stage.canary(made).doing
    assert doing == "it waits for its metrics. CloudWatch does not answer."
    stage.minutes(15)
    ended = rooms.get(made.id)
    assert (ended.status, ended.reason_code) == (Status.FAILED, "CANARY_BLIND")
    assert "CloudWatch does not answer." in ended.explanation
    assert "create" not in stage.traffic.writes


def test_blind_for_too_long_it_asks_people_and_never_goes_on(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=4)
    stage.metrics.fault = Unreachable("CloudWatch does not answer.")
    stage.minutes(14)
    assert stage.canary(made).phase is Phase.BAKING
    stage.minutes(3)
    assert stage.canary(made).phase is Phase.ASKING
    assert "It could not be watched for 15m." in stage.canary(made).trouble
    stage.metrics.fault = None
    stage.minutes(1)
    assert stage.canary(made).phase in {Phase.BAKING, Phase.SHIFTING}


def test_a_breach_while_people_are_asked_still_takes_it_back(rooms: Rooms) -> None:
    stage = Stage(rooms, inconclusive="ask")
    stage.metrics.per_second = 1.0
    made = stage.begin()
    stage.looks(times=4)
    stage.minutes(7)
    assert stage.canary(made).phase is Phase.ASKING
    stage.metrics.per_second, stage.metrics.canary_fails = 100.0, 0.5
    stage.minutes(2)
    assert rooms.get(made.id).reason_code == "CANARY_WORSE"


def test_inconclusive_it_bakes_once_more_and_then_asks(rooms: Rooms) -> None:
    stage = Stage(rooms)
    stage.metrics.per_second = 1.0
    made = stage.begin()
    stage.looks(times=4)
    stage.minutes(8)
    assert (stage.canary(made).phase, stage.canary(made).extended) == (Phase.BAKING, True)
    stage.minutes(5)
    assert stage.canary(made).phase is Phase.ASKING
    stage.metrics.per_second = 0.0
    stage.rooms.clock.advance(timedelta(hours=2))
    stage.looks(times=4)
    assert rooms.get(made.id).reason_code == "CANARY_UNANSWERED"
    assert stage.traffic.share == 0


def test_a_plan_may_rather_go_back_than_ask(rooms: Rooms) -> None:
    stage = Stage(rooms, inconclusive="roll_back")
    stage.metrics.per_second = 1.0
    made = stage.begin()
    stage.looks(times=4)
    stage.minutes(9)
    assert rooms.get(made.id).reason_code == "CANARY_INCONCLUSIVE"


def test_nothing_is_said_of_traffic_that_was_only_not_measured_yet(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=5)
    assert stage.canary(made).phase is Phase.BAKING
    assert stage.canary(made).judgement is None
    stage.minutes(6)
    assert stage.canary(made).judgement is not None


def test_a_passed_step_s_verdict_is_not_shown_as_the_next_one_s(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=5)
    while stage.canary(made).step == 0:
        stage.looks(30.0)
    at_once = stage.canary(made).judgement
    assert at_once is not None
    assert (at_once.outcome, at_once.text) == ("hold", "Nothing of this step was measured yet.")
    assert sum(at_once.canary) > 0, "what was counted so far stays on the card"
    stage.minutes(6)
    after = stage.canary(made).judgement
    assert after is not None
    assert after.text != at_once.text


def test_what_serves_on_from_where_it_is_is_cleaned_up_at_once(rooms: Rooms) -> None:
    """Where ECS shifted the traffic, nothing has to end: the service's settings come back soon."""
    stage = Stage(rooms, steps=STEPS[:1])
    stage.traffic.in_place = True
    made = stage.begin()
    stage.looks(times=5)
    stage.minutes(7)
    stage.looks(times=2)
    assert rooms.get(made.id).status is Status.SUCCEEDED
    assert stage.canary(made).share == 1.0
    stage.looks(times=3)
    assert stage.canary(made).over
    assert stage.traffic.writes == ["create", "weight 0.1", "weight 1", "remove"]


def test_what_has_no_tasks_left_is_cleaned_up_at_once(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=5)
    stage.traffic.exists = False
    stage.says(Act.ABORT)
    stage.looks(times=5)
    assert stage.canary(made).over


def test_the_thread_says_by_what_it_goes_and_who_took_it_back(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=5)
    stage.says(Act.ABORT, reason="mistake")
    stage.looks(times=4)
    said = rooms.said(made.id)
    assert (
        "A canary of 2 steps, by the weights of a listener rule. What runs now is measured first."
        in said
    )
    assert said[-1] == "v2 was taken back from backend staging: Taken back by alice: mistake"


def test_an_incident_of_both_versions_is_held_and_told(rooms: Rooms) -> None:
    stage = Stage(rooms)
    stage.metrics.canary_fails = stage.metrics.stable_fails = 0.3
    made = stage.begin()
    stage.looks(times=4)
    stage.minutes(8)
    assert stage.canary(made).step == 0
    assert stage.canary(made).judgement is not None
    assert rooms.get(made.id).status is Status.RUNNING
    assert any("Neither promoted nor taken back" in text for text in rooms.said(made.id))
    stage.metrics.canary_fails = stage.metrics.stable_fails = 0.001
    stage.minutes(12)
    # What it served during the incident shows nothing; what it served since is enough.
    assert stage.canary(made).step == 1
    assert stage.canary(made).phase is Phase.PROMOTING


# --- people --------------------------------------------------------------------------------------


def test_a_person_brings_it_on_without_waiting(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=4)
    assert isinstance(stage.says(Act.PROMOTE), Accepted)
    stage.looks(times=3)
    assert (stage.canary(made).step, stage.traffic.share) == (1, 0.5)
    stage.says(Act.PROMOTE_FULLY)
    stage.looks()
    assert stage.canary(made).phase is Phase.PROMOTING
    assert isinstance(stage.says(Act.ABORT), Refused)


def test_a_button_of_an_earlier_step_does_nothing(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=4)
    stage.says(Act.PROMOTE)
    stage.looks(times=3)
    late = Conduct(Act.PROMOTE, id=made.id, step=0)
    reply = rooms.says("bob", late)
    assert isinstance(reply, Refused)
    assert (reply.reason_code, stage.canary(made).step) == ("STALE_BUTTON", 1)
    assert stage.canary(made).phase is Phase.BAKING


def test_held_it_stays_and_goes_on_when_it_is_let(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=4)
    stage.says(Act.HOLD)
    stage.minutes(10)
    held = stage.canary(made)
    assert (held.step, held.held_by) == (0, made.requester)
    stage.says(Act.HOLD)
    stage.minutes(1)
    assert stage.canary(made).step == 1


def test_a_button_pressed_twice_does_not_undo_itself(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=4)

    def pressed(act: Act) -> None:
        assert isinstance(rooms.says("alice", Conduct(act, id=made.id, step=0)), Accepted)
        stage.looks()

    for act, held in ((Act.HOLD, True), (Act.HOLD, True), (Act.GO_ON, False), (Act.GO_ON, False)):
        pressed(act)
        assert (stage.canary(made).held_by is not None) == held


def test_steps_questions_and_ends_have_a_chart_in_the_thread(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=4)
    stage.says(Act.PROMOTE)
    stage.looks(times=3)
    stage.says(Act.ABORT)
    stage.looks(times=3)
    assert [key for key in rooms.keys_of(made.id) if key.startswith("chart:")] == [
        "chart:step:1",
        "chart:returned",
    ]


def test_held_it_is_still_taken_back_if_it_is_worse(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=4)
    stage.says(Act.HOLD)
    stage.metrics.canary_fails = 0.2
    stage.minutes(4)
    assert rooms.get(made.id).reason_code == "CANARY_WORSE"


def test_a_person_takes_it_back(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=4)
    stage.says(Act.ABORT, by="bob", reason="complaints")
    stage.looks(times=3)
    ended = rooms.get(made.id)
    assert (ended.status, ended.reason_code) == (Status.ROLLED_BACK, "CANARY_TAKEN_BACK")
    assert ended.explanation == "Taken back by bob: complaints"
    assert ended.ended_by is not None
    assert stage.traffic.share == 0


def test_who_has_no_part_in_it_may_not(rooms: Rooms) -> None:
    stage = Stage(rooms)
    stage.begin()
    stage.looks(times=4)
    reply = stage.says(Act.PROMOTE, by="gus")
    assert isinstance(reply, Refused)
    assert stage.canary(rooms.get("backend-staging-1")).wish is None


# --- what comes in between -----------------------------------------------------------------------


def test_a_new_version_takes_its_place_and_waits_until_it_is_gone(rooms: Rooms) -> None:
    stage = Stage(rooms)
    first = stage.begin()
    stage.looks(times=4)
    second = rooms.deploy("v3")
    stage.looks(times=3)
    ended = rooms.get(first.id)
    assert (ended.status, ended.reason_code) == (Status.SUPERSEDED, "SUPERSEDED")
    assert second.id in ended.explanation
    assert stage.traffic.share == 0
    stage.turn(second)
    assert rooms.rollouts.told, "a rolling one needs no more than the traffic"


def test_another_canary_waits_until_nothing_is_left(rooms: Rooms) -> None:
    stage = Stage(rooms)
    first = stage.begin()
    stage.looks(times=4)
    stage.says(Act.ABORT)
    stage.looks(times=3)
    assert rooms.get(first.id).settled
    second = stage.begin("v3")
    assert second.handle is None
    assert "out of the way first" in second.explanation
    stage.minutes(2)
    rooms.steps.start(second.id)
    assert rooms.get(second.id).handle == "canary"


def test_a_rollback_ends_it_and_begins_when_the_traffic_is_off(rooms: Rooms) -> None:
    rooms.finished("v2")
    stage = Stage(rooms)
    canary = stage.begin("v3")
    stage.looks(times=4)
    back = rooms.asked("alice", Rollback(STAGING))
    assert rooms.get(canary.id).status is Status.CANCELLED
    rooms.steps.adopt(back.id)
    rooms.steps.begin(back.id)
    rooms.steps.prepare(back.id)
    assert 0 < rooms.steps.start(back.id) < 1
    assert back.image.ref == "v2"
    stage.looks(times=3)
    assert stage.traffic.share == 0
    assert rooms.steps.start(back.id) == 0


def test_weights_that_somebody_else_changed_are_told_and_left(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=4)
    stage.traffic.share = 0.7
    stage.looks(times=2)
    canary = stage.canary(made)
    assert (canary.phase, canary.trouble) == (Phase.ASKING, "Somebody else changed the weights.")
    assert stage.traffic.share == 0.7
    assert (canary.share, canary.traffic) == (0.1, 0.7), "what was aimed at, and what flows"
    assert brief(canary).startswith("canary at 70%")
    stage.says(Act.PROMOTE)
    stage.looks(times=3)
    assert stage.traffic.share == 0.5


def test_it_is_not_shifted_back_onto_a_stable_version_that_is_broken(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=4)
    stage.says(Act.ABORT)
    stage.traffic.stable_healthy = False
    stage.looks(times=4)
    assert stage.traffic.share == 0.1
    assert rooms.get(made.id).status is Status.RUNNING
    assert sum("cannot be taken back yet" in text for text in rooms.said(made.id)) == 1
    stage.traffic.stable_healthy = True
    stage.looks(times=3)
    assert rooms.get(made.id).status is Status.ROLLED_BACK


def test_a_plan_that_cannot_be_is_refused_and_nothing_changed(rooms: Rooms) -> None:
    stage = Stage(rooms)
    stage.traffic.refuses = Misconfigured(
        "The rule forwards to a third group.", reason_code="CANARY_IMPOSSIBLE"
    )
    reply = rooms.says("alice", Deploy((STAGING,), "v2", canary=True))
    assert isinstance(reply, Refused)
    assert reply.reason_code == "CANARY_IMPOSSIBLE"
    assert stage.traffic.writes == []


def test_what_surely_cannot_be_done_ends_the_trial(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.traffic.break_next(AccessDenied("Not allowed: elasticloadbalancing:ModifyRule."))
    stage.looks(times=6)
    ended = rooms.get(made.id)
    assert ended.status is Status.FAILED
    assert "ModifyRule" in ended.explanation


def test_what_does_not_become_healthy_in_time_goes_back(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.traffic.healthy = False
    stage.looks(times=3)
    stage.looks(60.0, times=32)
    ended = rooms.get(made.id)
    assert (ended.status, ended.reason_code) == (Status.ROLLED_BACK, "TIMED_OUT")
    assert "weight 0.1" not in stage.traffic.writes
    stage.minutes(2)
    assert not stage.traffic.exists


def test_a_whole_service_that_never_settles_is_told_and_taken_back(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=4)
    stage.says(Act.PROMOTE_FULLY)
    stage.traffic.told = "ECS still rolls the service itself."
    stage.looks(60.0, times=36)
    ended = rooms.get(made.id)
    assert (ended.status, ended.reason_code) == (Status.TIMED_OUT, "TIMED_OUT")
    assert stage.traffic.share == 0
    assert stage.traffic.told in rooms.said(made.id)
    assert "All traffic is on the stable version." not in rooms.said(made.id)


def test_a_rollout_of_the_whole_that_fails_is_taken_back(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=4)
    stage.says(Act.PROMOTE_FULLY)
    stage.looks(times=2)
    stage.traffic.failed = "tasks failed to start"
    stage.looks(times=4)
    ended = rooms.get(made.id)
    assert (ended.status, ended.explanation) == (Status.FAILED, "tasks failed to start")


# --- crashes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("broken", range(6))
def test_an_answer_that_is_lost_changes_nothing_about_the_end(
    rooms: Rooms, broken: int, *, after: bool
) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.traffic.rolled = True
    done = 0
    for _ in range(80):
        if len(stage.traffic.writes) == broken and not done:
            stage.traffic.break_next(Unknown("No answer."), after=after)
            done = 1
        stage.restart()
        stage.looks(30.0)
    assert rooms.get(made.id).status is Status.SUCCEEDED
    assert stage.canary(made).over
    assert not stage.traffic.exists
    assert stage.traffic.writes.count("create") == 1
    assert stage.traffic.writes.count("roll") == 1


def test_a_restart_judges_by_the_same_ticks(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.minutes(4)
    before = stage.canary(made).judgement
    stage.metrics.fault = Unreachable("CloudWatch does not answer.")
    stage.restart()
    stage.conductor.look()
    assert stage.canary(made).judgement == before


def test_another_replica_takes_over_when_the_claim_runs_out(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks()
    stage.restart("replica-2")
    stage.conductor.look()
    assert stage.traffic.writes == [], "the first one still holds it"
    rooms.clock.advance(timedelta(seconds=31))
    stage.looks(times=4)
    assert stage.canary(made).phase is Phase.BAKING


def test_no_tick_is_lost_on_a_process_that_remembers_fewer_than_are_stored(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=4)
    first = stage.conductor
    stage.restart()
    for turn in range(36):
        if turn // 6 % 2:  # of the same name, as after a restart that overlaps: it measures first
            stage.conductor.look()
        first.look()
        rooms.clock.advance(timedelta(seconds=10))
    with rooms.database.read() as tx:
        begins = [each.reading.begins for each in tx.canaries.ticks(made.id)]
    assert len(begins) > 3
    assert {after - before for before, after in pairwise(begins)} == {timedelta(minutes=1)}


def test_one_that_another_version_wrote_is_told_of_once_and_not_touched(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=5)
    with rooms.engine.begin() as connection:
        connection.execute(sa.text("UPDATE canaries SET body = '{}'"))
    writes = list(stage.traffic.writes)
    stage.restart()
    stage.looks(times=3)
    assert stage.traffic.writes == writes
    assert rooms.said(made.id).count(UNREADABLE) == 1
    with rooms.database.read() as tx:
        facts = card_facts(tx, rooms.catalog, made.id, rooms.clock.now())
    assert facts is not None, "without facts its thread would never hear of it"
    with pytest.raises(Terminal, match="another version"):
        stage.says(Act.ABORT)


def test_the_answer_to_a_word_says_how_far_it_goes_and_the_thread_why(rooms: Rooms) -> None:
    stage = Stage(rooms)
    made = stage.begin()
    stage.looks(times=4)
    stage.says(Act.HOLD, reason="look first")
    stage.looks(times=2)
    assert "Held by alice: look first" in rooms.said(made.id)
    first = stage.says(Act.PROMOTE, reason="fine")
    assert isinstance(first, Accepted)
    assert "goes on to 50% of the traffic" in first.text
    stage.looks(times=4)
    assert "Promoted by alice (fine). To 50% of the traffic." in rooms.said(made.id)
    last = stage.says(Act.PROMOTE)
    assert isinstance(last, Accepted)
    assert "goes on to all of the traffic" in last.text
