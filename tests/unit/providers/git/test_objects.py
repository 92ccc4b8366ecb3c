"""Objects made and read as bytes, held to what git itself says of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bot.playground.git.program import clean_environment
from bot.providers.git.objects import (
    FOLDER,
    Entry,
    Object,
    entry_of,
    header,
    made,
    packed,
    with_entry,
)

LIKE = {"sha1": "0" * 40, "sha256": "0" * 64}
#: Lengths around those at which a pack needs one more byte to say them.
SIZES = (0, 1, 15, 16, 2047, 2048, 300_000)
NOBODY = "x <x@acme.example> 1700000000 +0000"


def git(folder: Path, *words: str, given: bytes = b"") -> bytes:
    """What git says in that folder."""
    ran = subprocess.run(
        ["git", "-C", str(folder), *words],
        input=given,
        capture_output=True,
        env=clean_environment(),
        check=True,
    )
    return ran.stdout


@pytest.fixture(params=LIKE)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path, kind: str) -> Path:
    git(tmp_path, "init", "--quiet", "--bare", f"--object-format={kind}")
    return tmp_path


def written(folder: Path, kind: str, content: bytes) -> Object:
    words = ("hash-object", "-w", "--stdin", "-t", kind)
    return Object(git(folder, *words, given=content).decode().strip(), kind, content)


def test_git_takes_what_is_packed_by_the_same_names(folder: Path, kind: str) -> None:
    blobs = [made("blob", bytes(n % 251 for n in range(size)), LIKE[kind]) for size in SIZES]
    git(folder, "unpack-objects", "-q", "--strict", given=packed(blobs))
    for blob in blobs:
        assert git(folder, "cat-file", "blob", blob.name) == blob.content


def test_another_content_in_a_tree(folder: Path) -> None:
    old, new = (written(folder, "blob", content) for content in (b"old", b"new"))
    entries = {
        "100644 blob %s\ta": old.name,
        "100755 blob %s\tb": old.name,
        "120000 blob %s\tb.link": old.name,
        "100644 blob %s\tünï code": old.name,
    }

    def tree(entries: dict[str, str]) -> Object:
        given = "".join(line % name + "\0" for line, name in entries.items()).encode()
        name = git(folder, "mktree", "-z", given=given).decode().strip()
        return Object(name, "tree", git(folder, "cat-file", "tree", name))

    before = tree(entries)
    above = git(folder, "mktree", given=f"040000 tree {before.name}\tsub\n".encode()).decode()
    outer = Object(above.strip(), "tree", git(folder, "cat-file", "tree", above.strip()))
    assert entry_of(outer, "sub") == Entry(FOLDER, before.name)
    assert entry_of(before, "b") == Entry("100755", old.name)
    assert entry_of(before, "link") is None
    for line in entries:
        leaf = line.partition("\t")[2]
        assert with_entry(before, leaf, new.name) == tree(entries | {line: new.name})
    with pytest.raises(KeyError, match="link"):
        with_entry(before, "link", new.name)


def test_what_a_commit_says(folder: Path) -> None:
    tree = git(folder, "mktree").decode().strip()
    head = f"tree {tree}\nparent {'1' * 40}\nparent {'2' * 40}\nauthor {NOBODY}"
    text = f"{head}\ncommitter {NOBODY}\n\nWords.\n\nparent {'3' * 40}\ntree x\n"
    commit = made("commit", text.encode(), tree)
    assert header(commit, "tree") == [tree]
    assert header(commit, "parent") == ["1" * 40, "2" * 40]
