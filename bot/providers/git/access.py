"""What the git provider needs to know: credentials, and where clones may be kept."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bot.model.errors import Misconfigured

_SCP = re.compile(r"^(?:[^\s/@:]+@)?(?P<host>[^\s/:]+):(?P<path>\S+)$")
_CONNECT_SECONDS = 10
#: A transfer this slow, in bytes a second over so many seconds, counts as no answer.
_STALLED = (1, 20)


@dataclass(frozen=True, slots=True)
class GitAccess:
    """Settings by their names there; ``repr`` shows no secret.

    ``environment`` is handed down to git: where programs are, which proxy and certificates to use.
    Nothing else of the bot's own environment is.
    """

    cache: Path
    committer: str = "Quarterdeck <quarterdeck@users.noreply.github.com>"
    token: str | None = field(default=None, repr=False)
    ssh_key: Path | None = None
    ssh_known_hosts: Path | None = None
    signing_key: Path | None = None
    github_token: str | None = field(default=None, repr=False)
    github_app_id: str | None = None
    github_app_private_key: Path | None = None
    github_api_url: str = "https://api.github.com/"
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


#: What git calls the remote of a clone.
REMOTE = "origin"


@dataclass(frozen=True, slots=True)
class Place:
    """A remote's host, and what it calls the repository there (``acme/manifests``)."""

    host: str
    name: str

    @property
    def owner(self) -> str:
        """Whose repository it is."""
        return self.name.rpartition("/")[0]

    @property
    def repository(self) -> str:
        """Its name without the owner."""
        return self.name.rpartition("/")[2]


def place_of(remote: str) -> Place:
    """Where a remote is, however it is written."""
    if "://" in remote:
        parts = urlsplit(remote)
        host, path = parts.hostname or "", parts.path
    else:
        found = _SCP.match(remote)
        if found is None:
            raise Misconfigured(f"{remote[:120]!r} is no git remote.")
        host, path = found["host"], found["path"]
    return Place(host.lower(), path.strip("/").removesuffix(".git"))


class Environment:
    """The environment in which git runs: nothing of the user's, no prompt, the credentials.

    Credentials go by the environment alone: not on a command line, where every user of the machine
    reads them, and not into a file. ``token_of`` names the token for an HTTP remote, or ``None``.
    """

    def __init__(self, access: GitAccess, token_of: Callable[[str], str | None]) -> None:
        self._access = access
        self._token_of = token_of

    def local(self) -> dict[str, str]:
        """For what never leaves this machine: what is missing is not fetched but an error."""
        return self._with(self._settings()) | {"GIT_ALLOW_PROTOCOL": "none"}

    def remote(self, remote: str) -> dict[str, str]:
        """For what talks to the remote."""
        settings = [*self._settings(), *_partial_clone_of(remote)]
        if not remote.startswith(("http://", "https://")):
            return self._with(settings) | {"GIT_SSH_COMMAND": self._ssh()}
        token = self._token_of(remote)
        if token is not None:
            basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
            settings.append((f"http.{remote}.extraHeader", f"Authorization: Basic {basic}"))
        return self._with(settings)

    def secrets(self, remote: str) -> tuple[str, ...]:
        """What must not be repeated in a message, whoever says it."""
        if not remote.startswith(("http://", "https://")):
            return ()
        token = self._token_of(remote)
        if token is None:
            return ()
        return (base64.b64encode(f"x-access-token:{token}".encode()).decode(), token)

    def _settings(self) -> list[tuple[str, str]]:
        settings = [
            ("core.hooksPath", "/dev/null"),
            ("core.fsmonitor", "false"),
            # The header with the token is for this remote, wherever that wants to send us.
            ("http.followRedirects", "false"),
            ("http.lowSpeedLimit", str(_STALLED[0])),
            ("http.lowSpeedTime", str(_STALLED[1])),
            ("pack.threads", "1"),
            ("pack.windowMemory", "32m"),
            ("push.useBitmaps", "false"),
        ]
        if self._access.signing_key is not None:
            settings += [
                ("gpg.format", "ssh"),
                ("user.signingKey", str(self._access.signing_key)),
            ]
        return settings

    def _with(self, settings: list[tuple[str, str]]) -> dict[str, str]:
        given = {f"GIT_CONFIG_KEY_{n}": key for n, (key, _) in enumerate(settings)}
        given |= {f"GIT_CONFIG_VALUE_{n}": value for n, (_, value) in enumerate(settings)}
        return {
            **self._access.environment,
            **given,
            "GIT_CONFIG_COUNT": str(len(settings)),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ALLOW_PROTOCOL": "http:https:ssh",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "HOME": "/dev/null",  # no .netrc
            "LC_ALL": "C",
        }

    def _ssh(self) -> str:
        """The command that git runs for ssh, which goes through a shell."""
        words = ["ssh", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_SECONDS}"]
        words += ["-o", "StrictHostKeyChecking=yes"]
        known, key = self._access.ssh_known_hosts, self._access.ssh_key
        if known is not None:
            words += ["-o", f'UserKnownHostsFile="{known}"']
        if key is not None:
            words += ["-o", "IdentitiesOnly=yes", "-i", str(key)]
        return shlex.join(words)


def _partial_clone_of(remote: str) -> list[tuple[str, str]]:
    """What tells git where to fetch from, and to fetch the content of files when it is read."""
    return [
        (f"remote.{REMOTE}.url", remote),
        (f"remote.{REMOTE}.promisor", "true"),
        (f"remote.{REMOTE}.partialCloneFilter", "blob:none"),
    ]
