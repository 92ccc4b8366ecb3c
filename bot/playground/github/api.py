"""The operations: GitHub's paths, parameters and status codes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from bot.playground.github import shapes
from bot.playground.github.pulls import Pull, Refusal

if TYPE_CHECKING:
    from bot.playground.github.host import GitHub

_PULLS = re.compile(r"/repos/(?P<name>[^/]+/[^/]+)/pulls")
_PULL = re.compile(r"/repos/(?P<name>[^/]+/[^/]+)/pulls/(?P<number>[0-9]+)")
_MERGE = re.compile(r"/repos/(?P<name>[^/]+/[^/]+)/pulls/(?P<number>[0-9]+)/merge")
_INSTALLED = re.compile(r"/repos/(?P<name>[^/]+/[^/]+)/installation")
_TOKENS = re.compile(r"/app/installations/(?P<number>[0-9]+)/access_tokens")
_PAGE = 30
Answer = tuple[int, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: ``path`` has its query, ``token`` is a token or an App's JWT."""

    method: str
    path: str
    token: str
    body: dict[str, Any]


class Api:
    """One call, with the host's lock held."""

    def __init__(self, github: GitHub, api: str, version: str) -> None:
        self._github = github
        self._api = api
        self._version = version
        self._query: dict[str, list[str]] = {}
        self._credentials = ""

    def serve(self, asked: Asked) -> Answer:
        """The status and the document. Raises ``Refusal``."""
        if self._version not in shapes.VERSIONS:
            raise Refusal(400, f"{self._version!r} is not a supported API version.")
        parts = urlsplit(asked.path)
        self._query = parse_qs(parts.query)
        self._credentials = asked.token
        table = (
            ("GET", _PULLS, self._list),
            ("POST", _PULLS, self._open),
            ("GET", _PULL, self._get),
            ("PATCH", _PULL, self._change),
            ("PUT", _MERGE, self._merge),
            ("GET", _INSTALLED, self._installation),
            ("POST", _TOKENS, self._token),
        )
        for verb, pattern, work in table:
            found = pattern.fullmatch(parts.path)
            if verb == asked.method and found is not None:
                return work(found.groupdict(), asked.body)
        raise Refusal(404, "Not Found")

    def _user(self, name: str, *, writes: bool = False) -> str:
        access = self._github.host.access(self._credentials)
        if access is None:
            raise Refusal(401, "Bad credentials")
        if not self._github.host.has(name):
            raise Refusal(404, "Not Found")
        if writes and not access.writes:
            raise Refusal(403, "Resource not accessible by integration")
        return access.user

    def _list(self, of: dict[str, str], _: dict[str, Any]) -> Answer:
        self._user(of["name"])
        asked = {key: values[-1] for key, values in self._query.items()}
        owner = of["name"].partition("/")[0]
        state, head, base = (asked.get(key, "") for key in ("state", "head", "base"))
        pulls = [
            pull
            for pull in reversed(self._github.pulls_of.of(of["name"]))
            if (state or "open") in {"all", pull.state}
            # GitHub takes no notice of a head that does not name the owner.
            and (":" not in head or head == f"{owner}:{pull.head}")
            and base in {"", pull.base}
        ]
        size, page = int(asked.get("per_page", _PAGE)), int(asked.get("page", 1))
        shown = pulls[(page - 1) * size : page * size]
        return 200, [shapes.simple_pull(self._api, pull, self._version) for pull in shown]

    def _open(self, of: dict[str, str], body: dict[str, Any]) -> Answer:
        author = self._user(of["name"], writes=True)
        return 201, self._full(self._github.pulls_of.open(of["name"], author, body))

    def _get(self, of: dict[str, str], _: dict[str, Any]) -> Answer:
        self._user(of["name"])
        return 200, self._full(self._github.pulls_of.get(of["name"], int(of["number"])))

    def _change(self, of: dict[str, str], body: dict[str, Any]) -> Answer:
        self._user(of["name"], writes=True)
        pull = self._github.pulls_of.get(of["name"], int(of["number"]))
        if body.get("state") == "closed":
            self._github.pulls_of.close(pull)
        return 200, self._full(pull)

    def _merge(self, of: dict[str, str], body: dict[str, Any]) -> Answer:
        user = self._user(of["name"], writes=True)
        pull = self._github.pulls_of.get(of["name"], int(of["number"]))
        how = body.get("merge_method", "merge")
        if how not in {"merge", "squash", "rebase"}:
            raise Refusal(422, "Validation Failed")
        commit = self._github.pulls_of.merge(pull, user, how, body.get("sha"))
        return 200, {"sha": commit, "merged": True, "message": "Pull Request successfully merged"}

    def _installation(self, of: dict[str, str], _: dict[str, Any]) -> Answer:
        app = self._github.app_of(self._credentials)
        if not self._github.host.has(of["name"]):
            raise Refusal(404, "Not Found")
        account = of["name"].partition("/")[0]
        return 200, shapes.installation(self._api, self._github.installation, app, account)

    def _token(self, of: dict[str, str], _: dict[str, Any]) -> Answer:
        self._github.app_of(self._credentials)
        if int(of["number"]) != self._github.installation:
            raise Refusal(404, "Not Found")
        token, expires = self._github.new_token()
        return 201, {
            "token": token,
            "expires_at": shapes.moment(expires),
            "permissions": {"contents": "write", "pull_requests": "write", "metadata": "read"},
            "repository_selection": "selected",
        }

    def _full(self, pull: Pull) -> Any:
        return shapes.pull_request(self._api, pull, self._version)
