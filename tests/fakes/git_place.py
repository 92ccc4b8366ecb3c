"""A git host with one repository of manifests, and the bot's side of it, for tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.model.deployment import Image, Person
from bot.model.places import Manifests
from bot.model.rollout import Order
from bot.playground.git import GitHost
from bot.providers.git import GitAccess, GitManifests
from tests.fakes.clock import MachineClock
from tests.fakes.manifests import IMAGE, kustomize

NAME = "acme/manifests"
FOLDER = "apps/web"
FILE = f"{FOLDER}/kustomization.yaml"
TEXT = "# what runs\nimages:\n- name: web  # ours\n  newTag: v1.4.0\n- name: db\n  newTag: v9\n"
ALICE, BOB, CAROL = (
    Person("U01ALICE", "alice"),
    Person("U02BOB", "bob"),
    Person("U03CAROL", "carol"),
)
#: For git and ssh-keygen, and nothing else.
PROGRAMS = {"PATH": os.defpath}


@dataclass
class GitPlace:
    host: GitHost
    folder: Path
    remote: str
    target: Manifests

    def access(self, cache: str = "cache", **settings: Any) -> GitAccess:
        given = {"token": self.host.token, "environment": PROGRAMS} | settings
        return GitAccess(cache=self.folder / cache, **given)

    def bot(self, cache: str = "cache", **settings: Any) -> GitManifests:
        return GitManifests(self.access(cache, **settings), MachineClock())

    def subjects(self) -> list[str]:
        return [entry.subject for entry in self.host.log(NAME)]


@contextmanager
def git_place(folder: Path, text: str = TEXT) -> Iterator[GitPlace]:
    with GitHost(folder / "host") as host:
        remote = host.create(NAME, {FILE: text, "README.md": "hello\n"})
        yield GitPlace(host, folder, remote, kustomize(remote=remote, path=FOLDER))


def order(number: int = 1, base: str = "v1.4.0", image: Image = IMAGE, **more: Any) -> Order:
    asked = Order(f"d-{number:04}", image, base, requester=ALICE, approvers=(BOB, CAROL))
    return replace(asked, **more)
