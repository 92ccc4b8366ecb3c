"""Slack as the edge's ports see it: channels that come and go, limits, lost answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Condition

from slack_sdk.models.views import View

from bot.model.deployment import Person, Requester
from bot.slack.messenger import ChannelGone, Letter, MessageGone, Picture, Place, Posted
from bot.slack.views.message import Message


@dataclass
class FakeClock:
    """Stands still until it is moved."""

    at: datetime = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def pass_by(self, **span: float) -> None:
        self.at += timedelta(**span)


@dataclass
class Stored:
    letter: Letter
    message: Message
    updates: int = 0


@dataclass
class FakeMessenger:
    """``faults`` are raised by the next calls, one each; ``lost`` posts arrive all the same."""

    gone: set[str] = field(default_factory=set)
    messages: dict[tuple[str, str], Stored] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    lost: list[Exception] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    upload_faults: list[Exception] = field(default_factory=list)
    update_faults: list[Exception] = field(default_factory=list)

    def post(self, letter: Letter) -> Posted:
        self._begin("post", letter.channel)
        thread = (letter.channel, letter.thread_ts or "")
        if letter.thread_ts and thread not in self.messages:
            raise MessageGone("Slack refused chat.postMessage: thread_not_found.")
        channel = f"D{letter.channel}" if letter.channel.startswith("U") else letter.channel
        posted = Posted(channel, f"{len(self.messages) + 1}.000")
        self.messages[channel, posted.ts] = Stored(letter, letter.message)
        if self.lost:
            raise self.lost.pop(0)
        return posted

    def update(self, at: Posted, message: Message) -> None:
        self._begin("update", at.channel)
        if self.update_faults:
            raise self.update_faults.pop(0)
        if (at.channel, at.ts) not in self.messages:
            raise MessageGone("Slack refused chat.update: message_not_found.")
        stored = self.messages[at.channel, at.ts]
        stored.message, stored.updates = message, stored.updates + 1

    def find(self, letter: Letter, since: datetime) -> Posted | None:
        assert since.tzinfo is not None
        self._begin("find", letter.channel)
        return next(
            (
                Posted(channel, ts)
                for (channel, ts), stored in self.messages.items()
                if stored.letter.key == letter.key and channel.endswith(letter.channel)
            ),
            None,
        )

    def upload(self, picture: Picture) -> str:
        self._begin("upload", "")
        if self.upload_faults:
            raise self.upload_faults.pop(0)
        self.pictures.append(picture)
        return f"F{len(self.pictures)}"

    def in_channel(self, channel: str) -> list[Message]:
        return [stored.message for (at, _), stored in self.messages.items() if at == channel]

    def _begin(self, call: str, channel: str) -> None:
        self.calls.append(call)
        if self.faults:
            raise self.faults.pop(0)
        if channel in self.gone:
            raise ChannelGone("Slack refused chat.postMessage: is_archived.")


@dataclass
class FakeDesk:
    """What one person saw in private, in order. ``seen`` waits for what comes afterwards."""

    whispers: list[tuple[Place, Message]] = field(default_factory=list)
    modals: dict[str, list[View]] = field(default_factory=dict)
    homes: list[tuple[str, View]] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    fault: Exception | None = None
    _news: Condition = field(default_factory=Condition)

    def whisper(self, place: Place, message: Message) -> None:
        self.whispers.append((place, message))
        self._note("whisper")

    def open_modal(self, trigger_id: str, view: View) -> str:
        assert trigger_id
        if self.fault is not None:
            raise self.fault
        view_id = f"V{len(self.modals) + 1}"
        self.modals[view_id] = [view]
        self._note("open_modal")
        return view_id

    def update_modal(self, view_id: str, view: View) -> None:
        self.modals.setdefault(view_id, []).append(view)
        self._note("update_modal")

    def publish_home(self, user: str, view: View) -> None:
        self.homes.append((user, view))
        self._note("publish_home")

    def seen(self, call: str, times: int = 1) -> None:
        """Wait until that many such calls were made."""
        with self._news:
            assert self._news.wait_for(lambda: self.order.count(call) >= times, 30), self.order

    def _note(self, call: str) -> None:
        with self._news:
            self.order.append(call)
            self._news.notify_all()


@dataclass
class FakeDirectory:
    """People by id; whoever is not listed is a full member without groups."""

    known: dict[str, Requester] = field(default_factory=dict)
    fault: Exception | None = None
    forgotten: list[str] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def requester(self, user_id: str, channel: str, team_id: str = "") -> Requester:
        self.asked.append((user_id, channel, team_id))
        if self.fault is not None:
            raise self.fault
        known = self.known.get(user_id, Requester(Person(user_id, user_id.lower())))
        return Requester(known.person, known.groups, channel, known.is_bot, known.outsider)

    def forget(self, user_id: str) -> None:
        self.forgotten.append(user_id)

    def forget_groups(self) -> None:
        self.forgotten.append("groups")
