"""``/_control/...``: a person's actions and a look at the workspace, over HTTP with JSON.

For people and pages outside of the stand-in's process. Names or ids are taken everywhere.

    people, groups, channels             who and what there is
    messages?channel, thread?channel&ts  what is shown, oldest first
    ephemerals?person, views?person      what only that person sees
    calls[?method]                       Web API calls that arrived
    connect {url}                        the app's request URL
    command {person, command, text[, channel]}
    mention {person, channel, text[, thread_ts]}
    click {person, action, channel and ts | view[, option]}
    submit {person, view[, values]}      close {person, view}      home {person}
    outage {how}                         refused ones cannot be ended from outside: "" ends others
    fault {method, error | outage[, times]}
    limits {factor}                      0 lifts every rate limit
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from bot.playground.slack.person import Did, Person
from bot.playground.slack.records import Fault, Message, Outage, View
from bot.playground.slack.refusal import CannotDo
from bot.playground.slack.state import State

Args = dict[str, Any]


def _did(did: Did | None) -> Args:
    if did is None:
        return {"error": ""}
    return {
        "error": did.error,
        "confirm": did.confirm,
        "errors": did.errors,
        "said": [each.json() for each in did.said],
        "status": did.delivered.status,
        "seconds": round(did.delivered.seconds, 4),
    }


@dataclass(frozen=True, slots=True)
class Controls:
    """Answers control requests about one workspace."""

    workspace: State

    def answer(self, path: str, args: Args) -> tuple[int, Any]:
        """Status and JSON; 404 for an unknown path or name, 409 for what a person cannot do."""
        try:
            verb = self._verbs()[path.strip("/")]
            return 200, verb(args)
        except KeyError as missing:
            return 404, {"error": f"there is no {missing}"}
        except (CannotDo, ValueError) as impossible:
            return 409, {"error": str(impossible)}

    def _verbs(self) -> dict[str, Callable[[Args], Any]]:
        space = self.workspace
        return {
            "people": lambda _: [each.json() for each in space.people.values()],
            "groups": lambda _: [each.json(with_users=True) for each in space.groups.values()],
            "channels": lambda _: [
                each.json() | {"members": sorted(each.members)} for each in space.channels.values()
            ],
            "messages": lambda args: _shown(space.messages(args["channel"])),
            "thread": lambda args: _shown(space.thread(args["channel"], args["ts"])),
            "ephemerals": lambda args: _shown(space.ephemerals(args["person"])),
            "views": lambda args: [each.json() for each in space.views(args["person"])],
            "calls": lambda args: [asdict(each) for each in space.calls(args.get("method", ""))],
            "connect": self._connect,
            "command": self._command,
            "mention": self._mention,
            "click": self._click,
            "submit": lambda args: _did(
                self._person(args).submit(self._view(args), args.get("values"))
            ),
            "close": lambda args: _did(self._person(args).close(self._view(args))),
            "home": lambda args: _did(self._person(args).open_home()),
            "outage": self._outage,
            "fault": self._fault,
            "limits": self._limits,
        }

    def _person(self, args: Args) -> Person:
        return Person(self.workspace, self.workspace.member(args["person"]))

    def _view(self, args: Args) -> View:
        view = self.workspace.view(args["view"])
        if view is None:
            raise KeyError(args["view"])
        return view

    def _source(self, args: Args) -> Message | View:
        if args.get("view"):
            return self._view(args)
        channel = self.workspace.channel(args["channel"])
        found = self.workspace.find(channel.id, args["ts"])
        found = found or self.workspace.find_ephemeral(args["ts"])
        if found is None:
            raise KeyError(args["ts"])
        return found

    def _connect(self, args: Args) -> Args:
        self.workspace.app_url = args["url"]
        return {"error": ""}

    def _command(self, args: Args) -> Args:
        typed = (args["command"], args.get("text", ""))
        return _did(self._person(args).command(*typed, channel=args.get("channel", "")))

    def _mention(self, args: Args) -> Args:
        words = (args["channel"], args["text"], args.get("thread_ts"))
        return _did(self._person(args).mention(*words))

    def _click(self, args: Args) -> Args:
        pressed = (self._source(args), args["action"])
        return _did(self._person(args).click(*pressed, option=args.get("option")))

    def _outage(self, args: Args) -> Args:
        how = Outage(args["how"]) if args.get("how") else None
        if how is Outage.REFUSED:
            raise CannotDo("nobody could end that from outside: stop the process instead")
        self.workspace.outage = how
        return {"error": ""}

    def _fault(self, args: Args) -> Args:
        outage = Outage(args["outage"]) if args.get("outage") else None
        times = int(args.get("times", 1))
        self.workspace.inject(Fault(args["method"], args.get("error", ""), outage, times))
        return {"error": ""}

    def _limits(self, args: Args) -> Args:
        self.workspace.limits.factor = float(args["factor"]) or math.inf
        return {"error": ""}


def _shown(messages: list[Message]) -> list[Args]:
    return [each.json(with_metadata=True) for each in messages]
