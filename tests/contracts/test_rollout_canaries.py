"""Canaries by a Rollout's own steps, on the local cluster: what is read back, and left alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.model.canary import Aim, Goal
from bot.model.errors import Transient, Unknown
from bot.model.rollout import End, Watched
from bot.providers.argo_rollouts.unjudged import UnjudgedRollouts
from tests.fakes.rollout_shop import (
    FILE,
    MANIFEST,
    REPLICAS,
    ROUTED,
    RolloutShop,
    manifest,
    rollout_shop,
)

UNPAUSE = {"pauseConditions": None}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[RolloutShop]:
    with rollout_shop(tmp_path) as shop:
        yield shop


def test_from_the_first_step_to_the_whole_rollout_and_to_nothing_left(shop: RolloutShop) -> None:
    assert shop.canaries.check(shop.spec) == ()
    first = shop.aim(Goal.SHARE, 0.1)
    assert shop.look(first).arms is not None, "the stable version can be measured before"
    assert shop.reach(first).share == pytest.approx(0.1)
    assert shop.weight() == 10
    stand = shop.look(first)
    assert (stand.canary.healthy, stand.stable.healthy) == (1, REPLICAS)
    assert stand.arms is not None
    assert stand.arms.stable == shop.status()["stableRS"]
    assert stand.arms.canary == shop.status()["currentPodHash"]
    assert shop.patches() == [], "it pauses there by itself"

    shop.reach(shop.aim(Goal.SHARE, 0.5, before=0.1))
    assert shop.weight() == 50
    assert shop.patches() == [UNPAUSE]

    over = shop.reach(shop.aim(Goal.EVERYTHING, before=0.5), 3600)
    assert over.reached
    assert (over.share, over.canary.running, over.stable.healthy) == (0.0, 0, REPLICAS)
    assert shop.patches() == [UNPAUSE, UNPAUSE], "no step was left out"
    status = shop.status()
    assert (status["phase"], status["stableRS"]) == ("Healthy", status["currentPodHash"])
    assert shop.reach(shop.aim(Goal.GONE)).reached
    assert shop.written() == "v2"
    assert shop.subjects()[-1] == "Deploy v2 to backend/staging"
    assert shop.canaries.check(shop.spec) == ()


def test_promoted_fully_the_other_steps_are_left_out(shop: RolloutShop) -> None:
    shop.on_trial()
    assert shop.reach(shop.aim(Goal.EVERYTHING, before=0.1), 3600).reached
    assert shop.patches() == [{"promoteFull": True}]
    (call,) = shop.kube.calls("patch", "rollouts/status")
    assert call.body["metadata"]["resourceVersion"], "it names what was seen"
    shop.pass_by(60)
    assert shop.images() == {"v2"}


def test_taken_back_the_traffic_goes_first_and_then_what_git_says(shop: RolloutShop) -> None:
    shop.on_trial()
    nothing = shop.aim(Goal.NOTHING, before=0.1)
    shop.toward(nothing)
    assert shop.patches() == [{"abort": True}]
    assert shop.written() == "v2"
    shop.pass_by(2)
    assert shop.weight() == 0
    shop.toward(nothing)
    assert shop.written() == "v1"
    assert shop.reach(nothing).share == 0.0
    assert shop.look(nothing).canary.running == 1, "its pods end when its requests have"
    assert shop.subjects()[-1] == "Take backend/staging back to v1"

    assert shop.reach(shop.aim(Goal.GONE), 3600).reached
    assert shop.images() == {"v1"}
    assert shop.status()["phase"] == "Healthy"
    assert shop.canaries.check(shop.spec) == ()


def test_an_aim_that_is_reached_is_only_looked_at(shop: RolloutShop) -> None:
    shop.on_trial()
    shop.on_trial(0.5)
    patches, commits = shop.patches(), shop.subjects()
    for _ in range(3):
        assert shop.toward(shop.aim(Goal.SHARE, 0.5, before=0.5)).reached
    assert (shop.patches(), shop.subjects()) == (patches, commits)


def test_after_a_restart_it_goes_on_from_what_is_there(shop: RolloutShop) -> None:
    for aim in (
        shop.aim(Goal.SHARE, 0.1),
        shop.aim(Goal.SHARE, 0.5, before=0.1),
        shop.aim(Goal.NOTHING, before=0.5),
        shop.aim(Goal.GONE),
    ):
        for _ in range(100):
            shop.restart()
            if shop.toward(aim).reached:
                break
            shop.pass_by(5)
        else:
            raise AssertionError(aim)
    assert shop.patches() == [UNPAUSE, {"abort": True}]
    assert shop.subjects()[-2:] == [
        "Deploy v2 to backend/staging",
        "Take backend/staging back to v1",
    ]


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_promotion_whose_answer_was_lost_is_one_step(shop: RolloutShop, lost: int) -> None:
    """Whether the call took effect or not, and whatever was waited for in between."""
    shop.on_trial()
    if lost == 0:
        shop.kube.faults.cut("patch", "rollouts/status")
    else:
        shop.kube.faults.lose_answer("patch", "rollouts/status")
    aim = shop.aim(Goal.SHARE, 0.5, before=0.1)
    with pytest.raises(Unknown):
        shop.toward(aim)
    if lost == 2:
        shop.pass_by(60)
    assert shop.reach(aim).reached
    assert shop.weight() == 50
    assert shop.status()["currentStepIndex"] == 3


@pytest.mark.parametrize("goal", [Goal.EVERYTHING, Goal.NOTHING])
def test_an_answer_that_is_lost_is_made_up_for_by_the_next_look(
    shop: RolloutShop, goal: Goal
) -> None:
    shop.on_trial()
    shop.kube.faults.lose_answer("patch", "rollouts/status")
    shop.git.faults.lose_answer()
    aim, lost = shop.aim(goal, before=0.1), 0
    for _ in range(100):
        try:
            if shop.toward(aim).reached:
                break
        except Unknown:
            lost += 1
        shop.pass_by(5)
    assert lost == (2 if goal is Goal.NOTHING else 1)
    assert shop.subjects().count("Take backend/staging back to v1") == (goal is Goal.NOTHING)
    assert shop.weight() == 0
    assert shop.images() == {"v1", "v2"}, "those without traffic are kept a while"


def test_a_promotion_that_comes_too_late_promotes_nothing(shop: RolloutShop) -> None:
    """Somebody promoted it between our look and our word: that one counts."""
    shop.on_trial()
    shop.kube.faults.conflict("patch", "rollouts/status")
    aim = shop.aim(Goal.SHARE, 0.5, before=0.1)
    with pytest.raises(Exception, match="changed while it was about to be written"):
        shop.toward(aim)
    (call,) = shop.kube.calls("patch", "rollouts/status")
    assert call.body["metadata"]["resourceVersion"], "it names what was seen"
    shop.kube.promote("staging", "backend")
    assert shop.reach(aim).reached
    assert shop.patches() == [UNPAUSE], "which had no effect"


def test_a_canary_that_does_not_start_ends_with_its_reason(shop: RolloutShop) -> None:
    shop.begin("backend-staging-8", shop.image("crashing"))
    stand = shop.reach(shop.aim(Goal.SHARE, 0.1), 7200)
    assert (stand.end, stand.share) == (End.FAILED, 0.0)
    assert "has timed out progressing" in stand.explanation
    assert "CrashLoopBackOff" in stand.explanation
    assert shop.reach(shop.aim(Goal.NOTHING)).reached
    assert shop.reach(shop.aim(Goal.GONE), 3600).reached
    assert (shop.written(), shop.images()) == ("v1", {"v1"})


# --- pods instead of a router --------------------------------------------------------------------


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[RolloutShop]:
    with rollout_shop(tmp_path, manifest(routing="maxSurge: 1")) as shop:
        yield shop


def test_without_a_router_shares_are_those_of_pods(plain: RolloutShop) -> None:
    (minded,) = plain.canaries.check(plain.spec)
    assert "1 of 5 at the first step" in minded
    plain.on_trial()
    assert plain.look(plain.aim(Goal.SHARE, 0.1)).share == pytest.approx(1 / REPLICAS)
    plain.on_trial(0.5)
    stand = plain.look(plain.aim(Goal.SHARE, 0.5))
    assert (stand.share, stand.canary.healthy, stand.stable.healthy) == (0.5, 2, 2)
    nothing = plain.aim(Goal.NOTHING, before=0.5)
    assert not plain.toward(nothing).reached
    assert plain.reach(nothing).share == 0.0
    assert plain.images() == {"v1"}, "it has traffic for as long as it has pods"
    assert plain.reach(plain.aim(Goal.GONE)).reached


def test_without_a_router_another_version_has_to_take_its_place(plain: RolloutShop) -> None:
    plain.on_trial(0.5)
    plain.write("v3")
    nothing = plain.aim(Goal.NOTHING, before=0.5)
    for _ in range(60):
        plain.pass_by(1)
        if plain.look(plain.aim(Goal.SHARE, 0.5, before=0.5)).end is End.SUPERSEDED:
            break
    stand = plain.toward(nothing)
    assert not stand.reached
    assert stand.share, "its pods still serve"
    plain.pass_by(60)
    assert plain.reach(nothing).share == 0.0
    assert plain.written() == "v3"


def test_without_a_router_it_takes_over_all_the_same(plain: RolloutShop) -> None:
    plain.on_trial()
    assert plain.reach(plain.aim(Goal.EVERYTHING, before=0.1), 3600).reached
    assert plain.images() == {"v2"}


# --- what somebody else does ---------------------------------------------------------------------


def test_one_that_somebody_aborted_is_over(shop: RolloutShop) -> None:
    shop.on_trial()
    shop.kube.abort("staging", "backend")
    shop.pass_by(5)
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1, before=0.1))
    assert (stand.end, stand.share) == (End.ROLLED_BACK, 0.0)
    assert "not by Quarterdeck" in stand.explanation
    assert shop.reach(shop.aim(Goal.NOTHING, before=0.1)).reached
    assert shop.written() == "v1", "git does not go on asking for it"
    assert shop.patches() == [], "it was aborted already"


def test_one_that_somebody_promoted_is_told(shop: RolloutShop) -> None:
    shop.on_trial()
    shop.kube.promote("staging", "backend")
    shop.pass_by(60)
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1, before=0.1))
    assert (stand.foreign, stand.share) == (True, 0.5)
    assert "it is at 50%, and not at 10%" in stand.blocked
    assert shop.patches() == []
    # Whoever answers has seen that: the next step is the one where it is.
    assert shop.toward(shop.aim(Goal.SHARE, 0.5, before=0.5)).reached


def test_one_that_somebody_promoted_fully_is_told_and_can_be_taken_back(shop: RolloutShop) -> None:
    shop.on_trial()
    shop.tell({"promoteFull": True})
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1, before=0.1))
    assert stand.foreign
    shop.pass_by(300)
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1, before=0.1))
    assert (stand.foreign, stand.share) == (True, 1.0)
    assert "promoted the Rollout staging/backend fully" in stand.blocked

    stand = shop.reach(shop.aim(Goal.NOTHING, before=1.0), 3600)
    assert (stand.reached, stand.share) == (True, 0.0)
    assert (shop.written(), shop.images()) == ("v1", {"v1", "v2"})
    assert shop.patches() == [{"promoteFull": True}], "the way back waits at no step"
    assert shop.reach(shop.aim(Goal.GONE), 3600).reached
    assert shop.images() == {"v1"}


def test_the_way_back_does_not_end_what_somebody_else_tries(shop: RolloutShop) -> None:
    """It took over, and somebody tries a third version on top, which has pauses of its own."""
    shop.on_trial()
    shop.reach(shop.aim(Goal.EVERYTHING, before=0.1), 3600)
    shop.write("v3")
    shop.pass_by(60)
    patches = shop.patches()
    stand = shop.toward(shop.aim(Goal.NOTHING, before=0.1))
    assert not stand.reached
    assert stand.share == pytest.approx(0.9)
    assert "until that has taken over, the canary's version serves" in stand.blocked
    assert (shop.patches(), shop.written()) == (patches, "v3")


def test_healthy_again_with_the_old_version_is_no_success(shop: RolloutShop) -> None:
    """``kubectl argo rollouts undo``: Healthy, and not what git says."""
    shop.on_trial()
    shop.set_image(shop.v1)
    shop.pass_by(60)
    assert shop.status()["phase"] == "Healthy"
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1, before=0.1))
    assert (stand.reached, stand.foreign) == (False, True)
    assert "somebody changed the Rollout staging/backend by hand" in stand.blocked
    assert not shop.toward(shop.aim(Goal.EVERYTHING, before=0.1)).reached


def test_steps_that_somebody_changed_are_told(shop: RolloutShop) -> None:
    shop.on_trial()
    strategy = {"canary": {"steps": [{"setWeight": 10}, {"pause": {"duration": "10m"}}]}}
    shop.by_hand({"spec": {"strategy": strategy}})
    shop.pass_by(5)
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1, before=0.1))
    assert stand.foreign
    assert "pause of 10m would end by itself" in stand.blocked


def test_another_version_in_git_supersedes_it(shop: RolloutShop) -> None:
    shop.on_trial()
    shop.write("v3")
    aim = shop.aim(Goal.SHARE, 0.1, before=0.1)
    for _ in range(20):
        shop.pass_by(5)
        stand = shop.toward(aim)
        if stand.end is not None:
            break
    assert stand.end is End.SUPERSEDED
    assert shop.reach(shop.aim(Goal.NOTHING, before=0.1)).reached
    assert shop.written() == "v3", "what somebody else wrote stays"
    assert shop.patches() == [], "nor is theirs aborted"


def test_one_that_somebody_paused_is_left_alone(shop: RolloutShop) -> None:
    shop.on_trial()
    shop.by_hand({"spec": {"paused": True}})
    shop.pass_by(5)
    for aim in (shop.aim(Goal.SHARE, 0.5, before=0.1), shop.aim(Goal.EVERYTHING, before=0.1)):
        stand = shop.toward(aim)
        assert "paused the Rollout staging/backend (spec.paused)" in stand.blocked
    assert shop.patches() == []


def test_an_inconclusive_analysis_waits_for_somebody(shop: RolloutShop) -> None:
    shop.on_trial()
    at_step = shop.status()["pauseConditions"][0]
    unclear = {"reason": "InconclusiveAnalysisRun", "startTime": "2026-01-01T12:00:00Z"}
    shop.tell({"pauseConditions": [at_step, unclear], "phase": "Paused"})
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1, before=0.1))
    assert "inconclusive" in stand.blocked
    assert not stand.foreign
    # One that came after the aim: nobody has decided in spite of it.
    later = {**unclear, "startTime": "2999-01-01T12:00:00Z"}
    shop.tell({"pauseConditions": [at_step, later]})
    onward = shop.aim(Goal.SHARE, 0.5, before=0.1)
    assert "inconclusive" in shop.toward(onward).blocked
    assert shop.patches() == []
    shop.tell({"pauseConditions": [at_step, unclear]})
    assert shop.reach(onward).reached


# --- what does not do as it is told --------------------------------------------------------------


def test_a_full_promotion_is_taken_back_with_the_abort(shop: RolloutShop) -> None:
    """The controller ignores an abort beside it (argo-rollouts#4461)."""
    shop.on_trial()
    shop.toward(shop.aim(Goal.EVERYTHING, before=0.1))
    assert shop.status()["promoteFull"] is True
    assert shop.reach(shop.aim(Goal.NOTHING, before=0.1)).reached
    assert shop.patches() == [{"promoteFull": True}, {"abort": True, "promoteFull": None}]
    assert (shop.weight(), shop.written()) == (0, "v1")


def test_an_abort_without_effect_is_told_and_git_goes_back(shop: RolloutShop) -> None:
    shop.on_trial()
    shop.kube.halt_rollouts()
    nothing = shop.aim(Goal.NOTHING, before=0.1)
    for _ in range(10):
        assert not shop.toward(nothing).reached
        shop.pass_by(5)
    assert shop.written() == "v2"
    shop.pass_by(20)
    shop.toward(nothing)
    assert shop.written() == "v1"
    shop.pass_by(120)
    stand = shop.toward(nothing)
    assert stand.share == pytest.approx(0.1), "which is how it is"
    assert "does the controller of Argo Rollouts run?" in stand.blocked
    shop.kube.halt_rollouts(halted=False)
    shop.pass_by(5)
    assert shop.reach(nothing).reached
    assert shop.patches() == [{"abort": True}]


def test_a_promotion_without_effect_is_not_repeated(shop: RolloutShop) -> None:
    shop.on_trial()
    shop.kube.halt_rollouts()
    aim = shop.aim(Goal.SHARE, 0.5, before=0.1)
    for _ in range(5):
        shop.toward(aim)
        shop.pass_by(60)
    stand = shop.toward(aim)
    assert not stand.reached
    assert stand.doing == "Argo Rollouts has not seen the change yet"
    assert shop.patches() == [UNPAUSE]


def test_a_full_promotion_that_stays_paused_is_helped_on(shop: RolloutShop) -> None:
    """As argo-rollouts#2648 has it; the pause is ended by itself then."""
    shop.on_trial()
    shop.kube.halt_rollouts()
    everything = shop.aim(Goal.EVERYTHING, before=0.1)
    for _ in range(4):
        shop.toward(everything)
        shop.pass_by(5)
    assert shop.patches() == [{"promoteFull": True}, UNPAUSE]
    shop.kube.halt_rollouts(halted=False)
    assert shop.reach(everything, 3600).reached


def test_nothing_is_shifted_back_onto_a_broken_stable_version(shop: RolloutShop) -> None:
    shop.on_trial()
    shop.break_pods("v1", REPLICAS - 1)
    stand = shop.toward(shop.aim(Goal.NOTHING, before=0.1))
    assert "so the traffic stays where it is" in stand.blocked
    assert shop.patches() == []


def test_one_whose_stable_pods_grow_with_the_way_back_is_aborted(tmp_path: Path) -> None:
    """With dynamicStableScale the controller moves weights no faster than those are available."""
    routing = f"dynamicStableScale: true\n      {ROUTED}"
    with rollout_shop(tmp_path, manifest(routing=routing)) as shop:
        shop.on_trial()
        shop.break_pods("v1", REPLICAS)
        shop.toward(shop.aim(Goal.NOTHING, before=0.1))
        assert shop.patches() == [{"abort": True}]


def test_whoever_waits_does_not_fetch_each_second(shop: RolloutShop) -> None:
    shop.on_trial()
    shop.kube.argocd.close_sync_window()
    assert shop.reach(shop.aim(Goal.NOTHING, before=0.1)).reached
    gone = shop.aim(Goal.GONE)
    assert shop.fetches_of(gone, looks=40) < 12
    shop.kube.argocd.open_sync_windows()
    assert shop.reach(gone, 3600).reached


def test_one_that_was_long_on_trial_is_taken_back_after_a_restart(shop: RolloutShop) -> None:
    """Taken back before any share was read back: its commit is older than a day by then."""
    while shop.weight() != 10:
        shop.toward(shop.aim(Goal.SHARE, 0.1))
        shop.pass_by(5)
    shop.restart()
    nothing = shop.aim(Goal.NOTHING)
    late = replace(nothing, since=nothing.since + timedelta(days=3))
    assert not shop.toward(late).reached, "it has traffic"
    assert shop.patches() == [{"abort": True}]


# --- git and Argo CD beside it -------------------------------------------------------------------


def test_one_that_argo_cd_has_not_brought_yet_leaves_git_at_once(shop: RolloutShop) -> None:
    shop.kube.argocd.close_sync_window()
    aim = shop.aim(Goal.SHARE, 0.1)
    for _ in range(5):
        stand = shop.toward(aim)
        shop.pass_by(5)
    assert "lets no sync through" in stand.explanation
    assert shop.reach(shop.aim(Goal.NOTHING)).reached
    assert shop.written() == "v1"
    assert shop.patches() == []
    shop.kube.argocd.open_sync_windows()
    shop.pass_by(300)
    assert shop.images() == {"v1"}
    assert shop.reach(shop.aim(Goal.GONE)).reached


def test_what_argo_cd_applies_at_this_moment_is_waited_for(shop: RolloutShop) -> None:
    aim = shop.aim(Goal.SHARE, 0.1)
    while not shop.syncing():
        shop.toward(aim)
        shop.pass_by(0.5)
    nothing = shop.aim(Goal.NOTHING)
    shop.toward(nothing)
    assert shop.written() == "v1"
    stand = shop.toward(nothing)
    assert not stand.reached, "the canary is about to begin, though git went back"
    assert shop.reach(nothing).reached
    assert shop.reach(shop.aim(Goal.GONE), 3600).reached
    assert shop.images() == {"v1"}


def test_a_sync_that_fails_is_an_end(shop: RolloutShop) -> None:
    shop.kube.argocd.refuse_syncs("backend-staging", "denied by policy")
    stand = shop.reach(shop.aim(Goal.SHARE, 0.1), 3600)
    assert (stand.end, stand.reason_code) == (End.FAILED, "SYNC_FAILED")
    assert "denied by policy" in stand.explanation


def test_the_same_version_again_is_nothing_to_try(shop: RolloutShop) -> None:
    shop.begin("backend-staging-8", shop.v1)
    commits = shop.subjects()
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1))
    assert (stand.end, stand.reason_code) == (End.FAILED, "CANARY_IMPOSSIBLE")
    assert shop.subjects() == commits
    assert shop.reach(shop.aim(Goal.NOTHING)).reached
    assert shop.reach(shop.aim(Goal.GONE)).reached
    assert shop.subjects() == commits


