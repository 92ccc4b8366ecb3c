"""Several scalars in git: one commit for all of them, on top of whatever others have pushed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.model.errors import Terminal
from bot.providers.argocd.desired import Change
from bot.providers.manifests import Spot
from tests.fakes.git_place import FOLDER, NAME, GitPlace, git_place, order

CANARY, ROUTE = f"{FOLDER}/canary.yaml", f"{FOLDER}/routes/route.yaml"
DEPLOYMENT = """\
kind: Deployment
metadata: {name: web-canary}
spec:
  replicas: 0
"""
HTTP_ROUTE = """\
kind: HTTPRoute
metadata: {name: web}
spec:
  rules:
  - backendRefs: [{name: web, weight: 100}, {name: web-canary, weight: 0}]  # shifted
"""
REPLICAS = Spot(CANARY, "replicas", "web-canary")
WEIGHT = Spot(ROUTE, "weight", "web", "web-canary")
FIRST = "Give 10% of web/staging to v1.5.0"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[GitPlace]:
    with git_place(tmp_path) as place:
        files = {CANARY: DEPLOYMENT, ROUTE: HTTP_ROUTE}
        place.host.commit(NAME, "Ops <ops@example.com>", files, "Add a canary")
        yield place


def changes(weight: str = "10", before: str = "0") -> dict[Spot, Change]:
    return {REPLICAS: Change("1"), WEIGHT: Change(weight, frozenset({before}))}


def test_two_files_change_in_one_commit(place: GitPlace) -> None:
    git = place.bot()
    before = len(place.subjects())
    commit = git.write(place.target, order(), FIRST, changes())
    assert len(place.subjects()) == before + 1
    newest = place.host.log(NAME)[0]
    assert (newest.subject, newest.trailer("Deployment-Id")) == (FIRST, "d-0001")
    assert newest.hash == commit
    assert place.host.read(NAME, CANARY) == DEPLOYMENT.replace("replicas: 0", "replicas: 1")
    assert place.host.read(NAME, ROUTE) == HTTP_ROUTE.replace("weight: 0", "weight: 10")
    stated = git.read(place.target, [REPLICAS, WEIGHT])
    assert (stated.commit, list(stated.values.values())) == (commit, ["1", "10"])


def test_what_stands_there_is_not_written_again(place: GitPlace) -> None:
    first = place.bot().write(place.target, order(), FIRST, changes())
    commits = place.subjects()
    assert place.bot("other").write(place.target, order(), FIRST, changes()) == first
    assert place.subjects() == commits


def test_a_push_that_loses_its_race_is_made_anew(place: GitPlace) -> None:
    git = place.bot()
    git.read(place.target, [WEIGHT])
    changed = {"README.md": "changed\n"}
    place.host.faults.race(lambda: place.host.commit(NAME, "D <d@e>", changed, "Meanwhile"))
    git.write(place.target, order(), FIRST, changes())
    assert place.subjects()[0] == FIRST
    assert place.host.read(NAME, "README.md") == "changed\n"


def test_what_somebody_else_changed_is_not_written_over(place: GitPlace) -> None:
    text = HTTP_ROUTE.replace("weight: 0", "weight: 30")
    place.host.commit(NAME, "Sven <sven@example.com>", {ROUTE: text}, "By hand")
    with pytest.raises(Terminal, match="no longer '0'") as stale:
        place.bot().write(place.target, order(), FIRST, changes())
    assert stale.value.reason_code == "STALE_FROM"
    assert place.subjects()[0] == "By hand"
    place.bot().write(place.target, order(), FIRST, {WEIGHT: Change("0")})
    assert place.host.read(NAME, ROUTE) == HTTP_ROUTE, "where anything may stand there"
