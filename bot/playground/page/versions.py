"""Versions as tags of a repository."""

from __future__ import annotations

import re
from typing import Any, Final

from bot.playground.aws.records import Repository

_VERSION: Final = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


def versions(repository: Repository) -> list[str]:
    """The tags of a repository that are versions."""
    tags = [tag for image in repository.images.values() for tag in image.tags]
    return [tag for tag in tags if _VERSION.fullmatch(tag)]


def number(version: str) -> tuple[int, ...]:
    """A version as something that can be compared."""
    found: Any = _VERSION.fullmatch(version)
    return tuple(int(each) for each in found.groups())