def test_a_version_that_was_taken_back_can_be_tried_again(shop: RolloutShop) -> None:
    shop.on_trial()
    shop.reach(shop.aim(Goal.NOTHING, before=0.1))
    shop.reach(shop.aim(Goal.GONE), 3600)
    shop.begin("backend-staging-8", shop.image("v2"))
    stand = shop.look(shop.aim(Goal.SHARE, 0.1))
    assert stand.arms is not None, "else it would never begin"
    assert stand.arms.stable == shop.status()["stableRS"]
    shop.on_trial()
    assert shop.subjects().count("Deploy v2 to backend/staging") == 2


def test_a_commit_of_that_number_from_an_earlier_database_is_none_of_ours(
    shop: RolloutShop,
) -> None:
    shop.on_trial()
    shop.reach(shop.aim(Goal.NOTHING, before=0.1))
    shop.reach(shop.aim(Goal.GONE), 3600)
    shop.restart()
    shop.begin("backend-staging-7", shop.image("v3"))
    shop.on_trial()
    assert shop.written() == "v3"
    assert shop.reach(shop.aim(Goal.NOTHING, before=0.1)).reached
    assert shop.written() == "v1"


def test_a_version_that_would_leave_out_the_steps_is_not_begun(shop: RolloutShop) -> None:
    shop.on_trial()
    shop.reach(shop.aim(Goal.EVERYTHING, before=0.1), 3600)
    shop.by_hand({"spec": {"rollbackWindow": {"revisions": 3}}})
    shop.pass_by(60)
    assert any("rollbackWindow" in each for each in shop.canaries.check(shop.spec))
    shop.begin("backend-staging-8", shop.v1)
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1))
    assert (stand.end, stand.reason_code) == (End.FAILED, "CANARY_IMPOSSIBLE")
    assert "rollbackWindow" in stand.explanation


