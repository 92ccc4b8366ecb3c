"""How many programs and requests a deployment costs: each costs more than what it does."""

from __future__ import annotations

import os
import shutil

import pytest

from bot.providers.argocd.desired import Relation
from bot.providers.git import GitManifests
from tests.fakes.git_place import FILE, NAME, TEXT, GitPlace, order
from tests.fakes.manifests import OTHER, TAGGED

REQUESTS = ["list_fetch", "fetch", "list_push", "push"]


class Noted:
    """A bot whose git notes how it is started."""

    def __init__(self, place: GitPlace) -> None:
        self._notes = place.folder / "notes"
        programs = place.folder / "programs"
        programs.mkdir()
        script = programs / "git"
        script.write_text(
            f'#!/bin/sh\necho "$*" >> {self._notes}\nexec {shutil.which("git")} "$@"\n'
        )
        script.chmod(0o755)
        path = f"{programs}{os.pathsep}{os.defpath}"
        self.bot: GitManifests = place.bot(environment={"PATH": path})

    def taken(self) -> list[str]:
        """What was started since the last time: the words after the clone's folder."""
        lines = self._notes.read_text().splitlines() if self._notes.exists() else []
        self._notes.unlink(missing_ok=True)
        return [line.partition(".git ")[2] for line in lines]

    def verbs(self) -> list[str]:
        """The same, by the name of the command alone."""
        return [line.removeprefix("-c maintenance.auto=false ").split()[0] for line in self.taken()]


@pytest.fixture
def noted(place: GitPlace) -> Noted:
    return Noted(place)


def test_what_a_warm_deployment_starts_and_asks(place: GitPlace, noted: Noted) -> None:
    noted.bot.head(place.target)
    noted.bot.send(place.target, order(1), TAGGED)
    noted.taken()
    before = len(place.host.requests())
    written = noted.bot.head(place.target)
    noted.bot.send(place.target, order(2, base=written.value), f"v1.4.9@{OTHER}")
    assert noted.verbs() == ["fetch", "log", "unpack-objects", "commit-tree", "push"]
    # The credentials go with the first request: none is answered by 401.
    asked = [(each.service, each.status) for each in place.host.requests()[before:]]
    assert asked == [(each, 200) for each in REQUESTS]


def test_a_look_at_what_was_fetched_starts_nothing(place: GitPlace, noted: Noted) -> None:
    """Argo CD names another commit with each deployment, and each rollout is asked of it."""
    first = place.host.head(NAME)
    ours = noted.bot.send(place.target, order(), TAGGED)
    carries = place.host.commit(NAME, "Dana", {"other": "x\n"}, "Other.")
    changed = place.host.commit(NAME, "Dana", {FILE: TEXT}, "Mine.")
    noted.bot.head(place.target)
    noted.taken()
    for commit, relation in (
        (first, Relation.WITHOUT),
        (ours, Relation.OURS),
        (carries, Relation.CARRIES),
        (changed, Relation.CHANGED),
    ):
        assert noted.bot.relation(place.target, ours, commit, TAGGED) is relation
        assert noted.bot.at(place.target, commit) is not None
    assert noted.taken() == []


def test_git_tidies_up_at_its_first_fetch_and_then_seldom(place: GitPlace, noted: Noted) -> None:
    for _ in range(3):
        noted.bot.head(place.target)
    fetches = [line for line in noted.taken() if " fetch " in f" {line}"]
    assert [line.startswith("-c maintenance.auto=false") for line in fetches] == [
        False,
        True,
        True,
    ]
