"""The local GitHub: its App, its pull requests, what people do there, and what goes wrong."""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.playground.git import GitHost
from bot.playground.github.pulls import How, Pull, Pulls, Refusal
from bot.playground.github.server import Server

APP_ID = "4711"
INSTALLATION = 815
_KEPT = 5000
_LONGEST = timedelta(minutes=10)
_TOKEN_LIFE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API and the status it got; 0 is none at all."""

    method: str
    path: str
    status: int


class GitHub:
    """Pull requests over a git host's repositories. Safe to share between threads.

    The git host's tokens are let in here too, and those that are given out here are let in there.
    """

    def __init__(self, host: GitHost) -> None:
        self.host = host
        self.pulls_of = Pulls(host)
        self.calls: deque[Call] = deque(maxlen=_KEPT)
        self.token_life = _TOKEN_LIFE
        self.app_id = APP_ID
        self.installation = INSTALLATION
        self._failing: list[tuple[int, bool]] = []
        self._server: Server | None = None
        self._key: rsa.RSAPrivateKey | None = None

    # Serving

    def serve(self, port: int = 0) -> str:
        """Listen on loopback in a thread of its own; returns the URL for GITHUB_API_URL."""
        if self._server is None:
            self._server = Server(self, port)
            self._server.start()
        return f"{self._server.url}/"

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        self.serve()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What people do

    def pulls(self, repository: str) -> list[Pull]:
        """The pull requests of a repository, oldest first."""
        with self.host.lock:
            return list(self.pulls_of.of(repository))

    def merge(self, repository: str, number: int, person: str, how: How = "merge") -> str:
        """Let somebody merge; the commit on the base branch. Raises ``Refusal``."""
        with self.host.lock:
            return self.pulls_of.merge(self.pulls_of.get(repository, number), person, how)

    def close_pull(self, repository: str, number: int) -> None:
        """Let somebody close it without a merge."""
        with self.host.lock:
            self.pulls_of.close(self.pulls_of.get(repository, number))

    # What goes wrong

    def fail(self, status: int, times: int = 1, *, after_effect: bool = False) -> None:
        """Answer the next calls with a status, or not at all where that is 0."""
        self._failing += [(status, after_effect)] * times

    def failing(self) -> tuple[int, bool] | None:
        """The fault that hits this call; counted as used."""
        with self.host.lock:
            return self._failing.pop(0) if self._failing else None

    def record(self, method: str, path: str, status: int) -> None:
        """Keep that a call was made."""
        self.calls.append(Call(method, path, status))

    # Credentials

    def private_key(self) -> str:
        """The App's private key, as GitHub hands it out: PEM."""
        form = (Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        return self._private().private_bytes(*form).decode()

    def app_of(self, token: str) -> str:
        """Whose JWT it is. Raises ``Refusal`` in GitHub's words."""
        key = self._private().public_key()
        try:
            claims = jwt.decode(token, key, ["RS256"], options={"require": ["exp", "iat", "iss"]})
        except jwt.InvalidTokenError:
            raise Refusal(401, "A JSON web token could not be decoded") from None
        if claims["exp"] - datetime.now(UTC).timestamp() > _LONGEST.total_seconds():
            what = "'Expiration time' claim ('exp') is too far in the future"
            raise Refusal(401, what)
        if claims["iss"] != APP_ID:
            raise Refusal(404, "Integration not found")
        return APP_ID

    def new_token(self) -> tuple[str, datetime]:
        """A token in the App's name, and when it expires."""
        token = f"ghs_{secrets.token_hex(18)}"
        self.host.grant(token, "quarterdeck[bot]")
        return token, datetime.now(UTC) + self.token_life

    def _private(self) -> rsa.RSAPrivateKey:
        with self.host.lock:
            if self._key is None:
                self._key = rsa.generate_private_key(65537, 2048)
            return self._key