def test_what_somebody_else_tries_is_not_taken_back(shop: RolloutShop) -> None:
    """The same version, and not by our commit: it never was ours."""
    shop.write("v2")
    shop.pass_by(120)
    assert shop.toward(shop.aim(Goal.SHARE, 0.1)).foreign
    assert shop.toward(shop.aim(Goal.NOTHING)).reached
    assert shop.toward(shop.aim(Goal.GONE)).reached
    assert (shop.patches(), shop.written(), shop.weight()) == ([], "v2", 10)


def test_git_that_does_not_answer_keeps_the_traffic_on_nothing(shop: RolloutShop) -> None:
    shop.on_trial()
    shop.restart()
    shop.git.faults.answer(503, None)
    nothing = shop.aim(Goal.NOTHING, before=0.1)
    shop.toward(nothing)
    shop.pass_by(5)
    assert shop.weight() == 0
    with pytest.raises(Transient):
        shop.toward(nothing)
    shop.git.faults.clear()
    assert shop.reach(nothing).reached
    assert shop.written() == "v1"


def test_another_update_that_is_under_way_is_not_overruled(shop: RolloutShop) -> None:
    shop.set_image(shop.image("v3"))
    shop.pass_by(30)
    commits = shop.subjects()
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1))
    assert stand.foreign
    assert shop.subjects() == commits


