"""A Slack workspace in memory: who is in it, what was said, and how strictly Slack looks at it.

``State`` is the data under one lock; ``workspace.Workspace`` gives it a Web API and people who
can act.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bot.playground.slack import records
from bot.playground.slack.files import Files
from bot.playground.slack.limits import Limits
from bot.playground.slack.records import (
    Call,
    Channel,
    Fault,
    Group,
    Member,
    Message,
    Outage,
    View,
)
from bot.playground.slack.refusal import SlackRefusal
from bot.playground.slack.sockets import Sockets
from bot.playground.slack.tickets import Tickets

#: Every scope that the methods here ask for.
SCOPES = frozenset(
    {
        "app_mentions:read",
        "channels:history",
        "channels:read",
        "chat:write",
        "commands",
        "files:write",
        "groups:history",
        "groups:read",
        "im:history",
        "im:read",
        "im:write",
        "usergroups:read",
        "users:read",
    }
)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the app must present, and what Slack signs with. Made up; never those of a real app."""

    bot_token: str = "xoxb-0000000000-stand-in"  # noqa: S105 - opens nothing but this stand-in
    app_token: str = "xapp-1-A0QDECK01-stand-in"  # noqa: S105 - opens nothing but this stand-in
    signing: str = "0123456789abcdef0123456789abcdef"


