"""What a person does in Slack, and what Slack shows them for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.playground.slack import forms, payloads
from bot.playground.slack.delivery import Delivered, Posting, Request, deliver
from bot.playground.slack.methods.views import content_of, pushed
from bot.playground.slack.records import BOT_USER, Channel, Member, Message, View
from bot.playground.slack.refusal import CannotDo, SlackRefusal
from bot.playground.slack.responses import say
from bot.playground.slack.state import State


@dataclass(frozen=True, slots=True)
class Did:
    """What came of an action.

    ``error`` is what Slack shows when the app did not answer well (``operation_timeout`` and so
    on), ``confirm`` what the person had to confirm before, ``said`` messages that came with the
    acknowledgement, ``errors`` a modal's complaints by block id.
    """

    delivered: Delivered
    error: str = ""
    confirm: str = ""
    said: tuple[Message, ...] = ()
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def request(self) -> Request:
        """What was sent to the app: ``Person.again`` sends it once more."""
        return self.delivered.request


@dataclass(frozen=True, slots=True)
class Person:
    """One human at the keyboard."""

    workspace: State
    member: Member

    @property
    def id(self) -> str:
        """The Slack user id."""
        return self.member.id

    @property
    def name(self) -> str:
        """The name people read."""
        return self.member.name

    def command(
        self, name: str, text: str = "", *, channel: str = "", posting: Posting | None = None
    ) -> Did:
        """Type ``name text`` in a channel; without one, in the first that the person is in."""
        where = self._typing_in(channel)
        request = payloads.command(self.workspace, self.member, where, (name, text))
        delivered = deliver(self.workspace, request, posting)
        return _acknowledged(self, delivered, where)

    def mention(
        self,
        channel: str,
        text: str,
        thread_ts: str | None = None,
        *,
        posting: Posting | None = None,
    ) -> Did:
        """Write ``@quarterdeck text`` in a channel or in a thread."""
        where = self._typing_in(channel)
        message = self.say(channel, f"<@{BOT_USER}> {text}", thread_ts)
        if BOT_USER not in where.members:
            raise CannotDo(f"#{where.name} does not have the app: Slack offers to invite it")
        request = payloads.mention(self.workspace, self.member, message)
        return _acknowledged(self, deliver(self.workspace, request, posting), where)

    def say(self, channel: str, text: str, thread_ts: str | None = None) -> Message:
        """Write a message that is nothing to the app."""
        where = self._typing_in(channel)
        ts = self.workspace.new_ts()
        message = Message(where.id, ts, self.id, text, thread_ts=thread_ts)
        self.workspace.put(message)
        return message

    def write(self, text: str, thread_ts: str | None = None) -> Did:
        """Write to the app in the direct messages with it."""
        where = self.workspace.direct(self.id)
        message = self.say(where.id, text, thread_ts)
        request = payloads.direct_message(self.workspace, self.member, message)
        return _acknowledged(self, deliver(self.workspace, request), where)

    def click(
        self,
        source: Message | View,
        button: forms.Named,
        *,
        option: str | Sequence[str] | None = None,
        as_seen: bool = False,
        posting: Posting | None = None,
    ) -> Did:
        """Press a button, or choose an ``option`` of a menu.

        What is there now counts; ``as_seen`` clicks on ``source`` as it was, as a client does
        whose screen is not fresh. Raises ``CannotDo`` where there is no such button.
        """
        current = source if as_seen else self._now(source)
        if isinstance(current, Message) and not self._sees(current):
            raise CannotDo(f"{self.name} does not see that message")
        pressed = forms.control(current, button)
        request = payloads.block_action(
            self.workspace, self.member, current, forms.action(pressed, option)
        )
        delivered = deliver(self.workspace, request, posting)
        return Did(delivered, error=delivered.failure, confirm=pressed.confirm)

    def submit(
        self, view: View, filled: forms.Filled | None = None, *, posting: Posting | None = None
    ) -> Did:
        """Fill a modal in and send it; see ``forms.values`` for the keys."""
        current = self._open(view)
        if current.content.get("submit") is None and not any(
            block["type"] == "input" for block in current.blocks
        ):
            raise CannotDo(f"the modal {current.title!r} has nothing to send")
        state = forms.values(current, filled or {})
        request = payloads.view_submission(self.workspace, self.member, current, state)
        delivered = deliver(self.workspace, request, posting)
        if delivered.failure:
            return Did(delivered, error=delivered.failure)
        return _after_submit(self.workspace, current, delivered)

    def close(self, view: View) -> Did | None:
        """Close a modal; the app is told only where it asked to be."""
        current = self._open(view)
        cleared = bool(current.content.get("clear_on_close"))
        self.workspace.close_view(current, all_of_them=cleared)
        if not current.content.get("notify_on_close"):
            return None
        request = payloads.view_closed(self.workspace, self.member, current, cleared=cleared)
        delivered = deliver(self.workspace, request)
        return Did(delivered, error=delivered.failure)

    def open_home(self) -> Did:
        """Open the app's home tab."""
        delivered = deliver(self.workspace, payloads.home_opened(self.workspace, self.member))
        return Did(delivered, error=delivered.failure)

    def again(self, did: Did, posting: Posting | None = None) -> Did:
        """The same request a second time, freshly signed: as after a lost acknowledgement."""
        delivered = deliver(self.workspace, did.request, posting or Posting(retry=1))
        return Did(delivered, error=delivered.failure)

    def views(self) -> list[View]:
        """The modals open before this person, the topmost last."""
        return [v for v in self.workspace.views(self.id) if v.content["type"] == "modal"]

    def told(self) -> list[Message]:
        """What only this person was shown, oldest first."""
        return self.workspace.ephemerals(self.id)

    def _typing_in(self, channel: str) -> Channel:
        if channel:
            where = self.workspace.channel(channel)
        else:
            everywhere = self.workspace.channels.values()
            where = next(c for c in everywhere if self.id in c.members and not c.user)
        if self.id not in where.members:
            raise CannotDo(f"{self.name} is not in #{where.name}")
        if where.archived:
            raise CannotDo(f"#{where.name} is archived: nobody can write there")
        return where

    def _sees(self, message: Message) -> bool:
        if message.seen_by is not None:
            return message.seen_by == self.id
        return self.id in self.workspace.known(message.channel).members

    def _now(self, source: Message | View) -> Message | View:
        if isinstance(source, View):
            return self._open(source)
        found = (
            self.workspace.find(source.channel, source.ts)
            if source.seen_by is None
            else self.workspace.find_ephemeral(source.ts)
        )
        if found is None:
            raise CannotDo("that message is gone")
        return found

    def _open(self, view: View) -> View:
        current = self.workspace.view(view.id)
        if current is None or current.person != self.id:
            raise CannotDo(f"{self.name} has no such modal open")
        return current


