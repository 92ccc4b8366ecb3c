"""Who is asking: Slack users and their groups, as far as Slack vouches for them right now.

Ambiguous membership is no membership: where Slack does not answer, nobody is let in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from slack_sdk import WebClient

from bot.model.deployment import Person, Requester
from bot.model.errors import AccessDenied, Terminal
from bot.model.ports import Clock
from bot.slack.calls import read
from bot.slack.messenger import ChannelGone
from bot.slack.views.text import plain

USERS_FOR = timedelta(minutes=5)
GROUPS_FOR = timedelta(seconds=60)
#: Above this many cached users the cache starts anew; no workspace has so many who deploy.
USERS_KEPT = 5000


@dataclass(frozen=True, slots=True)
class Home:
    """The workspace that this bot serves, from ``auth.test``; ``enterprise_id`` on a Grid."""

    team_id: str
    enterprise_id: str = ""
    bot_user_id: str = ""
    bot_id: str = ""

    def includes(self, team_id: str, enterprise_id: str) -> bool:
        """Whether that workspace is ours, or belongs to our organisation on Enterprise Grid."""
        if team_id and team_id == self.team_id:
            return True
        return bool(self.enterprise_id) and enterprise_id == self.enterprise_id


def sign_in(client: WebClient) -> Home:
    """The one ``auth.test`` at start. Raises ``AccessDenied``, ``Unreachable`` or ``Throttled``."""
    answer = read("auth.test", client.auth_test)
    return Home(
        team_id=str(answer["team_id"]),
        enterprise_id=str(answer.get("enterprise_id") or ""),
        bot_user_id=str(answer.get("user_id") or ""),
        bot_id=str(answer.get("bot_id") or ""),
    )


@dataclass(frozen=True, slots=True)
class _Known:
    person: Person
    is_bot: bool
    outsider: bool
    until: datetime


@dataclass(frozen=True, slots=True)
class _Roster:
    members: Mapping[str, frozenset[str]]
    until: datetime


class People:
    """Turns Slack users into requesters, and implements the port ``Groups``. Thread-safe."""

    def __init__(self, client: WebClient, clock: Clock, home: Home) -> None:
        self._client = client
        self._clock = clock
        self._home = home
        self._users: dict[str, _Known] = {}
        self._roster: _Roster | None = None
        self._fetching = Lock()

    def requester(self, user_id: str, channel: str, team_id: str = "") -> Requester:
        """Who asks, where. ``team_id`` is the user's own workspace where the request names one.

        Raises ``Unreachable``, ``Throttled`` or ``AccessDenied`` (naming the missing scope).
        """
        known = self._known(user_id)
        outsider = known.outsider or bool(team_id and not self._ours(team_id, known))
        groups = frozenset() if outsider or known.is_bot else self.of(user_id)
        return Requester(known.person, groups, channel, known.is_bot, outsider)

    def of(self, person_id: str, *, fresh: bool = False) -> frozenset[str]:
        """The person's user groups; at most a minute old, or read now."""
        return self._current(fresh=fresh).get(person_id, frozenset())

    def barred(self, person_id: str) -> bool:
        """See ``Groups.barred``."""
        self.forget(person_id)
        return self._known(person_id).outsider

    def forget(self, user_id: str) -> None:
        """The user was changed; look again next time."""
        self._users.pop(user_id, None)

    def forget_groups(self) -> None:
        """Some group was changed; look again next time."""
        self._roster = None

    def _ours(self, team_id: str, known: _Known) -> bool:
        # On a Grid a member's own workspace differs from ours; users.info has judged that.
        return team_id == self._home.team_id or (
            bool(self._home.enterprise_id) and not known.outsider
        )

    def _known(self, user_id: str) -> _Known:
        now = self._clock.now()
        known = self._users.get(user_id)
        if known is not None and now < known.until:
            return known
        known = self._look_up(user_id, now + USERS_FOR)
        if len(self._users) >= USERS_KEPT:
            self._users.clear()
        self._users[user_id] = known
        return known

    def _look_up(self, user_id: str, until: datetime) -> _Known:
        try:
            answer = _named_scope("users:read", lambda: self._info(user_id))
        except ChannelGone:
            # user_not_found: Slack does not know this person here, so nobody vouches for them.
            return _Known(Person(user_id, user_id), is_bot=False, outsider=True, until=until)
        user: Mapping[str, Any] = answer["user"]
        return _Known(
            Person(user_id, _name(user, user_id)),
            is_bot=bool(user.get("is_bot")) or user_id == "USLACKBOT",
            outsider=self._outsider(user),
            until=until,
        )

    def _info(self, user_id: str) -> Any:
        return read("users.info", lambda: self._client.users_info(user=user_id))

    def _outsider(self, user: Mapping[str, Any]) -> bool:
        marks = ("deleted", "is_restricted", "is_ultra_restricted", "is_stranger")
        enterprise = (user.get("enterprise_user") or {}).get("enterprise_id") or ""
        home = self._home.includes(str(user.get("team_id") or ""), str(enterprise))
        return not home or any(user.get(mark) for mark in marks)

    def _current(self, *, fresh: bool) -> Mapping[str, frozenset[str]]:
        roster = self._roster
        if not fresh and roster is not None and self._clock.now() < roster.until:
            return roster.members
        with self._fetching:
            # Many may have waited here for the same answer.
            if not fresh and self._roster is not None and self._clock.now() < self._roster.until:
                return self._roster.members
            members = self._fetch()
            self._roster = _Roster(members, self._clock.now() + GROUPS_FOR)
            return members

    def _fetch(self) -> Mapping[str, frozenset[str]]:
        answer = _named_scope(
            "usergroups:read",
            lambda: read(
                "usergroups.list", lambda: self._client.usergroups_list(include_users=True)
            ),
        )
        members: dict[str, set[str]] = {}
        for group in answer.get("usergroups") or ():
            if group.get("date_delete"):
                continue
            for user_id in group.get("users") or ():
                members.setdefault(str(user_id), set()).add(str(group["id"]))
        return {user_id: frozenset(groups) for user_id, groups in members.items()}


def _named_scope(scope: str, send: Callable[[], Any]) -> Any:
    try:
        return send()
    except AccessDenied as error:
        if scope in error.message:
            raise
        raise AccessDenied(f"{error.message} Quarterdeck needs the scope {scope}.") from error
    except ChannelGone:
        raise
    except Terminal as error:
        raise AccessDenied(error.message) from error


def _name(user: Mapping[str, Any], fallback: str) -> str:
    profile = user.get("profile") or {}
    names = (profile.get("display_name"), user.get("real_name"), user.get("name"))
    return plain(str(next((name for name in names if name), fallback)), 80) or fallback
