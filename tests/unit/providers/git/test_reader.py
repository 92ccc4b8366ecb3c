"""One git that stays and reads: it sees what is new, and may be ended at any time."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from bot.providers.git.faults import Broken
from bot.providers.git.reader import MAX_BYTES, Reader, TooLarge
from tests.fakes.git_place import FILE, NAME, PROGRAMS, TEXT, GitPlace

UNKNOWN = "0123456789" * 4


@pytest.fixture
def reader(place: GitPlace) -> Iterator[Reader]:
    made = Reader(place.host.folder(NAME), PROGRAMS)
    yield made
    made.close()


def started(place: GitPlace) -> set[int]:
    """Every git that stays and reads something of that place."""
    found = set()
    for each in filter(lambda each: each.name.isdecimal(), Path("/proc").iterdir()):
        with suppress(OSError):
            words = (each / "cmdline").read_bytes().split(b"\0")
            if b"--batch" in words and str(place.folder).encode() in words[1]:
                found.add(int(each.name))
    return found


def test_what_is_there_and_what_is_not(place: GitPlace, reader: Reader) -> None:
    head = place.host.head(NAME)
    for name in (head, "refs/heads/main^{commit}"):
        commit = reader.read(name)
        assert commit is not None
        assert (commit.name, commit.kind) == (head, "commit")
    blob = reader.read(f"{head}:{FILE}")
    assert blob is not None
    assert blob.content.decode() == TEXT
    assert reader.read(UNKNOWN) is None
    assert reader.read("refs/heads/nothing^{commit}") is None


def test_it_sees_what_is_new(place: GitPlace, reader: Reader) -> None:
    reader.read("refs/heads/main^{commit}")
    one = started(place)
    new = place.host.commit(NAME, "Dana", {"other": "x\n"}, "Other.")
    found = reader.read("refs/heads/main^{commit}")
    assert found is not None
    assert found.name == new
    assert (len(one), started(place)) == (1, one)


def test_one_that_was_killed_is_started_again(place: GitPlace, reader: Reader) -> None:
    head = place.host.head(NAME)
    reader.read(head)
    for each in (killed := started(place)):
        os.kill(each, signal.SIGKILL)
    assert reader.read(head) is not None
    assert len(started(place)) == 1
    assert not started(place) & killed


def test_a_file_that_is_too_large_is_not_read(place: GitPlace, reader: Reader) -> None:
    place.host.commit(NAME, "Dana", {"fits": "x" * MAX_BYTES, "big": "x" * (MAX_BYTES + 1)}, "Big.")
    head = place.host.head(NAME)
    with pytest.raises(TooLarge):
        reader.read(f"{head}:big")
    fits = reader.read(f"{head}:fits")
    assert fits is not None
    assert len(fits.content) == MAX_BYTES


def test_what_git_says_of_a_broken_clone(tmp_path: Path) -> None:
    with pytest.raises(Broken, match="not a git repository"):
        Reader(tmp_path / "nothing", PROGRAMS).read(UNKNOWN)


def test_many_threads_get_their_own_answers(place: GitPlace, reader: Reader) -> None:
    texts = {f"f{number}": f"{number}\n" * (1 + number * 100) for number in range(40)}
    head = place.host.commit(NAME, "Dana", texts, "Many.")

    def look(file: str) -> str:
        found = reader.read(f"{head}:{file}")
        return "" if found is None else found.content.decode()

    with ThreadPoolExecutor(8) as threads:
        assert dict(zip(texts, threads.map(look, texts), strict=True)) == texts


def test_nothing_is_left_of_one_that_is_forgotten(place: GitPlace) -> None:
    bot = place.bot()
    bot.head(place.target)
    assert len(started(place)) == 1
    del bot
    gc.collect()
    assert started(place) == set()


def test_it_knows_no_credentials(place: GitPlace) -> None:
    bot = place.bot()
    bot.head(place.target)
    (one,) = started(place)
    environment = Path(f"/proc/{one}/environ").read_bytes()
    assert b"GIT_CONFIG_COUNT" in environment
    assert b"uthorization" not in environment
    assert place.host.token.encode() not in environment
