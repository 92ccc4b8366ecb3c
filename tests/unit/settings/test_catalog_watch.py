"""A running process follows its catalog, and never has a broken one."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest
from structlog.testing import capture_logs

from bot.settings.catalog_watch import LOOK_EVERY, LiveCatalog
from bot.settings.problems import CatalogProblems

TEXT = """\
version: 1
services: {{}}
environments: {{}}
policies: {{p: {{approvals: {approvals}, approvers: {{everyone: true}}}}}}
targets: []
"""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self) -> None:
        self.now += LOOK_EVERY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "quarterdeck.yaml"
    path.write_text(TEXT.format(approvals=1))
    return path


def approvals(live: LiveCatalog) -> int:
    return live.current().policies["p"].approvals


def rewrite(path: Path, text: str) -> None:
    """In place, with a time stamp that surely differs."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 1_000_000, before + 1_000_000))


def test_a_change_is_seen_after_a_second_and_not_before(path: Path) -> None:
    clock = Clock()
    live = LiveCatalog(path, clock=clock)
    rewrite(path, TEXT.format(approvals=2))
    assert approvals(live) == 1
    clock.pass_by()
    assert approvals(live) == 2
    assert live.broken is None


def test_an_unchanged_file_is_not_read_again(path: Path) -> None:
    clock = Clock()
    live = LiveCatalog(path, clock=clock)
    first = live.current()
    clock.pass_by()
    assert live.current() is first


def test_a_file_put_in_its_place_is_seen_by_its_inode(path: Path, tmp_path: Path) -> None:
    clock = Clock()
    live = LiveCatalog(path, clock=clock)
    old = path.stat()
    new = tmp_path / "new.yaml"
    new.write_text(TEXT.format(approvals=3))
    os.utime(new, ns=(old.st_atime_ns, old.st_mtime_ns))
    new.replace(path)
    assert path.stat().st_mtime_ns == old.st_mtime_ns
    assert path.stat().st_size == old.st_size
    clock.pass_by()
    assert approvals(live) == 3


def test_a_broken_file_leaves_the_last_whole_catalog_in_force(path: Path) -> None:
    clock = Clock()
    live = LiveCatalog(path, clock=clock)
    rewrite(path, "version: 1\nservces: {}\n")
    clock.pass_by()
    assert approvals(live) == 1
    assert live.broken is not None
    assert "servces" in str(live.broken)
    seen = live.broken
    clock.pass_by()
    live.current()
    assert live.broken is seen, "a broken file that did not change is not read again"
    rewrite(path, TEXT.format(approvals=4))
    clock.pass_by()
    assert approvals(live) == 4
    assert live.broken is None


def test_a_file_that_vanishes_and_comes_back(path: Path) -> None:
    clock = Clock()
    live = LiveCatalog(path, clock=clock)
    taken = path.with_suffix(".old")
    path.rename(taken)
    clock.pass_by()
    assert approvals(live) == 1
    assert live.broken is not None
    assert "no such file" in str(live.broken)
    taken.rename(path)
    clock.pass_by()
    assert approvals(live) == 1
    assert live.broken is None


def test_the_first_catalog_must_be_whole(tmp_path: Path) -> None:
    with pytest.raises(CatalogProblems):
        LiveCatalog(tmp_path / "nowhere.yaml")


def test_threads_that_ask_while_one_reads_do_not_wait(path: Path) -> None:
    """The one that looks is held in its clock; the others are answered meanwhile."""
    looking, go_on = Event(), Event()
    calls = iter(range(1_000_000))

    def clock() -> float:
        call = next(calls)
        if call == 2:  # made at the start, asked whether it is time, then: under the lock
            looking.set()
            assert go_on.wait(30)
        return call * 10.0

    live = LiveCatalog(path, clock=clock)
    rewrite(path, TEXT.format(approvals=2))
    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(approvals, live)
        assert looking.wait(30)
        assert threads.submit(approvals, live).result(30) == 1
        go_on.set()
        assert slow.result(30) == 2


def test_many_threads_see_whole_catalogs_only(path: Path) -> None:
    clock = Clock()
    live = LiveCatalog(path, clock=clock)
    start = Barrier(8)

    def ask() -> set[int]:
        start.wait(30)
        seen = set()
        for _ in range(50):
            clock.pass_by()
            seen.add(approvals(live))
        return seen

    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(ask) for _ in range(7)]
        start.wait(30)
        for count in (2, 3, 4):
            rewrite(path, "version: [")
            rewrite(path, TEXT.format(approvals=count))
        seen = set().union(*(each.result(60) for each in asked))
    assert seen <= {1, 2, 3, 4}
    clock.pass_by()
    assert approvals(live) == 4


def test_a_broken_file_is_logged_once_with_its_problems(path: Path) -> None:
    clock = Clock()
    live = LiveCatalog(path, clock=clock)
    with capture_logs() as lines:
        path.unlink()
        for _ in range(3):
            clock.pass_by()
            assert live.broken is not None
    assert [line["event"] for line in lines] == ["catalog_broken"]
    assert "no such file" in lines[0]["problems"]