@dataclass(slots=True)
class State:
    """One workspace with one app installed. ``clock`` gives Unix seconds; every method is safe
    to call from any thread."""

    scopes: frozenset[str] = SCOPES
    secrets: Secrets = field(default_factory=Secrets)
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], float] = time.time
    app_url: str = ""
    url: str = ""
    outage: Outage | None = None
    people: dict[str, Member] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    sockets: Sockets = field(default_factory=Sockets)
    tickets: Tickets = field(init=False)
    files: Files = field(init=False)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _messages: dict[tuple[str, str], Message] = field(default_factory=dict)
    _ephemerals: list[Message] = field(default_factory=list)
    _views: dict[str, View] = field(default_factory=dict)
    _calls: list[Call] = field(default_factory=list)
    _faults: list[Fault] = field(default_factory=list)
    _last_ts: int = 0
    _numbered: int = 0
    _changes: int = 0
    _changed: threading.Condition = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.tickets = Tickets(self.clock)
        self.files = Files(self.clock)
        self._changed = threading.Condition(self.lock)
        bot = Member(records.BOT_USER, records.BOT_NAME, bot=True)
        self.people[bot.id] = bot

    # People, groups and channels -----------------------------------------------------------

    def new_id(self, prefix: str) -> str:
        """An id that nothing else has, in Slack's form."""
        with self.lock:
            self._numbered += 1
            return f"{prefix}0{self._numbered:07d}"

    def add_member(self, name: str, **traits: Any) -> Member:
        """A user; ``traits`` are ``Member``'s: ``guest``, ``bot``, ``stranger``, ``team``."""
        identity = traits.pop("id", None) or self.new_id("U")
        if traits.get("stranger"):
            traits.setdefault("team", records.OTHER_TEAM)
        member = Member(identity, name, **traits)
        with self.lock:
            self.people[member.id] = member
        return member

    def add_group(self, handle: str, members: Iterable[Member], *, id: str = "") -> Group:  # noqa: A002 - Slack's own word
        """A user group."""
        group = Group(id or self.new_id("S"), handle, [member.id for member in members])
        with self.lock:
            self.groups[group.id] = group
        return group

    def add_channel(
        self, name: str, members: Iterable[Member], *, bot: bool = True, **traits: Any
    ) -> Channel:
        """A channel; ``bot`` says whether the app was invited."""
        inside = {member.id for member in members} | ({records.BOT_USER} if bot else set())
        channel = Channel(traits.pop("id", None) or self.new_id("C"), name, inside, **traits)
        with self.lock:
            self.channels[channel.id] = channel
        return channel

    def member(self, who: str) -> Member:
        """By id or by name; ``KeyError`` for nobody."""
        with self.lock:
            found = self.people.get(who)
            return found or next(each for each in self._named(who))

    def _named(self, name: str) -> list[Member]:
        found = [each for each in self.people.values() if each.name == name.lstrip("@")]
        if not found:
            raise KeyError(name)
        return found

    def channel(self, which: str) -> Channel:
        """By id or by name; ``KeyError`` for none."""
        with self.lock:
            name = which.lstrip("#")
            for each in self.channels.values():
                if which == each.id or (each.name and each.name == name):
                    return each
            raise KeyError(which)

    def direct(self, user: str) -> Channel:
        """The direct message channel of the app and a user."""
        with self.lock:
            for each in self.channels.values():
                if each.user == user:
                    return each
            made = Channel(self.new_id("D"), "", {user, records.BOT_USER}, user=user)
            self.channels[made.id] = made
            return made

    # Messages ------------------------------------------------------------------------------

    def new_ts(self) -> str:
        """A time stamp later than every other one: Slack's message id."""
        with self.lock:
            self._last_ts = max(self._last_ts + 1, int(self.clock() * 1_000_000))
            return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def put(self, message: Message) -> None:
        """Write a message, new or changed, and wake whoever waits for a change."""
        with self._changed:
            if message.seen_by is None:
                self._messages[message.channel, message.ts] = message
            else:
                kept = [each for each in self._ephemerals if each.ts != message.ts]
                self._ephemerals = sorted([*kept, message], key=lambda each: each.ts)
            self._touch()

    def remove(self, message: Message) -> None:
        """Delete a message, as its author or an admin would."""
        with self._changed:
            self._messages.pop((message.channel, message.ts), None)
            self._ephemerals = [each for each in self._ephemerals if each.ts != message.ts]
            self._touch()

    def find(self, channel: str, ts: str) -> Message | None:
        """One message as it stands now."""
        with self.lock:
            return self._messages.get((channel, ts))

    def find_ephemeral(self, ts: str) -> Message | None:
        """One message that only one person saw."""
        with self.lock:
            return next((each for each in self._ephemerals if each.ts == ts), None)

    def messages(self, channel: str | Channel) -> list[Message]:
        """What the channel shows, oldest first: replies only where they were broadcast."""
        return [each for each in self._in(channel) if each.thread_ts is None or each.broadcast]

    def thread(self, channel: str | Channel, ts: str) -> list[Message]:
        """A message's replies, oldest first."""
        return [each for each in self._in(channel) if each.thread_ts == ts and each.ts != ts]

    def _in(self, channel: str | Channel) -> list[Message]:
        found = channel if isinstance(channel, Channel) else self.channel(channel)
        with self.lock:
            inside = [each for each in self._messages.values() if each.channel == found.id]
        return sorted(inside, key=lambda each: each.ts)

    def replies(self, channel: str | Channel) -> Counter[str]:
        """How many replies the channel's messages have, by the first one's ``ts``."""
        inside = self._in(channel)
        return Counter(each.thread_ts for each in inside if each.thread_ts not in {None, each.ts})

    def ephemerals(self, person: str) -> list[Message]:
        """What only that person was shown, oldest first."""
        member = self.member(person)
        with self.lock:
            return [each for each in self._ephemerals if each.seen_by == member.id]

    def changed_since(self, seen: int, timeout: float) -> int:
        """Wait for a change after the ``seen``-th, ``timeout`` seconds at most; how many by now."""
        with self._changed:
            self._changed.wait_for(lambda: self._changes > seen, timeout)
            return self._changes

    def _touch(self) -> None:
        """Call with the lock held: somebody may be waiting for news."""
        self._changes += 1
        self._changed.notify_all()

    def until(self, true: Callable[[], Any], timeout: float, what: str) -> Any:
        """Wait until ``true()`` gives something truthy, looking again at every change.

        Raises ``TimeoutError`` that says ``what`` did not happen within ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while not (found := true()):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"{what}: not within {timeout:g} s")
                self._changed.wait(min(left, 0.1))
            return found

    # Views ---------------------------------------------------------------------------------

    def show(self, person: str, content: Mapping[str, Any], *, over: View | None = None) -> View:
        """Open a view, or push one over another."""
        identity = self.new_id("V")
        view = View(
            id=identity,
            person=person,
            content=dict(content),
            hash=self._new_hash(),
            root=over.root if over else identity,
            previous=over.id if over else None,
        )
        with self._changed:
            self._views[identity] = view
            self._touch()
        return view

    def change(self, view: View, content: Mapping[str, Any]) -> View:
        """Give an open view new content, and a new hash."""
        changed = replace(view, content=dict(content), hash=self._new_hash())
        with self._changed:
            self._views[view.id] = changed
            self._touch()
        return changed

    def close_view(self, view: View, *, all_of_them: bool = False) -> None:
        """Close one view, or the whole stack it is in."""
        with self._changed:
            for each in list(self._views.values()):
                if each.id == view.id or (all_of_them and each.root == view.root):
                    del self._views[each.id]
            self._touch()

    def view(self, identity: str = "", external_id: str = "") -> View | None:
        """An open view by its id or the app's own id of it."""
        with self.lock:
            if identity:
                return self._views.get(identity)
            named = (each for each in self._views.values() if external_id)
            return next((v for v in named if v.content.get("external_id") == external_id), None)

    def views(self, person: str) -> list[View]:
        """The person's open modals, the topmost last; and the App Home, if it was published."""
        member = self.member(person)
        with self.lock:
            return [each for each in self._views.values() if each.person == member.id]

    def _new_hash(self) -> str:
        return f"{int(self.clock())}.{secrets.token_hex(4)}"

    # Calls and faults ----------------------------------------------------------------------

    def note(self, call: Call) -> None:
        """Remember a Web API call."""
        with self.lock:
            self._calls.append(call)

    def calls(self, method: str = "") -> list[Call]:
        """The Web API calls that arrived, oldest first; of one method or of all."""
        with self.lock:
            return [each for each in self._calls if method in {"", each.method}]

    def inject(self, fault: Fault) -> None:
        """Let the next calls of a method fail in some way."""
        with self.lock:
            self._faults.append(fault)

    def next_fault(self, method: str) -> Fault | None:
        """The fault that this call meets, if any; it is used up by asking."""
        with self.lock:
            for fault in self._faults:
                if fault.method in {method, "*"}:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                    return fault
            return None

    def inside(self, identity: str) -> Channel:
        """The channel for an app that must be in it, or Slack's refusal."""
        channel = self.known(identity)
        if records.BOT_USER not in channel.members:
            raise SlackRefusal("channel_not_found" if channel.private else "not_in_channel")
        return channel

    def known(self, identity: str) -> Channel:
        """The channel by its id (Slack takes no name), or Slack's refusal."""
        with self.lock:
            if identity not in self.channels:
                raise SlackRefusal("channel_not_found")
            return self.channels[identity]
