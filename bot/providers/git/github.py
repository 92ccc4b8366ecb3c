"""GitHub's API: pull requests, and tokens in the name of a GitHub App.

Imported only where one of them is needed: what it stands on takes a fifth of a second to load.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from threading import Lock
from typing import Any, Literal

from githubkit import AppAuthStrategy, GitHub, TokenAuthStrategy
from githubkit.cache import MemCacheStrategy
from githubkit.exception import (
    AuthCredentialError,
    GitHubException,
    RateLimitExceeded,
    RequestFailed,
)
from jwt.exceptions import PyJWTError
from pydantic import BaseModel, TypeAdapter, ValidationError

from bot.model.errors import (
    AccessDenied,
    Misconfigured,
    QuarterdeckError,
    Terminal,
    Throttled,
    Unknown,
    Unreachable,
)
from bot.model.ports import Clock
from bot.providers.git.access import GitAccess, Place

_TIMEOUT = 10.0
#: A token that expires so soon is not used any more.
_MARGIN = timedelta(minutes=5)
#: The last version in which a pull request says which commit it was merged by. It is asked for
#: here and not by githubkit's own methods, which ask for the newest one.
_VERSION = "2022-11-28"


class Pull(BaseModel):
    """What we need to know of a pull request. GitHub tells much more."""

    number: int
    state: Literal["open", "closed"]
    html_url: str
    created_at: datetime
    merged_at: datetime | None = None
    merge_commit_sha: str | None = None


class _Token(BaseModel):
    token: str
    expires_at: datetime


class _Installation(BaseModel):
    id: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """A pull request to be opened."""

    title: str
    body: str
    head: str
    base: str


_PULL, _PULLS = TypeAdapter(Pull), TypeAdapter(list[Pull])
_TOKEN, _INSTALLATION = TypeAdapter(_Token), TypeAdapter(_Installation)


class GitHubApi:
    """Safe to share between threads. Every call is made once."""

    def __init__(self, access: GitAccess, clock: Clock) -> None:
        self._access = access
        self._clock = clock
        self._lock = Lock()
        self._tokens: dict[Place, _Token] = {}

    def app_token(self, place: Place) -> str:
        """A token for that repository in the App's name, kept until it expires.

        Raises ``AccessDenied`` where the App is not installed there, ``Misconfigured`` where its
        key cannot be used, and else as every call does.
        """
        with self._lock:
            known = self._tokens.get(place)
            if known is None or known.expires_at - self._clock.now() < _MARGIN:
                known = self._tokens[place] = self._new_token(place)
            return known.token

    def find(self, place: Place, branch: str) -> Pull | None:
        """The newest pull request from that branch, open or not."""
        query = {"state": "all", "head": f"{place.owner}:{branch}"}
        with _asking("look for a pull request", place), self._client(place) as client:
            answer = _call(client, "GET", f"/repos/{place.name}/pulls", params=query)
            pulls = _PULLS.validate_json(answer)
        return max(pulls, key=lambda pull: pull.number, default=None)

    def create(self, place: Place, proposal: Proposal) -> Pull:
        """Open a pull request. Raises ``Unknown`` where the answer was lost."""
        with _asking("open a pull request", place, writes=True), self._client(place) as client:
            path, body = f"/repos/{place.name}/pulls", dataclasses.asdict(proposal)
            return _PULL.validate_json(_call(client, "POST", path, json=body))

    def get(self, place: Place, number: int) -> Pull:
        """One pull request."""
        with _asking(f"read pull request {number}", place), self._client(place) as client:
            answer = _call(client, "GET", f"/repos/{place.name}/pulls/{number}")
            return _PULL.validate_json(answer)

    @contextmanager
    def _client(self, place: Place) -> Iterator[GitHub[Any]]:
        token = self._access.github_token
        if self._access.github_app_id is not None:
            token = self.app_token(place)
        token = token or self._access.token
        if token is None:
            raise AccessDenied("There is no token for GitHub.", hint="Set GITHUB_TOKEN.")
        with self._github(TokenAuthStrategy(token)) as client:
            yield client

    def _github(self, auth: TokenAuthStrategy | AppAuthStrategy) -> GitHub[Any]:
        return GitHub(
            auth,
            base_url=self._access.github_api_url,
            user_agent="quarterdeck",
            follow_redirects=False,
            timeout=_TIMEOUT,
            http_cache=False,
            # Its own keeps an App's JWT for the whole process, whatever key that was signed with.
            cache_strategy=MemCacheStrategy(),
            auto_retry=False,
        )

    def _new_token(self, place: Place) -> _Token:
        app, key = self._access.github_app_id or "", self._key()
        with (
            _asking("get a token in the App's name", place),
            self._github(AppAuthStrategy(app, key)) as client,
        ):
            path = f"/repos/{place.name}/installation"
            number = _INSTALLATION.validate_json(_call(client, "GET", path)).id
            path = f"/app/installations/{number}/access_tokens"
            only = {"repositories": [place.repository]}
            return _TOKEN.validate_json(_call(client, "POST", path, json=only))

    def _key(self) -> str:
        file = self._access.github_app_private_key
        try:
            return file.read_text(encoding="ascii") if file is not None else ""
        except (OSError, UnicodeDecodeError):
            raise Misconfigured(
                "The private key of the GitHub App cannot be read.",
                hint="GITHUB_APP_PRIVATE_KEY names the .pem file that GitHub gave you.",
            ) from None


def _call(client: GitHub[Any], method: str, path: str, **content: Any) -> bytes:
    headers = {"X-GitHub-Api-Version": _VERSION}
    return client.request(method, path, headers=headers, **content).content


@contextmanager
def _asking(deed: str, place: Place, *, writes: bool = False) -> Iterator[None]:
    what = f"GitHub was asked to {deed} in {place.name}"
    try:
        yield
    except RateLimitExceeded as limited:
        fault = Throttled(f"{what}, and asked to be called less often.")
        fault.retry_after = limited.retry_after.total_seconds()
        raise fault from None
    except RequestFailed as failed:
        raise _refused(what, failed, writes=writes) from None
    except ValidationError:
        raise _lost(f"{what}, and its answer cannot be read.", writes=writes) from None
    except AuthCredentialError:
        raise _unusable_key(what) from None
    except GitHubException as error:
        # What goes wrong before anything is sent is the key's fault, and comes wrapped.
        if isinstance(getattr(error, "exc", None), PyJWTError | ValueError):
            raise _unusable_key(what) from None
        raise _lost(f"{what}, and gave no answer.", writes=writes) from None


def _unusable_key(what: str) -> Misconfigured:
    return Misconfigured(
        f"{what}, and the App's private key cannot be used.",
        hint="GITHUB_APP_PRIVATE_KEY names the .pem file that GitHub gave you.",
    )


def _lost(text: str, *, writes: bool) -> QuarterdeckError:
    return Unknown(text) if writes else Unreachable(text)


def _refused(what: str, failed: RequestFailed, *, writes: bool) -> QuarterdeckError:
    status = failed.response.status_code
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _lost(f"{what}, and failed ({status}).", writes=writes)
    reason = _reason(failed)
    if status == HTTPStatus.UNAUTHORIZED:
        hint = "Check GITHUB_TOKEN or the GitHub App: it may have expired or been revoked."
        return AccessDenied(f"{what}, and does not accept the credentials: {reason}", hint=hint)
    if status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
        hint = "It needs access to that repository: contents and pull requests, read and write."
        return AccessDenied(f"{what}, and refused ({status}): {reason}", hint=hint)
    return Terminal(f"{what}, and refused ({status}): {reason}", reason_code="PUSH_REFUSED")


def _reason(failed: RequestFailed) -> str:
    """GitHub's message and the first of its details, on one line."""
    try:
        told = failed.response.json()
    except ValueError:
        return "it gave no reason"
    told = told if isinstance(told, dict) else {}
    errors = told.get("errors")
    details = errors if isinstance(errors, list) else []
    messages = [each.get("message") if isinstance(each, dict) else each for each in details]
    parts = [told.get("message"), *messages]
    text = ", ".join(str(part) for part in parts if part) or "it gave no reason"
    return "".join(c if c.isprintable() else " " for c in text)[:300]
