"""What a team went back from is not offered as a way back, and its card offers none either."""

from __future__ import annotations

from pathlib import Path

from bot.model.deployment import Status
from bot.slack.views.ids import Action
from tests.fakes.harbour import Deck, harbour


def test_a_second_rollback_never_ships_the_bad_version_again(tmp_path: Path) -> None:
    with harbour(tmp_path) as deck:
        first = deck.running("backend-staging")
        bad = deck.place.push("backend", "v3")
        deck.says("alice", "backend staging v2")
        deck.until_status("backend-staging-1", Status.SUCCEEDED)
        deck.says("alice", "backend staging v3")
        deck.until_status("backend-staging-2", Status.SUCCEEDED)
        deck.says("iris", "backend staging", slash="/rollback")
        back = deck.until_status("backend-staging-3", Status.SUCCEEDED)
        assert back.image.ref == "v2"

        said = deck.says("iris", "backend staging backend-staging-2", slash="/rollback")
        assert "UNKNOWN_VERSION" in said
        deck.says("iris", "backend staging", slash="/rollback")
        further = deck.until_status("backend-staging-4", Status.SUCCEEDED)

        assert further.image.digest == first
        assert further.image.digest != bad
        assert deck.running("backend-staging") == first


def test_only_the_card_of_what_runs_offers_the_way_back(tmp_path: Path) -> None:
    with harbour(tmp_path) as deck:
        deck.place.push("backend", "v3")
        deck.says("alice", "backend staging v2")
        deck.until_card("backend-staging-1", Action.ROLL_BACK)
        deck.says("alice", "backend staging v3")
        deck.until_card("backend-staging-2", Action.ROLL_BACK)
        deck.until(lambda: not offers_way_back(deck, "backend-staging-1"), "the first card's end")
        deck.says("iris", "backend staging", slash="/rollback")
        deck.until_status("backend-staging-3", Status.SUCCEEDED)
        deck.until(lambda: not offers_way_back(deck, "backend-staging-2"), "the second card's end")
        assert "succeeded" in deck.card("backend-staging-2").text


def offers_way_back(deck: Deck, deployment_id: str) -> bool:
    return f"'action_id': '{Action.ROLL_BACK}'" in str(deck.card(deployment_id).blocks)