def test_the_same_version_deployed_anew_is_theirs(shop: RolloutShop) -> None:
    """Another deployment of the version that was taken back begins before that one is gone."""
    shop.on_trial()
    shop.reach(shop.aim(Goal.NOTHING, before=0.1))
    shop.write("v2")
    shop.pass_by(60)
    patches, commits = shop.patches(), shop.subjects()
    assert shop.toward(shop.aim(Goal.GONE)).reached
    assert (shop.patches(), shop.subjects()) == (patches, commits)
    assert shop.written() == "v2"


def test_what_git_said_before_is_kept_beside_other_changes(shop: RolloutShop) -> None:
    shop.on_trial()
    text = shop.text(FILE)
    shop.commit({FILE: f"{text}# more\n", MANIFEST: manifest() + "# more\n"})
    assert shop.reach(shop.aim(Goal.NOTHING, before=0.1)).reached
    assert shop.text(FILE).endswith("# more\n")
    assert shop.written() == "v1"


def _aims(shop: RolloutShop) -> tuple[Aim, ...]:
    return shop.aim(Goal.SHARE, 0.1), shop.aim(Goal.EVERYTHING, before=0.1)


def test_a_rollout_that_is_deleted_is_an_end(shop: RolloutShop) -> None:
    shop.on_trial()
    shop.by_hand({"metadata": {"finalizers": ["acme.example/keep"]}})
    shop.delete()
    for aim in _aims(shop):
        stand = shop.toward(aim)
        assert (stand.end, stand.reason_code) == (End.FAILED, "MISSING")