def _acknowledged(person: Person, delivered: Delivered, channel: Channel) -> Did:
    """A command's acknowledgement may carry a message: JSON, or plain text."""
    body = delivered.body.strip()
    if delivered.failure or not body or delivered.request.kind != "slash_commands":
        return Did(delivered, error=delivered.failure)
    content: dict[str, Any] = delivered.json or {"text": body}
    try:
        said = say(person.workspace, person.id, channel.id, content)
    except SlackRefusal as refusal:
        return Did(delivered, error=refusal.error)
    return Did(delivered, said=(said,))


def _after_submit(workspace: State, view: View, delivered: Delivered) -> Did:
    """Do what the acknowledgement of a submission says about the modal."""
    answer = delivered.json
    wanted = answer.get("response_action")
    try:
        match wanted:
            case None:
                workspace.close_view(view)
            case "clear":
                workspace.close_view(view, all_of_them=True)
            case "update":
                workspace.change(view, content_of(answer.get("view")))
            case "push":
                pushed(workspace, view, content_of(answer.get("view")))
            case "errors":
                return Did(delivered, errors=_complaints(view, answer.get("errors")))
            case _:
                return Did(delivered, error="invalid_response_action")
    except SlackRefusal as refusal:
        return Did(delivered, error=refusal.error)
    return Did(delivered)


def _complaints(view: View, errors: Any) -> dict[str, str]:
    inputs = {block["block_id"] for block in view.blocks if block["type"] == "input"}
    if not isinstance(errors, dict) or not errors or errors.keys() - inputs:
        raise SlackRefusal("invalid_errors")
    return {str(block): str(text) for block, text in errors.items()}
