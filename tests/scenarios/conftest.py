"""One running bot for each module of scenarios that asks for a ``deck``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.fleet import Fleet, fleet


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Shared by the tests of a module: each of them takes services of its own."""
    with fleet(tmp_path_factory.mktemp("deck")) as deck:
        yield deck
        assert deck.posted_twice() == []  # whatever the scenario was: E17


@pytest.fixture
def own_deck(tmp_path: Path) -> Iterator[Fleet]:
    """For a test that disturbs everything: a bot of its own."""
    with fleet(tmp_path) as deck:
        yield deck
