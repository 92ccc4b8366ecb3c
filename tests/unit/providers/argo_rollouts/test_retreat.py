"""The way back of a Rollout's canary: the traffic first, then git, and nothing on a stale word."""

from __future__ import annotations

import pytest

from bot.model.canary import Aim, Goal
from bot.model.deployment import Image
from bot.model.errors import Unreachable
from bot.model.rollout import Order
from bot.providers.argo_rollouts.errands import Errand, Move
from bot.providers.argo_rollouts.retreat import Retreat
from bot.providers.argo_rollouts.scene import Scene
from tests.fakes.argo_commits import NOW, FakeCommits, FakeControls
from tests.fakes.argo_scenes import DIGEST, aborted, leaving, on_trial, told_back
from tests.fakes.argo_stage import spec_of

ORDER = Order("web-staging-7", Image("web", DIGEST, "v2"), "v1")
OURS = f"v2@{DIGEST}"


class Play:
    """One move of a retreat, made if there is one to make. Git says that it is not undone yet."""

    def __init__(self) -> None:
        self.commits, self.controls = FakeCommits(), FakeControls()
        self.commits.says = OURS
        self.retreat = Retreat(self.controls, self.commits, lambda _errand: None, lambda: 0.0)

    @property
    def deeds(self) -> list[str]:
        return [*self.controls.told, *self.commits.deeds]

    def nothing(self, scene: Scene, before: float = 0.1) -> Move:
        return self._made(self.retreat.nothing(scene, self._errand(Goal.NOTHING, before)))

    def gone(self, scene: Scene) -> Move:
        return self._made(self.retreat.gone(scene, self._errand(Goal.GONE, 0.1)))

    def _errand(self, goal: Goal, before: float) -> Errand:
        return Errand(spec_of(), ORDER, OURS, Aim(goal, NOW, before=before))

    def _made(self, move: Move) -> Move:
        if move.deed is not None:
            move.deed()
        return move


@pytest.fixture
def play() -> Play:
    return Play()


def test_git_waits_until_the_traffic_is_off_and_confirmed(play: Play) -> None:
    play.nothing(aborted(weight=10))
    play.nothing(aborted(weight=0, verified=False))
    assert play.deeds == []
    play.nothing(aborted(weight=0))
    assert play.deeds == ["take back"]


def test_what_still_gets_traffic_is_not_off_though_another_version_is_to_run(play: Play) -> None:
    left = {
        "canary": {"weight": 0, "podTemplateHash": "old"},
        "stable": {"weight": 90, "podTemplateHash": "old"},
        "additional": [{"weight": 10, "podTemplateHash": "new"}],
    }
    play.commits.says = "v3"
    assert not play.nothing(told_back(canary={"weights": left})).stand.reached
    assert play.nothing(told_back()).stand.reached


def test_what_had_traffic_is_taken_back_whatever_git_finds(play: Play) -> None:
    """Its commit may be older than git is searched, and the Rollout runs it all the same."""
    play.commits.has = None
    assert play.nothing(on_trial(), before=0.0).stand.reached
    assert not play.nothing(on_trial(), before=0.1).stand.reached
    assert play.deeds == ["abort"]


def test_git_that_is_silent_ends_nothing(play: Play) -> None:
    play.commits.fault = Unreachable("git does not answer")
    with pytest.raises(Unreachable):
        play.nothing(told_back(), before=0.0)
    play.nothing(on_trial(), before=0.0)
    assert play.deeds == ["abort"]


def test_what_the_controller_has_not_seen_is_not_over(play: Play) -> None:
    play.commits.back, play.commits.says = "d" * 40, "v1"
    assert not play.nothing(told_back(observedGeneration="2")).stand.reached
    assert play.nothing(told_back()).stand.reached


def test_the_earlier_version_is_helped_past_a_pause_that_stays(play: Play) -> None:
    play.commits.back, play.commits.says = "d" * 40, "v1"
    play.nothing(leaving())
    play.nothing(leaving(promoteFull=True))
    assert play.deeds == ["promote fully", "promote"]


def test_one_that_runs_again_before_it_is_gone_is_aborted_again(play: Play) -> None:
    """Somebody retried it (status.abort), and git still asks for it."""
    play.gone(on_trial())
    play.gone(aborted())
    assert play.deeds == ["abort", "take back"]