# --- what is no canary ---------------------------------------------------------------------------


def test_a_deployment_that_is_no_canary_waits_at_no_step(shop: RolloutShop) -> None:
    """Nobody would end its pauses, nor those of a rollback."""
    shop.on_trial()
    shop.reach(shop.aim(Goal.EVERYTHING, before=0.1), 3600)
    back = shop.roll(shop.v1)
    assert back.end is End.SUCCEEDED
    assert shop.status()["stableRS"] == shop.status()["currentPodHash"]
    assert shop.patches()[-1] == {"promoteFull": True}
    shop.pass_by(60)
    assert shop.images() == {"v1"}


def test_a_pause_that_cannot_be_ended_is_told_as_one(shop: RolloutShop) -> None:
    shop.kube.access.revoke("patch", "rollouts/status")
    stand = shop.roll(shop.image("v2"), 300)
    assert stand.end is None
    assert "Paused" in stand.explanation


def test_one_that_somebody_aborted_is_not_promoted(shop: RolloutShop) -> None:
    shop.kube.access.revoke("patch", "rollouts/status")
    shop.roll(shop.image("v2"), 300)
    shop.kube.access.restore()
    shop.kube.abort("staging", "backend")
    shop.pass_by(5)
    asked = shop.patches()
    shop.observed()
    assert shop.patches() == asked


def test_nor_one_that_waits_at_no_step(shop: RolloutShop) -> None:
    """Its pods are on their way; what is told too early leaves out what was to be waited for."""
    shop.roll(shop.image("crashing"), 60)
    assert shop.patches() == []


def test_what_somebody_else_tries_is_not_promoted(shop: RolloutShop) -> None:
    shop.set_image(shop.image("v3"))
    shop.pass_by(60)
    unjudged = UnjudgedRollouts(shop.rollouts, shop.clusters)
    shop.caught_up()
    commit = shop.desired.head(shop.spec.argocd.manifests).commit
    watched = Watched("backend-staging-9", shop.live.revision, commit)
    unjudged.observe([(shop.spec, watched)])
    assert shop.patches() == []
