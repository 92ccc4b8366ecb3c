"""One git host with one repository, for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.git_place import GitPlace, git_place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[GitPlace]:
    with git_place(tmp_path) as place:
        yield place
