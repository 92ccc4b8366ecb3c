"""The ``git`` program, run without anything of the user's own configuration."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

#: Seconds; nothing here waits for a network.
_TIMEOUT = 120


class GitError(Exception):
    """git refused; carries what it said."""


@cache
def git_program() -> str:
    """Where git is. Raises ``GitError`` where there is none."""
    found = shutil.which("git")
    if found is None:
        raise GitError("there is no git on this machine")
    return found


def clean_environment() -> dict[str, str]:
    """Nothing of whoever started us: no user, no configuration, no language."""
    return {
        "PATH": f"{Path(git_program()).parent}{os.pathsep}{os.defpath}",
        "HOME": os.devnull,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
    }


def git(
    folder: Path,
    *arguments: str,
    given: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> bytes:
    """What git prints when run on a repository. Raises ``GitError``."""
    ended = subprocess.run(  # noqa: S603 - git itself, and no shell
        [git_program(), f"--git-dir={folder}", *arguments],
        input=given,
        capture_output=True,
        env=clean_environment() | dict(environment or {}),
        timeout=_TIMEOUT,
        check=False,
    )
    if ended.returncode != 0:
        said = ended.stderr.decode(errors="replace").strip()
        raise GitError(f"git {arguments[0]}: {said or ended.returncode}")
    return ended.stdout
