"""One running bot for each module of scenarios that asks for a ``deck``, and for each provider.

What Slack, approvals, locks and queues must survive (S, A, L) does not depend on who rolls a
service: those modules run once on each shore. The others play on ECS's, or on their own ``SHORE``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.fakes.argo_shore import argo_shore
from tests.fakes.fleet import Fleet, fleet
from tests.fakes.shore import ShoreMaker, ecs_shore

#: By the name that a test's id shows.
SHORES: Mapping[str, ShoreMaker] = {"ecs": ecs_shore, "argocd": argo_shore}
ON_EVERY_SHORE = re.compile(r"test_[sal]\d\d_")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "shore" in metafunc.fixturenames:
        everywhere = ON_EVERY_SHORE.match(metafunc.module.__name__.rpartition(".")[2])
        names = list(SHORES) if everywhere else [getattr(metafunc.module, "SHORE", "ecs")]
        metafunc.parametrize("shore", names, indirect=True, scope="module")


@pytest.fixture(scope="module")
def shore(request: pytest.FixtureRequest) -> ShoreMaker:
    return SHORES[request.param]


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory, shore: ShoreMaker) -> Iterator[Fleet]:
    """Shared by the tests of a module: each of them takes services of its own."""
    with fleet(tmp_path_factory.mktemp("deck"), shore=shore) as deck:
        yield deck
        assert deck.posted_twice() == []  # whatever the scenario was: E17


@pytest.fixture
def own_deck(tmp_path: Path, shore: ShoreMaker) -> Iterator[Fleet]:
    """For a test that disturbs everything: a bot of its own."""
    with fleet(tmp_path, shore=shore) as deck:
        yield deck
