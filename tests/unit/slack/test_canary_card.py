"""What a canary's card shows in each phase of its life, and what it offers."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.commands.model import Conduct
from bot.model.canary import Act, Canary, Crew, Ended, Judgement, Phase, Wish
from bot.model.canary_plan import CanaryLimits
from bot.model.deployment import Progress, Status, Target
from bot.model.reply import CardFacts, DeploymentList, Details, StatusReport, TargetStatus
from bot.slack.views import home
from bot.slack.views.card import card
from bot.slack.views.ids import Action
from bot.slack.views.message import Message
from bot.slack.views.replies import draw
from bot.slack.views.text import moment
from tests.unit.slack.drawn import ALICE, BOB, NOON, PLAN, WORSE, a_canary, deployment, dump
from tests.unit.slack.signed import slack

#: Before anything is known.
UNKNOWN = replace(WORSE, outcome="hold", text="The canary has not had any traffic yet.", odds=1.0)
STEERING = {Action.CANARY_PROMOTE, Action.CANARY_PROMOTE_FULLY, Action.CANARY_ABORT}
RUNNING = (Phase.SHIFTING, Phase.BAKING, Phase.ASKING, Phase.PROMOTING)


def facts(one: Canary, status: Status = Status.RUNNING, **changes: Any) -> CardFacts:
    return CardFacts(deployment(status, **changes), canary=one, promoters="<@U0BOB>")


def drawn(one: Canary, status: Status = Status.RUNNING, now: datetime = NOON) -> Message:
    return card(facts(one, status), now)


def elements(message: Message) -> dict[str, dict[str, Any]]:
    rows = [block.to_dict() for block in message.blocks]
    found = [each for row in rows if row["type"] == "actions" for each in row["elements"]]
    return {each["action_id"]: each for each in found}


def after(**span: float) -> str:
    return moment(NOON + timedelta(**span))


def test_it_shows_how_far_it_is_and_how_both_versions_fare() -> None:
    shown = dump(drawn(a_canary(judgement=WORSE)))
    assert "step 2 of 3" in shown
    assert "✓ 10%  →  *25%*  →  50%  →  all" in shown
    for part in ("25% of the traffic", "3/3 tasks, 2 healthy"):
        assert part in shown
    assert "2.1 % errors of 4,812" in shown
    assert "75% of the traffic" in shown
    assert "10/10 tasks, 10 healthy" in shown
    assert "0.3 % errors of 43,201" in shown
    assert "🛑 abort" in shown
    assert "the odds against chance are 4,000 to 1." in shown


def test_the_notification_says_that_it_is_a_canary() -> None:
    assert (
        ": running (canary at 25%, step 2 of 3, being watched). <@U0ALICE>"
        in drawn(a_canary()).text
    )
    taken_back = drawn(a_canary(Phase.OVER), Status.ROLLED_BACK).text
    assert ": rolled back. <@U0ALICE>" in taken_back


def test_slowness_is_told_where_it_is_measured_and_against_the_users_limit_if_there_is_one() -> (
    None
):
    limited = dump(drawn(a_canary(judgement=WORSE)))
    assert "0.5 % slower than 800ms" in limited
    assert "0.1 % slower than 800ms" in limited
    free = PLAN.model_copy(update={"limits": CanaryLimits()})
    usual = dump(drawn(a_canary(judgement=WORSE, plan=free)))
    # One is counted beyond what it was before, the other beyond what is tolerated of it.
    assert "slower than 200ms" in usual
    assert "slower than 230ms (15 % tolerated)" in usual
    assert "slower" not in dump(drawn(a_canary(judgement=WORSE, past=None)))


def test_odds_stand_on_the_card_also_where_the_sentence_has_none() -> None:
    passed = replace(WORSE, outcome="pass", text="An increase is excluded.", odds=1.0)
    assert "chance" not in dump(drawn(a_canary(judgement=passed)))
    doubtful = replace(passed, odds=30.0)
    assert "the odds against chance are 30 to 1" in dump(drawn(a_canary(judgement=doubtful)))


def test_nothing_is_made_up_before_anything_was_measured() -> None:
    assert "nothing measured yet" in dump(drawn(a_canary()))
    none = replace(UNKNOWN, canary=(0,) * 7, stable=(500, 1, 0, 0, 0, 0, 0))
    shown = dump(drawn(a_canary(judgement=none)))
    assert "no requests" in shown
    assert "0.2 % errors of 500" in shown


def test_a_card_that_is_not_drawn_anew_never_tells_a_wrong_time() -> None:
    one = a_canary(measured_until=NOON, expires_at=NOON + timedelta(hours=1), judgement=WORSE)
    assert [drawn(one, now=NOON + timedelta(minutes=m)) for m in (1, 99)] == [drawn(one)] * 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, f"Next: 50% of the traffic, {after(minutes=9)} at the earliest."),
        ({"extended": True}, f"Next: 50% of the traffic, {after(minutes=14)} at the earliest"),
        ({"step": 2}, f"Next: all of the traffic, {after(minutes=9)} at the earliest."),
        ({"held_by": BOB}, "Held at this step by <@U0BOB>"),
        ({"doing": "two tasks are starting"}, "⚙️ two tasks are starting"),
        (
            {"expires_at": NOON + timedelta(hours=1)},
            f"ECS waits for an answer until {after(hours=1)}, and takes it back then.",
        ),
        ({"measured_until": NOON}, f"Measured until {after()}"),
        (
            {"wish": Wish(Act.PROMOTE, BOB, NOON, "looks <!channel> good")},
            f"<@U0BOB> asked to promote it to the next step, {after()}: looks &lt;!channel&gt;",
        ),
        (
            {"phase": Phase.ASKING},
            f"One of: <@U0BOB>.\nWithout an answer it is rolled back {after(hours=2)}.",
        ),
        (
            {"phase": Phase.CLEANING, "share": 0.0},
            f"Its tasks end {after(minutes=1)} at the earliest.",
        ),
        (
            {"phase": Phase.CLEANING, "share": 1.0},
            "*Canary* took over everything. What it was tried with is being cleaned up.",
        ),
        ({"stable": Crew(0, 0, 0)}, "of the traffic\nno tasks"),
        ({"phase": Phase.SHIFTING}, "traffic is being shifted"),
        ({"phase": Phase.RETURNING}, "traffic is being taken back"),
        ({"phase": Phase.PROMOTING}, "✓ 50%  →  *all*"),
        ({"phase": Phase.OVER}, "took over everything, from step 2 of 3"),
        ({"trouble": "The stable version is <!here> unhealthy."}, "⚠️ The stable version is &lt;"),
        (
            {"phase": Phase.ASKING, "trouble": "Too few requests."},
            "One of: <@U0BOB>.\nToo few requests.\nWithout an answer",
        ),
        (
            {"phase": Phase.RETURNING, "ending": Ended(Status.ROLLED_BACK, "X", "It is worse.")},
            "↩️ It is worse.",
        ),
    ],
)
def test_what_is_going_on_is_told(changes: dict[str, Any], said: str) -> None:
    assert json.dumps(said, ensure_ascii=False)[1:-1] in dump(drawn(a_canary(**changes)))


def test_one_that_is_held_is_not_rolled_back_for_want_of_an_answer() -> None:
    assert "Without an answer" not in dump(drawn(a_canary(Phase.ASKING, held_by=BOB)))


def test_nothing_comes_next_while_it_is_held() -> None:
    assert "Next:" not in dump(drawn(a_canary(held_by=BOB)))


def test_a_rollout_everywhere_shows_its_tasks_as_any_other() -> None:
    progress = Progress(10, 6)
    promoting = facts(a_canary(Phase.PROMOTING), progress=progress)
    assert "6/10 running" in dump(card(promoting, NOON))
    assert "6/10 running" not in dump(card(facts(a_canary(), progress=progress), NOON))


def test_one_that_was_taken_back_shows_its_evidence() -> None:
    ended = Ended(Status.ROLLED_BACK, "CANARY_WORSE", WORSE.text)
    one = a_canary(Phase.OVER, share=0.0, judgement=WORSE, held_by=BOB, ending=ended)
    shown = dump(drawn(one, Status.ROLLED_BACK))
    assert "was taken back. It came to step 2 of 3, 25% of the traffic." in shown
    assert "2.1 % errors of 4,812" in shown
    assert "4,000 to 1" in shown
    assert "Held" not in shown
    assert "tasks," not in shown


def test_words_from_outside_are_never_markup() -> None:
    nasty = "<!channel> *b* `c`"
    judgement = Judgement(nasty, nasty, nasty, 1.0, (), ())
    one = a_canary(judgement=judgement, doing=nasty, wish=Wish(Act.HOLD, BOB, NOON, nasty))
    assert "<!channel>" not in dump(drawn(one))
    assert "*b*" not in dump(drawn(one))


@pytest.mark.parametrize("phase", list(Phase))
def test_only_what_still_can_be_done_is_offered(phase: Phase) -> None:
    offered = set(elements(drawn(a_canary(phase))))
    expected = {
        Phase.SHIFTING: STEERING | {Action.CANARY_HOLD},
        Phase.BAKING: STEERING | {Action.CANARY_HOLD},
        Phase.ASKING: STEERING | {Action.CANARY_HOLD},
        Phase.PROMOTING: {Action.ROLL_BACK},
    }.get(phase, set())
    assert offered == expected | {Action.DETAILS}


def test_one_that_cannot_be_taken_back_offers_the_way_out() -> None:
    stuck = a_canary(Phase.RETURNING, trouble="Only 0 of 4 tasks are healthy.")
    assert set(elements(drawn(stuck))) == {Action.ROLL_BACK, Action.DETAILS}


def test_what_holds_can_go_on_and_what_is_aborted_is_left_alone() -> None:
    held = elements(drawn(a_canary(held_by=BOB)))
    assert held[Action.CANARY_GO_ON]["text"]["text"] == "Go on"
    assert Action.CANARY_HOLD not in held
    aborted = a_canary(wish=Wish(Act.ABORT, BOB, NOON))
    assert set(elements(drawn(aborted))) == {Action.DETAILS}


def test_buttons_say_where_they_lead_and_the_weighty_ones_ask_again() -> None:
    offered = elements(drawn(a_canary()))
    assert offered[Action.CANARY_PROMOTE]["text"]["text"] == "Promote to 50%"
    for weighty in (Action.CANARY_PROMOTE_FULLY, Action.CANARY_ABORT):
        assert "backend v1.2.3" in offered[weighty]["confirm"]["text"]["text"]
    last = elements(drawn(a_canary(step=2)))
    assert Action.CANARY_PROMOTE not in last
    assert "confirm" in last[Action.CANARY_PROMOTE_FULLY]


def test_one_that_is_over_offers_nothing_of_it() -> None:
    for status in (Status.SUCCEEDED, Status.ROLLED_BACK, Status.FAILED):
        assert not elements(drawn(a_canary(Phase.OVER), status))


@pytest.mark.parametrize(
    ("action", "act"),
    [
        (Action.CANARY_PROMOTE, Act.PROMOTE),
        (Action.CANARY_PROMOTE_FULLY, Act.PROMOTE_FULLY),
        (Action.CANARY_HOLD, Act.HOLD),
        (Action.CANARY_GO_ON, Act.GO_ON),
        (Action.CANARY_ABORT, Act.ABORT),
    ],
)
def test_a_click_is_a_command_for_the_step_that_was_shown(action: Action, act: Act) -> None:
    held = BOB if act is Act.GO_ON else None
    value = elements(drawn(a_canary(held_by=held)))[action]["value"]
    with slack() as workspace:
        assert workspace.click(action, value).status == 200
        (said,) = workspace.intake.submissions
    assert said.command == Conduct(act, id="backend-production-7", step=1)


def test_what_is_typed_arrives_as_well() -> None:
    with slack() as workspace:
        assert workspace.slash("/canary backend production hold").status == 200
        (said,) = workspace.intake.submissions
    assert said.command == Conduct(Act.HOLD, Target("backend", "production"))


def test_it_stands_in_status_queue_details_and_home() -> None:
    one, made = a_canary(), deployment()
    said = "canary at 25%, step 2 of 3, being watched"
    target = TargetStatus(
        Target("backend", "production"), None, "", None, ALICE, (made,), (), "", canary=one
    )
    assert said in dump(draw(StatusReport((target,), None), NOON))
    assert said in dump(draw(DeploymentList("Queue", (made,), (one,)), NOON))
    assert "step 2 of 3" in dump(draw(Details(facts(one), ()), NOON))
    view = home.home(home.Desk((), (made,), (one,)), NOON)
    assert said in json.dumps(view.to_dict())
    cleaning = replace(target, active=(), canary=a_canary(Phase.CLEANING, share=0.0))
    assert "canary being cleaned up" in dump(draw(StatusReport((cleaning,), None), NOON))


def test_what_has_everything_is_not_said_to_end() -> None:
    """Where ECS shifted the traffic, the new version serves on from where it is."""
    shown = dump(drawn(a_canary(Phase.CLEANING, share=1.0)))
    assert "Its tasks end" not in shown
    assert "without traffic" not in shown


def test_without_a_share_that_was_read_back_it_was_on_its_way() -> None:
    ended = Ended(Status.ROLLED_BACK, "CANARY_TAKEN_BACK", "Taken back by bob.")
    shown = dump(drawn(a_canary(Phase.OVER, shifts=(), ending=ended)))
    assert "was taken back on the way to its first share." in shown


def test_of_tasks_that_have_ended_no_end_is_told() -> None:
    ended = Ended(Status.ROLLED_BACK, "X", "It is worse.")
    shown = dump(drawn(a_canary(Phase.CLEANING, share=0.0, canary=Crew(), ending=ended)))
    assert "without traffic, being cleaned up" in shown
    assert "Its tasks end" not in shown


@pytest.mark.parametrize("phase", RUNNING)
def test_a_held_one_is_called_so_only_where_it_can_be(phase: Phase) -> None:
    made = DeploymentList("Queue", (deployment(),), (a_canary(phase, held_by=BOB),))
    assert (", held" in dump(draw(made, NOON))) == (phase is not Phase.PROMOTING)


def test_what_took_over_is_not_said_to_be_without_traffic() -> None:
    """The share of a rule's weights is 0 then, as the service itself has the new version."""
    shown = dump(drawn(a_canary(Phase.CLEANING, share=0.0, judgement=WORSE), Status.SUCCEEDED))
    for wrong in ("without traffic", "none of the traffic", "100% of the traffic"):
        assert wrong not in shown
    assert "2.1 % errors of 4,812" in shown


def test_while_both_suffer_no_time_is_promised() -> None:
    assert "Next:" in dump(drawn(a_canary()))
    suffers = replace(WORSE, outcome="hold", because="shared_incident")
    assert "Next:" not in dump(drawn(a_canary(judgement=suffers)))
