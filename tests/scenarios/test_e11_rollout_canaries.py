"""E8 and E11 for canaries, the whole bot: Argo CD and Argo Rollouts do not do as they are told.

argo-cd#4505, #17155, #25054, argo-rollouts#2648, #4461, #841
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bot.model.canary import Phase
from bot.model.deployment import Status
from bot.playground.kube.resources import ROLLOUTS
from tests.fakes.rollout_deck import NAMESPACE, RolloutDeck, rollout_deck

pytestmark = pytest.mark.xdist_group("rollout-canaries")
UNPAUSE = {"pauseConditions": None}
BEGUN = ["deploy.requested allowed", "deploy.started intent", "canary.begin intent"]


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RolloutDeck]:
    with rollout_deck(tmp_path_factory.mktemp("rollouts")) as deck:
        yield deck
        assert deck.posted_twice() == []


def on_trial(deck: RolloutDeck) -> tuple[str, str]:
    """A service, and its canary that bakes at the first step."""
    service = deck.service()
    deployment = deck.begin(service)
    deck.until_phase(deployment, Phase.BAKING, step=0)
    assert deck.weight(service) == 10
    return service, deployment


@contextmanager
def halted(deck: RolloutDeck) -> Iterator[None]:
    """Nobody carries out what Rollouts are told."""
    deck.kube.halt_rollouts()
    try:
        yield
    finally:
        deck.kube.halt_rollouts(halted=False)


def taken_back(deck: RolloutDeck, service: str, deployment: str) -> None:
    """No traffic, no pods, and git says the old version."""
    deck.until_gone(deployment)
    assert (deck.weight(service), deck.written(service)) == (0, "v1")
    assert deck.get(deployment).image.digest not in deck.digests(service)


def test_a_good_canary_goes_through_the_steps_of_its_rollout(deck: RolloutDeck) -> None:
    service, deployment = on_trial(deck)
    deck.until_phase(deployment, Phase.BAKING, step=1)
    assert deck.weight(service) == 50
    ended = deck.until_ended(deployment, Status.SUCCEEDED)
    deck.until_gone(deployment)
    assert deck.patches(service) == [UNPAUSE, UNPAUSE]
    # Argo Rollouts keeps the earlier pods for a while.
    deck.later(lambda: deck.digests(service) == {ended.image.digest}, "its pods alone")
    assert deck.actions(deployment) == [
        *BEGUN,
        "canary.shifted done",
        "canary.verdict done increase_excluded",
        "canary.shift intent",
        "canary.shifted done",
        "canary.verdict done increase_excluded",
        "canary.promote intent",
        "canary.promoted done",
        "deploy.succeeded done",
        "canary.gone done",
    ]


def test_a_bad_canary_is_taken_back_with_its_evidence(deck: RolloutDeck) -> None:
    service, deployment = on_trial(deck)
    deck.prometheus.failing[service] = 0.2
    ended = deck.until_ended(deployment, Status.ROLLED_BACK)
    assert ended.reason_code == "CANARY_WORSE"
    deck.until_card(deployment, "the odds against chance are")
    taken_back(deck, service, deployment)


# --- E8 ------------------------------------------------------------------------------------------


def test_e8_a_closed_sync_window_is_told_and_nothing_comes_of_it_after_an_abort(
    deck: RolloutDeck,
) -> None:
    service = deck.service()
    deck.argocd.close_sync_window()
    try:
        deployment = deck.begin(service)
        deck.later(lambda: deck.written(service) == "v2", "the commit", leap=2)
        deck.later(lambda: deck.shown(deployment, "lets no sync through"), "the reason", leap=1)
        assert deck.get(deployment).status is Status.RUNNING
        deck.conduct("alice", service, "abort")
        ended = deck.until_ended(deployment, Status.ROLLED_BACK)
    finally:
        deck.argocd.open_sync_windows()
    assert ended.reason_code == "CANARY_TAKEN_BACK"
    deck.pass_time(300)
    taken_back(deck, service, deployment)
    assert deck.patches(service) == []


def test_e8_another_operation_is_in_progress_and_ours_comes_after(deck: RolloutDeck) -> None:
    service = deck.service()
    deck.argocd.set_pace(apply=600.0)
    try:
        deck.argocd.sync(f"{service}-staging")
        deployment = deck.begin(service)
        words = "Another operation is in progress"
        deck.later(lambda: deck.shown(deployment, words), words, leap=1)
        assert deck.weight(service) == 0
    finally:
        deck.argocd.set_pace(apply=1.0)
    deck.until_phase(deployment, Phase.BAKING, step=0)
    assert deck.weight(service) == 10


def test_e8_a_rollout_that_somebody_paused_is_not_promoted_over_it(deck: RolloutDeck) -> None:
    service, deployment = on_trial(deck)
    deck.kube.pause(NAMESPACE, service, ROLLOUTS)
    deck.conduct("alice", service, "promote")
    deck.until_phase(deployment, Phase.ASKING, step=1)
    deck.until_card(deployment, "paused the Rollout")
    assert (deck.weight(service), deck.patches(service)) == (10, [])
    assert "canary.asked done CANARY_BLOCKED" in deck.actions(deployment)
    deck.kube.pause(NAMESPACE, service, ROLLOUTS, paused=False)
    deck.until_phase(deployment, Phase.BAKING, step=1)
    assert deck.weight(service) == 50


# --- E11 -----------------------------------------------------------------------------------------


def test_e11_what_is_ignored_is_told_and_never_counted_as_done(deck: RolloutDeck) -> None:
    """A full promotion has no effect until time is up, nor has the abort that follows."""
    service, deployment = on_trial(deck)
    with halted(deck):
        deck.conduct("alice", service, "promote --full")
        deck.until_phase(deployment, Phase.RETURNING, leap=60)
        assert deck.get(deployment).status is Status.RUNNING
        words = "does the controller of Argo Rollouts run?"
        deck.later(lambda: deck.shown(deployment, words), words)
        assert (deck.get(deployment).status, deck.weight(service)) == (Status.RUNNING, 10)
        assert deck.written(service) == "v1", "git goes back all the same"
        assert "canary.stuck failed" in deck.actions(deployment)
    ended = deck.until_ended(deployment, Status.TIMED_OUT)
    assert "not on it after 20m" in ended.explanation
    taken_back(deck, service, deployment)
    assert deck.patches(service)[-1] == {"abort": True, "promoteFull": None}
    assert "canary.promoted done" not in deck.actions(deployment)


def test_e11_a_promotion_is_verified_before_it_is_told(deck: RolloutDeck) -> None:
    service, deployment = on_trial(deck)
    with halted(deck):
        deck.conduct("alice", service, "promote")
        deck.later(lambda: deck.patches(service), "the promotion", leap=2)
        for _ in range(5):
            deck.pass_time(30)
            deck.looked_at(service)
        assert deck.patches(service) == [UNPAUSE], "it is not repeated"
        assert deck.actions(deployment).count("canary.shifted done") == 1
        assert deck.shown(deployment, "has not seen the change yet")
    deck.until_phase(deployment, Phase.BAKING, step=1)
    assert deck.weight(service) == 50


def test_e11_aborted_by_hand_it_is_told_as_taken_back(deck: RolloutDeck) -> None:
    service, deployment = on_trial(deck)
    deck.kube.abort(NAMESPACE, service)
    ended = deck.until_ended(deployment, Status.ROLLED_BACK)
    assert "was aborted, and not by Quarterdeck" in ended.explanation
    deck.until_card(deployment, "not by Quarterdeck")
    taken_back(deck, service, deployment)
    assert deck.patches(service) == []
    assert deck.actions(deployment)[-1] == "canary.gone done"


def test_e11_promoted_by_hand_people_are_asked(deck: RolloutDeck) -> None:
    service, deployment = on_trial(deck)
    deck.kube.promote(NAMESPACE, service)
    deck.until_phase(deployment, Phase.ASKING)
    deck.until_card(deployment, "it is at 50%, and not at 10%")
    assert deck.patches(service) == []
    deck.conduct("alice", service, "abort")
    deck.until_ended(deployment, Status.ROLLED_BACK)
    taken_back(deck, service, deployment)
