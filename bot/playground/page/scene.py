"""Everything a page shows at one moment, for the person at the keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock

from bot.playground.page.blocks import draw_message, draw_view
from bot.playground.page.cast import CAST
from bot.playground.page.live import Element, Scene
from bot.playground.page.mrkdwn import Names
from bot.playground.page.templating import draw
from bot.playground.slack.records import BOT_USER, Channel, Member, Message, View
from bot.playground.slack.state import State
from bot.playground.tour.fleet import ENVIRONMENTS, NEW, SERVICES

HOME = "home"
APP_NAME = "Quarterdeck"
#: What somebody may type first, who does not know the bot yet.
FIRST = f"/deploy {SERVICES[0]} {ENVIRONMENTS[-1]} {NEW}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page is: who sits there, what is open. ``thread`` is its first message's ts."""

    person: str
    channel: str
    thread: str = ""


@dataclass(slots=True)
class Painter:
    """Draws scenes of one workspace. ``beside`` draws what stands beside the chat."""

    slack: State
    beside: Callable[[], Scene]
    _drawn: dict[tuple[str, str, str], tuple[Message, int, Element]] = field(default_factory=dict)
    _read: dict[tuple[str, str], str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def scene(self, place: Place) -> Scene:
        """All containers of the page. Raises ``KeyError`` for a person or channel there is not."""
        member = self.slack.member(place.person)
        names = names_of(self.slack)
        channels = channels_of(self.slack, member)
        shown = next((each for each in channels if each.id == place.channel), None)
        if shown is None and place.channel != HOME:
            raise KeyError(place.channel)
        messages = self._messages(shown, member) if shown else []
        self._note_read(member, place.channel, messages)
        chat: dict[str, Sequence[Element]] = {
            "people": [_people(self.slack, member)],
            "rail": [self._rail(member, channels, place)],
            "head": [_head(shown, self.slack.direct(member.id), names)],
            "log": self._log(shown, messages, names) if shown else self._home(member, names),
            "thread": self._thread(shown, place, member, names),
            "overlay": [_modal(view, names) for view in self._modals(member)[-1:]],
        }
        return {**chat, **self.beside()}

    def _messages(self, channel: Channel, member: Member) -> list[Message]:
        private = [
            each
            for each in self.slack.ephemerals(member.id)
            if each.channel == channel.id and each.thread_ts is None
        ]
        return sorted([*self.slack.messages(channel), *private], key=lambda each: each.ts)

    def _note_read(self, member: Member, channel: str, messages: Sequence[Message]) -> None:
        if messages:
            with self._lock:
                self._read[member.id, channel] = messages[-1].ts

    def _rail(self, member: Member, channels: Sequence[Channel], place: Place) -> Element:
        entries = [
            {
                "id": each.id,
                "name": each.name or APP_NAME,
                "direct": bool(each.user),
                "open": each.id == place.channel,
                "unread": self._unread(member, each),
            }
            for each in channels
        ]
        drawn = draw("rail.html", entries=entries, home=place.channel == HOME)
        return "rail-list", drawn

    def _unread(self, member: Member, channel: Channel) -> int:
        with self._lock:
            read = self._read.get((member.id, channel.id), "")
        return sum(each.ts > read and each.by != member.id for each in self.slack.messages(channel))

    def _log(self, channel: Channel, messages: Sequence[Message], names: Names) -> list[Element]:
        if not messages:
            first = FIRST if BOT_USER in channel.members and not channel.user else ""
            return [("log-empty", draw("empty.html", first=first))]
        replies = self.slack.replies(messages[0].channel)
        return [self._message(each, names, ("m", replies[each.ts])) for each in messages]

    def _thread(
        self, channel: Channel | None, place: Place, member: Member, names: Names
    ) -> list[Element]:
        first = self.slack.find(channel.id, place.thread) if channel and place.thread else None
        if channel is None or first is None:
            return []
        private = [each for each in self.slack.ephemerals(member.id) if each.thread_ts == first.ts]
        replies = sorted(
            [*self.slack.thread(channel, first.ts), *private], key=lambda each: each.ts
        )
        return [self._message(each, names, ("t", 0)) for each in (first, *replies)]

    def _message(self, message: Message, names: Names, where: tuple[str, int]) -> Element:
        """Drawn once for each state: a channel may hold hundreds."""
        part, replies = where
        key = (part, message.channel, message.ts)
        with self._lock:
            known = self._drawn.get(key)
        if known is not None and known[0] is message and known[1] == replies:
            return known[2]
        person = self.slack.people.get(message.by)
        drawn = draw(
            "message.html",
            message=message,
            body=draw_message(message, names),
            author=APP_NAME if message.by == BOT_USER else names.people.get(message.by, message.by),
            app=person is not None and person.bot,
            replies=replies,
            at=float(message.ts),
        )
        element = (f"{part}-{message.ts}", drawn)
        with self._lock:
            self._drawn[key] = (message, replies, element)
        return element

    def _home(self, member: Member, names: Names) -> list[Element]:
        views = [v for v in self.slack.views(member.id) if v.content["type"] == "home"]
        if not views:
            return [("home-empty", draw("empty.html", first=""))]
        view = views[-1]
        drawn = draw("home.html", view=view, body=draw_view(view, names))
        return [(f"home-{view.id}", drawn)]

    def _modals(self, member: Member) -> list[View]:
        return [v for v in self.slack.views(member.id) if v.content["type"] == "modal"]


def names_of(slack: State) -> Names:
    """What ids read as."""
    with slack.lock:
        return Names(
            people={each.id: each.name for each in slack.people.values()},
            groups={each.id: each.handle for each in slack.groups.values()},
            channels={each.id: each.name for each in slack.channels.values()},
        )


def channels_of(slack: State, member: Member) -> list[Channel]:
    """The channels somebody is in, and their direct messages with the app last."""
    slack.direct(member.id)
    with slack.lock:
        mine = [each for each in slack.channels.values() if member.id in each.members]
    return [c for c in mine if not c.user] + [c for c in mine if c.user == member.id]


def _people(slack: State, member: Member) -> Element:
    """With the channels of each, so that the page knows where somebody else can stay."""
    cast = [(role, [c.id for c in channels_of(slack, slack.member(role.name))]) for role in CAST]
    drawn = draw("people.html", cast=cast, me=member.name)
    return "people-list", drawn


def _head(channel: Channel | None, direct: Channel, names: Names) -> Element:
    inside: Iterable[str] = channel.members if channel else ()
    people = sorted(names.people.get(each, each) for each in inside)
    drawn = draw("head.html", channel=channel, people=people, direct=direct.id)
    return "head-line", drawn


def _modal(view: View, names: Names) -> Element:
    drawn = draw("modal.html", view=view, body=draw_view(view, names))
    return f"modal-{view.id}", drawn
