"""What counts as a share, and as taken over: nothing that is older than the newest spec."""

from __future__ import annotations

from typing import Any

import pytest

from bot.model.canary import Aim, Goal
from bot.model.deployment import Image
from bot.model.rollout import End, Order
from bot.providers.argo_rollouts.errands import Errand, Move
from bot.providers.argo_rollouts.trial import Trial
from tests.fakes.argo_commits import NOW, FakeCommits, FakeControls
from tests.fakes.argo_scenes import DIGEST, on_trial, taken_over, told_back
from tests.fakes.argo_stage import spec_of

ORDER = Order("web-staging-7", Image("web", DIGEST, "v2"), "v1")
#: At its first step, and at its second.
FIRST, SECOND = 0.1, 0.5


class Play:
    """One move of a trial, made if there is one to make."""

    def __init__(self) -> None:
        self.commits, self.controls = FakeCommits(), FakeControls()
        self.trial = Trial(self.controls, self.commits, lambda *_: ())

    def share(self, share: float, before: float, **scene: Any) -> Move:
        aim = Aim(Goal.SHARE, NOW, share=share, before=before)
        return self._made(self.trial.share(on_trial(**scene), self._errand(aim)))

    def everything(self, **scene: Any) -> Move:
        aim = Aim(Goal.EVERYTHING, NOW, before=FIRST)
        return self._made(self.trial.everything(on_trial(**scene), self._errand(aim)))

    def over(self, **scene: Any) -> Move:
        aim = Aim(Goal.EVERYTHING, NOW, before=FIRST)
        return self._made(self.trial.everything(taken_over(**scene), self._errand(aim)))

    def _errand(self, aim: Aim) -> Errand:
        return Errand(spec_of(), ORDER, f"v2@{DIGEST}", aim)

    def _made(self, move: Move) -> Move:
        if move.deed is not None:
            move.deed()
        return move


@pytest.fixture
def play() -> Play:
    return Play()


@pytest.mark.parametrize(
    ("phase", "observed", "reached"),
    [
        ("Healthy", "3", True),
        ("Healthy", "2", False),  # of an earlier spec
        ("Progressing", "3", False),
        ("Degraded", "3", False),
        ("", "3", False),
    ],
)
def test_healthy_at_the_newest_spec_by_both_accounts(
    play: Play, phase: str, observed: str, *, reached: bool
) -> None:
    move = play.over(phase=phase, observedGeneration=observed)
    assert move.stand.reached is reached
    assert move.deed is None


def test_nothing_has_taken_over_before_argo_cd_says_so_too(play: Play) -> None:
    play.commits.end = None
    assert not play.over(phase="Healthy", observedGeneration="3").stand.reached
    play.commits.end = End.FAILED
    assert play.over(phase="Healthy", observedGeneration="3").stand.end is End.FAILED


def test_at_its_step_with_its_pods_and_weights_it_has_its_share(play: Play) -> None:
    assert play.share(FIRST, FIRST).stand.reached
    assert not play.share(FIRST, FIRST, available=0).stand.reached, "no pod serves"
    assert not play.share(FIRST, FIRST, verified=False).stand.reached, "not confirmed"
    assert not play.share(FIRST, FIRST, weight=0).stand.reached, "the router was not told yet"
    assert play.controls.told == []


def test_it_is_promoted_once_it_waits_and_the_newest_spec_was_seen(play: Play) -> None:
    play.share(SECOND, FIRST, observedGeneration="2")
    play.share(SECOND, FIRST, pauseConditions=None, controllerPause=True)
    play.share(SECOND, FIRST, pauseConditions=None, controllerPause=False)
    assert play.controls.told == []
    play.share(SECOND, FIRST)
    assert play.controls.told == ["promote"]


def test_all_of_it_is_promoted_once_and_on_the_newest_spec(play: Play) -> None:
    play.everything(observedGeneration="2")
    play.everything(promoteFull=True, pauseConditions=None, controllerPause=False)
    assert play.controls.told == []
    play.everything()
    assert play.controls.told == ["promote fully"]


def test_degraded_counts_for_the_newest_spec_alone(play: Play) -> None:
    assert play.share(FIRST, FIRST, phase="Degraded", observedGeneration="2").stand.end is None
    unpausing = {"pauseConditions": None, "controllerPause": True}
    assert play.share(FIRST, FIRST, phase="Degraded", **unpausing).stand.end is None
    assert play.share(FIRST, FIRST, phase="Degraded").stand.end is End.FAILED


def test_what_the_controller_has_not_seen_yet_is_nobodys_hand(play: Play) -> None:
    aim = Aim(Goal.SHARE, NOW, share=FIRST, before=FIRST)
    errand = Errand(spec_of(), ORDER, f"v2@{DIGEST}", aim)
    assert play.trial.share(told_back(), errand).stand.foreign
    assert not play.trial.share(told_back(observedGeneration="2"), errand).stand.foreign
