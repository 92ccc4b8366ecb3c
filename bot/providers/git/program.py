"""The ``git`` program: started without a shell, stopped in time with all that it started."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.model.errors import Misconfigured

#: Seconds for what never leaves this machine.
LOCAL = 60.0
#: The first git that signs with an SSH key; since 2.31 it reads GIT_CONFIG_COUNT.
OLDEST = (2, 34)


class GitFailed(Exception):
    """git ended with an error, or was ended: ``code`` is ``None`` where it took too long."""

    def __init__(self, code: int | None, out: str, said: str) -> None:
        super().__init__(said)
        self.code = code
        self.out = out
        self.said = said


@dataclass(frozen=True, slots=True)
class Call:
    """One run of git: its arguments, environment, input and how long it may take, in seconds."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    given: bytes = b""
    within: float = LOCAL


def run(call: Call) -> bytes:
    """What git prints. Raises ``GitFailed``, and ``Misconfigured`` where there is no git."""
    return _run(git_in(call.environment), call)


def _run(program: str, call: Call) -> bytes:
    with subprocess.Popen(  # noqa: S603 - git itself, and no shell
        [program, *call.arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(call.environment),
        start_new_session=True,
    ) as process:
        try:
            out, said = process.communicate(call.given, call.within)
        except BaseException as fault:
            # git has children of its own: ssh, or what speaks HTTP.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if isinstance(fault, subprocess.TimeoutExpired):
                raise GitFailed(None, "", "it took too long") from None
            raise
    if process.returncode != 0:
        raise GitFailed(process.returncode, _text(out), _text(said))
    return out


def git_in(environment: Mapping[str, str]) -> str:
    """Where git is. Raises ``Misconfigured`` where there is none, or one that is too old."""
    program = shutil.which("git", path=environment.get("PATH"))
    if program is None:
        raise Misconfigured("There is no git on this machine.", hint="Install git.")
    _new_enough(program, environment.get("PATH", os.defpath))
    return program


@lru_cache(8)
def _new_enough(program: str, path: str) -> None:
    """An older one takes no settings from its environment, and says nothing: it would push without
    the token, and run hooks. Raises ``Misconfigured``, which is not kept."""
    said = _text(_run(program, Call(("version",), {"PATH": path, "LC_ALL": "C"})))
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is not None and (int(found[1]), int(found[2])) < OLDEST:
        raise Misconfigured(
            f"The git on this machine is {found[0]}, which is too old.",
            hint=f"Install git {OLDEST[0]}.{OLDEST[1]} or newer.",
        )


def _text(words: bytes) -> str:
    return words.decode(errors="replace")
