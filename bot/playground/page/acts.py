"""What somebody does on the page, done by that person in the workspace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.playground.page.scene import HOME
from bot.playground.slack.person import Did, Person
from bot.playground.slack.records import Message, View
from bot.playground.slack.refusal import CannotDo
from bot.playground.slack.state import State

#: The commands that the app's manifest names.
Slashes = tuple[str, ...]
LONGEST = 4000
MENTION = "@quarterdeck"

#: What the client itself says where the app did not answer well, by Slack's name of the failure.
FAILURES = {
    "operation_timeout": "the app did not answer in time",
    "dispatch_failed": "the app cannot be reached",
    "http_service_error": "the app answered with an error",
    "http_client_error": "the app turned the request away",
}


@dataclass(frozen=True, slots=True)
class Acts:
    """Carries out what a page asks for. Raises ``CannotDo``, ``KeyError`` and ``ValueError``."""

    slack: State
    slashes: Slashes

    def do(self, verb: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """``note`` is what the client tells the person; ``errors`` a form's complaints."""
        person = Person(self.slack, self.slack.member(str(asked.get("person", ""))))
        match verb:
            case "type":
                return self._type(person, asked)
            case "click":
                return told(self._click(person, asked))
            case "submit":
                return told(person.submit(self._view(asked), _filled(asked)))
            case "close":
                return told(person.close(self._view(asked)))
            case "home":
                return told(person.open_home())
            case _:
                raise ValueError(f"There is no act {verb!r}.")

    def _type(self, person: Person, asked: Mapping[str, Any]) -> dict[str, Any]:
        text, where = str(asked.get("text", "")).strip(), str(asked.get("channel", ""))
        thread = str(asked.get("thread") or "") or None
        if not text:
            return {}
        if len(text) > LONGEST:
            raise CannotDo(f"a message has at most {LONGEST} characters")
        if where == HOME:
            raise CannotDo("open a channel to write there")
        if text.startswith("/"):
            return self._slash(person, text, where, thread)
        if self.slack.channel(where).user:
            return told(person.write(text, thread))
        if text.startswith(MENTION):
            return told(person.mention(where, text.removeprefix(MENTION).strip(), thread))
        person.say(where, text, thread)
        return {}

    def _slash(self, person: Person, text: str, where: str, thread: str | None) -> dict[str, Any]:
        name, _, rest = text.partition(" ")
        if name not in self.slashes:
            return {"note": f"{name} is not a valid command. In Slack they are installed by apps."}
        if thread is not None:
            instead = " ".join([MENTION, name.removeprefix("/"), *rest.split()])
            return {"note": f"{name} is not supported in threads. Write {instead} instead."}
        return told(person.command(name, rest.strip(), channel=where), what=name)

    def _click(self, person: Person, asked: Mapping[str, Any]) -> Did:
        option = asked.get("option")
        chosen = [str(each) for each in option] if isinstance(option, list) else option
        return person.click(
            self._source(asked),
            (str(asked.get("block", "")), str(asked.get("action", ""))),
            option=chosen if isinstance(chosen, list) or chosen is None else str(chosen),
        )

    def _source(self, asked: Mapping[str, Any]) -> Message | View:
        if asked.get("view"):
            return self._view(asked)
        channel, ts = str(asked.get("channel", "")), str(asked.get("ts", ""))
        found = self.slack.find(channel, ts) or self.slack.find_ephemeral(ts)
        if found is None:
            raise CannotDo("that message is gone")
        return found

    def _view(self, asked: Mapping[str, Any]) -> View:
        view = self.slack.view(str(asked.get("view", "")))
        if view is None:
            raise CannotDo("that form is closed")
        return view


def _filled(asked: Mapping[str, Any]) -> dict[str, str | list[str]]:
    values = asked.get("values")
    if not isinstance(values, dict):
        raise CannotDo("the fields of a form are an object")
    return {
        str(name): [str(each) for each in value] if isinstance(value, list) else str(value)
        for name, value in values.items()
    }


def told(did: Did | None, what: str = "That") -> dict[str, Any]:
    """What the person is told about it, where there is anything to tell."""
    if did is None:
        return {}
    answer: dict[str, Any] = {}
    if did.error:
        meaning = FAILURES.get(did.error, "the app's answer cannot be shown")
        answer["note"] = f"{what} failed with the error “{did.error}”: {meaning}."
    if did.errors:
        answer["errors"] = did.errors
    return answer
