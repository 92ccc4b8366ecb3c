"""What a team went back from is not offered as a way back."""

from __future__ import annotations

from pathlib import Path

from bot.model.deployment import Status
from tests.fakes.harbour import harbour


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
